// Gateways whose identity provider, or what they know of it, is wrong; and people whom it or they do not let in.

import { createSign, generateKeyPairSync } from 'node:crypto';

import { Browser } from '../lib/browser.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { Idp } from '../lib/idp.mjs';
import { authorization, call, post, redirectUri, refresh, register, tokensFor } from '../lib/oauth.mjs';
import { Person } from '../lib/person.mjs';
import { portOfNobody } from '../lib/scope.mjs';
import { until } from '../lib/until.mjs';
import { startAnswering, Upstream } from '../lib/upstream.mjs';
import { checkConfig, doctor, logged, logLine } from './judges.mjs';

// Refuses like the provider that a world is about.
async function refusing(scope, { deny, token, signed, lives = 3600, more = {} }) {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let asked, issuer;
  const json = (answer, status, body) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const idToken = () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: asked.get('client_id'), sub: 'ada', iat: now, exp: now + 300, nonce: asked.get('nonce'), ...signed?.(now) };
    const input = [{ alg: 'RS256', kid: 'one', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${input}.${createSign('RSA-SHA256').update(input).sign(key.privateKey).toString('base64url')}`;
  };
  issuer = await startAnswering(scope, (request, answer) => {
    const url = new URL(request.url, issuer);
    if (url.pathname === '/.well-known/openid-configuration') {
      return json(answer, 200, { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
        response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'], ...more });
    }
    if (url.pathname === '/jwks') return json(answer, 200, { keys: [{ ...key.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] });
    if (url.pathname === '/authorize') {
      asked = url.searchParams;
      const back = new URL(asked.get('redirect_uri'));
      for (const [name, value] of Object.entries({ ...(deny ?? { code: 'a code' }), state: asked.get('state') })) back.searchParams.set(name, value);
      return answer.writeHead(302, { location: back.href }).end();
    }
    if (url.pathname === '/token') return token ? json(answer, ...token) : json(answer, 200, { access_token: 'at', token_type: 'Bearer', expires_in: lives, id_token: idToken() });
    return json(answer, 404, {});
  });
  return issuer;
}

// Through consent to the provider and back, as far as it goes.
async function signIn(gateway, name = 'ada') {
  const browser = new Browser();
  const consent = await browser.open(authorization(gateway, await register(gateway)).url, { until: redirectUri });
  let next = await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
  if (next.title === 'Sign in at the provider') next = await browser.submit(next, 'Sign in', { login: name });
  return next;
}
const refusedCall = (gateway, token) => until('a refused call', async () => {
  const answer = await post(gateway.mcp, call('whoami'), token);
  if (answer.status !== 200) return answer;
  await answer.text();
  return undefined;
});
const failure = (gateway) => logged(gateway, 'the sign-in', (l) => /^MOP-(IDP|LOG|NET)/.test(l.symptom ?? ''));

export async function signIns(scope) {
  const upstream = await Upstream.start(scope, { stateful: false });
  const world = (what, cause, answers, { of = {}, words } = {}) => ({
    world: what, cause, words,
    ask: async (mine) => {
      const issuer = await refusing(mine, answers);
      const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: [{ name: 'corp', type: 'oidc', issuer, client_id: '1234-abc.apps.googleusercontent.com', client_secret: 'a secret of the registration', ...of }] });
      await signIn(gateway);
      return { 'the log': await failure(gateway) };
    },
  });
  const denied = (what, cause, error, description, more) => world(what, cause, { deny: { error, error_description: description } }, more);
  const refused = (what, cause, body, more) => world(what, cause, { token: [400, body] }, more);
  // The real provider, and one thing in the configuration or at the provider that is not as it should be.
  const real = (what, cause, { change = {}, before = () => {}, name, gone, words, ask }) => ({
    world: what, cause, words,
    ask: async (mine) => {
      const idp = await Idp.start(mine);
      const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: { ...idp.settings, ...change } } });
      idp.allow(`${gateway.origin}/auth/callback`);
      await before(idp, gateway);
      if (ask) return ask(mine, idp, gateway);
      await signIn(gateway, name);
      if (gone) await gone(idp, gateway);
      return { 'the log': await failure(gateway) };
    },
  });
  const checked = (what, cause, providers, words) => ({
    world: what, cause, words,
    ask: async (mine) => ({ 'check-config': await checkConfig(mine, { public_url: 'http://127.0.0.1:1', mcp_server_url: upstream.url, providers: await providers(mine) }) }),
  });
  // Signed in while the provider's tokens live for two seconds, and something changed; then calls are made until one is refused.
  const calling = (what, cause, change, { before = { upstream_authorization: 'provider' }, words } = {}) => ({
    world: what, cause, words,
    ask: async (mine) => {
      const idp = await Idp.start(mine);
      const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: idp.settings }, ...before });
      idp.allow(`${gateway.origin}/auth/callback`);
      idp.accessTtl = 2;
      const { access_token: token } = await tokensFor(gateway, new Person({ user: 'ada' }));
      await change(idp, gateway);
      return { 'the log': await logLine(gateway, await refusedCall(gateway, token)) };
    },
  });
  const oidc = { type: 'oidc', client_id: 'a-client', client_secret: 'a secret of the registration' };

  return [
    real('the client secret is wrong', 'MOP-IDP-008', { change: { client_secret: 'the old secret of the registration' } }),
    real('the secret was rotated since the start', 'MOP-IDP-008', { before: (idp, gateway) => { idp.clientSecret = 'another secret, of some length'; idp.allow(`${gateway.origin}/auth/callback`); } }),
    real('the person says no at the provider', 'MOP-IDP-003', { name: 'nobody' }),
    real('the provider is away', 'MOP-IDP-001', { before: (idp) => idp.goAway() }),
    real('the person is not on the list', 'MOP-LOG-004', { change: { allowed_users: ['somebody@idp.example'] }, name: 'mallory', words: /mallory/ }),
    real('the provider forgot the sign-in, and refuses to refresh', 'MOP-REF-005', {
      ask: async (mine, idp, gateway) => {
        const own = await tokensFor(gateway, new Person({ user: 'ada' }));
        let current = own.refresh_token;
        // The provider is asked when what it gave is about to end.
        await until('a refresh that asks the provider', async () => {
          current = (await (await refresh(gateway, own.client, current)).json()).refresh_token ?? current;
          return idp.refreshes.length > 0;
        });
        await idp.endAll('ada');
        const ended = await until('the end', async () => {
          const answer = await refresh(gateway, own.client, current);
          if (answer.status !== 200) return answer;
          current = (await answer.json()).refresh_token;
          return undefined;
        });
        return { 'the log': await logLine(gateway, ended) };
      },
      before: (idp) => { idp.accessTtl = 2; },
      change: { refresh_strategy: 'auto' },
    }),
    refused('Google: the redirect URI is not registered', 'MOP-IDP-007', { error: 'redirect_uri_mismatch', error_description: 'Bad Request' }, { words: /\/auth\/callback/ }),
    denied('Google: the API is not switched on', 'MOP-IDP-009', 'access_not_configured', 'The API is not enabled for your project'),
    denied('Microsoft: AADSTS50011, the reply URL', 'MOP-IDP-007', 'invalid_request', 'AADSTS50011: The reply URL specified in the request does not match the reply URLs configured for the application'),
    denied('Microsoft: AADSTS65001, no consent', 'MOP-IDP-010', 'consent_required', 'AADSTS65001: The user or administrator has not consented to use the application'),
    denied('Microsoft: AADSTS50020, an account of another directory', 'MOP-IDP-011', 'access_denied', 'AADSTS50020: User account from identity provider does not exist in tenant'),
    denied('Microsoft: AADSTS700016, the application is unknown', 'MOP-IDP-008', 'unauthorized_client', 'AADSTS700016: Application with identifier was not found in the directory'),
    refused('Microsoft: AADSTS7000215, the secret', 'MOP-IDP-008', { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' }),
    refused('Microsoft: AADSTS7000222, the secret has expired', 'MOP-IDP-008', { error: 'invalid_client', error_description: 'AADSTS7000222: The provided client secret keys are expired.' }, { words: /expired/ }),
    refused('Okta: the client is unknown', 'MOP-IDP-008', { error: 'invalid_client', error_description: "The client secret supplied for a confidential client is invalid." }),
    refused('the code was used, or is too old', 'MOP-IDP-013', { error: 'invalid_grant', error_description: 'Malformed auth code.' }),
    denied('the provider wants a new sign-in', 'MOP-IDP-012', 'login_required', 'The user must sign in'),
    refused('Microsoft: AADSTS70008, what it gave has expired', 'MOP-IDP-012', { error: 'invalid_grant', error_description: 'AADSTS70008: The provided authorization code or refresh token has expired due to inactivity.' }),
    calling('the provider ended the session, and renews its token no more', 'MOP-IDP-014', (idp) => idp.endAll('ada')),
    calling('the provider is away when its token has to be renewed', 'MOP-IDP-016', (idp) => idp.goAway()),
    calling('the secret was rotated, and the provider renews no token with the old one', 'MOP-IDP-016', (idp, gateway) => { idp.clientSecret = 'another secret, of some length'; idp.allow(`${gateway.origin}/auth/callback`); }),
    calling('the sign-in is older than upstream_authorization: provider', 'MOP-IDP-015', async (_, gateway) => {
      await gateway.stop();
      gateway.settings.upstream_authorization = 'provider';
      await gateway.restart();
    }, { before: {} }),
    {
      world: 'the token of the provider expires, and nothing renews it', cause: 'MOP-REF-006', words: /did not provide a refresh token/,
      ask: async (mine) => {
        const issuer = await refusing(mine, { lives: 2 });
        const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: { ...oidc, issuer } }, upstream_authorization: 'provider' });
        const { access_token: token } = await tokensFor(gateway, new Person());
        return { 'the log': await logLine(gateway, await refusedCall(gateway, token)) };
      },
    },
    denied('GitHub: the redirect URI', 'MOP-IDP-007', 'redirect_uri_mismatch', 'The redirect_uri MUST match the registered callback URL for this application.'),
    world('the id token has expired: the clock of the provider is behind', 'MOP-IDP-004', { signed: (now) => ({ iat: now - 7200, exp: now - 3600 }) }, { words: /exp/ }),
    world('the id token is for another client', 'MOP-IDP-004', { signed: () => ({ aud: 'another' }) }, { words: /aud/ }),
    world('the id token is of another sign-in', 'MOP-IDP-006', { signed: () => ({ nonce: 'another' }) }),
    world('the id token names another issuer', 'MOP-IDP-005', { signed: () => ({ iss: 'https://other.example.com' }) }, { words: /iss/ }),
    world('the answer names another issuer', 'MOP-IDP-005', { more: { authorization_response_iss_parameter_supported: true }, deny: { code: 'x', iss: 'https://other.example.com' } }),
    world('the token answer has no id token', 'MOP-IDP-004', { token: [200, { access_token: 'at', token_type: 'Bearer' }] }, { words: /id_token/ }),

    checked('the issuer has a slash too much', 'MOP-IDP-005', async (mine) => ({ corp: { ...oidc, issuer: `${await refusing(mine, {})}/` } }), /slash|write/),
    checked('nobody is at the issuer', 'MOP-IDP-001', async () => ({ corp: { ...oidc, issuer: `http://127.0.0.1:${await portOfNobody()}` } }), /refused/),
    checked('the issuer answers with a page', 'MOP-IDP-002', async (mine) => ({ corp: { ...oidc, issuer: await startAnswering(mine, (_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')) } })),
    checked('the discovery document has no token endpoint', 'MOP-IDP-002', async (mine) => ({ corp: { ...oidc, issuer: await refusing(mine, { more: { token_endpoint: undefined } }) } }), /token_endpoint/),
    {
      world: 'the callback is not registered at the provider', cause: 'MOP-IDP-007',
      ask: async (mine) => {
        const idp = await Idp.start(mine);
        const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
        return { doctor: await doctor(mine, gateway) };
      },
    },
    {
      world: 'the client id is unknown at the provider', cause: 'MOP-IDP-008',
      ask: async (mine) => {
        const idp = await Idp.start(mine);
        const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: { ...idp.settings, client_id: 'another' } } });
        return { doctor: await doctor(mine, gateway) };
      },
    },
    {
      world: 'the secret is wrong, before anybody signs in', cause: 'MOP-IDP-008',
      ask: async (mine) => {
        const idp = await Idp.start(mine);
        const gateway = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { corp: { ...idp.settings, client_secret: 'the old secret of the registration' } } });
        idp.allow(`${gateway.origin}/auth/callback`);
        return { doctor: await doctor(mine, gateway) };
      },
    },
  ];
}
