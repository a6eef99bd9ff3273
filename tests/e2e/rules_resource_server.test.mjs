// The gateway as OAuth protected resource (RFC 9728, RFC 6750, MCP authorization). The rows of docs/conformance.md that
// these prove begin with RS.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let gateway, upstream, person, tokens;
const paths = ['/mcp', '/team-a/mcp', '/team-a'];

before(async () => {
  upstream = await Upstream.start(scope);
  gateway = await Gateway.start(scope, {
    upstreams: paths.map((path, i) => ({ name: `server${i}`, url: upstream.url, paths: [path] })),
    tools: { echo: ['tools:read'], whoami: ['tools:admin', 'tools:read'] },
  });
  person = new Person({ password: await gateway.firstPassword() });
  tokens = await tokensFor(gateway, person);
});

// A challenge taken apart by the grammar of RFC 9110 §11.6.1, or a failure.
function challengeOf(answer) {
  const text = answer.headers.get('www-authenticate');
  const [, scheme, rest] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+)$/.exec(text);
  const parameters = {};
  let at = 0;
  const one = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)="((?:[\x20\x21\x23-\x5b\x5d-\x7e])*)"(?:, |$)/y;
  while (at < rest.length) {
    one.lastIndex = at;
    const match = one.exec(rest);
    assert.ok(match, `not a list of parameters: ${rest.slice(at)}`);
    assert.ok(!(match[1] in parameters), `${match[1]} stands twice`);
    parameters[match[1]] = match[2];
    at = one.lastIndex;
  }
  return { scheme, parameters };
}

test('the metadata of every resource is where its URL says, and names exactly that resource', async () => {
  for (const path of paths) {
    const answer = await fetch(`${gateway.origin}/.well-known/oauth-protected-resource${path}`);
    assert.equal(answer.status, 200, path);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    const metadata = await answer.json();
    assert.equal(metadata.resource, gateway.origin + path);
    assert.ok(!metadata.resource.includes('#') && !metadata.resource.endsWith('/'));
    assert.deepEqual(metadata.authorization_servers, [gateway.origin]);
    assert.deepEqual(metadata.bearer_methods_supported, ['header']);
    for (const [name, value] of Object.entries(metadata)) assert.notDeepEqual(value, [], `${name} is empty`);
    const challenge = challengeOf(await post(gateway.origin + path, initialize()));
    assert.equal(challenge.parameters.resource_metadata, answer.url, path);
  }
  for (const path of ['/team-b/mcp', '/mcp/', '/team-a/', '/MCP', '/mcp/.well-known/oauth-protected-resource']) {
    const answer = await fetch(`${gateway.origin}/.well-known/oauth-protected-resource${path}`);
    const { resource } = answer.status === 200 ? await answer.json() : {};
    assert.ok(answer.status === 404 || paths.some((p) => resource === gateway.origin + p), `${path}: ${answer.status} ${resource}`);
  }
});

test('no header of a request changes what metadata and challenge say', async () => {
  const ask = (method, path, headers) => new Promise((resolve, reject) => {
    const outgoing = request(gateway.origin + path, { method, headers }, async (answer) => {
      let body = '';
      for await (const piece of answer) body += piece;
      resolve({ status: answer.statusCode, challenge: answer.headers['www-authenticate'], body });
    });
    outgoing.on('error', reject);
    outgoing.end(method === 'POST' ? JSON.stringify(initialize()) : undefined);
  });
  const metadata = '/.well-known/oauth-protected-resource/mcp';
  const plain = [await ask('GET', metadata, {}), await ask('POST', '/mcp', { 'content-type': 'application/json' })];
  for (const headers of [
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example:8443', 'x-forwarded-port': '8443' },
    { forwarded: 'host=evil.example;proto=https' },
    { 'x-original-url': '/team-a/mcp', 'x-rewrite-url': '/team-a/mcp', 'x-forwarded-prefix': '/x' },
    { 'x-host': 'evil.example', 'x-forwarded-server': 'evil.example' },
  ]) {
    const name = JSON.stringify(headers);
    const got = [await ask('GET', metadata, headers), await ask('POST', '/mcp', { 'content-type': 'application/json', ...headers })];
    assert.deepEqual([got[0].status, got[0].body], [plain[0].status, plain[0].body], name);
    assert.deepEqual([got[1].status, got[1].challenge], [plain[1].status, plain[1].challenge], name);
  }
});

