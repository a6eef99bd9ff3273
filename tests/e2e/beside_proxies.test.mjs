// The gateway as the authorization server and judge beside nginx, Traefik, Envoy, HAProxy and Caddy: each runs with the
// configuration that docs/guide/behind-your-proxy.md shows for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { send, startBeside } from './lib/beside.mjs';
import { Gateway } from './lib/gateway.mjs';
import { authorization, call, initialize, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { connectAs, Keychain, textOf } from './lib/sdk_client.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { Upstream } from './lib/upstream.mjs';

const tools = { echo: ['tools:read'], whoami: ['tools:read'], slow: ['tools:admin'] };
const bearer = (token) => ['Authorization', `Bearer ${token}`];
const accept = ['Accept', 'application/json, text/event-stream'];
const post = (port, message, headers = [], path = '/mcp') =>
  send(port, 'POST', path, [accept, ...headers], typeof message === 'string' ? message : JSON.stringify(message));

// Does a proxy show the body of a call?
const proxies = { nginx: false, caddy: false, traefik: true, envoy: true, haproxy: true };

async function tokenWith(gateway, person, client, scope) {
  const asked = authorization(gateway, client, { scope });
  const answer = await person.approve(asked.url, redirectUri);
  return (await (await redeem(gateway, client, asked, answer)).json()).access_token;
}

for (const [kind, shows] of Object.entries(proxies)) {
  test(`beside ${kind}, the official client signs in and calls; the server learns who it is, and never the token`, async (t) => {
    const server = await Upstream.start(t);
    const { gateway, port } = await startBeside(t, kind, server);
    const person = new Person({ password: await gateway.firstPassword() });
    const keychain = new Keychain();
    const { client } = await connectAs(person, `http://127.0.0.1:${port}/mcp`, keychain);
    t.after(() => client.close());
    assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'through' } })), 'through');
    const seen = JSON.parse(textOf(await client.callTool({ name: 'whoami' })));
    assert.equal(seen['x-user-id'], 'local:admin');
    assert.equal(seen['x-user-provider'], 'local');
    assert.equal(seen['x-client-id'], keychain.client.client_id);
    assert.equal(seen['x-auth-request-user'], 'local:admin');
    assert.equal(seen.authorization, undefined);
    assert.ok(server.requests.length > 0);
    for (const { headers } of server.requests) assert.equal(headers.authorization, undefined);
    const line = await gateway.logged('a verdict', (l) => l.component === 'verify' && l.decision === 'allowed' && l.original_method === 'POST' && (!shows || l.mcp_name === 'echo'));
    assert.equal(line.original_path, '/mcp');
    assert.equal(line.user_id, 'local:admin');
    const counted = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text();
    assert.match(counted, /^mop_requests_total\{area="verify",status="2xx"\} [1-9]/m);
  });

  test(`beside ${kind}, who may not is told why, and the server hears nothing of it`, async (t) => {
    const server = await Upstream.start(t, { stateful: false });
    const { gateway, port } = await startBeside(t, kind, server, shows ? { tools } : { upstreams: [{ name: 'files', url: server.url, paths: ['/mcp'], scopes: ['files'] }], scopes_supported: ['files', 'other'] });
    const metadata = `resource_metadata="http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp"`;

    const none = await post(port, call('echo', { text: 'x' }));
    assert.equal(none.status, 401, none.text);
    assert.match(none.headers['www-authenticate'], /^Bearer /);
    assert.ok(none.headers['www-authenticate'].includes(metadata), none.headers['www-authenticate']);
    assert.doesNotMatch(none.headers['www-authenticate'], /error=|, Bearer/);
    assert.equal(JSON.parse(none.text).error, 'token_missing', none.text);

    const wrong = await post(port, call('echo'), [bearer('e30.e30.e30')]);
    assert.equal(wrong.status, 401);
    assert.match(wrong.headers['www-authenticate'], /error="invalid_token"/);

    const person = new Person({ password: await gateway.firstPassword() });
    const client = await register(gateway);
    const few = await tokenWith(gateway, person, client, shows ? 'tools:read' : 'other');
    const lacking = await post(port, call('slow'), [bearer(few)]);
    assert.equal(lacking.status, 403, lacking.text);
    assert.match(lacking.headers['www-authenticate'], /error="insufficient_scope"/);
    assert.match(lacking.headers['www-authenticate'], shows ? /scope="tools:admin"/ : /scope="files"/);
    assert.deepEqual(JSON.parse(lacking.text).required_scopes, [shows ? 'tools:admin' : 'files']);

    for (const method of ['GET', 'DELETE', 'OPTIONS', 'HEAD'])
      assert.equal((await send(port, method, '/mcp')).status, 401, method);
    for (const method of ['PUT', 'PATCH', 'POST'])
      assert.equal((await send(port, method, '/mcp', [['Content-Length', '0']])).status, 401, method);
    for (const agent of ['kube-probe/1.31', 'GoogleHC/1.0', 'ELB-HealthChecker/2.0'])
      assert.equal((await send(port, 'GET', '/mcp', [['User-Agent', agent]])).status, 401, agent);
    assert.equal(server.requests.length, 0);

    if (shows) {
      assert.equal((await post(port, call('echo', { text: 'y' }), [bearer(few)])).status, 200);
      const disguised = [
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","name":"echo"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\\u0061me":"slow"}}',
        '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow"}}]',
        `${JSON.stringify(call('echo'))}${' '.repeat(70_000)}${JSON.stringify(call('slow'))}`,
      ];
      const before = server.requests.length;
      for (const body of disguised) assert.ok([400, 403].includes((await post(port, body, [bearer(few)])).status), body.slice(0, 90));
      const contradicted = await post(port, call('slow'), [bearer(few), ['Mcp-Method', 'tools/call'], ['Mcp-Name', 'echo']]);
      assert.equal(contradicted.status, 400);
      // In chunks, without a length: judged like any other, or refused.
      const chunked = (name) => send(port, 'POST', '/mcp', [accept, bearer(few), ['Content-Type', 'application/json'], ['Transfer-Encoding', 'chunked']], JSON.stringify(call(name)));
      assert.ok([403, 413].includes((await chunked('slow')).status));
      assert.equal((await chunked('echo')).status, kind === 'haproxy' ? 413 : 200);
      assert.equal(server.requests.length, before + (kind === 'haproxy' ? 0 : 1));
      const large = await post(port, call('echo', { text: 'x'.repeat(1_200_000) }), [bearer(few)]);
      assert.ok(large.status >= 400, `${large.status}: more than may be held`);
      assert.ok(server.requests.length <= before + 1);
      // As much as may be held is judged whole.
      const much = await post(port, call('echo', { text: 'x'.repeat(900_000) }), [bearer(few)]);
      assert.equal(much.status, 200, much.text.slice(0, 300));
      const line = await gateway.logged('a refused tool', (l) => l.component === 'verify' && l.decision === 'refused' && l.mcp_name === 'slow');
      assert.equal(line.reason, 'scope_insufficient');
    }
  });

  test(`beside ${kind}, the server learns which of several issuers says who it is`, async (t) => {
    const server = await Upstream.start(t, { stateful: false });
    const issuers = [await TokenIssuer.start(t), await TokenIssuer.start(t)];
    const { port } = await startBeside(t, kind, server, { mode: 'native', issuers: issuers.map(({ issuer }) => ({ issuer })) });
    const aud = `http://127.0.0.1:${port}/mcp`;
    for (const [i, { issuer }] of issuers.entries()) {
      const token = await issuers[i].token({ aud, sub: 'ada' });
      const answer = await post(port, call('echo', { text: 'x' }), [bearer(token)]);
      assert.equal(answer.status, 200, answer.text);
      const seen = server.requests.at(-1).headers;
      assert.equal(seen['x-user-id'], 'ada');
      assert.equal(seen['x-user-issuer'], issuer);
      const before = server.requests.length;
      const claimed = await post(port, call('echo', { text: 'x' }), [bearer(token), ['X-User-Issuer', issuers[1 - i].issuer]]);
      if (claimed.status === 200) assert.equal(server.requests.at(-1).headers['x-user-issuer'], issuer);
      else assert.equal(server.requests.length, before);
    }
  });

  test(`beside ${kind}, nothing that a client writes chooses the request that is judged or the person`, async (t) => {
    const server = await Upstream.start(t, { stateful: false });
    const { gateway, port } = await startBeside(t, kind, server);
    const person = new Person({ password: await gateway.firstPassword() });
    const { access_token: token } = await tokensFor(gateway, person);

    // Without a token none of them opens anything; with one none changes who is named.
    const spoofed = [
      ['X-Forwarded-Uri', '/public'], ['X-Original-URI', '/public'], ['X-Original-URL', 'http://127.0.0.1/public'],
      ['X-Original-Method', 'OPTIONS'], ['X-Forwarded-Method', 'OPTIONS'], ['X-Forwarded-Host', 'evil.example'],
      ['X_Original_URI', '/public'], ['X_Forwarded_Uri', '/public'], ['X-Rewrite-URL', '/public'],
      ['X-User-Id', 'root'], ['X-User-Email', 'root@example.com'], ['X-User-Name', 'root'], ['X-User-Provider', 'root'], ['X-User-Issuer', 'root'],
      ['X-Client-Id', 'root'], ['X-Auth-Request-User', 'root'], ['X-Auth-Request-Email', 'root'],
      ['X_User_Id', 'root'], ['X-User_Email', 'root'], ['X-User-Role', 'root'], ['X_Client_Id', 'root'], ['Remote_User', 'root'],
      ['X_Auth_Request_User', 'root'], ['Connection', 'X-User-Id, close'],
    ];
    for (const header of spoofed) {
      const before = server.requests.length;
      const without = await post(port, call('whoami'), [header]);
      assert.ok([400, 401, 403].includes(without.status), `${header}: ${without.status}`);
      assert.equal(server.requests.length, before, `${header}`);
      const withToken = await post(port, call('whoami'), [bearer(token), header]);
      if (withToken.status !== 200) {
        assert.ok([400, 403].includes(withToken.status), `${header}: ${withToken.status} ${withToken.text}`);
        assert.equal(server.requests.length, before, `${header}`);
        continue;
      }
      const seen = server.requests.at(-1).headers;
      assert.equal(seen['x-user-id'], 'local:admin', `${header}`);
      for (const [name, value] of Object.entries(seen)) {
        const person = /^(x.user|x.client.id|x.auth.request|remote.user)/.test(name);
        assert.ok(!person || !value.includes('root'), `${header} reached the server as ${name}: ${value}`);
      }
    }

    const paths = ['/mcp/../public', '/mcp/%2e%2e/public', '/mcp/..;/public', '/mcp%2fpublic', '/mcp//public', '/mcp?access_token=' + token];
    for (const path of paths) {
      const before = server.requests.length;
      const answer = await post(port, initialize(), [], path);
      assert.ok(answer.status >= 400, `${path}: ${answer.status}`);
      assert.equal(server.requests.length, before, path);
    }
    const twice = await post(port, call('echo'), [bearer(token), bearer(token)]);
    assert.ok([400, 401, 403].includes(twice.status), `two tokens: ${twice.status}`);
    assert.equal((await send(port, 'GET', '/auth/verify', [bearer(token)])).status, 404, 'nobody asks from outside');
    assert.equal((await send(port, 'GET', '/auth/verify/mcp', [bearer(token)])).status, 404);
  });
}

