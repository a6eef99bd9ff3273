// The gateway as OAuth 2.1 authorization server, seen from outside. The rows of docs/conformance.md that these prove begin
// with AS.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { authorization, postForm, redeem, redirectUri, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let gateway, person, client, metadata;

before(async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  person = new Person({ password: await gateway.firstPassword() });
  client = await register(gateway);
  metadata = await (await fetch(`${gateway.origin}/.well-known/oauth-authorization-server`)).json();
});

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
const anAnswer = (asked) => person.approve(asked.url, redirectUri);
const notKept = (answer, what) => assert.match(answer.headers.get('cache-control') ?? '', /no-store/, what);

test('the issuer is the same string wherever it is said', async () => {
  const resource = await (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/mcp`)).json();
  const openid = await (await fetch(`${gateway.origin}/.well-known/openid-configuration`)).json();
  const asked = authorization(gateway, client);
  const answer = await anAnswer(asked);
  const { access_token } = await (await redeem(gateway, client, asked, answer)).json();
  const said = [metadata.issuer, openid.issuer, resource.authorization_servers[0], answer.searchParams.get('iss'), claims(access_token).iss];
  assert.deepEqual(said, said.map(() => gateway.origin));
  assert.equal(answer.searchParams.getAll('iss').length, 1);
});

test('every endpoint that is announced is there', async () => {
  const endpoints = Object.entries(metadata).filter(([name]) => name.endsWith('_endpoint') || name === 'jwks_uri');
  assert.ok(endpoints.length >= 5, Object.keys(metadata).join());
  for (const [name, url] of endpoints) {
    assert.ok(url.startsWith(`${gateway.origin}/`), `${name}: ${url}`);
    const answer = await fetch(url, { method: name === 'jwks_uri' || name === 'authorization_endpoint' ? 'GET' : 'POST', redirect: 'manual' });
    assert.ok(answer.status !== 404 && answer.status < 500, `${name}: ${answer.status}`);
    await answer.text();
  }
  for (const [name, value] of Object.entries(metadata)) assert.notDeepEqual(value, [], `${name} is empty`);
});

test('empty and unknown parameters are as if they were absent', async () => {
  const asked = authorization(gateway, client, { scope: '', resource: '', prompt: '', nonce: 'n', unheard_of: 'x', display: 'popup' });
  const answer = await anAnswer(asked);
  const redeemed = await redeem(gateway, client, asked, answer);
  assert.equal(redeemed.status, 200, await redeemed.clone().text());
  assert.equal(claims((await redeemed.json()).access_token).aud, gateway.mcp);
});

test('what is wrong with a request is told to the client, with its state and our name', async () => {
  const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
  const rows = [
    ['no response_type', { response_type: undefined }, ['invalid_request']],
    ['an implicit grant', { response_type: 'token' }, ['unsupported_response_type']],
    ['a hybrid', { response_type: 'code id_token' }, ['unsupported_response_type']],
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }, ['invalid_request']],
    ['a method without a challenge', { code_challenge: undefined }, ['invalid_request']],
    ['a challenge without a method, which means plain', { code_challenge: challenge, code_challenge_method: undefined }, ['invalid_request']],
    ['plain', { code_challenge: challenge, code_challenge_method: 'plain' }, ['invalid_request']],
    ['an unknown method', { code_challenge: challenge, code_challenge_method: 'S512' }, ['invalid_request']],
    ['a challenge that is too short', { code_challenge: challenge.slice(1) }, ['invalid_request']],
    ['a challenge with padding', { code_challenge: `${challenge}=` }, ['invalid_request']],
    ['a resource of somebody else', { resource: 'https://other.example/mcp' }, ['invalid_target']],
    ['a resource with a fragment', { resource: `${gateway.mcp}#x` }, ['invalid_target']],
    ['a resource that is no URL', { resource: 'mcp' }, ['invalid_target']],
    ['a scope that no server has', { scope: 'sudo' }, ['invalid_scope']],
    ['a scope with other characters', { scope: 'a"b' }, ['invalid_scope']],
    ['a pushed request', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }, ['request_uri_not_supported', 'invalid_request', null]],
  ];
  for (const [what, overrides, errors] of rows) {
    const asked = authorization(gateway, client, { ...overrides, state: 'St&te= +%"<~' });
    const answer = await fetch(asked.url, { redirect: 'manual' });
    const text = await answer.text();
    const location = answer.headers.get('location');
    if (errors.includes(null) && !location?.startsWith(redirectUri)) continue; // ignored: the ordinary pages
    assert.ok(location?.startsWith(`${redirectUri}?`), `${what}: ${answer.status} ${location} ${text.slice(0, 300)}`);
    assert.ok([302, 303].includes(answer.status), `${what}: ${answer.status}`);
    const said = new URL(location).searchParams;
    assert.ok(errors.includes(said.get('error')), `${what}: ${said}`);
    assert.equal(said.get('state'), 'St&te= +%"<~', what);
    assert.equal(said.get('iss'), gateway.origin, what);
    assert.equal(said.get('code'), null, what);
    assert.match(said.get('error_description') ?? 'x', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, what);
    for (const name of new Set(said.keys())) assert.equal(said.getAll(name).length, 1, `${what}: ${name}`);
  }
});

