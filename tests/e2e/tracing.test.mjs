// Traces: through a real nginx, from a client to an MCP server, and of sign-ins; and a collector that is away.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';

import { Collector } from './lib/collector.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { Nginx, passing } from './lib/nginx.mjs';
import { authorization, call, initialize, post, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let collector, gateway, upstream, person, tokens;

const newContext = (flags = '01') => {
  const [trace, span] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { trace, span, text: `00-${trace}-${span}-${flags}` };
};
const seenAbove = () => upstream.requests.at(-1).headers;
const logOf = (of, answer) => of.logged('of the call', (l) => l.request_id === answer.headers.get('x-request-id'));

async function ask(headers = {}, message = call('echo', { text: 'an argument' }), at = gateway.mcp) {
  const answer = await post(at, message, tokens.access_token, headers);
  await answer.text();
  return answer;
}

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  collector = await Collector.start(scope);
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    tools: { echo: [] },
    telemetry: { endpoint: collector.url, headers: { 'X-Api-Key': 'collector-secret' }, service_name: 'front door' },
  });
  person = new Person({ password: await gateway.firstPassword() });
  tokens = await tokensFor(gateway, person);
});

test('a call is one span for the request and one below it for the MCP server', async () => {
  const answer = await ask();
  const { trace_id } = await logOf(gateway, answer);
  const [sent, took] = [/^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(seenAbove().traceparent), await collector.trace(trace_id, 2)];
  const server = took.find((s) => s.kind === 'server'), client = took.find((s) => s.kind === 'client');
  assert.equal(took.length, 2);
  assert.equal(server.name, 'tools/call echo');
  assert.equal(server.parent, undefined);
  assert.deepEqual([sent[1], sent[2]], [trace_id, client.id]);
  assert.equal(client.parent, server.id);
  assert.equal(client.name, 'tools/call echo');
  const wanted = {
    'http.request.method': 'POST', 'http.route': '/mcp', 'url.path': '/mcp', 'url.scheme': 'http', 'server.port': gateway.port,
    'client.address': '127.0.0.1', 'http.response.status_code': 200, 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'echo',
    'gen_ai.operation.name': 'execute_tool', 'network.transport': 'tcp', failed: false,
  };
  for (const [name, value] of Object.entries(wanted)) assert.equal(server[name], value, name);
  assert.equal(client['url.full'], `${upstream.url}/mcp`);
  assert.equal(client['server.port'], upstream.port);
  assert.equal(client['http.response.status_code'], 200);
  assert.ok(client.began >= server.began - 2_000_000n && client.ended <= server.ended + 2_000_000n, 'the one lies within the other');
  assert.equal(collector.requests[0].url, '/v1/traces');
  assert.equal(collector.requests[0].headers['x-api-key'], 'collector-secret');
  assert.equal(collector.resources[0]['service.name'], 'front door');
  assert.match(collector.resources[0]['service.version'], /^\d+\.\d+\.\d+/);
});

test('no span holds the query that a path hides', async () => {
  const answer = await ask({}, call('echo', { text: 'x' }), `${gateway.mcp}/x%3Faccess_token=hidden-in-a-path`);
  const { trace_id } = await logOf(gateway, answer);
  const spans = await collector.trace(trace_id, 2);
  assert.equal(spans.find((s) => s.kind === 'server')['url.path'], '/mcp/x');
  assert.equal(spans.find((s) => s.kind === 'client')['url.full'], `${upstream.url}/x`);
});

test('a valid traceparent goes on, with its tracestate', async () => {
  const context = newContext();
  await ask({ traceparent: context.text, tracestate: 'rojo=00f067aa0ba902b7' });
  const server = (await collector.trace(context.trace, 2)).find((s) => s.kind === 'server');
  assert.equal(server.parent, context.span);
  assert.ok(seenAbove().traceparent.startsWith(`00-${context.trace}-`));
  assert.notEqual(seenAbove().traceparent, context.text);
  assert.equal(seenAbove().tracestate, 'rojo=00f067aa0ba902b7');
});

