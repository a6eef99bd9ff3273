// What a client reads when the MCP server is not there, not in time, or no MCP server.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, test } from 'node:test';

import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { call, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const nobody = await portOfNobody();
const servers = {}; // by path: what it does -> its URL
let gateway;
const tokens = {};
let turns = 0; // of a request that comes back to the gateway

before(async () => {
  const demo = await startDemoServer(scope);
  servers.well = (await Upstream.start(scope, { stateful: false })).url;
  servers.demo = demo.url;
  servers.gone = `http://127.0.0.1:${nobody}`;
  servers.web = await startAnswering(scope, (_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>'));
  servers.silent = await startAnswering(scope, () => {});
  servers.wants = await startAnswering(scope, (_, r) =>
    r.writeHead(401, { 'www-authenticate': 'Bearer resource_metadata="https://elsewhere.example/x"' }).end());
  servers.breaks = await startAnswering(scope, (request) => request.socket.destroy());
  servers.limits = await startAnswering(scope, (_, r) =>
    r.writeHead(429, { 'content-type': 'application/json', 'retry-after': '7', 'set-cookie': 'a=b' }).end('{"slow":"down"}'));
  servers.loop = await startAnswering(scope, (asked, answer) => {
    turns += 1;
    asked.pipe(request(`${gateway.origin}/loop`, { method: asked.method, headers: { ...asked.headers, host: 'x' } }, (back) => {
      answer.writeHead(back.statusCode, back.headers);
      back.pipe(answer);
    }));
  });
  gateway = await Gateway.start(scope, {
    upstreams: Object.entries(servers).map(([name, url]) => ({ name, url, paths: [`/${name}`] })),
    request_timeout: 300,
  });
  const person = new Person({ password: await gateway.firstPassword() });
  for (const name of Object.keys(servers)) {
    const at = Object.assign(Object.create(gateway), { mcp: `${gateway.origin}/${name}` });
    tokens[name] = (await tokensFor(at, person)).access_token;
  }
});

const send = (name, message = call('echo', { text: 'hi' }, 'call-7'), signal) =>
  post(`${gateway.origin}/${name}`, message, tokens[name], {}, signal);

async function assertRefused(name, status, message) {
  const answer = await send(name);
  assert.equal(answer.status, status);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  const body = await answer.json();
  assert.equal(body.jsonrpc, '2.0');
  assert.equal(body.id, 'call-7');
  assert.equal(typeof body.error.code, 'number');
  assert.match(body.error.message, message);
  assert.match(body.error.data.code, /^MOP-[A-Z]+-\d+$/);
  const id = answer.headers.get('x-request-id');
  const line = await gateway.logged(`of ${id}`, (l) => l.request_id === id);
  assert.equal(line.symptom, body.error.data.code);
  return answer;
}

test('nobody listens: 502, and the two lines that operators know', () =>
  assertRefused('gone', 502, new RegExp(`^connect ECONNREFUSED 127\\.0\\.0\\.1:${nobody}\nFailed to proxy request to MCP server$`)));

test('a web page is no answer to a call: 502 invalid_protocol', () => assertRefused('web', 502, /invalid_protocol/));

test('too slow: 504 with the time that was given', () => assertRefused('silent', 504, /timeout of 300ms exceeded/));

test('a connection that breaks before the answer: 502', () => assertRefused('breaks', 502, /Failed to proxy request to MCP server/));

test('a server that sends calls back to the gateway: 508 after one turn, not thousands', async () => {
  const answer = await send('loop');
  assert.equal(answer.status, 508);
  assert.equal((await answer.json()).error.data.name, 'upstream_loop');
  assert.equal(turns, 1);
});

test('a challenge of the upstream is not passed on: it would lead the client to another sign-in', async () => {
  const answer = await assertRefused('wants', 502, /./);
  assert.equal(answer.headers.get('www-authenticate'), null);
  const line = await gateway.logged('what it was sent', (l) => l.reason === 'upstream_not_mcp' && /401/.test(l.detail));
  assert.match(line.detail, /upstream_authorization is none\); it was sent Host, .*X-User-Id.*X-Forwarded-For/);
  assert.doesNotMatch(line.detail, /Bearer|local:/);
});

test('any other answer of the upstream is its own, without its cookies', async () => {
  const answer = await send('limits');
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get('retry-after'), '7');
  assert.equal(answer.headers.get('set-cookie'), null);
  assert.equal(await answer.text(), '{"slow":"down"}');
});

test('one upstream that fails leaves the others alone', async () => {
  await send('gone');
  assert.equal((await send('well')).status, 200);
});

test('a token for one server opens no other', async () => {
  const answer = await post(`${gateway.origin}/well`, call('echo', { text: 'hi' }), tokens.demo);
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate'), /audience mismatch/);
});

test('a stream that breaks in the middle breaks for the client too, and does not end as if complete', async () => {
  const initialized = await send('demo', { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
  const session = { 'mcp-session-id': initialized.headers.get('mcp-session-id') };
  await initialized.text();
  const answer = await post(`${gateway.origin}/demo`, call('fail', { kind: 'close' }), tokens.demo, session).catch((e) => e);
  if (answer instanceof Error) return; // broken before its head
  if (answer.status === 502) return;
  await assert.rejects(answer.text());
});

test('after the upstream has come back, calls go through again', async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  const { port } = upstream;
  const own = await Gateway.start(scope, { mcp_server_url: upstream.url });
  const { access_token } = await tokensFor(own, new Person({ password: await own.firstPassword() }));
  const status = async () => {
    const answer = await post(own.mcp, call('echo', { text: 'x' }), access_token);
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await status(), 200);
  await upstream.stop();
  assert.equal(await status(), 502);
  upstream.server.listen(port, '127.0.0.1');
  await until('the upstream is back', async () => (await status()) === 200);
});
