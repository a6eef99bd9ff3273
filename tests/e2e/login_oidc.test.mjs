// The official client, with people who sign in at an OpenID provider.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { authorization, call, eventsOf, post, redirectUri, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { connectAs, Keychain, textOf } from './lib/sdk_client.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let gateway, idp, upstream;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  idp = await Idp.start(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
  idp.allow(`${gateway.origin}/auth/callback`);
});

test('no local user exists where nobody signs in locally', () => {
  assert.ok(!gateway.program.lines.join('\n').includes('password'));
});

test('consent comes first, then the provider, then the tools', async () => {
  const alice = new Person({ user: 'alice' });
  const { client } = await connectAs(alice, gateway.mcp, new Keychain());
  assert.deepEqual(alice.pages, ['Allow access?', 'Sign in at the provider']);
  const headers = JSON.parse(textOf(await client.callTool({ name: 'whoami' })));
  assert.equal(headers['x-user-id'], 'corp:alice');
  assert.equal(headers['x-user-email'], 'alice@idp.example');
  assert.equal(headers['x-user-name'], 'alice of the provider');
  assert.equal(headers['x-user-provider'], 'corp');
  await client.close();
});

test('the gateway asks the provider with PKCE, state and nonce, and never with the resource of MCP', async () => {
  const { authorizeUrl } = await atTheProvider(new Person({ user: 'alice' }));
  const asked = authorizeUrl.searchParams;
  assert.equal(asked.get('code_challenge_method'), 'S256');
  assert.equal(asked.get('redirect_uri'), `${gateway.origin}/auth/callback`);
  for (const name of ['state', 'nonce', 'code_challenge']) assert.ok(asked.get(name).length >= 43, name);
  assert.equal(asked.get('resource'), null);
});

test('a provider that denies is reported to the client, with its state and our issuer', async () => {
  const client = await register(gateway);
  const asked = authorization(gateway, client);
  const answer = await new Person({ user: 'nobody' }).approve(asked.url, redirectUri);
  assert.equal(answer.searchParams.get('error'), 'access_denied');
  assert.equal(answer.searchParams.get('state'), asked.state);
  assert.equal(answer.searchParams.get('iss'), gateway.origin);
  assert.equal(answer.searchParams.get('code'), null);
});

test('the answer of the provider counts in the browser that began the sign-in, and once', async () => {
  const person = new Person({ user: 'bob' });
  const client = await register(gateway);
  const asked = authorization(gateway, client);
  const callback = await person.approve(asked.url, `${gateway.origin}/auth/callback`);

  const stranger = await new Browser().open(callback);
  assert.ok(stranger.status >= 400, stranger.text);
  assert.match(stranger.text, /MOP-[A-Z]+-\d+/);

  const first = await person.browser.open(callback, { until: redirectUri, site: 'cross-site' });
  assert.ok(first.left?.searchParams.get('code'), first.text);
  const again = await person.browser.open(callback, { until: redirectUri, site: 'cross-site' });
  assert.ok(again.status >= 400 && !again.left);
});

test('the provider may rotate its keys', async () => {
  await tokensFor(gateway, new Person({ user: 'carol' }));
  idp.rotateKeys();
  await tokensFor(gateway, new Person({ user: 'carol' }));
});

test('a provider that tells the address and the name only at userinfo is asked there', async (t) => {
  idp.putClaimsIn('userinfo');
  t.after(() => idp.putClaimsIn('id token'));
  const { access_token } = await tokensFor(gateway, new Person({ user: 'frank' }));
  const answer = await post(gateway.mcp, call('whoami'), access_token);
  const { value } = await eventsOf(answer).next();
  const headers = JSON.parse(textOf(JSON.parse(value.data).result));
  assert.equal(headers['x-user-email'], 'frank@idp.example');
  assert.equal(headers['x-user-name'], 'frank of the provider');
  assert.ok(idp.requests.some((r) => r.endsWith(' /me')));
});