test('a traceparent that cannot be read is replaced, and its tracestate left out', async () => {
  const good = newContext();
  for (const bad of ['', 'x', good.text.toUpperCase().replace('00-', 'ff-'), `${good.text}-more`, `00-${'0'.repeat(32)}-${good.span}-01`,
    `${good.text}, ${newContext().text}`]) {
    const answer = await ask({ traceparent: bad, tracestate: 'rojo=1' });
    const { trace_id } = await logOf(gateway, answer);
    assert.notEqual(trace_id, good.trace);
    assert.ok(seenAbove().traceparent.startsWith(`00-${trace_id}-`), bad);
    assert.equal(seenAbove().tracestate, undefined, bad);
    assert.equal((await collector.trace(trace_id, 2)).find((s) => s.kind === 'server').parent, undefined, bad);
  }
});

test('a client that knows no header fields names its trace in _meta, and the message passes as it is', async () => {
  const context = newContext();
  const message = call('echo', { text: 'x' });
  message.params._meta = { traceparent: context.text, tracestate: 'a=1' };
  await ask({}, message);
  const server = (await collector.trace(context.trace, 2)).find((s) => s.kind === 'server');
  assert.equal(server.parent, context.span);
  const both = newContext();
  await ask({ traceparent: both.text }, message);
  assert.equal((await collector.trace(both.trace, 2)).length, 2, 'the header is the nearer one');
  message.params._meta = { traceparent: 7, Traceparent: 'not ours' };
  assert.equal((await ask({}, message)).status, 200);
});

test('a refusal is named by the word of the log', async () => {
  const none = await post(gateway.mcp, initialize());
  await none.text();
  const never = await ask({}, call('never'));
  for (const [answer, status, reason] of [[none, 401, 'token_missing'], [never, 403, 'policy_denied']]) {
    assert.equal(answer.status, status);
    const line = await logOf(gateway, answer);
    assert.equal(line.reason, reason);
    const [span, ...more] = await collector.trace(line.trace_id);
    assert.deepEqual(more, []);
    assert.equal(span['error.type'], reason);
    assert.equal(span.failed, true);
    assert.equal(span.name, 'POST /mcp', 'what was refused names no span');
  }
});

test('an MCP server that is away fails both spans', async (t) => {
  const own = await Gateway.start(t, { mcp_server_url: `http://127.0.0.1:${await portOfNobody()}`, telemetry: { endpoint: collector.url } });
  const its = await tokensFor(own, new Person({ password: await own.firstPassword() }));
  const answer = await post(own.mcp, call('echo'), its.access_token);
  assert.equal(answer.status, 502);
  const { trace_id } = await logOf(own, answer);
  for (const span of await collector.trace(trace_id, 2)) {
    assert.equal(span['error.type'], 'upstream_refused');
    assert.equal(span.failed, true);
  }
});

