// The operator's troubleshooting guide where it speaks of identity providers: each of their refusals, as their
// documentation has it, and what people, clients and the log are then told.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway } from './lib/gateway.mjs';
import { authorization, redirectUri, register } from './lib/oauth.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let upstream;

// Answers like the provider that a test is about. `deny`: parameters of its answer to the browser; `token` and
// `claims` change what it answers behind it.
class Emulation {
  static async start() {
    const it = new Emulation();
    it.server = createServer((asked, answer) => it.#serve(asked, answer));
    it.issuer = `http://127.0.0.1:${await listenOnLoopback(scope, it.server)}`;
    it.key = generateKeyPairSync('rsa', { modulusLength: 2048 });
    it.signsWith = it.key;
    return it;
  }
  deny = null;
  token = null;
  claims = {};

  #serve(asked, answer) {
    const url = new URL(asked.url, this.issuer);
    const json = (status, body) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json(200, {
          issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`, jwks_uri: `${this.issuer}/jwks`,
          response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
        });
      case '/jwks':
        return json(200, { keys: [{ ...this.key.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] });
      case '/authorize': {
        this.asked = url.searchParams;
        const back = new URL(this.asked.get('redirect_uri'));
        for (const [name, value] of Object.entries({ ...(this.deny ?? { code: 'a code' }), state: this.asked.get('state') })) back.searchParams.set(name, value);
        return answer.writeHead(302, { location: back.href }).end();
      }
      case '/token':
        return this.token ? json(...this.token) : json(200, { access_token: 'at', token_type: 'Bearer', expires_in: 3600, id_token: this.#idToken() });
      default:
        return json(404, {});
    }
  }

  #idToken() {
    const now = Math.floor(Date.now() / 1000);
    const encoded = [{ alg: 'RS256', kid: 'one', typ: 'JWT' },
      { iss: this.issuer, aud: this.asked.get('client_id'), sub: 'ada', iat: now, exp: now + 300, nonce: this.asked.get('nonce'), ...this.claims }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${encoded}.${createSign('RSA-SHA256').update(encoded).sign(this.signsWith.privateKey).toString('base64url')}`;
  }
}

// A gateway with that one provider, and a person who signs in there.
async function signIn(settings, change) {
  const provider = await Emulation.start();
  const gateway = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: [{ ...settings(provider), client_secret: 'a secret of the registration' }] });
  change(provider);
  const asked = authorization(gateway, await register(gateway));
  const browser = new Browser();
  const consent = await browser.open(asked.url, { until: redirectUri });
  const page = await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
  const line = await gateway.logged('the callback', (l) => l.path === '/auth/callback' || l.result?.startsWith?.('provider_'));
  return { gateway, provider, page, line };
}

const google = (p) => ({ name: 'google', type: 'google', issuer: p.issuer, client_id: '1234-abc.apps.googleusercontent.com' });
const microsoft = (p) => ({ name: 'microsoft', type: 'oidc', issuer: p.issuer, client_id: '66666666-7777-8888-9999-000000000000' });
const github = (p) => ({
  name: 'github', type: 'github', client_id: 'Iv1.8a61f9b3a7aba766',
  authorization_endpoint: `${p.issuer}/authorize`, token_endpoint: `${p.issuer}/token`, userinfo_endpoint: `${p.issuer}/user`,
});

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
});

