// Our authorization server and our tokens, judged by oauth4webapi: a client library that refuses what the RFCs do not
// allow, where others look the other way.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import * as oauth from 'oauth4webapi';

import { Gateway } from './lib/gateway.mjs';
import { redirectUri } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const insecure = { [oauth.allowInsecureRequests]: true }; // http on loopback
let gateway, person, issuer, server, resource;

before(async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  person = new Person({ password: await gateway.firstPassword() });
  issuer = new URL(gateway.origin);
  resource = new URL(gateway.mcp);
  server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
});

// Registered, approved and redeemed, every answer through the library's own checks.
async function tokensByTheBook(metadata = {}, authentication = () => oauth.None()) {
  const registered = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(
    server, { client_name: 'By the book', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', ...metadata }, insecure));
  const client = { client_id: registered.client_id };
  const auth = authentication(registered.client_secret);
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  for (const [name, value] of Object.entries({
    client_id: client.client_id, redirect_uri: redirectUri, response_type: 'code', state, resource: resource.href,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })) url.searchParams.set(name, value);
  // Demands `state`, and `iss` because our metadata says that it is sent.
  const answer = oauth.validateAuthResponse(server, client, await person.approve(url, redirectUri), state);
  const redeemed = await oauth.authorizationCodeGrantRequest(server, client, auth, answer, redirectUri, verifier, insecure);
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, redeemed);
  return { client, auth, tokens };
}

const presented = (token) => new Request(gateway.mcp, { headers: { authorization: `Bearer ${token}` } });
const validated = (token, audience) => oauth.validateJwtAccessToken(server, presented(token), audience, insecure);

test('our metadata passes a strict reader, by both of its names', async () => {
  const openid = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure }));
  assert.equal(openid.token_endpoint, server.token_endpoint);
  const found = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, insecure));
  assert.deepEqual(found.authorization_servers, [server.issuer]);
  const elsewhere = new URL(`${gateway.origin}/other`);
  await assert.rejects(oauth.resourceDiscoveryRequest(elsewhere, insecure).then((answer) => oauth.processResourceDiscoveryResponse(elsewhere, answer)));
});

test('our answers to a code and to a refresh token pass a strict reader', async () => {
  const { client, auth, tokens } = await tokensByTheBook();
  const again = await oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, insecure));
  assert.equal(again.scope, tokens.scope);
  assert.notEqual(again.refresh_token, tokens.refresh_token);
});

for (const [method, authentication] of [['client_secret_basic', oauth.ClientSecretBasic], ['client_secret_post', oauth.ClientSecretPost]]) {
  test(`a client with a secret gets its tokens by the book: ${method}`, async () => {
    const { tokens } = await tokensByTheBook({ token_endpoint_auth_method: method }, authentication);
    assert.equal(tokens.token_type, 'bearer');
  });
}

test('our access tokens pass a strict validator, for this resource only', async () => {
  const { client, tokens } = await tokensByTheBook();
  const claims = await validated(tokens.access_token, gateway.mcp);
  assert.equal(claims.client_id, client.client_id);
  assert.ok(claims.sub && claims.jti && claims.iat <= claims.exp);
  await assert.rejects(validated(tokens.access_token, `${gateway.origin}/other`), /aud/);
});

test('what ends a grant, and what is said about it, passes a strict reader', async () => {
  const { client, auth, tokens } = await tokensByTheBook();
  const asked = async (token) => oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, auth, token, insecure));
  const about = await asked(tokens.access_token);
  assert.deepEqual([about.active, about.client_id, about.aud], [true, client.client_id, gateway.mcp]);
  assert.equal(await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, tokens.refresh_token, insecure)), undefined);
  const late = await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token, insecure);
  await assert.rejects(oauth.processRefreshTokenResponse(server, client, late), (error) => error.error === 'invalid_grant');
  assert.deepEqual(await asked(tokens.access_token), { active: false });
});

test('a refused call has a challenge that a strict reader can read', async () => {
  const refused = await oauth.protectedResourceRequest('bad-token', 'POST', resource, undefined, '{}', insecure).catch((error) => error);
  assert.ok(refused instanceof oauth.WWWAuthenticateChallengeError, String(refused));
  const [challenge] = refused.cause;
  assert.equal(refused.cause.length, 1);
  assert.equal(challenge.scheme, 'bearer');
  assert.equal(challenge.parameters.error, 'invalid_token');
  assert.equal(challenge.parameters.resource_metadata, `${gateway.origin}/.well-known/oauth-protected-resource/mcp`);
});
