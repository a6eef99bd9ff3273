// The guide "OAuth Setup Guide" from its top to its end: its variables, its commands, its symptoms, its words.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { command, Gateway, startDemoServer } from './lib/gateway.mjs';
import { initialize, post } from './lib/oauth.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';

const scope = fileScope();
let issuer, guard, mcp;

const inShell = async (text) => (await promisify(execFile)('bash', ['-c', text])).stdout;

before(async () => {
  issuer = await TokenIssuer.start(scope);
  mcp = (await startDemoServer(scope)).url;
  guard = await Gateway.start(scope, null, { environment: { OAUTH_ISSUER_URL: issuer.issuer, HOST: 'localhost', PORT: '0', MCP_SERVER_URL: mcp } });
  guard.origin = guard.origin.replace('127.0.0.1', 'localhost');
});

const token = (claims, header) => issuer.token({ aud: `${guard.origin}/mcp`, ...claims }, header);
const ask = (given, of = guard) => post(`${of.origin}/mcp`, initialize(), given);
const lineOf = async (answer, of = guard) => {
  const id = answer.headers.get('x-request-id');
  return of.logged(id, (l) => l.request_id === id && l.status);
};

// ---- What Happens at Startup
test('one variable and the MCP server are enough; what is accepted is said', () => {
  const said = guard.program.lines.join('\n');
  assert.match(said, new RegExp(`tokens of ${issuer.issuer} .*for ${guard.origin}/mcp \\(the resource, as audience is not set\\)`));
  assert.deepEqual(issuer.requests.slice(0, 2), ['GET /.well-known/openid-configuration', 'GET /keys']);
});

// ---- Testing Your Setup
test('curl of the metadata endpoint', async () => {
  const document = JSON.parse(await inShell(`curl -s ${guard.origin}/.well-known/oauth-protected-resource`));
  assert.equal(document.resource, `${guard.origin}/mcp`);
  assert.deepEqual(document.authorization_servers, [issuer.issuer]);
});

test('the authenticated request as it is printed', async () => {
  const answer = await inShell(`curl -s -X POST ${guard.origin}/mcp \\
      -H "Content-Type: application/json" \\
      -H "Authorization: Bearer ${token()}" \\
      -d '{"jsonrpc":"2.0","method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"test","version":"1.0"}},"id":1}'`);
  assert.match(answer, /"serverInfo"/);
});

// ---- Troubleshooting
test('"Token is not a valid JWT format"', async () => {
  const answer = await ask('a-short-random-string');
  assert.equal(answer.status, 401);
  assert.equal((await answer.json()).error_description, 'Token is not a valid JWT format');
  const line = await lineOf(answer);
  assert.equal(line.message, 'Token is not a valid JWT format');
});

const failing = async (t, environment) => {
  const { code, err } = await command(t, [], { environment: { PORT: '0', MCP_SERVER_URL: mcp, ...environment } });
  assert.equal(code, 4, err);
  return err;
};

