// The guide "Troubleshoot OAuth tokens on MCP servers" of an SDK, from its top to its end: its claims, its texts, the four
// shapes of its 403, and the variables that its servers have set.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { command, Gateway } from './lib/gateway.mjs';
import { call, post } from './lib/oauth.mjs';
import { fileScope } from './lib/scope.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { until } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const resource = 'https://your-mcp.example.com/mcp';
const metadata = 'https://your-mcp.example.com/.well-known/oauth-protected-resource/mcp';
const rules = {
  echo: ['rs-525da3b4:tools:read'],
  whoami: { all_of: ['rs-525da3b4:tools:read', 'rs-525da3b4:tools:write'] },
  slow: ['rs-525da3b4:tools:write', 'rs-525da3b4:tools:admin'],
};
let issuer, mcp, common, guard;

before(async () => {
  issuer = await TokenIssuer.start(scope);
  mcp = (await Upstream.start(scope, { stateful: false })).url;
  common = { AUTHSEC_ISSUER: issuer.issuer, AUTHSEC_RESOURCE_URI: resource, MCP_SERVER_URL: mcp, PORT: '0' };
  guard = await Gateway.start(scope, null, {
    environment: { ...common, AUTHSEC_JWKS_URL: `${issuer.issuer}/keys`, AUTHSEC_RESOURCE_NAME: 'Tickets', AUTHSEC_POLICY_MODE: 'local_only', AUTHSEC_TOOL_SCOPES_JSON: JSON.stringify(rules), LOG_LEVEL: 'debug' },
  });
});

const now = () => Math.floor(Date.now() / 1000);
const token = (claims = {}) => issuer.token({ aud: resource, scope: 'rs-525da3b4:tools:read', ...claims });
const ask = (given, tool = 'echo', of = guard) => post(of.mcp, call(tool, { text: 'x' }), given);
const lineOf = (answer, of = guard) => {
  const id = answer.headers.get('x-request-id');
  return of.logged(id, (l) => l.request_id === id && l.status);
};
async function refused(given, tool, of) {
  const answer = await ask(given, tool, of);
  return { answer, status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.json(), line: await lineOf(answer, of) };
}

// ---- The four-claim checklist
test('iss, aud, exp and scope: each says which it is, where the guide knows "no further detail"', async () => {
  for (const [claims, tool, status, error, words] of [
    [{ iss: 'https://auth-dev.example.com' }, 'echo', 401, 'invalid_token', 'issuer mismatch'],
    [{ aud: 'https://another.example.com/mcp' }, 'echo', 401, 'invalid_token', 'audience mismatch'],
    [{ exp: now() - 120 }, 'echo', 401, 'invalid_token', 'expired'],
    [{ scope: 'rs-525da3b4:tools:none' }, 'echo', 403, 'insufficient_scope', undefined],
  ]) {
    const seen = await refused(token(claims), tool);
    assert.equal(seen.status, status, words);
    assert.equal(seen.body.error, error);
    if (words) assert.equal(seen.body.error_description, words);
    assert.ok(seen.challenge.includes(`error="${error}", error_description="${seen.body.error_description}"`), seen.challenge);
  }
});

// ---- aud mismatch
test('(a) a token without aud is told apart from one with another', async () => {
  const seen = await refused(token({ aud: undefined }));
  assert.equal(seen.status, 401);
  assert.equal(seen.line.reason, 'token_audience_absent');
  assert.match(seen.line.detail, /no aud/);
});

