// Clients that are web pages: CORS, and pages that have no business here.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const inspector = 'http://localhost:6274';
const foreign = 'https://evil.example';
let gateway, upstream, token;

before(async () => {
  upstream = await Upstream.start(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  ({ access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() })));
});

const list = (answer, name) => (answer.headers.get(name) ?? '').toLowerCase().split(/,\s*/);

const preflight = (path, origin, method, headers) =>
  fetch(gateway.origin + path, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers },
  });

test('a preflight is answered without a token, and allows every header that MCP needs', async () => {
  const headers = 'authorization,content-type,mcp-protocol-version,mcp-session-id,mcp-method,mcp-name,last-event-id';
  const answer = await preflight('/mcp', inspector, 'POST', headers);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), inspector);
  for (const name of headers.split(',')) assert.ok(list(answer, 'access-control-allow-headers').includes(name), name);
  for (const method of ['get', 'post', 'delete']) assert.ok(list(answer, 'access-control-allow-methods').includes(method));
});

const endpoints = ['/oauth/token', '/oauth/register', '/token', '/register', '/oauth/revoke',
  '/.well-known/oauth-authorization-server', '/.well-known/oauth-protected-resource/mcp', '/.well-known/jwks.json'];
for (const path of endpoints) {
  test(`${path} may be called by a page`, async () => {
    const asked = await preflight(path, inspector, 'POST', 'content-type,mcp-protocol-version');
    assert.equal(asked.status, 204);
    assert.ok(list(asked, 'access-control-allow-headers').includes('mcp-protocol-version'));
    const answer = await fetch(gateway.origin + path, { headers: { origin: inspector } });
    assert.ok([inspector, '*'].includes(answer.headers.get('access-control-allow-origin')), `${answer.status}`);
  });
}

test('a refusal can be read by the page that was refused', async () => {
  const answer = await post(gateway.mcp, initialize(), undefined, { origin: inspector });
  assert.equal(answer.status, 401);
  assert.equal(answer.headers.get('access-control-allow-origin'), inspector);
  assert.ok(list(answer, 'access-control-expose-headers').includes('www-authenticate'));
  assert.ok(list(answer, 'vary').includes('origin'));
});

test('an answer of the upstream can be read, with the id of its session', async () => {
  const answer = await post(gateway.mcp, initialize(), token, { origin: inspector });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('access-control-allow-origin'), inspector);
  assert.ok(list(answer, 'access-control-expose-headers').includes('mcp-session-id'));
  assert.ok(answer.headers.get('mcp-session-id'));
  await answer.body.cancel();
});

test('a foreign page gets 403, token or not, and the upstream hears nothing', async () => {
  const before = upstream.requests.length;
  for (const bearer of [token, undefined]) {
    const answer = await post(gateway.mcp, call('echo', { text: 'x' }), bearer, { origin: foreign });
    assert.equal(answer.status, 403);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
  assert.equal(upstream.requests.length, before);
});

for (const origin of ['http://localhost.evil.example', 'http://localhost:6274.evil.example', 'https://localhost:6274', 'null']) {
  test(`an Origin like ${origin} is foreign`, async () => {
    assert.equal((await post(gateway.mcp, initialize(), token, { origin })).status, 403);
  });
}

test('the pages of the sign-in are for no script', async () => {
  for (const path of ['/oauth/authorize', '/auth/signin', '/auth/logout']) {
    const answer = await fetch(gateway.origin + path, { headers: { origin: foreign } });
    assert.equal(answer.headers.get('access-control-allow-origin'), null, path);
    await answer.body.cancel();
  }
});
