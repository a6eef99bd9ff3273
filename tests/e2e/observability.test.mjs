// What an operator sees: health, metrics, and a log that knows the id on every answer.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { authorization, call, initialize, post, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { parseMetrics } from './lib/prometheus.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let gateway, upstream, person, tokens;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  person = new Person({ password: await gateway.firstPassword() });
  tokens = await tokensFor(gateway, person);
});

test('health says what it knows, and of the upstream only where that is asked', async () => {
  const health = await (await fetch(`${gateway.origin}/health`)).json();
  assert.equal(health.status, 'healthy');
  assert.equal(health.database, 'connected');
  assert.equal(typeof health.uptime, 'number');
  assert.match(health.version, /^\d+\.\d+\.\d+/);
  assert.equal((await fetch(`${gateway.origin}/health/database`)).status, 200);
  assert.equal((await (await fetch(`${gateway.origin}/health/mcp-server`)).json()).mcp_server, 'reachable');
});

test('a stream without a token shows what stands between', async () => {
  const answer = await fetch(`${gateway.origin}/health/stream`);
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  assert.equal(await answer.text(), 'data: {"after_ms": 0}\n\ndata: {"after_ms": 1000}\n\n');
  assert.equal((await fetch(`${gateway.origin}/health/stream`, { method: 'HEAD' })).status, 200);
  const refused = await fetch(`${gateway.origin}/health/stream`, { method: 'POST' });
  assert.equal(refused.status, 405);
  assert.match(refused.headers.get('allow'), /GET/);
});

test('without its upstream the gateway lives, and is not ready', async () => {
  const lone = await Upstream.start(scope);
  const own = await Gateway.start(scope, { mcp_server_url: lone.url });
  assert.equal((await fetch(`${own.origin}/ready`)).status, 200);
  await lone.stop();
  // What was seen is remembered for a moment, so that questions from outside cost a bounded number of looks.
  for (const path of ['/ready', '/health/mcp-server']) {
    await until(`${path} sees it`, async () => (await fetch(`${own.origin}${path}`)).status === 503);
  }
  assert.equal((await fetch(`${own.origin}/health`)).status, 200);
});

test('every answer carries the id that its log line has', async () => {
  const answers = [
    await post(gateway.mcp, call('echo', { text: 'x' }), tokens.access_token),
    await post(gateway.mcp, initialize()),
    await fetch(`${gateway.origin}/.well-known/oauth-authorization-server`),
    await fetch(`${gateway.origin}/oauth/authorize?client_id=nobody`),
    await fetch(`${gateway.origin}/no/such/path`),
  ];
  const ids = answers.map((a) => a.headers.get('x-request-id'));
  assert.equal(new Set(ids).size, answers.length);
  for (const [i, id] of ids.entries()) {
    const line = await gateway.logged(`of ${id}`, (l) => l.request_id === id);
    assert.equal(line.status, answers[i].status);
    assert.equal(typeof line.duration_ms, 'number');
    await answers[i].body?.cancel();
  }
  assert.ok(ids.includes(upstream.requests.at(-1).headers['x-request-id']), 'the upstream has it as well');
});

test('a log line of a call says who called what, and how it was decided', async () => {
  const allowed = await post(gateway.mcp, call('echo', { text: 'x' }), tokens.access_token);
  const line = await gateway.logged('of the call', (l) => l.request_id === allowed.headers.get('x-request-id'));
  assert.equal(line.decision, 'allowed');
  assert.equal(line.user_id, 'local:admin');
  assert.equal(line.client_id, tokens.client.client_id);
  assert.equal(line.mcp_method, 'tools/call');
  assert.equal(line.mcp_name, 'echo');
  await allowed.body.cancel();

  const refused = await post(gateway.mcp, call('echo'), 'no-token-of-ours');
  const why = await gateway.logged('of the refusal', (l) => l.request_id === refused.headers.get('x-request-id'));
  assert.equal(why.decision, 'refused');
  assert.match(why.symptom, /^MOP-TOK-\d+$/);
});