// What only the operator can mend, the person sees on a page; the log has the cause and the fix with our values.
for (const [title, settings, change, { words, fix, result }] of [
  ['OAuth redirect URI mismatch, at Google\'s token endpoint', google,
    (p) => { p.token = [400, { error: 'redirect_uri_mismatch', error_description: 'Bad Request' }]; },
    { words: /redirect_uri_mismatch: The redirect URI in the request does not match the one registered/, fix: /\/auth\/callback/, result: 'provider_redirect_uri_mismatch' }],
  ['Google: Access not configured', google,
    (p) => { p.deny = { error: 'access_not_configured', error_description: 'The API is not enabled for your project' }; },
    { words: /The API is not enabled for your project/, fix: /console\.cloud\.google\.com|API/, result: 'provider_setup_incomplete' }],
  ['Microsoft: AADSTS50011, reply URL mismatch', microsoft,
    (p) => { p.deny = { error: 'invalid_request', error_description: 'AADSTS50011: The reply URL specified in the request does not match the reply URLs configured for the application' }; },
    { words: /AADSTS50011: The reply URL specified in the request does not match/, fix: /\/auth\/callback/, result: 'provider_redirect_uri_mismatch' }],
  ['Microsoft: AADSTS65001, user consent required', microsoft,
    (p) => { p.deny = { error: 'consent_required', error_description: 'AADSTS65001: The user or administrator has not consented to use the application' }; },
    { words: /AADSTS65001/, fix: /consent/, result: 'provider_consent_missing' }],
  ['GitHub: Redirect URI not allowed', github,
    (p) => { p.deny = { error: 'redirect_uri_mismatch', error_description: 'The redirect_uri MUST match the registered callback URL for this application.' }; },
    { words: /The redirect_uri MUST match the registered callback URL/, fix: /\/auth\/callback/, result: 'provider_redirect_uri_mismatch' }],
]) {
  test(`${title}: the page and the log say what it is`, async () => {
    const { gateway, page, line } = await signIn(settings, change);
    assert.equal(line.result, result, JSON.stringify(line));
    assert.match(`${page.text} ${line.detail}`, words);
    assert.match(line.fix, fix);
    assert.match(line.symptom, /^MOP-IDP-\d+$/);
    assert.ok(!page.left, 'it is a page: going back to the client would only bring the person here again');
    if (result === 'provider_redirect_uri_mismatch') {
      assert.ok(line.fix.includes(`${gateway.origin}/auth/callback`), line.fix);
      assert.ok(page.text.includes(`${gateway.origin}/auth/callback`), 'what has to be registered stands on the page');
    }
    assert.ok(!JSON.stringify(line).includes('a secret of the registration'));
  });
}

test('Invalid token signature: the provider signs with a key that it does not publish', async () => {
  const { page, line } = await signIn(google, (p) => { p.signsWith = generateKeyPairSync('rsa', { modulusLength: 2048 }); });
  assert.equal(line.result, 'provider_token_invalid');
  assert.match(line.detail, /invalid_signature: Token signature verification failed, by the keys of http\S+\/jwks/);
  assert.equal(page.left?.searchParams.get('error'), 'server_error');
});

test('Clock skew: a token of the past or of the future is told as one', async () => {
  const now = Math.floor(Date.now() / 1000);
  for (const [claims, expected] of [[{ iat: now - 7200, exp: now - 3600 }, /expired|exp\b/], [{ iat: now + 3600, exp: now + 7200 }, /future|iat\b|clock/]]) {
    const { line } = await signIn(google, (p) => { p.claims = claims; });
    assert.equal(line.result, 'provider_token_invalid');
    assert.match(line.detail, expected);
  }
});

test('prompt, scopes, audience and tenant_id reach the provider', async () => {
  const { provider } = await signIn((p) => ({ ...google(p), prompt: 'consent', scopes: ['openid', 'email', 'profile', 'https://www.googleapis.com/auth/userinfo.profile'] }),
    (p) => { p.deny = { error: 'access_denied' }; });
  assert.equal(provider.asked.get('prompt'), 'consent');
  assert.equal(provider.asked.get('scope'), 'openid email profile https://www.googleapis.com/auth/userinfo.profile');
  const other = await signIn((p) => ({ name: 'corp', type: 'auth0', issuer: p.issuer, client_id: 'AbC', audience: 'https://api.example.com', prompt: 'select_account' }),
    (p) => { p.deny = { error: 'access_denied' }; });
  assert.equal(other.provider.asked.get('audience'), 'https://api.example.com');
  assert.equal(other.provider.asked.get('prompt'), 'select_account');
});
