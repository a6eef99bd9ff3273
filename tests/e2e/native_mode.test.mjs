// A guard: mode native, before an MCP server, for tokens of other authorization servers.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { before, test } from 'node:test';

import { AuthorizationServer } from './lib/authorization_server.mjs';
import { makeCertificates } from './lib/certificates.mjs';
import { Gateway } from './lib/gateway.mjs';
import { call, initialize, post, postForm, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { connectAs, Keychain, redirectUri, textOf } from './lib/sdk_client.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { deferred, until } from './lib/until.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const tools = { echo: ['tools:read'], whoami: [], slow: [], progress: [], 'delete_*': ['tools:write'] };
let upstream, as;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  as = await AuthorizationServer.start(scope);
});

// A guard for one issuer that signs what the test wants.
async function guardFor(t, settings = {}, options = {}) {
  const issuer = await TokenIssuer.start(t, options);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, tools, ...settings });
  return { issuer, guard, token: (claims, header) => issuer.token({ aud: guard.mcp, scope: 'tools:read', ...claims }, header) };
}

const challengeOf = (response) => response.headers.get('www-authenticate');

test('the official client signs in at the authorization server and calls tools through the guard', async (t) => {
  const guard = await Gateway.start(t, { mode: 'native', issuer: as.issuer, mcp_server_url: upstream.url, tools });
  const alice = new Person({ user: 'alice' });
  const { client } = await connectAs(alice, guard.mcp, new Keychain());
  assert.deepEqual(alice.pages, ['Sign in at the provider']);
  const headers = JSON.parse(textOf(await client.callTool({ name: 'whoami' })));
  assert.equal(headers['x-user-id'], 'alice');
  assert.equal(headers['x-user-email'], 'alice@as.example');
  assert.equal(headers['x-user-issuer'], as.issuer);
  assert.ok(headers['x-client-id']);
  assert.equal(headers.authorization, undefined);
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'hello' } })), 'hello');
  await client.close();
  assert.ok(!guard.program.lines.join('\n').includes('password'));
});

test('a tool whose scope the person does not have is refused with what is missing', async (t) => {
  const guard = await Gateway.start(t, { mode: 'native', issuer: as.issuer, mcp_server_url: upstream.url, tools });
  const keychain = new Keychain();
  const { client } = await connectAs(new Person({ user: 'reader' }), guard.mcp, keychain);
  await client.close();
  const refused = await post(guard.mcp, call('delete_all'), keychain.tokens().access_token);
  assert.equal(refused.status, 403);
  assert.match(challengeOf(refused), /error="insufficient_scope".*scope="tools:write"/);
  assert.deepEqual((await refused.json()).required_scopes, ['tools:write']);
});

test('opaque tokens are introspected, one question for many requests, and a revocation is seen', async (t) => {
  as.format = 'opaque';
  t.after(() => (as.format = 'jwt'));
  const guard = await Gateway.start(t, {
    mode: 'native', issuer: as.issuer, mcp_server_url: upstream.url, tools, token_cache: { introspection: '1s', refusals: 0 },
    introspection_client_id: as.introspector.client_id, introspection_client_secret: as.introspector.client_secret,
  });
  const keychain = new Keychain();
  const { client } = await connectAs(new Person({ user: 'olga' }), guard.mcp, keychain);
  await client.close();
  const { access_token: token } = keychain.tokens();
  assert.equal(token.split('.').length, 1);
  await until('nothing remembered', async () => {
    const before = as.asked('/token/introspection');
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(guard.mcp, call('echo', { text: 'x' }), token)));
    assert.deepEqual(answers.map((a) => a.status), Array(8).fill(200));
    return as.asked('/token/introspection') === before + 1;
  });
  const revoked = await postForm(`${as.issuer}/token/revocation`, { token, client_id: keychain.client.client_id });
  assert.equal(revoked.status, 200);
  const refused = await until('the end of the token', async () => {
    const answer = await post(guard.mcp, call('echo', { text: 'x' }), token);
    return answer.status === 401 && answer;
  });
  assert.match(challengeOf(refused), /error="invalid_token", error_description="token is not active"/);
});