test('a sign-in has spans for its steps and for what the provider was asked, and none for its secrets', async (t) => {
  const idp = await Idp.start(t);
  const own = await Gateway.start(t, { mcp_server_url: upstream.url, providers: { corp: idp.settings }, telemetry: { endpoint: collector.url } });
  idp.allow(`${own.origin}/auth/callback`);
  const alice = new Person({ user: 'alice' });
  const client = await register(own);
  const asked = authorization(own, client);
  const answer = await alice.approve(asked.url, redirectUri);
  const context = newContext();
  const given = await (await redeem(own, client, asked, answer)).json();
  const late = await redeem(own, client, asked, answer);
  assert.equal(late.status, 400);
  const { trace_id } = await logOf(own, late);
  const refused = (await collector.trace(trace_id))[0];
  assert.equal(refused.name, 'POST /oauth/token');
  assert.equal(refused['error.type'], 'code_replayed');
  assert.equal(refused.failed, false);
  const mine = () => collector.spans.filter((s) => s['server.port'] === own.port || s['server.port'] === Number(new URL(idp.settings.issuer).port));
  await until('all steps', () => ['GET /oauth/authorize', 'POST /oauth/consent', 'GET /auth/callback', 'POST /oauth/token', 'POST /oauth/register']
    .every((name) => mine().some((s) => s.name === name)));
  const callback = mine().find((s) => s.name === 'GET /auth/callback');
  const exchange = mine().filter((s) => s.parent === callback.id);
  assert.ok(exchange.some((s) => s.kind === 'client' && s.name === 'POST' && s['http.response.status_code'] === 200 && s['url.full'].startsWith(new URL(idp.settings.issuer).origin)));
  assert.ok(exchange.every((s) => s.trace === callback.trace));
  assert.ok((await own.metric('mop_fetch_seconds_count{to="provider"}')) >= 1);
  assert.equal(await own.metric('mop_fetch_failures_total'), 0);
  const everything = collector.requests.map((r) => r.text).join('\n');
  for (const secret of [answer.searchParams.get('code'), asked.state, asked.verifier, given.access_token, given.refresh_token, tokens.access_token,
    'an argument', 'alice@idp.example', 'collector-secret', '?', context.trace]) {
    assert.ok(!everything.includes(secret), secret);
  }
});

test('behind a trusted nginx its flag decides; a stranger\'s does not', async (t) => {
  const settings = { mcp_server_url: upstream.url, telemetry: { endpoint: collector.url, sample_percent: 0 } };
  const trusting = await Gateway.start(t, { ...settings, trusted_proxies: ['127.0.0.1/32'] });
  const outer = newContext();
  // It names its own span, as an nginx with the OpenTelemetry module does.
  const nginx = await Nginx.start(t, 'outer', (port) => passing(trusting.port)(port)
    .replace('proxy_http_version', `proxy_set_header traceparent "${outer.text}"; proxy_set_header X-Forwarded-For $remote_addr; proxy_http_version`));
  const answer = await post(`${nginx.url}/mcp`, initialize(), undefined, { traceparent: newContext('00').text });
  assert.equal(answer.status, 401);
  const [span] = await collector.trace(outer.trace);
  assert.equal(span.parent, outer.span);
  assert.equal((await logOf(trusting, answer)).trace_id, outer.trace);

  const strict = await Gateway.start(t, settings);
  const stranger = newContext();
  const refused = await post(strict.mcp, initialize(), undefined, { traceparent: stranger.text });
  assert.equal((await logOf(strict, refused)).trace_id, stranger.trace, 'the trace is the same');
  const last = newContext();
  await post(`${nginx.url}/mcp`, initialize());
  await collector.trace(outer.trace, 2);
  assert.ok(!collector.spans.some((s) => s.trace === stranger.trace), 'and is not recorded');
  assert.ok(last);
});

test('what is not recorded tells the MCP server so', async (t) => {
  const own = await Gateway.start(t, { mcp_server_url: upstream.url, telemetry: { endpoint: collector.url, sample_percent: 0 } });
  const its = await tokensFor(own, new Person({ password: await own.firstPassword() }));
  const context = newContext();
  await (await post(own.mcp, call('echo', { text: 'x' }), its.access_token, { traceparent: context.text })).text();
  assert.match(seenAbove().traceparent, new RegExp(`^00-${context.trace}-[0-9a-f]{16}-00$`));
});

test('without telemetry a trace context passes as it came', async (t) => {
  const own = await Gateway.start(t, { mcp_server_url: upstream.url });
  const its = await tokensFor(own, new Person({ password: await own.firstPassword() }));
  const context = newContext();
  const answer = await post(own.mcp, call('echo', { text: 'x' }), its.access_token, { traceparent: context.text, tracestate: 'a=1' });
  await answer.text();
  assert.equal(seenAbove().traceparent, context.text);
  assert.equal(seenAbove().tracestate, 'a=1');
  assert.equal((await logOf(own, answer)).trace_id, undefined);
});

