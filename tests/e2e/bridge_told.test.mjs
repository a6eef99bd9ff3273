// What a person and a client are told by the bridge while something is missing: a sign-in, a good token, a server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BridgeHome } from './lib/bridge.mjs';
import { Bridge } from './lib/bridge_client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { portOfNobody } from './lib/scope.mjs';
import { until } from './lib/until.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';

const json = (response, status, body, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

test('while nobody signs in, initialize is answered, calls hear of it, and the end is at once', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  // A browser that shows the page to nobody; and no time of a server runs meanwhile.
  const bridge = await Bridge.start(t, gateway.mcp, { env: { BROWSER: '/bin/true', UPSTREAM_TIMEOUT_MS: '1500' } });
  const { result } = await bridge.initialize();
  assert.equal(result?.serverInfo.name, 'mcp-oauth-proxy bridge');
  assert.match(result.instructions, /\/oauth\/authorize\?/);
  bridge.write({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo', _meta: { progressToken: 'p' } } });
  const told = await until('progress', () => bridge.heard('notifications/progress')[0], 20_000);
  assert.match(told.params.message, /\/oauth\/authorize\?/);
  assert.equal(bridge.answers.get('2'), undefined);
  assert.equal(await bridge.end(), 0);
  assert.match(JSON.stringify(bridge.answers.get('2')[0].error), /MOP-BRI-008/);
});

test('a token from the environment that is refused is called that, at the first call', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const said = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const token = `${said({ alg: 'ES256', typ: 'at+jwt' })}.${said({ iss: 'https://elsewhere.example', aud: 'https://other.example/mcp' })}.AAAA`;
  const bridge = await Bridge.start(t, gateway.mcp, { env: { OAUTH2_ACCESS_TOKEN: token } });
  for (const id of ['a', 'b']) {
    const { error } = await bridge.request(id, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } });
    assert.equal(error.data.symptom, 'MOP-SIN-020', JSON.stringify(error));
    assert.match(error.message, /OAUTH2_ACCESS_TOKEN.*elsewhere\.example/);
    assert.match(error.data.fix, /explain-token/);
    assert.ok(!JSON.stringify(error).includes(token));
  }
  assert.equal(await bridge.end(), 0);
});

test('a wrong client secret is no missing client id, and is not repeated when the server says it', async (t) => {
  const secret = 'a-secret-that-is-wrong';
  let origin;
  const url = await startAnswering(t, (asked, answer) => {
    if (asked.url.startsWith('/.well-known/oauth-protected')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (asked.url.startsWith('/.well-known/')) return json(answer, 200, { issuer: origin, token_endpoint: `${origin}/token`, code_challenge_methods_supported: ['S256'] });
    if (asked.url === '/token') return json(answer, 401, { error: 'invalid_client', error_description: `bad secret ${secret}` });
    answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  });
  origin = new URL(url).origin;
  const env = { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'c', OAUTH2_CLIENT_SECRET: secret, LOG_LEVEL: 'trace' };
  const bridge = await Bridge.start(t, `${origin}/mcp`, { env });
  const { error } = await bridge.initialize();
  assert.equal(error.data.symptom, 'MOP-SIN-012', JSON.stringify(error));
  assert.match(error.message, /bad secret \*\*\*/);
  assert.equal(await bridge.end(), 0);
  assert.ok(!bridge.errors.includes(secret) && !JSON.stringify(bridge.messages).includes(secret), bridge.errors);
  const home = await BridgeHome.make(t, env);
  const done = await home.run(['login', `${origin}/mcp`]);
  assert.notEqual(done.code, 0);
  assert.ok(!`${done.out}${done.err}`.includes(secret), done.err);
});

test('`bridge login` takes no page, no 404 and no 500 for a server without a sign-in', async (t) => {
  const home = await BridgeHome.make(t);
  for (const [answer, words] of [
    [(_, r) => r.writeHead(404).end(), /answers 404, as no MCP server does/],
    [(_, r) => r.writeHead(500).end(), /answers 500, as no MCP server does/],
    [(_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'), /answers 200 with a page for people/],
  ]) {
    const done = await home.run(['login', `${await startAnswering(t, answer)}/mcp`]);
    assert.equal(done.code, 4, done.err);
    assert.match(done.err, words);
  }
  const open = await home.run(['login', `${await startAnswering(t, (_, r) => json(r, 400, { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no session' } }))}/mcp`]);
  assert.equal(open.code, 0, open.err);
  assert.match(open.out, /asks for no sign-in/);
});

test('a server that is not there is told in words of the bridge', async (t) => {
  const bridge = await Bridge.start(t, `http://127.0.0.1:${await portOfNobody()}/mcp`);
  const { error } = await bridge.initialize();
  assert.match(error.message, /^mcp-oauth-proxy: connect ECONNREFUSED 127\.0\.0\.1:\d+/);
  assert.match(error.data.fix, /configuration of your client/);
  assert.equal(await bridge.end(), 0);
});