test('tokens of our own gateway are good at a guard, and no others of it', async (t) => {
  const issuing = await Gateway.start(t, { mcp_server_url: upstream.url });
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuing.origin, audience: issuing.mcp, mcp_server_url: upstream.url });
  const person = new Person({ password: await issuing.firstPassword() });
  const { access_token: token } = await tokensFor(issuing, person);
  const answer = await post(guard.mcp, call('whoami'), token);
  assert.equal(answer.status, 200, await answer.clone().text());
  const strict = await Gateway.start(t, { mode: 'native', issuer: issuing.origin, mcp_server_url: upstream.url });
  const refused = await post(strict.mcp, call('whoami'), token);
  assert.equal(refused.status, 401);
  assert.match(challengeOf(refused), /error_description="audience mismatch"/);
});

test('what is wrong with a token is told exactly in the log and safely on the wire', async (t) => {
  const { issuer, guard, token } = await guardFor(t);
  const stranger = await TokenIssuer.start(t);
  const now = Math.floor(Date.now() / 1000);
  const cases = [
    ['no token', undefined, 401, null, 'token_missing'],
    ['an opaque token', 'gho_16C7e42F292c6912E7710c838347Ae178B4a', 401, 'Token is not a valid JWT format', 'token_opaque'],
    ['another issuer', stranger.token({ aud: guard.mcp }), 401, 'issuer mismatch', 'token_issuer_mismatch'],
    ['another audience', token({ aud: 'https://other.example' }), 401, 'audience mismatch', 'token_audience_mismatch'],
    ['a slash at the end of the audience', token({ aud: `${guard.mcp}/` }), 401, 'audience mismatch', 'token_audience_mismatch'],
    ['no audience', token({ aud: undefined }), 401, 'audience mismatch: the token has no aud', 'token_audience_absent'],
    ['an end in the past', token({ exp: now - 120 }), 401, 'expired', 'token_expired'],
    ['no end', token({ exp: undefined }), 401, 'A required claim is missing', 'token_claim_missing'],
    ['a beginning in the future', token({ nbf: now + 300 }), 401, 'not yet valid', 'token_not_yet_valid'],
    ['a changed signature', `${token().slice(0, -4)}AAAA`, 401, 'invalid_signature: Token signature verification failed', 'token_signature_invalid'],
    ['a key that is not published', token({}, { kid: 'other' }), 401, 'signature: the signing key is not known', 'token_key_unknown'],
    ['no algorithm', token({}, { alg: 'none' }), 401, 'The signature algorithm is not accepted', 'token_algorithm_refused'],
    ['an id token', token({ nonce: 'n', scope: undefined, client_id: undefined }, { typ: 'JWT' }), 401, 'The token is not an access token', 'token_type_wrong'],
  ];
  for (const [what, given, status, words, reason] of cases) {
    const answer = await post(guard.mcp, call('echo', { text: 'x' }), given);
    assert.equal(answer.status, status, what);
    const challenge = challengeOf(answer);
    assert.match(challenge, /^Bearer /, what);
    assert.ok(challenge.includes(`resource_metadata="${guard.origin}/.well-known/oauth-protected-resource/mcp"`), what);
    if (words) assert.ok(challenge.includes(`error="invalid_token", error_description="${words}"`), `${what}: ${challenge}`);
    else assert.ok(!challenge.includes('error'), challenge);
    const id = answer.headers.get('x-request-id');
    const line = await guard.logged(what, (l) => l.request_id === id && l.status);
    assert.equal(line.reason, reason, what);
    assert.equal(line.decision, 'refused');
  }
  const line = (await guard.log()).find((l) => l.reason === 'token_audience_mismatch' && l.detail.includes(`${guard.mcp}/`));
  assert.match(line.detail, /slash/);
  assert.equal(issuer.asked('/keys'), 1, 'a key that nobody has is asked for once in a while only');

  const good = await post(guard.mcp, call('echo', { text: 'x' }), token());
  assert.equal(good.status, 200);
  const id = good.headers.get('x-request-id');
  const allowed = await guard.logged('the good one', (l) => l.request_id === id && l.status);
  assert.deepEqual([allowed.decision, allowed.user_id, allowed.issuer, allowed.mcp_name], ['allowed', 'john', issuer.issuer, 'echo']);
});

test('keys that were rotated are found without a refusal', async (t) => {
  const { issuer, guard, token } = await guardFor(t);
  assert.equal((await post(guard.mcp, call('whoami'), token())).status, 200);
  const before = token({ jti: 'before' });
  issuer.newKey();
  // The first key was fetched at the start; an unknown one is looked for at most every 30 seconds.
  const late = await until('the new key', async () => {
    const answer = await post(guard.mcp, call('whoami'), token({ jti: randomUUID() }));
    return answer.status === 200 && answer;
  }, 45_000);
  assert.equal(late.status, 200);
  // What was signed with the key that is gone counts no longer, also where it was remembered.
  const gone = await post(guard.mcp, call('whoami'), before);
  assert.equal(gone.status, 401);
});