test('a collector that is away costs no call, is named once, and is served again when it is back', async (t) => {
  const port = await portOfNobody();
  const own = await Gateway.start(t, { mcp_server_url: upstream.url, telemetry: { endpoint: `http://127.0.0.1:${port}` } });
  for (let i = 0; i < 20; ++i) assert.equal((await post(own.mcp, initialize())).status, 401);
  const outages = async () => (await own.log()).filter((l) => l.symptom === 'MOP-TEL-001');
  await until('the outage is named', async () => (await outages()).length === 1);
  const back = await Collector.start(t, port);
  await until('what was kept comes', () => back.spans.length === 20);
  await own.logged('that it is over', (l) => l.message === 'the collector takes spans again');
  assert.equal((await outages()).length, 1);
  assert.equal(await own.metric('mop_spans_dropped_total'), 0);
  await until('they are counted', async () => (await own.metric('mop_spans_sent_total')) === 20);
});

test('a collector that refuses is told nothing twice, and what it refused is counted', async (t) => {
  const refusing = await Collector.start(t);
  refusing.status = 401;
  const own = await Gateway.start(t, { mcp_server_url: upstream.url, telemetry: { endpoint: refusing.url } });
  await post(own.mcp, initialize());
  await until('it is counted', async () => (await own.metric('mop_spans_dropped_total')) === 1);
  assert.equal(refusing.requests.length, 1);
});

test('a collector that never answers does not hold the end up', async (t) => {
  const hanging = await Collector.start(t);
  hanging.hangs = true;
  const own = await Gateway.start(t, { mcp_server_url: upstream.url, telemetry: { endpoint: hanging.url } });
  await post(own.mcp, initialize());
  await until('it was asked', () => hanging.requests.length === 1);
  assert.equal(await own.stop(), 0);
});

test('a reload turns traces on and off, and sends them elsewhere', async (t) => {
  const own = await Gateway.start(t, { mcp_server_url: upstream.url });
  const reload = async (telemetry) => {
    own.settings = { ...own.settings, port: own.port, telemetry };
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${own.folder}/config.yaml`, JSON.stringify(own.settings));
  };
  const other = await Collector.start(t);
  await reload({ endpoint: other.url });
  await until('a span comes', async () => {
    await (await post(own.mcp, initialize())).text();
    return other.spans.length > 0;
  });
  const third = await Collector.start(t);
  await reload({ endpoint: `${third.url}/prefix/` });
  await until('a span comes there', async () => {
    await (await post(own.mcp, initialize())).text();
    return third.requests.some((r) => r.url === '/prefix/v1/traces');
  });
  await reload(undefined);
  await until('no trace is made', async () => {
    const answer = await post(own.mcp, initialize());
    await answer.text();
    return (await logOf(own, answer)).trace_id === undefined;
  });
});

test('the variables of OpenTelemetry are understood', async (t) => {
  const start = (variables) => Gateway.start(t, { mcp_server_url: upstream.url },
    { through: ['env', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)] });
  const named = await Collector.start(t);
  const own = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: named.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-one=a%20b,x-two=c', OTEL_SERVICE_NAME: 'by name' });
  await post(own.mcp, initialize());
  await until('a span', () => named.spans.length === 1);
  assert.equal(named.requests[0].headers['x-one'], 'a b');
  assert.equal(named.requests[0].headers['x-two'], 'c');
  assert.equal(named.resources[0]['service.name'], 'by name');
  for (const more of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }]) {
    const off = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: named.url, ...more });
    const answer = await post(off.mcp, initialize());
    assert.equal((await logOf(off, answer)).trace_id, undefined, JSON.stringify(more));
  }
  const never = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: named.url, OTEL_TRACES_SAMPLER: 'always_off' });
  const answer = await post(never.mcp, initialize());
  assert.ok((await logOf(never, answer)).trace_id);
  assert.equal(await never.stop(), 0);
  assert.equal(named.spans.length, 1);
});