test('"Failed to fetch OIDC discovery document", with the URL, the cause and what to check', async (t) => {
  const refused = await failing(t, { OAUTH_ISSUER_URL: `http://127.0.0.1:${await portOfNobody()}` });
  assert.match(refused, /^Error: Failed to fetch OIDC discovery document$/m);
  assert.match(refused, /Cause: {2}http:\/\/127\.0\.0\.1:\d+\/\.well-known\/openid-configuration: .*Connection refused/);
  for (const check of ['OAUTH_ISSUER_URL (issuer) is correct', 'the URL is accessible', 'the OAuth provider is running', 'network and firewall settings allow the connection'])
    assert.ok(refused.includes(check), check);
  assert.match(await failing(t, { OAUTH_ISSUER_URL: 'https://no-such-name.invalid' }), /Could(n't| not) resolve host ?name/);
  assert.match(await failing(t, { OAUTH_ISSUER_URL: issuer.issuer.replace('http:', 'https:') }), /SSL connect error: .*wrong version number/);
  assert.match(await failing(t, { OAUTH_ISSUER_URL: `${issuer.issuer}/elsewhere` }), /status 404 from http/);
  for (const [answer, words] of [
    [{ type: 'text/html', body: '<!doctype html><title>Sign in</title>' }, /a web page \(HTML or XML\) in place of JSON/],
    [{ status: 302, headers: { location: 'https://login.example/' } }, /a redirect to 'https:\/\/login\.example\/'/],
    [{ body: JSON.stringify({ ...issuer.metadata, issuer: 'https://other.example' }) }, /a document of issuer 'https:\/\/other\.example'/],
    [{ body: JSON.stringify({ ...issuer.metadata, issuer: `${issuer.issuer}/` }) }, /they differ in the slash at its end.*configure '/],
    [{ body: JSON.stringify({ ...issuer.metadata, jwks_uri: undefined }) }, /a document without jwks_uri/],
  ]) {
    issuer.answers['/.well-known/openid-configuration'] = answer;
    assert.match(await failing(t, { OAUTH_ISSUER_URL: issuer.issuer }), words);
  }
  issuer.answers = {};
});

test('"Failed to fetch JWKS"', async (t) => {
  for (const [answer, words] of [
    [{ status: 500, body: 'no' }, /status 500 from http\S+\/keys/],
    [{ type: 'text/html', body: '<html></html>' }, /a web page/],
    [{ body: '{"keys": 1}' }, /keys/],
  ]) {
    issuer.answers['/keys'] = answer;
    const said = await failing(t, { OAUTH_ISSUER_URL: issuer.issuer });
    assert.match(said, /^Error: Failed to fetch JWKS$/m);
    assert.match(said, words);
    assert.match(said, /jwks_uri of the issuer's metadata is accessible/);
  }
  issuer.answers = {};
});

test('"Token validation failed: issuer mismatch"', async (t) => {
  const slashed = await ask(token({ iss: `${issuer.issuer}/` }));
  assert.equal(slashed.status, 401);
  const line = await lineOf(slashed);
  assert.equal(line.message, 'Token validation failed: issuer mismatch');
  assert.match(line.detail, /slash/);
  // What was impossible there: an issuer that ends in a slash.
  const tenant = await TokenIssuer.start(t, { path: '/tenant' });
  tenant.stated = `${tenant.issuer}/`;
  const other = await Gateway.start(t, null, { environment: { OAUTH_ISSUER_URL: tenant.stated, PORT: '0', MCP_SERVER_URL: mcp } });
  const good = await ask(tenant.token({ aud: `${other.origin}/mcp` }), other);
  assert.equal(good.status, 200, JSON.stringify(await lineOf(good, other)));
});

test('"Token validation failed: audience mismatch", and what removing OAUTH_AUDIENCE means', async (t) => {
  const strict = await Gateway.start(t, null, { environment: { OAUTH_ISSUER_URL: issuer.issuer, OAUTH_AUDIENCE: 'api://mcp', PORT: '0', MCP_SERVER_URL: mcp } });
  assert.equal((await ask(issuer.token({ aud: 'api://mcp' }), strict)).status, 200);
  const refused = await ask(issuer.token({ aud: `${strict.origin}/mcp` }), strict);
  assert.equal(refused.status, 401);
  const line = await lineOf(refused, strict);
  assert.equal(line.message, 'Token validation failed: audience mismatch');
  assert.match(line.detail, /api:\/\/mcp/);
  // Without the variable the audience is the resource, and never just any.
  const foreign = await ask(issuer.token({ aud: 'api://mcp' }));
  assert.equal(foreign.status, 401);
  const any = await Gateway.start(t, null, { environment: { OAUTH_ISSUER_URL: issuer.issuer, MCP_OAUTH_DANGER_ANY_AUDIENCE: 'true', PORT: '0', MCP_SERVER_URL: mcp } });
  assert.match(any.program.errors.join('\n'), /Warning: MCP_OAUTH_DANGER_ANY_AUDIENCE is true/);
  assert.equal((await ask(issuer.token({ aud: 'api://mcp' }), any)).status, 200);
});

test('"Token expired"', async () => {
  const answer = await ask(token({ exp: Math.floor(Date.now() / 1000) - 120 }));
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate'), /error="invalid_token", error_description="expired".*resource_metadata=/);
  assert.equal((await lineOf(answer)).message, 'Token expired');
});

// ---- found by measurement there, and not here
test('what its server did wrong besides: a name in front, the path form, the registration endpoint, another person\'s session', async () => {
  const documents = await Promise.all(['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']
    .map(async (path) => (await fetch(guard.origin + path)).json()));
  assert.equal(documents[0].resource, `${guard.origin}/mcp`);
  assert.equal(documents[0].scopes_supported, undefined);
  for (const document of documents.slice(1)) assert.equal(document.registration_endpoint, `${issuer.issuer}/register`);
  const named = await post(guard.origin.replace('localhost', '127.0.0.1') + '/mcp', initialize(), token(), { 'x-forwarded-host': 'mcp.example.com' });
  assert.equal(named.status, 200);
});

test('plain http to an issuer elsewhere is refused before anything is asked', async (t) => {
  const { code, err } = await command(t, [], { environment: { OAUTH_ISSUER_URL: 'http://keycloak:8080/realms/x', MCP_SERVER_URL: mcp } });
  assert.equal(code, 3);
  assert.match(err, /environment: OAUTH_ISSUER_URL: value "http:\/\/keycloak:8080\/realms\/x": Issuer URL must be HTTPS/);
});

test('check-config makes the same checks', async (t) => {
  const environment = { OAUTH_ISSUER_URL: issuer.issuer, OAUTH_AUDIENCE: 'api://mcp', PORT: '0', MCP_SERVER_URL: mcp };
  const good = await command(t, ['check-config'], { environment });
  assert.equal(good.code, 0, good.err);
  assert.match(good.out, new RegExp(`✓ OIDC discovery document fetched for issuer ${issuer.issuer}`));
  assert.match(good.out, new RegExp(`✓ JWKS fetched from ${issuer.issuer}/keys \\(1 keys?\\)`));
  assert.match(good.out, /Accepts tokens of .* for api:\/\/mcp/);
  issuer.answers['/keys'] = { status: 404, body: '' };
  const bad = await command(t, ['check-config'], { environment });
  issuer.answers = {};
  assert.equal(bad.code, 4);
  assert.match(bad.err, /Failed to fetch JWKS/);
});