test('while the issuer is away its last good keys are used, and health says so', async (t) => {
  const { issuer, guard, token } = await guardFor(t);
  await issuer.goAway();
  assert.equal((await post(guard.mcp, call('whoami'), token())).status, 200);
  const ready = await fetch(`${guard.origin}/ready`);
  assert.equal(ready.status, 200);
  const [told] = (await ready.json()).issuers;
  assert.deepEqual([told.issuer, told.ready, told.keys], [issuer.issuer, true, 1]);
  const text = await (await fetch(`${guard.origin}/metrics`)).text();
  assert.match(text, new RegExp(`mop_issuer_ready\\{issuer="${issuer.issuer}"\\} 1`));
});

test('with start_retry an issuer that was never seen gives 503 and Retry-After, until it is there', async (t) => {
  const issuer = await TokenIssuer.start(t);
  await issuer.goAway();
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, start_retry: true });
  assert.match(guard.program.errors.join('\n'), /Warning: Failed to fetch OIDC discovery document: .*Connection refused|refused/i);
  const token = issuer.token({ aud: guard.mcp });
  const early = await post(guard.mcp, call('whoami'), token);
  assert.equal(early.status, 503);
  assert.ok(early.headers.get('retry-after'));
  assert.equal((await fetch(`${guard.origin}/ready`)).status, 503);
  assert.equal((await fetch(`${guard.origin}/health`)).status, 200);
  const nothing = await fetch(`${guard.origin}/.well-known/oauth-authorization-server`);
  assert.equal(nothing.status, 503);
  await issuer.comeBack();
  await until('the issuer is there', async () => (await post(guard.mcp, call('whoami'), token)).status === 200, 30_000);
  assert.equal((await fetch(`${guard.origin}/ready`)).status, 200);
});

test('metadata names the issuer, the scopes of the tools and how tokens may be bound', async (t) => {
  const { issuer, guard } = await guardFor(t);
  for (const path of ['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp']) {
    const answer = await fetch(guard.origin + path, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    const document = await answer.json();
    assert.equal(document.resource, guard.mcp);
    assert.deepEqual(document.authorization_servers, [issuer.issuer]);
    assert.deepEqual(document.scopes_supported, ['tools:read', 'tools:write']);
    assert.deepEqual(document.bearer_methods_supported, ['header']);
    assert.ok(document.dpop_signing_alg_values_supported.includes('ES256'));
    assert.equal(document.dpop_bound_access_tokens_required, undefined);
  }
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server/mcp', '/mcp/.well-known/openid-configuration']) {
    const answer = await fetch(guard.origin + path, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
    assert.deepEqual(await answer.json(), issuer.metadata, path);
  }
});

test('there is no authorization server here, and its endpoints say where one is', async (t) => {
  const { issuer, guard } = await guardFor(t);
  for (const path of ['/oauth/authorize', '/oauth/token', '/oauth/register', '/register', '/token', '/authorize', '/auth/login', '/auth/callback']) {
    const answer = await fetch(guard.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    assert.equal(answer.status, 404, path);
    const body = await answer.json();
    assert.equal(body.error_description, 'OAuth proxy disabled in native mode', path);
    assert.deepEqual(body.authorization_servers, [issuer.issuer]);
  }
  const keys = await fetch(`${guard.origin}/.well-known/jwks.json`);
  assert.equal(keys.status, 404);
  assert.equal((await keys.json()).error_description, 'JWKS endpoint disabled in native mode');
});

test('several issuers at once: the same subject of two of them is two people', async (t) => {
  const one = await TokenIssuer.start(t);
  const two = await TokenIssuer.start(t);
  const keyed = await Upstream.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuers: [{ issuer: one.issuer }, { name: 'second', issuer: two.issuer, audience: 'api://two' }], mcp_server_url: keyed.url });
  const [first, second] = [one.token({ aud: guard.mcp }), two.token({ aud: ['x', 'api://two'] })];
  const opened = await post(guard.mcp, initialize(), first);
  assert.equal(opened.status, 200);
  await opened.text();
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
  assert.equal((await post(guard.mcp, call('whoami'), first, session)).status, 200);
  assert.equal((await post(guard.mcp, call('whoami'), second, session)).status, 404);
  assert.equal((await post(guard.mcp, call('whoami'), two.token({ aud: guard.mcp }))).status, 401);
  const opaque = await post(guard.mcp, call('whoami'), 'opaque');
  assert.equal(opaque.status, 401);
  const documents = await (await fetch(`${guard.origin}/.well-known/oauth-protected-resource`)).json();
  assert.deepEqual(documents.authorization_servers, [one.issuer, two.issuer]);
});