test('every step of a sign-in is answered with 303 or a page that cannot be framed', async () => {
  const stranger = new Person({ user: 'ada', password: await gateway.addUser('ada') });
  const answers = [];
  const original = globalThis.fetch;
  globalThis.fetch = async (url, options) => {
    const answer = await original(url, options);
    answers.push({ method: options?.method ?? 'GET', url: String(url).split('?')[0], answer });
    return answer;
  };
  try {
    await stranger.approve(authorization(gateway, client).url, redirectUri);
  } finally {
    globalThis.fetch = original;
  }
  assert.ok(answers.filter((a) => a.method === 'POST').length >= 3, answers.map((a) => `${a.method} ${a.url}`).join('\n'));
  for (const { method, url, answer } of answers) {
    const what = `${method} ${url}: ${answer.status}`;
    notKept(answer, what);
    assert.match(answer.headers.get('referrer-policy') ?? '', /no-referrer/, what);
    if (answer.status === 200) {
      assert.match(answer.headers.get('content-security-policy'), /frame-ancestors 'none'/, what);
      assert.equal(answer.headers.get('x-frame-options'), 'DENY', what);
    } else {
      assert.equal(answer.status, method === 'POST' ? 303 : answer.status === 302 ? 302 : 303, what);
    }
  }
});

test('a token answer says what it gave, and is kept by nobody', async () => {
  const asked = authorization(gateway, client);
  const code = await anAnswer(asked);
  const answer = await redeem(gateway, client, asked, code);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  notKept(answer, 'a code');
  const given = await answer.json();
  assert.equal(given.token_type.toLowerCase(), 'bearer');
  const access = claims(given.access_token);
  assert.ok(Number.isInteger(given.expires_in) && given.expires_in <= 3600);
  assert.equal(access.exp - access.iat, given.expires_in);
  assert.equal(access.scope, given.scope);
  assert.equal(access.client_id, client.client_id);
  // At least 128 bits in each.
  for (const value of [code.searchParams.get('code'), given.refresh_token, access.jti]) assert.ok(value.length >= 22, value);
  const again = await refresh(gateway, client, given.refresh_token);
  assert.equal(again.status, 200);
  notKept(again, 'a refresh');
  assert.equal((await again.json()).scope, given.scope);
});