test('a client that leaves was allowed, and its line says how it ended', async () => {
  const leaving = new AbortController();
  const asked = fetch(gateway.mcp, {
    method: 'POST',
    signal: leaving.signal,
    headers: {
      Authorization: `Bearer ${tokens.access_token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow', arguments: {} } }),
  }).catch(() => undefined);
  const before = upstream.requests.length;
  await until('the upstream has the call', () => upstream.requests.length > before);
  leaving.abort();
  await asked;
  const line = await gateway.logged('of the call', (l) => l.reason === 'client_gone');
  assert.equal(line.decision, 'allowed');
});

test('metrics count requests, refusals by symptom, and open connections', async () => {
  const read = async () => (await fetch(`${gateway.origin}/metrics`)).text();
  const value = (text, pattern) => Number(pattern.exec(text)?.[1] ?? 0);
  const refusals = /^mop_refusals_total\{[^}]*symptom="MOP-TOK-001"[^}]*\} (\d+)/m;
  const requests = /^mop_requests_total\{area="mcp",status="4xx"\} (\d+)/m;
  const before = await read();
  await (await post(gateway.mcp, initialize())).text();
  await until('both have counted one more', async () => {
    const now = await read();
    return value(now, refusals) === value(before, refusals) + 1 && value(now, requests) === value(before, requests) + 1;
  });
  assert.match(before, /^mop_client_connections [1-9]/m);
});

test('metrics are what Prometheus can read, with labels of few values', async () => {
  // What a client makes up must not become a label.
  const made = `made-up-${'x'.repeat(20)}`;
  await (await post(gateway.mcp, call(made), tokens.access_token)).text();
  await (await fetch(`${gateway.origin}/${made}?${made}`, { method: 'PUT', headers: { host: made } })).text();
  const client = await register(gateway, { client_name: made });
  const late = await redeem(gateway, client, { verifier: 'v'.repeat(43), redirect_uri: redirectUri }, new URL(`${redirectUri}?code=${made}`));
  assert.equal(late.status, 400);
  const { reason, symptom } = await gateway.logged('of the refusal', (l) => l.request_id === late.headers.get('x-request-id'));
  assert.equal(reason, undefined);
  const answer = await fetch(`${gateway.origin}/metrics`);
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  assert.ok(!text.includes(made));
  const families = parseMetrics(text);
  const value = (name, labels) => families.get(name).series.find((s) => Object.entries(labels).every(([l, v]) => s.labels[l] === v))?.value;
  assert.ok(value('mop_refusals_total', { symptom }) >= 1, 'what the token endpoint refuses is counted by its reason');
  const upstreamCount = families.get('mop_upstream_seconds').series.find((s) => s.name.endsWith('_count'));
  assert.deepEqual(upstreamCount.labels, { upstream: 'mcp' });
  assert.ok(upstreamCount.value >= 1);
  const count = (name, labels) => families.get(name).series.filter((s) => s.name.endsWith('_count') && Object.entries(labels).every(([l, v]) => s.labels[l] === v))[0]?.value;
  for (const operation of ['get', 'commit', 'list']) assert.ok(count('mop_store_seconds', { operation }) >= 1, operation);
  assert.ok(count('mop_request_seconds', { area: 'mcp' }) >= 1);
  assert.equal(count('mop_fetch_seconds', { to: 'provider' }), 0);
  const { version } = await (await fetch(`${gateway.origin}/health`)).json();
  assert.equal(value('mop_build_info', { version }), 1);
  const started = value('process_start_time_seconds', {});
  assert.ok(started > 1_700_000_000 && started <= Date.now() / 1000 + 1);
  for (const { series } of families.values()) {
    for (const { labels } of series) for (const v of Object.values(labels)) assert.match(v, /^[\w.:+-]{1,64}$/);
  }
});

test('no secret is ever logged', async () => {
  const client = await register(gateway, { token_endpoint_auth_method: 'client_secret_post' });
  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, redirectUri);
  const code = answer.searchParams.get('code');
  const late = await redeem(gateway, { ...client, client_id: client.client_id }, asked, answer); // without its secret
  assert.equal(late.status, 401);
  const id = late.headers.get('x-request-id');
  await gateway.logged('of the last request', (l) => l.request_id === id);
  const everything = JSON.stringify(await gateway.log()) + gateway.program.errors.join('\n');
  const cookies = [...person.browser.cookies.values()].flatMap((jar) => [...jar.values()].map((c) => c.value));
  const secrets = [tokens.access_token, tokens.refresh_token, client.client_secret, code, asked.verifier, asked.state,
    person.chosen, await gateway.firstPassword(), ...cookies];
  for (const secret of secrets) {
    assert.ok(secret.length >= 8);
    assert.ok(!everything.includes(secret), secret);
  }
});