// With these settings besides, until it says what became of them.
async function reloaded(guard, settings, pattern = /is in use/) {
  const seen = guard.program.errors.length;
  guard.settings = { ...guard.settings, ...settings };
  await writeFile(`${guard.folder}/config.yaml`, JSON.stringify(guard.settings));
  guard.program.child.kill('SIGHUP');
  await until(`after the reload: ${pattern}`, () => guard.program.errors.slice(seen).some((line) => pattern.test(line)));
}

test('a reload brings another issuer and leaves streams and the rest alone', async (t) => {
  const { issuer, guard, token } = await guardFor(t);
  const other = await TokenIssuer.start(t);
  const stream = await post(guard.mcp, call('slow'), token());
  assert.equal(stream.status, 200);
  await until('the tool waits', () => upstream.waiting === 1);

  const reload = (settings, pattern) => reloaded(guard, settings, pattern);
  await reload({ issuer: 'http://127.0.0.1:1' }, /was not taken up/);
  assert.equal((await post(guard.mcp, call('whoami'), token())).status, 200);
  await reload({ issuer: other.issuer }, /is in use/);
  assert.equal((await post(guard.mcp, call('whoami'), token({ jti: 'x' }))).status, 401);
  assert.equal((await post(guard.mcp, call('whoami'), other.token({ aud: guard.mcp }))).status, 200);
  // With the same issuers nobody is asked again, so nobody need be there.
  await other.goAway();
  await reload({ log_level: 'debug' }, /is in use/);
  assert.equal((await post(guard.mcp, call('whoami'), other.token({ aud: guard.mcp, jti: 'y' }))).status, 200);
  // Nor where another one changes.
  await reload({ issuer: undefined, issuers: [{ issuer: issuer.issuer, audience: ['api://mcp'] }, { issuer: other.issuer }] }, /is in use/);
  await until('the new issuer', async () => (await post(guard.mcp, call('whoami'), issuer.token({ aud: 'api://mcp' }))).status === 200);
  assert.equal((await post(guard.mcp, call('whoami'), other.token({ aud: guard.mcp, jti: 'z' }))).status, 200);
  await upstream.release();
  assert.match(await stream.text(), /done/);
});

test('what is refused is counted by its reason, of calls and of questions at /auth/verify alike', async (t) => {
  const { guard, issuer, token } = await guardFor(t, { trusted_proxies: ['127.0.0.1'] });
  const now = Math.floor(Date.now() / 1000);
  const bad = (text) => `${text.slice(0, -8)}AAAAAAAA`;
  const reasons = {
    token_missing: [undefined], token_opaque: ['opaque'],
    token_issuer_mismatch: [token({ iss: 'https://elsewhere.example' })], token_audience_mismatch: [token({ aud: 'other' })],
    token_audience_absent: [token({ aud: undefined })], token_expired: [token({ exp: now - 600 })],
    token_not_yet_valid: [token({ nbf: now + 600 })], token_key_unknown: [token({}, { kid: 'nobody' })],
    token_signature_invalid: [bad(token({ jti: 'bad' }))], token_claim_missing: [token({ sub: undefined })],
    scope_insufficient: [token({ scope: 'other' })], policy_denied: [token(), 'nowhere'],
  };
  const asks = {
    call: (given, tool) => post(guard.mcp, call(tool, { text: 'x' }), given),
    verdict: (given, tool) => fetch(`${guard.origin}/auth/verify`, {
      method: 'POST', body: JSON.stringify(call(tool, { text: 'x' })),
      headers: { 'content-type': 'application/json', 'x-forwarded-method': 'POST', 'x-forwarded-host': new URL(guard.origin).host, 'x-forwarded-uri': '/mcp', ...(given && { authorization: `Bearer ${given}` }) },
    }),
  };
  for (const [reason, [given, tool = 'echo']] of Object.entries(reasons)) {
    for (const [way, ask] of Object.entries(asks)) {
      const counted = async () => (await (await fetch(`${guard.origin}/metrics`)).text()).split('\n').filter((l) => l.startsWith('mop_refusals_total')).map((l) => [/reason="([^"]*)"/.exec(l)[1], Number(l.split(' ').at(-1))]);
      const before = new Map(await counted());
      const answer = await ask(given, tool);
      await answer.text();
      assert.ok([401, 403].includes(answer.status), `${reason}, ${way}: ${answer.status}`);
      const more = await until(`${reason} is counted, ${way}`, async () => {
        const changed = (await counted()).filter(([name, count]) => count !== (before.get(name) ?? 0));
        return changed.length > 0 && changed;
      });
      assert.deepEqual(more, [[reason, (before.get(reason) ?? 0) + 1]], way);
    }
  }
  assert.equal((await (await asks.verdict(token(), 'echo'))).status, 200);
  assert.ok((await guard.metric('mop_tokens_accepted_total')) > 0);
  assert.ok(issuer);
});