test('a provider that is slow holds up who signs in there, and nobody else', async () => {
  const known = await tokensFor(gateway, new Person({ user: 'erin' }));
  const held = idp.holdTokenRequest();
  let over = false;
  const slow = tokensFor(gateway, new Person({ user: 'grace' })).finally(() => (over = true));
  const { goOn } = await held;
  for (let i = 0; i < 20; ++i) {
    assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), known.access_token)).status, 200);
  }
  const refreshed = await refresh(gateway, known.client, known.refresh_token);
  assert.equal(refreshed.status, 200, await refreshed.clone().text());
  await tokensFor(gateway, new Person({ user: 'heidi' }));
  assert.ok(!over, 'it still waits for its provider');
  goOn();
  assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), (await slow).access_token)).status, 200);
});

test('while the provider is away, tokens work and are refreshed, and a new sign-in fails clearly', async () => {
  const person = new Person({ user: 'dave' });
  const { client, access_token, refresh_token } = await tokensFor(gateway, person);
  await idp.goAway();

  assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), access_token)).status, 200);
  const refreshed = await refresh(gateway, client, refresh_token);
  assert.equal(refreshed.status, 200, await refreshed.clone().text());

  // A gateway that never met its provider can say only that, on a page that goes on once the provider is back.
  const fresh = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
  const asked = authorization(fresh, await register(fresh));
  const browser = new Browser();
  const failed = await browser.submit(await browser.open(asked.url, { until: idp.issuer }), 'Approve');
  assert.equal(failed.status, 502);
  assert.match(failed.text, /corp/);
  assert.match(failed.html, /error=temporarily_unavailable/, 'or the client is told');

  await idp.comeBack();
  idp.allow(`${fresh.origin}/auth/callback`);
  const { left } = await browser.submit(failed, 'Try again');
  assert.ok(left.href.startsWith(idp.issuer), left.href);
  await tokensFor(fresh, new Person({ user: 'dave' }));
});

test('two providers and local users stand side by side, and an answer counts only for the one that was asked', async () => {
  const other = await Idp.start(scope);
  const both = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    providers: { corp: idp.settings, partner: { ...other.settings, allowed_users: ['grace@idp.example'] }, local: { type: 'local' } },
  });
  for (const provider of [idp, other]) provider.allow(`${both.origin}/auth/callback`);

  const offered = async (url) => (await new Browser().open(url)).text;
  const { url } = authorization(both, await register(both));
  for (const name of ['corp', 'partner', 'a user name and password']) assert.ok((await offered(url)).includes(`sign in with ${name}`), name);
  const one = new URL(url);
  one.pathname = '/auth/login';
  one.searchParams.set('provider', 'partner');
  assert.ok(!(await offered(one)).includes('sign in with corp'));

  const signIn = async (user, provider, until = redirectUri) => {
    const person = new Person({ user });
    const asked = authorization(both, await register(both));
    const left = await person.approve(asked.url, until, `Approve and sign in with ${provider}`);
    return { left, browser: person.browser };
  };
  assert.ok((await signIn('ada', 'corp')).left.searchParams.get('code'));
  assert.ok((await signIn('grace', 'partner')).left.searchParams.get('code'));
  assert.equal((await signIn('ada', 'partner')).left.searchParams.get('error'), 'access_denied');

  // corp's own answer, for a login that was begun at partner: its issuer gives it away.
  const { left, browser } = await signIn('grace', 'partner', `${both.origin}/auth/callback`);
  left.searchParams.set('iss', idp.issuer);
  const mixed = await browser.open(left, { until: redirectUri, site: 'cross-site' });
  assert.equal(mixed.left.searchParams.get('code'), null);
  assert.equal(mixed.left.searchParams.get('error'), 'server_error');
});

// Where the gateway sends the browser once it has consent.
async function atTheProvider(person) {
  const asked = authorization(gateway, await register(gateway));
  const authorizeUrl = await person.approve(asked.url, idp.issuer);
  return { authorizeUrl };
}
