// The guide "Troubleshooting Guide" of a Go library, from its top to its end, as far as it is about a resource server; its
// proxy mode is this program's gateway (guide_001.test.mjs, guide_001_providers.test.mjs).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { command, Gateway } from './lib/gateway.mjs';
import { call, post } from './lib/oauth.mjs';
import { fileScope } from './lib/scope.mjs';
import { hmacToken, TokenIssuer } from './lib/token_issuer.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const secret = 'JfPoQ0wbVqJ9bKpS1y6mXvQp0aZrT3uE';
let issuer, guard, hmac, mcp;

const inShell = async (text) => (await promisify(execFile)('bash', ['-c', text])).stdout;

before(async () => {
  issuer = await TokenIssuer.start(scope);
  mcp = (await Upstream.start(scope, { stateful: false })).url;
  const common = { MCP_PORT: '0', MCP_HOST: 'localhost', MCP_SERVER_URL: mcp, OIDC_AUDIENCE: 'api://my-server', LOG_LEVEL: 'debug' };
  guard = await Gateway.start(scope, null, { environment: { OAUTH_MODE: 'native', OAUTH_PROVIDER: 'oidc', OIDC_ISSUER: issuer.issuer, ...common } });
  hmac = await Gateway.start(scope, null, { environment: { OAUTH_PROVIDER: 'hmac', JWT_SECRET: secret, OIDC_ISSUER: 'https://company.okta.com', ...common } });
});

const claims = (more) => ({ iss: 'https://company.okta.com', sub: 'john', aud: 'api://my-server', exp: Math.floor(Date.now() / 1000) + 600, ...more });
const ask = (of, given, headers = {}) => post(of.mcp, call('whoami'), given, headers);
const bodyOf = async (answer) => ({ status: answer.status, ...(await answer.json()) });
const now = () => Math.floor(Date.now() / 1000);

// ---- Authentication Errors
test('"Authentication required: missing OAuth token"', async () => {
  const none = await ask(guard);
  assert.equal(none.status, 401);
  assert.ok(!none.headers.get('www-authenticate').includes('error'));
  assert.equal((await none.json()).message, 'Authentication required: missing OAuth token');
  const shown = await inShell(`curl -s -o /dev/null -w '%{http_code}' -X POST -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"ping"}' -H 'accept: application/json, text/event-stream' -H "Authorization: Bearer ${issuer.token({ aud: 'api://my-server' })}" ${guard.mcp}`);
  assert.equal(shown, '200');
});

test('the header: the word Bearer is needed, its case is not', async () => {
  const token = issuer.token({ aud: 'api://my-server' });
  assert.equal((await ask(guard, undefined, { authorization: token })).status, 401);
  assert.equal((await ask(guard, undefined, { authorization: `bearer ${token}` })).status, 200);
});

test('"Authentication failed: invalid token", with the reason', async () => {
  for (const [given, words] of [
    [{ exp: now() - 120 }, 'expired'],
    [{ iss: 'https://company.okta.com' }, 'issuer mismatch'],
    [{ aud: 'api://another' }, 'audience mismatch'],
  ]) {
    const body = await bodyOf(await ask(guard, issuer.token({ aud: 'api://my-server', ...given })));
    assert.deepEqual([body.status, body.error, body.error_description, body.message], [401, 'invalid_token', words, 'Authentication failed: invalid token']);
  }
});

test('the commands that look at exp', async () => {
  const token = hmacToken(secret, claims());
  const seen = await inShell(`echo "${token}" | cut -d. -f2 | base64 -d 2>/dev/null; date +%s`);
  assert.match(seen, /"exp":\d+/);
});

test('signature (HMAC): the secret must be the one that signed', async () => {
  const good = await ask(hmac, hmacToken(secret, claims()));
  assert.equal(good.status, 200, await good.clone().text());
  const body = await bodyOf(await ask(hmac, hmacToken('another-secret-of-at-least-32-bytes', claims())));
  assert.deepEqual([body.status, body.error_description], [401, 'invalid_signature: Token signature verification failed']);
  // A public key is no secret: a token of another algorithm is none of this issuer's.
  assert.equal((await ask(hmac, issuer.token(claims()))).status, 401);
});

// ---- Configuration Errors
test('what is missing is told in the words of the guide, with the name to set, and all at once', async (t) => {
  for (const [environment, words] of [
    [{ OAUTH_MODE: 'native' }, 'invalid config: provider is required'],
    [{ OAUTH_PROVIDER: 'hmac' }, 'invalid config: JWTSecret is required for HMAC provider'],
    [{ OAUTH_PROVIDER: 'okta' }, 'invalid config: Issuer is required for OIDC provider'],
    [{ OAUTH_MODE: 'proxy', OAUTH_PROVIDER: 'okta', OIDC_ISSUER: 'https://company.okta.com' }, 'invalid config: proxy mode requires ClientID'],
    [{ OAUTH_MODE: 'both' }, "must be 'native' or 'proxy', got: both"],
  ]) {
    const { code, err } = await command(t, [], { environment: { MCP_SERVER_URL: mcp, PORT: '99999', ...environment } });
    assert.equal(code, 3, words);
    assert.ok(err.includes(words), err);
    assert.match(err, /PORT: value "99999"/);
  }
});