test('a slow issuer holds up nobody but those who wait for it', async (t) => {
  const { guard, token } = await guardFor(t);
  const slow = await TokenIssuer.start(t);
  await slow.goAway();
  const both = await Gateway.start(t, { mode: 'native', issuers: [{ issuer: guard.settings.issuer }, { issuer: slow.issuer }], mcp_server_url: upstream.url, start_retry: true });
  await slow.comeBack();
  const letGo = slow.hold();
  const waiting = post(both.mcp, call('whoami'), slow.token({ aud: both.mcp }));
  await until('it was asked', () => slow.requests.length > 0, 30_000);
  assert.equal((await post(both.mcp, call('whoami'), token({ aud: both.mcp }))).status, 200);
  letGo();
  const late = await waiting;
  assert.ok([200, 503].includes(late.status), String(late.status));
});

test('tokens bound to a key need a fresh proof of it', async (t) => {
  const { guard, token } = await guardFor(t, { dpop_nonces: false });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const bound = token({ cnf: { jkt } });
  const proof = (claims = {}) => {
    const input = `${encoded({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${encoded({
      htm: 'POST', htu: guard.mcp, iat: Math.floor(Date.now() / 1000), jti: randomUUID(),
      ath: createHash('sha256').update(bound).digest('base64url'), ...claims,
    })}`;
    return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const send = (dpop) => post(guard.mcp, call('whoami'), undefined, { authorization: `DPoP ${bound}`, ...(dpop && { dpop }) });
  const one = proof();
  assert.equal((await send(one)).status, 200);
  const replayed = await send(one);
  assert.equal(replayed.status, 401);
  assert.match(challengeOf(replayed), /^DPoP error="invalid_dpop_proof".*algs="ES256/);
  assert.equal((await send(undefined)).status, 401);
  assert.equal((await send(proof({ htu: 'https://other.example/mcp' }))).status, 401);
  const bare = await post(guard.mcp, call('whoami'), bound);
  assert.equal(bare.status, 401);
  assert.match(challengeOf(bare), /^Bearer error="invalid_token".*, DPoP /);

  // Nor is a proof good again because the issuers have changed.
  const other = await TokenIssuer.start(t);
  const first = guard.settings.issuer;
  await reloaded(guard, { issuer: undefined, issuers: [{ name: 'first', issuer: first }, { name: 'other', issuer: other.issuer }] });
  assert.equal((await post(guard.mcp, call('whoami'), other.token({ aud: guard.mcp }))).status, 200);
  const again = await send(one);
  assert.equal(again.status, 401);
  assert.match(challengeOf(again), /invalid_dpop_proof/);
  assert.equal((await send(proof())).status, 200);
});

test('a stream that was opened before there were rules ends when they come, and the next one is held to them', async (t) => {
  const server = await Upstream.start(t);
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: server.url });
  const token = issuer.token({ aud: guard.mcp });
  const opened = await post(guard.mcp, initialize(), token);
  await opened.text();
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}`, 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
  const listen = async () => {
    const stream = await fetch(guard.mcp, { headers });
    assert.equal(stream.status, 200);
    const state = { ended: false };
    const read = async () => {
      for await (const _ of stream.body) void _;
    };
    state.over = read().catch(() => {}).then(() => (state.ended = true));
    return state;
  };
  const before = await listen();
  // What has nothing to do with rules leaves it alone.
  await reloaded(guard, { log_level: 'debug' });
  assert.deepEqual([await guard.metric('mop_streams'), before.ended], [1, false]);
  await reloaded(guard, { tools: { echo: [] } });
  await before.over;
  await guard.logged('why it ended', (l) => l.reason === 'policy_changed' && l.http_method === 'GET');

  await until('the server has let go of the first', () => server.requests.some((r) => r.method === 'GET' && r.closed));
  const after = await listen();
  await reloaded(guard, { tools: { echo: [], whoami: [] } });
  assert.deepEqual([await guard.metric('mop_streams'), after.ended], [1, false], 'it asks the rules in force for each list');
});

test('a stream that begins only after the rules came is held to them', async (t) => {
  const gate = deferred();
  let asked = false;
  const list = { jsonrpc: '2.0', id: 1, result: { tools: ['echo', 'whoami'].map((name) => ({ name, inputSchema: { type: 'object' } })) } };
  const url = await startAnswering(t, async (request, response) => {
    asked ||= request.method === 'GET';
    await gate.promise;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(list)}\n\n`);
  });
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: url });
  const stream = fetch(guard.mcp, { headers: { accept: 'text/event-stream', authorization: `Bearer ${issuer.token({ aud: guard.mcp })}` } });
  await until('the server was asked', () => asked);
  await reloaded(guard, { tools: { echo: [] } });
  gate.resolve();
  const text = await (await stream).text();
  assert.match(text, /"echo"/);
  assert.doesNotMatch(text, /"whoami"/);
});