test('(b) aud is the client id: the log says so', async () => {
  const seen = await refused(token({ aud: 'a-client', client_id: 'a-client' }));
  assert.equal(seen.body.error_description, 'audience mismatch');
  assert.match(seen.line.detail, /the audience is the client's own id/);
});

test('(c) a trailing slash matters, and is named; aud may be a text or a list', async () => {
  const seen = await refused(token({ aud: `${resource}/` }));
  assert.equal(seen.body.error_description, 'audience mismatch');
  assert.match(seen.line.detail, /slash/);
  for (const aud of [resource, [resource], ['https://another.example.com', resource]]) assert.equal((await ask(token({ aud }))).status, 200, JSON.stringify(aud));
});

// ---- iss mismatch
test('an issuer that moved, and one with a slash: the log has both sides and the difference', async () => {
  const moved = await refused(token({ iss: 'https://auth-dev.example.com' }));
  assert.ok(moved.line.detail.includes('https://auth-dev.example.com') && moved.line.detail.includes(issuer.issuer), moved.line.detail);
  const slashed = await refused(token({ iss: `${issuer.issuer}/` }));
  assert.equal(slashed.body.error_description, 'issuer mismatch');
  assert.match(slashed.line.detail, /slash/);
});

// ---- exp in the past, and nbf in the future
test('a small skew of clocks is bridged; beyond it the log says by how much', async () => {
  assert.equal((await ask(token({ exp: now() - 30 }))).status, 200);
  assert.equal((await ask(token({ nbf: now() + 30 }))).status, 200);
  const old = await refused(token({ exp: now() - 3600 }));
  assert.equal(old.body.error_description, 'expired');
  assert.match(old.line.detail, /60 min ago.*leeway 60 s/);
  const early = await refused(token({ nbf: now() + 3600 }));
  assert.equal(early.status, 401);
  assert.equal(early.body.error_description, 'not yet valid');
});

// ---- insufficient_scope
test('(a) spelling: one that differs in case only is named, and so is one of another right', async () => {
  const other = await refused(token({ scope: 'rs-525da3b4:tools:Read' }));
  assert.equal(other.status, 403);
  assert.match(other.line.detail, /rs-525da3b4:tools:read.*rs-525da3b4:tools:Read.*case/);
});

test('(b) what was granted is not what is needed: the challenge has all that the call needs', async () => {
  const seen = await refused(token(), 'whoami');
  assert.equal(seen.status, 403);
  assert.match(seen.challenge, /scope="rs-525da3b4:tools:read rs-525da3b4:tools:write"/);
  assert.equal((await ask(token({ scope: 'rs-525da3b4:tools:read rs-525da3b4:tools:write' }), 'whoami')).status, 200);
});

test('(c) a tool that is not mapped: 403 with the right token, no scope to ask for, and a near name', async () => {
  const seen = await refused(token(), 'ecko');
  assert.equal(seen.status, 403);
  assert.equal(seen.body.error, 'insufficient_scope');
  assert.equal(seen.body.required_scopes, undefined);
  assert.ok(!/scope="/.test(seen.challenge), seen.challenge);
  assert.match(seen.line.detail, /echo/);
});

// ---- Less-common claim issues
test('active = false: the token was revoked, and the client is sent to sign in anew', async (t) => {
  const asking = await Gateway.start(t, null, {
    environment: { ...common, AUTHSEC_INTROSPECTION_URL: `${issuer.issuer}/introspect`, AUTHSEC_INTROSPECTION_ID: 'rs', AUTHSEC_INTROSPECTION_SECRET: 'of the resource server', AUTHSEC_VALIDATION_MODE: 'introspection_only', MCP_OAUTH_TOKEN_CACHE_INTROSPECTION: '0', MCP_OAUTH_TOKEN_CACHE_REFUSALS: '0' },
  });
  const says = (body) => (issuer.answers['/introspect'] = { body: JSON.stringify(body) });
  t.after(() => delete issuer.answers['/introspect']);
  says({ active: true, iss: issuer.issuer, aud: resource, sub: 'john', exp: now() + 600 });
  assert.equal((await ask('an-opaque-token', 'echo', asking)).status, 200);
  says({ active: false });
  const seen = await refused('an-opaque-token', 'echo', asking);
  assert.equal(seen.status, 401);
  assert.equal(seen.body.error, 'invalid_token');
  assert.match(seen.line.reason, /inactive|revoked/);
});

test('a token without sub is nobody\'s', async () => {
  const seen = await refused(token({ sub: undefined }));
  assert.equal(seen.status, 401);
  assert.match(seen.line.detail, /sub/);
});

// ---- Specific error shapes
test('the 401 as it is printed', async () => {
  const { answer, challenge, body } = await refused(token({ aud: 'https://another.example.com/mcp' }));
  assert.equal(answer.headers.get('content-type'), 'application/json');
  // Besides what stands there: what to ask for when signing in anew.
  const scopes = 'scope="rs-525da3b4:tools:read rs-525da3b4:tools:write rs-525da3b4:tools:admin"';
  assert.equal(challenge, `Bearer error="invalid_token", error_description="audience mismatch", ${scopes}, resource_metadata="${metadata}"`);
  assert.equal(body.error, 'invalid_token');
  assert.equal(body.error_description, 'audience mismatch');
  const described = await (await fetch(`${guard.origin}/.well-known/oauth-protected-resource/mcp`)).json();
  assert.equal(described.resource, resource);
  assert.equal(described.resource_name, 'Tickets');
  assert.deepEqual(described.authorization_servers, [issuer.issuer]);
  assert.deepEqual(described.scopes_supported, ['rs-525da3b4:tools:read', 'rs-525da3b4:tools:write', 'rs-525da3b4:tools:admin']);
});

test('the 403 in its four shapes: one scope, all of several, one of several, and none that would help', async () => {
  const shapes = [
    ['echo', ['rs-525da3b4:tools:read']],
    ['whoami', ['rs-525da3b4:tools:read', 'rs-525da3b4:tools:write']],
    ['slow', ['rs-525da3b4:tools:write']],
    ['progress', undefined],
  ];
  for (const [tool, scopes] of shapes) {
    const { answer, status, body, challenge } = await refused(token({ scope: 'rs-xyz:other' }), tool);
    assert.equal(status, 403, tool);
    assert.equal(answer.headers.get('content-type'), 'application/json');
    assert.equal(body.error, 'insufficient_scope');
    assert.deepEqual(body.required_scopes, scopes, tool);
    assert.equal(/ scope="([^"]*)"/.exec(challenge)?.[1], scopes?.join(' '), tool);
    // Nobody who has what is asked for is refused again.
    if (scopes && tool !== 'slow') assert.equal((await ask(token({ scope: scopes.join(' ') }), tool)).status, 200, tool);
  }
});

// ---- Last resort: log the failure path
test('every validation and every decision is logged with the principal, the tool and the reason', async () => {
  const allowed = await ask(token());
  const good = await lineOf(allowed);
  assert.deepEqual([good.user_id, good.mcp_name, good.decision, good.issuer], ['john', 'echo', 'allowed', issuer.issuer]);
  const { line } = await refused(token(), 'slow');
  assert.deepEqual([line.user_id, line.mcp_name, line.decision, line.reason], ['john', 'slow', 'refused', 'scope_insufficient']);
  assert.match(line.detail, /rs-525da3b4:tools:write/);
});

// ---- Its policy modes
const credentials = { AUTHSEC_INTROSPECTION_URL: 'https://auth.example.com/introspect', AUTHSEC_INTROSPECTION_CLIENT_ID: '525da3b4', AUTHSEC_INTROSPECTION_CLIENT_SECRET: 'shown once', AUTHSEC_VALIDATION_MODE: 'jwt_or_introspect', AUTHSEC_RESOURCE_SERVER_ID: '525da3b4' };
const place = '/authsec/resource-servers/525da3b4/sdk-policy';
const matrix = (more) => ({ body: JSON.stringify({ state: 'ready', policy_complete: true, rs_id: '525da3b4', generation: 7, scopes_supported: ['rs-525da3b4:tools:read'], tool_policy: [{ name: 'echo', is_public: false, required_scopes: ['rs-525da3b4:tools:read'] }], ...more }) });

test('remote_required: the scope matrix of the dashboard, asked for with the resource server\'s own credentials', async (t) => {
  issuer.answers[place] = matrix();
  t.after(() => delete issuer.answers[place]);
  const remote = await Gateway.start(t, null, { environment: { ...common, ...credentials, AUTHSEC_POLICY_MODE: 'remote_required', MCP_OAUTH_POLICY_REFRESH: '1' } });
  assert.equal(issuer.headers[place].authorization, `Basic ${Buffer.from('525da3b4:shown%20once').toString('base64')}`);
  assert.equal((await ask(token(), 'echo', remote)).status, 200);
  assert.equal((await ask(token(), 'whoami', remote)).status, 403);
  // What is mapped there later holds here within a refresh.
  issuer.answers[place] = matrix({ generation: 8, tool_policy: [{ name: 'whoami', is_public: true }] });
  await until('the new mapping', async () => (await ask(token(), 'whoami', remote)).status === 200);
  assert.equal((await ask(token(), 'echo', remote)).status, 403);
  issuer.answers[place] = matrix({ policy_complete: false, state: 'needs_setup' });
  await until('nothing is mapped yet', async () => (await ask(token(), 'whoami', remote)).status === 403);
  const seen = await refused(token(), 'whoami', remote);
  assert.deepEqual([seen.line.reason, seen.body.required_scopes], ['policy_incomplete', undefined]);
  assert.match(seen.line.detail, /needs_setup/);
});

test('remote_required without a policy: 503 and not ready, where remote_with_local_fallback has its own', async (t) => {
  const environment = { ...common, ...credentials, AUTHSEC_POLICY_MODE: 'remote_required' };
  const remote = await Gateway.start(t, null, { environment });
  const seen = await refused(token(), 'echo', remote);
  assert.deepEqual([seen.status, seen.body.error_description], [503, 'Service Unavailable: policy backend unavailable']);
  assert.ok(seen.answer.headers.get('retry-after'));
  assert.equal((await fetch(`${remote.origin}/ready`)).status, 503);
  const local = await Gateway.start(t, null, { environment: { ...environment, AUTHSEC_POLICY_MODE: 'remote_with_local_fallback', AUTHSEC_TOOL_SCOPES_JSON: JSON.stringify(rules) } });
  assert.equal((await ask(token(), 'echo', local)).status, 200);
  assert.equal((await ask(token(), 'slow', local)).status, 403);
});

test('what its SDK takes silently stops the start here, or is said at it', async (t) => {
  const failing = async (more) => {
    const { code, err } = await command(t, [], { environment: { ...common, ...more } });
    assert.equal(code, 3, err);
    return err;
  };
  assert.match(await failing({ AUTHSEC_POLICY_MODE: 'local_only' }), /AUTHSEC_POLICY_MODE.*there are no rules/);
  assert.match(await failing({ AUTHSEC_POLICY_MODE: 'enforced' }), /AUTHSEC_POLICY_MODE: value "enforced": must be one of/);
  assert.match(await failing({ AUTHSEC_TOOL_SCOPES_JSON: '{"echo": [' }), /AUTHSEC_TOOL_SCOPES_JSON/);
  assert.match(await failing({ AUTHSEC_VALIDATION_MODE: 'jwt' + '_always' }), /AUTHSEC_VALIDATION_MODE.*must be one of/);
  assert.match(await failing({ AUTHSEC_POLICY_MODE: 'remote_required' }), /nothing says where that is.*AUTHSEC_RESOURCE_SERVER_ID/);
  assert.match(await failing({ AUTHSEC_POLICY_MODE: 'observe', AUTHSEC_TOOL_SCOPES_JSON: '{"echo": []}' }), /there are rules, which are always enforced here/);
  const open = await Gateway.start(t, null, { environment: { ...common, AUTHSEC_POLICY_MODE: 'observe', AUTHSEC_PUBLISH_MANIFEST: 'true', AUTHSEC_SCOPES: 'x' } });
  const said = open.program.errors.join('\n');
  for (const words of ['AUTHSEC_POLICY_MODE is open: every accepted token opens every tool', 'AUTHSEC_PUBLISH_MANIFEST is not used', 'AUTHSEC_SCOPES sets nothing'])
    assert.equal(said.split(words).length, 2, `once: ${words}\n${said}`);
  assert.equal((await ask(token({ scope: undefined }), 'echo', open)).status, 200);
});