for (const kind of ['nginx', 'caddy']) {
  test(`beside ${kind}, which shows no body, a call is refused where its tool matters`, async (t) => {
    const server = await Upstream.start(t, { stateful: false });
    const { gateway, port } = await startBeside(t, kind, server, { tools });
    const person = new Person({ password: await gateway.firstPassword() });
    const token = await tokenWith(gateway, person, await register(gateway), 'tools:read');
    const unseen = await post(port, call('echo', { text: 'x' }), [bearer(token)]);
    assert.equal(unseen.status, 403);
    assert.match(unseen.text, /MOP-VER-004/);
    assert.equal(server.requests.length, 0);
    const line = await gateway.logged('the reason', (l) => l.reason === 'call_unseen');
    assert.equal(line.symptom, 'MOP-VER-004');
  });

  test(`beside ${kind}, it is judged by its headers only where the configuration says so`, async (t) => {
    const server = await Upstream.start(t, { stateful: false });
    const { gateway, port } = await startBeside(t, kind, server, { tools, danger_trust_mcp_headers: true });
    const person = new Person({ password: await gateway.firstPassword() });
    const token = await tokenWith(gateway, person, await register(gateway), 'tools:read');
    const said = (name) => [bearer(token), ['MCP-Protocol-Version', '2026-07-28'], ['Mcp-Method', 'tools/call'], ['Mcp-Name', name]];
    const before = server.requests.length;
    assert.equal((await post(port, call('slow'), said('slow'))).status, 403);
    assert.ok([400, 403].includes((await post(port, call('echo'), [bearer(token)])).status));
    assert.equal(server.requests.length, before);
    await post(port, call('echo', { text: 'x' }), said('echo'));
    assert.equal(server.requests.length, before + 1);
  });
}

test('nobody but a trusted proxy gets a verdict, whatever they say', async (t) => {
  const server = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: server.url });
  const person = new Person({ password: await gateway.firstPassword() });
  const { access_token: token } = await tokensFor(gateway, person);
  const said = [['X-Original-Method', 'GET'], ['X-Original-URI', '/mcp'], ['X-Forwarded-For', '127.0.0.1'], bearer(token)];
  for (const path of ['/auth/verify', '/auth/verify?for=nginx', '/auth/verify/mcp', '/auth/verify/']) {
    const answer = await send(gateway.port, 'GET', path, said);
    assert.equal(answer.status, 403, path);
    assert.match(answer.text, /verify_peer_refused/);
    assert.equal(answer.headers['x-user-id'], undefined);
  }
});