test('what the library reads and nobody needs here is said at the start, once, with what takes its place', async (t) => {
  const environment = {
    OAUTH_MODE: 'native', OAUTH_PROVIDER: 'oidc', OIDC_ISSUER: issuer.issuer, OIDC_AUDIENCE: 'api://my-server', OIDC_CLIENT_ID: '0oa1', OIDC_SCOPES: 'openid email', MCP_PORT: '0', MCP_SERVER_URL: mcp,
    OAUTH_REDIRECT_URIS: 'https://app1.com/cb', OAUTH_FIXED_REDIRECT_URI: 'https://app1.com/cb', OAUTH_ALLOWED_CLIENT_REDIRECT_DOMAINS: 'app1.com', OAUTH_ALLOWED_CLIENT_REDIRECT_SCHEMES: 'cursor,vscode',
  };
  const started = await Gateway.start(t, null, { environment });
  const said = started.program.errors.join('\n');
  for (const [name, why] of [
    ['OAUTH_REDIRECT_URIS', 'is not used by a guard: clients sign in at the issuer themselves'],
    ['OIDC_CLIENT_ID', 'is not used by a guard'], ['OIDC_SCOPES', 'is not used by a guard'],
    ['OAUTH_FIXED_REDIRECT_URI', 'is not used: each client registers redirect URIs of its own'],
    ['OAUTH_ALLOWED_CLIENT_REDIRECT_DOMAINS', 'is not used: each client registers redirect URIs of its own'],
  ])
    assert.equal(said.split(`${name} ${why}`).length, 2, `${name}\n${said}`);
  assert.equal((await ask(started, issuer.token({ aud: 'api://my-server' }))).status, 200);
});

// ---- Provider Errors
test('"Failed to initialize OIDC provider": each of the common mistakes is named', async (t) => {
  const said = async (url) => (await command(t, [], { environment: { OAUTH_ISSUER_URL: url, MCP_SERVER_URL: mcp, PORT: '0' } })).err;
  assert.match(await said(`${issuer.issuer}/`), /they differ in the slash at the end of the configured one: configure/);
  assert.match(await said('company.okta.com'), /must be an absolute URL \(begin with http:\/\/ or https:\/\/\)/);
  assert.match(await said('http://company.okta.com'), /Issuer URL must be HTTPS/);
});

// ---- Token Caching Issues
test('the second request with the same token says "Using cached authentication"', async () => {
  const token = issuer.token({ aud: 'api://my-server', jti: 'cached' });
  for (let i = 0; i < 2; ++i) await (await post(guard.mcp, call('echo', { text: 'x' }), token)).text();
  await guard.logged('the line of the guide', (l) => l.level === 'debug' && l.message === 'Using cached authentication for tool: echo (user: john)');
});

// ---- Debugging Tips
test('the metadata endpoints of native mode', async () => {
  const shown = JSON.parse(await inShell(`curl -s ${guard.origin}/.well-known/oauth-authorization-server`));
  assert.deepEqual(shown, issuer.metadata);
  assert.deepEqual(JSON.parse(await inShell(`curl -s ${guard.origin}/.well-known/openid-configuration`)), issuer.metadata);
  assert.match(await inShell(`curl -s ${guard.origin}/.well-known/jwks.json`), /JWKS endpoint disabled in native mode/);
  const answer = await fetch(`${guard.origin}/oauth/authorize?client_id=x`);
  assert.equal(answer.status, 404);
  assert.match(await answer.text(), /OAuth proxy disabled in native mode/);
});

test('a shared secret publishes nothing, and says so', async () => {
  const answer = await fetch(`${hmac.origin}/.well-known/oauth-authorization-server`);
  assert.equal(answer.status, 404);
});

// ---- Common Patterns: several providers at once, which was not possible
test('proxy mode is the gateway, from the same variables', async (t) => {
  const { code, out, err } = await command(t, ['validate-config'], {
    environment: { OAUTH_MODE: 'proxy', OAUTH_PROVIDER: 'okta', OIDC_ISSUER: 'https://company.okta.com', OIDC_CLIENT_ID: '0oa1', OIDC_CLIENT_SECRET: 'kept apart from everything', MCP_URL: 'https://your-server.com', OAUTH_REDIRECT_URIS: 'https://app1.com/cb', MCP_SERVER_URL: mcp },
  });
  assert.equal(code, 0, err);
  assert.match(out, /Syntax valid/);
  assert.match(err, /OAUTH_REDIRECT_URIS is not used: each client registers redirect URIs of its own/);
});