test('proofs need a nonce of the guard where dpop_nonces wants one', async (t) => {
  const { guard } = await guardFor(t, { dpop: 'require', dpop_nonces: true });
  const answer = await post(guard.mcp, call('whoami'));
  assert.equal(answer.status, 401);
  assert.match(challengeOf(answer), /^DPoP /);
  assert.ok(answer.headers.get('dpop-nonce'));
  const document = await (await fetch(`${guard.origin}/.well-known/oauth-protected-resource/mcp`)).json();
  assert.equal(document.dpop_bound_access_tokens_required, true);
});

test('tokens bound to a client certificate are good on a connection with it, and on no other', async (t) => {
  const ours = await makeCertificates(t, ['127.0.0.1', 'localhost']);
  const [mine, other] = [await makeCertificates(t, ['client']), await makeCertificates(t, ['stranger'])];
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, {
    mode: 'native', issuer: issuer.issuer, audience: 'api://mcp', mcp_server_url: upstream.url, certificate_binding: 'accept',
    tls: { cert_file: ours.certFile, key_file: ours.keyFile },
  });
  const thumbprint = createHash('sha256').update(new X509Certificate(mine.cert).raw).digest('base64url');
  const bound = issuer.token({ aud: 'api://mcp', cnf: { 'x5t#S256': thumbprint } });
  const ask = async (token, shown) => {
    const request = httpsRequest({
      host: '127.0.0.1', port: guard.port, path: '/mcp', method: 'POST', ca: ours.ca, agent: false,
      ...(shown && { cert: shown.cert, key: shown.key }),
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}` },
    });
    request.end(JSON.stringify(call('whoami')));
    const [response] = await once(request, 'response');
    response.resume();
    return { status: response.statusCode, challenge: response.headers['www-authenticate'] };
  };
  assert.equal((await ask(bound, mine)).status, 200);
  const wrong = await ask(bound, other);
  assert.equal(wrong.status, 401);
  assert.match(wrong.challenge, /The token is bound to another client certificate/);
  assert.equal((await ask(bound)).status, 401);
  assert.equal((await ask(issuer.token({ aud: 'api://mcp' }))).status, 200);
});

test('what was judged is remembered, and the log says so at debug', async (t) => {
  const { guard, token } = await guardFor(t, { log_level: 'debug' });
  const one = token();
  await (await post(guard.mcp, call('echo', { text: 'x' }), one)).text();
  await (await post(guard.mcp, call('echo', { text: 'x' }), one)).text();
  await guard.logged('the words of the guide', (l) => l.message === 'Using cached authentication for tool: echo (user: john)');
  assert.equal(await guard.metric('mop_tokens_accepted_total{by="memory"}'), 1);
  assert.equal(await guard.metric('mop_tokens_accepted_total{by="signature"}'), 1);
  assert.ok(redirectUri);
});