test('every error of the token endpoint has its status, its name, and is kept by nobody', async () => {
  const secret = await register(gateway, { token_endpoint_auth_method: 'client_secret_basic' });
  const basic = (id, password) => ({ authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(password)}`).toString('base64')}` });
  const code = { grant_type: 'authorization_code', code: 'no-such-code', code_verifier: 'v'.repeat(43), redirect_uri: redirectUri };
  const own = { client_id: client.client_id };
  const rows = [
    ['no grant type', 400, 'invalid_request', own],
    ['an unknown grant type', 400, 'unsupported_grant_type', { ...own, grant_type: 'password', username: 'a', password: 'b' }],
    ['client_credentials, public', 400, 'unsupported_grant_type', { ...own, grant_type: 'client_credentials' }],
    ['client_credentials with a secret', 400, 'unsupported_grant_type', { grant_type: 'client_credentials' }, basic(secret.client_id, secret.client_secret)],
    ['an assertion', 400, 'unsupported_grant_type', { ...own, grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'a.b.c' }],
    ['no code', 400, 'invalid_request', { ...own, grant_type: 'authorization_code', code_verifier: 'v'.repeat(43) }],
    ['no verifier', 400, 'invalid_request', { ...own, grant_type: 'authorization_code', code: 'x' }],
    ['an unknown code', 400, 'invalid_grant', { ...own, ...code }],
    ['no refresh token', 400, 'invalid_request', { ...own, grant_type: 'refresh_token' }],
    ['an unknown refresh token', 400, 'invalid_grant', { ...own, grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) }],
    ['nobody', 400, 'invalid_request', code],
    ['an unknown client', [400, 401], 'invalid_client', { ...code, client_id: 'nobody' }],
    ['a wrong secret in the header', 401, 'invalid_client', code, basic(secret.client_id, 'wrong')],
    ['a wrong secret in the body', [400, 401], 'invalid_client', { ...code, client_id: secret.client_id, client_secret: 'wrong' }],
    ['no secret from one who has one', [400, 401], 'invalid_client', { ...code, client_id: secret.client_id }],
    ['two ways at once', 400, 'invalid_request', { ...code, client_id: secret.client_id, client_secret: secret.client_secret }, basic(secret.client_id, secret.client_secret)],
    ['two clients at once', 400, 'invalid_request', { ...code, ...own }, basic(secret.client_id, secret.client_secret)],
  ];
  for (const [what, status, error, parameters, headers] of rows) {
    const answer = await postForm(`${gateway.origin}/oauth/token`, parameters, headers);
    const text = await answer.text();
    assert.ok([status].flat().includes(answer.status), `${what}: ${answer.status} ${text}`);
    assert.match(answer.headers.get('content-type'), /^application\/json/, what);
    notKept(answer, what);
    assert.equal(JSON.parse(text).error, error, `${what}: ${text}`);
    if (answer.status === 401 && headers) assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic /, what);
    assert.ok(!text.includes(secret.client_secret), what);
  }
  const get = await fetch(`${gateway.origin}/oauth/token?grant_type=refresh_token`, { redirect: 'manual' });
  assert.equal(get.status, 405);
  assert.match(get.headers.get('allow'), /POST/);
});

test('a registration answers with all that it registered, and is kept by nobody', async () => {
  const asked = {
    client_name: 'All of it', redirect_uris: [redirectUri, 'https://app.example/cb'], grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], token_endpoint_auth_method: 'client_secret_post', application_type: 'native', unheard_of: { a: 1 },
  };
  const answer = await fetch(metadata.registration_endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(asked) });
  assert.equal(answer.status, 201);
  notKept(answer, 'a registration');
  const given = await answer.json();
  for (const name of ['client_name', 'redirect_uris', 'grant_types', 'response_types', 'token_endpoint_auth_method']) assert.deepEqual(given[name], asked[name], name);
  assert.ok(given.client_id.length >= 16 && !given.client_id.startsWith('https://'));
  assert.ok(given.client_secret.length >= 22);
  assert.equal(given.client_secret_expires_at, 0);
  assert.ok(Math.abs(given.client_id_issued_at - Date.now() / 1000) < 600);
  assert.equal(given.unheard_of, undefined);
});

test('a revoked grant is over for both of its tokens, and revoking again succeeds', async () => {
  const tokens = await tokensFor(gateway, person, client);
  const revoke = (token) => postForm(metadata.revocation_endpoint, { token, client_id: client.client_id });
  assert.equal((await revoke(tokens.access_token)).status, 200);
  assert.equal((await revoke(tokens.access_token)).status, 200);
  assert.equal((await revoke('never given')).status, 200);
  const after = await refresh(gateway, client, tokens.refresh_token);
  assert.equal(after.status, 400);
  assert.equal((await after.json()).error, 'invalid_grant');
});
