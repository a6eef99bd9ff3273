// The official client against built-in users: from the first 401 to the last sign-out.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

import { Gateway } from './lib/gateway.mjs';
import { call, post, postForm } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { connect, connectAs, Keychain, textOf } from './lib/sdk_client.mjs';
import { Upstream } from './lib/upstream.mjs';
import { until, within } from './lib/until.mjs';

const scope = fileScope();
const person = new Person();
const keychain = new Keychain();
let gateway, upstream, session;

before(async () => {
  upstream = await Upstream.start(scope);
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    access_token_lifetime: '10s', // the shortest there is
    leeway: 0,
  });
  person.password = await gateway.firstPassword();
});


test('a client finds the sign-in by itself, registers, and gets in after consent and a new password', async () => {
  session = await connectAs(person, gateway.mcp, keychain);
  assert.deepEqual(person.pages, ['Allow access?', 'Sign in', 'Choose a password']);
  assert.match(keychain.client.client_id, /./);
  assert.equal(keychain.authorizationUrl.searchParams.get('resource'), gateway.mcp);
  assert.equal(keychain.tokens().token_type, 'Bearer');
  assert.ok(keychain.tokens().refresh_token);
});

test('tools are listed and called', async () => {
  const { tools } = await session.client.listTools();
  assert.deepEqual(tools.map((t) => t.name), ['echo', 'whoami', 'progress', 'slow']);
  assert.equal(textOf(await session.client.callTool({ name: 'echo', arguments: { text: 'hello' } })), 'hello');
});

test('the upstream learns who calls, and nothing that lets it call as them', async () => {
  const headers = JSON.parse(textOf(await session.client.callTool({ name: 'whoami' })));
  assert.equal(headers['x-user-id'], 'local:admin');
  assert.equal(headers['x-user-provider'], 'local');
  assert.equal(headers['x-client-id'], keychain.client.client_id);
  assert.equal(headers.authorization, undefined);
  assert.equal(headers.cookie, undefined);
});

test('identity headers of a client never arrive, in any spelling', async () => {
  const forged = { 'X-User-Id': 'root', x_user_email: 'root@example.com', 'X-USER_Name': 'root', 'Remote-User': 'root', Cookie: 'a=b' };
  const other = await connect(gateway.mcp, keychain, { requestInit: { headers: forged } });
  const headers = JSON.parse(textOf(await other.client.callTool({ name: 'whoami' })));
  assert.equal(headers['x-user-id'], 'local:admin');
  assert.ok(!JSON.stringify(headers).includes('root'), JSON.stringify(headers));
  await other.client.close();
});

test('progress arrives while the call runs: step k+1 is made only after step k was seen', async () => {
  const seen = [];
  const running = session.client.callTool(
    { name: 'progress', arguments: { steps: 5 } }, undefined, { onprogress: ({ progress }) => seen.push(progress) });
  for (let step = 1; step <= 5; ++step) {
    await until(`step ${step}`, () => seen.length === step);
    await upstream.release();
  }
  assert.equal(textOf(await within('the result', running)), '5 steps');
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
});

test('an expired token is refused as such, and the client refreshes it unseen', async () => {
  const old = keychain.tokens();
  const refused = await until('the end of the token', async () => {
    const answer = await post(gateway.mcp, call('echo', { text: 'late' }), old.access_token);
    await answer.body?.cancel();
    return answer.status === 401 && answer;
  });
  assert.match(refused.headers.get('www-authenticate'), /error="invalid_token".*expired/);

  assert.equal(textOf(await session.client.callTool({ name: 'echo', arguments: { text: 'again' } })), 'again');
  assert.notEqual(keychain.tokens().access_token, old.access_token);
  assert.notEqual(keychain.tokens().refresh_token, old.refresh_token);
});

test('revoking the refresh token ends its access token at once', async () => {
  const { access_token, refresh_token } = keychain.tokens();
  const form = { token: refresh_token, client_id: keychain.client.client_id };
  assert.equal((await postForm(`${gateway.origin}/oauth/revoke`, form)).status, 200);
  assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), access_token)).status, 401);
  await assert.rejects(session.client.callTool({ name: 'echo', arguments: { text: 'x' } }), UnauthorizedError);
});

test('a browser that is signed in is asked for consent, but for no password', async () => {
  person.pages = [];
  await session.client.close();
  session = await connectAs(person, gateway.mcp, keychain);
  assert.deepEqual(person.pages, ['Allow access?']);
});

test('after signing out the password is asked for again', async () => {
  const asks = await person.browser.open(`${gateway.origin}/auth/logout`);
  assert.match(asks.text, /signed in as admin/);
  const done = await person.browser.submit(asks, 'Sign out');
  assert.equal(done.title, 'Signed out');

  person.pages = [];
  const other = await connectAs(person, gateway.mcp, new Keychain());
  assert.deepEqual(person.pages, ['Allow access?', 'Sign in']);
  await other.client.close();
  await session.client.close();
});