test('offline_access is no scope of a resource', async () => {
  const metadata = await (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/mcp`)).json();
  assert.ok(!metadata.scopes_supported?.includes('offline_access'), `${metadata.scopes_supported}`);
  const { scope: asked } = challengeOf(await post(gateway.mcp, initialize())).parameters;
  assert.ok(!asked?.split(' ').includes('offline_access'), asked);
});

test('every way to be refused has its status, one challenge, and the same words in the body', async () => {
  const good = tokens.access_token;
  const changed = good.slice(0, -4) + (good.endsWith('AAAA') ? 'BBBB' : 'AAAA');
  const other = (await tokensFor(Object.assign(Object.create(gateway), { mcp: `${gateway.origin}/team-a` }), person)).access_token;
  const revoked = await tokensFor(gateway, person);
  const ended = await postForm(`${gateway.origin}/oauth/revoke`, { token: revoked.refresh_token, client_id: revoked.client.client_id });
  assert.equal(ended.status, 200);

  const json = { 'content-type': 'application/json' };
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const rows = [
    ['nothing', 401, '', {}],
    ['another scheme', 401, '', { authorization: 'Basic dXNlcjpwYXNz' }],
    ['a scheme that only begins like ours', 401, '', { authorization: `BearerX ${good}` }],
    ['a token in the query', 401, '', {}, `?access_token=${good}`],
    ['a token in a form', 401, '', form, '', `access_token=${good}`],
    ['a word that is no token', 401, 'invalid_token', { authorization: 'Bearer no-token' }],
    ['a changed signature', 401, 'invalid_token', { authorization: `Bearer ${changed}` }],
    ['the token of another resource', 401, 'invalid_token', { authorization: `bearer ${other}` }],
    ['a refresh token', 401, 'invalid_token', { authorization: `Bearer ${tokens.refresh_token}` }],
    ['a token whose grant has ended', 401, 'invalid_token', { authorization: `Bearer ${revoked.access_token}` }],
    ['a scheme without a token', 401, 'invalid_token', { authorization: 'Bearer' }],
    ['two words', 401, 'invalid_token', { authorization: 'Bearer a b' }],
    ['characters that no token has', 401, 'invalid_token', { authorization: 'Bearer {"a"}' }],
    ['two credentials', 400, 'invalid_request', { authorization: [`Bearer ${good}`, `Bearer ${good}`] }],
    ['two credentials of two schemes', 400, 'invalid_request', { authorization: ['Basic dXNlcjpwYXNz', `Bearer ${good}`] }],
    ['a token in the header and in the query', 400, 'invalid_request', { authorization: `Bearer ${good}` }, `?access_token=${good}`],
  ];
  const before = upstream.requests.length;
  for (const [what, status, error, headers, query = '', body = JSON.stringify(initialize())] of rows) {
    const got = await new Promise((resolve, reject) => {
      const outgoing = request(gateway.mcp + query, { method: 'POST', headers: { ...json, ...headers } }, async (answer) => {
        let text = '';
        for await (const piece of answer) text += piece;
        const fields = new Headers();
        for (let i = 0; i < answer.rawHeaders.length; i += 2) fields.append(answer.rawHeaders[i], answer.rawHeaders[i + 1]);
        resolve({ status: answer.statusCode, headers: fields, text });
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
    assert.equal(got.status, status, `${what}: ${got.text}`);
    const { scheme, parameters } = challengeOf(got);
    assert.equal(scheme, 'Bearer', what);
    assert.equal(parameters.resource_metadata, `${gateway.origin}/.well-known/oauth-protected-resource/mcp`, what);
    assert.equal(parameters.error ?? '', error, what);
    assert.match(parameters.scope ?? 'none', /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/, what);
    if (error) {
      const said = JSON.parse(got.text);
      assert.equal(said.error, error, what);
      assert.equal(said.error_description, parameters.error_description, what);
    } else {
      assert.equal(parameters.error_description, undefined, what);
    }
    assert.ok(!got.text.includes(good) && !parameters.error_description?.includes(good), what);
    assert.match(got.headers.get('cache-control') ?? '', /no-store/, what);
  }
  assert.equal(upstream.requests.length, before, 'nothing reached the upstream');
});

test('what a call lacks is named at once: 403, all of its scopes, where to read more', async () => {
  const client = await register(gateway);
  const asked = authorization(gateway, client, { scope: 'tools:read' });
  const answer = await person.approve(asked.url, redirectUri);
  const { access_token } = await (await redeem(gateway, client, asked, answer)).json();
  const refused = await post(gateway.mcp, call('whoami'), access_token);
  assert.equal(refused.status, 403);
  const { parameters } = challengeOf(refused);
  assert.equal(parameters.error, 'insufficient_scope');
  assert.deepEqual(parameters.scope.split(' ').sort(), ['tools:admin', 'tools:read']);
  assert.equal(parameters.resource_metadata, `${gateway.origin}/.well-known/oauth-protected-resource/mcp`);
});

test('within a session every request needs its token', async () => {
  const opened = await post(gateway.mcp, initialize(), tokens.access_token);
  assert.equal(opened.status, 200, await opened.clone().text());
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
  await opened.text();
  const before = upstream.requests.length;
  const messages = [
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    call('echo', { text: 'x' }),
  ];
  for (const message of messages) {
    const answer = await post(gateway.mcp, message, undefined, session);
    assert.equal(answer.status, 401, JSON.stringify(message));
    await answer.text();
  }
  for (const [method, more] of [['GET', { accept: 'text/event-stream' }], ['GET', { accept: 'text/event-stream', 'last-event-id': '1' }], ['DELETE', {}]]) {
    const answer = await fetch(gateway.mcp, { method, headers: { ...session, ...more } });
    assert.equal(answer.status, 401, method);
    await answer.text();
  }
  assert.equal(upstream.requests.length, before, 'nothing reached the upstream');
});
