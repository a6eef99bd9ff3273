// What programs in use do, whatever the standards say.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway } from './lib/gateway.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let gateway, person;

before(async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  person = new Person({ password: await gateway.firstPassword() });
});

const json = async (path) => {
  const answer = await fetch(gateway.origin + path);
  assert.equal(answer.status, 200, path);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  return answer.json();
};

const statusOfEcho = async (token) => (await post(gateway.mcp, call('echo', { text: 'x' }), token)).status;

test('the challenge names the metadata of the resource, which is there at the root as well', async () => {
  const refused = await post(gateway.mcp, initialize());
  assert.equal(refused.status, 401);
  const named = /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate'))[1];
  assert.equal(named, `${gateway.origin}/.well-known/oauth-protected-resource/mcp`);
  const metadata = await json(new URL(named).pathname);
  assert.equal(metadata.resource, gateway.mcp);
  assert.deepEqual(metadata.authorization_servers, [gateway.origin]);
  assert.deepEqual(await json('/.well-known/oauth-protected-resource'), metadata);
});

test('the metadata of the authorization server is found in every form that clients try', async () => {
  const metadata = await json('/.well-known/oauth-authorization-server');
  assert.equal(metadata.issuer, gateway.origin);
  assert.deepEqual(metadata.code_challenge_methods_supported, ['S256']);
  assert.ok(metadata.token_endpoint_auth_methods_supported.includes('none'));
  assert.ok(metadata.grant_types_supported.includes('refresh_token'));
  assert.equal(metadata.authorization_response_iss_parameter_supported, true);
  assert.equal(metadata.client_id_metadata_document_supported, true);
  assert.deepEqual(await json('/.well-known/oauth-authorization-server/mcp'), metadata);
  for (const path of ['/.well-known/openid-configuration', '/.well-known/openid-configuration/mcp', '/mcp/.well-known/openid-configuration']) {
    const openid = await json(path);
    assert.equal(openid.issuer, metadata.issuer, path);
    assert.equal(openid.token_endpoint, metadata.token_endpoint, path);
    assert.ok(openid.subject_types_supported && openid.id_token_signing_alg_values_supported, path);
  }
  assert.ok((await json(new URL(metadata.jwks_uri).pathname)).keys.length >= 1);
});

test('a client that assumes /register, /authorize and /token at the root gets its token', async () => {
  const registered = await fetch(`${gateway.origin}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
  });
  assert.equal(registered.status, 201);
  const client = await registered.json();
  const asked = authorization(gateway, client, {}, '/authorize');
  const answer = await person.approve(asked.url, redirectUri);
  const redeemed = await redeem(gateway, client, asked, answer, '/token');
  assert.equal(redeemed.status, 200, await redeemed.clone().text());
  assert.equal(await statusOfEcho((await redeemed.json()).access_token), 200);
});

test('a client that sends no state gets none back, and its code works', async () => {
  const client = await register(gateway);
  const asked = authorization(gateway, client, { state: undefined });
  const answer = await person.approve(asked.url, redirectUri);
  assert.equal(answer.searchParams.has('state'), false);
  assert.equal(answer.searchParams.get('iss'), gateway.origin);
  assert.equal((await redeem(gateway, client, asked, answer)).status, 200);
});

test('a client that names no resource and no scope gets a token for the only server there is', async () => {
  const client = await register(gateway);
  const asked = authorization(gateway, client, { resource: undefined });
  const answer = await person.approve(asked.url, redirectUri);
  const { access_token } = await (await redeem(gateway, client, asked, answer)).json();
  assert.equal(await statusOfEcho(access_token), 200);
});

const loopbacks = [
  ['http://127.0.0.1:1234/callback', 'http://127.0.0.1:49152/callback'],
  ['http://127.0.0.1/', 'http://127.0.0.1:33419/'],
  ['http://localhost/callback', 'http://localhost:51111/callback'],
  ['http://[::1]:1/callback', 'http://[::1]:2/callback'],
];
for (const [registered, used] of loopbacks) {
  test(`registered as ${registered}, a program may listen on ${used}`, async () => {
    const client = await register(gateway, { redirect_uris: [registered] });
    const asked = authorization(gateway, client, { redirect_uri: used });
    const answer = await person.approve(asked.url, used);
    assert.equal((await redeem(gateway, client, asked, answer)).status, 200);
  });
}

const notThat = [
  ['another path', 'http://127.0.0.1:1234/other'],
  ['another host of this computer', 'http://localhost:1234/callback'],
  ['another scheme', 'https://127.0.0.1:1234/callback'],
  ['another host', 'http://127.0.0.1.example.com:1234/callback'],
  ['more behind it', 'http://127.0.0.1:1234/callback?next=x'],
];
for (const [what, used] of notThat) {
  test(`a redirect to ${what} ends at a page, and goes nowhere`, async () => {
    const client = await register(gateway, { redirect_uris: ['http://127.0.0.1:1234/callback'] });
    const page = await new Browser().open(authorization(gateway, client, { redirect_uri: used }).url, { until: used });
    assert.equal(page.status, 400);
    assert.match(page.text, /MOP-[A-Z]+-\d+/);
    assert.ok(page.text.includes(page.headers.get('x-request-id')));
  });
}

const registrations = {
  'VS Code': ['https://vscode.dev/redirect', 'https://insiders.vscode.dev/redirect', 'http://127.0.0.1/', 'http://127.0.0.1:33418/'],
  Cursor: ['cursor://anysphere.cursor-mcp/oauth/callback', 'https://www.cursor.com/agents/mcp/oauth/callback', 'http://localhost:8787/callback'],
  Claude: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
};
for (const [name, redirects] of Object.entries(registrations)) {
  test(`${name} registers all of its addresses, and is answered at each`, async () => {
    const client = await register(gateway, { client_name: name, redirect_uris: redirects });
    assert.deepEqual(client.redirect_uris, redirects);
    for (const redirect_uri of redirects) {
      const asked = authorization(gateway, client, { redirect_uri });
      const answer = await person.approve(asked.url, redirect_uri);
      assert.equal((await redeem(gateway, client, asked, answer)).status, 200, redirect_uri);
    }
  });
}

test('one address that may not be registered does not cost the others', async () => {
  const client = await register(gateway, { redirect_uris: ['http://evil.example/callback', redirectUri, 'javascript:alert(1)'] });
  assert.deepEqual(client.redirect_uris, [redirectUri]);
});

test('an unknown client is told so at the token endpoint, and registers again', async () => {
  const client = { client_id: 'forgotten' };
  const answer = await refresh(gateway, client, 'whatever');
  assert.equal(answer.status, 401);
  assert.equal((await answer.json()).error, 'invalid_client');
});

test('two refreshes at once, from two processes of a client, get one successor', async () => {
  const { client, refresh_token } = await tokensFor(gateway, person);
  const answers = await Promise.all([refresh(gateway, client, refresh_token), refresh(gateway, client, refresh_token)]);
  const [one, two] = await Promise.all(answers.map((a) => a.json()));
  assert.deepEqual(answers.map((a) => a.status), [200, 200]);
  assert.equal(one.refresh_token, two.refresh_token);
  assert.notEqual(one.refresh_token, refresh_token);
  assert.equal((await refresh(gateway, client, one.refresh_token)).status, 200);
});

test('a code that is used twice takes back what it gave', async () => {
  const client = await register(gateway);
  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, redirectUri);
  const { access_token } = await (await redeem(gateway, client, asked, answer)).json();
  assert.equal(await statusOfEcho(access_token), 200);
  const again = await redeem(gateway, client, asked, answer);
  assert.equal(again.status, 400);
  assert.equal((await again.json()).error, 'invalid_grant');
  assert.equal(await statusOfEcho(access_token), 401);
});

for (const method of ['client_secret_basic', 'client_secret_post']) {
  test(`a client with a secret may use ${method}, whichever it registered`, async () => {
    const other = method === 'client_secret_basic' ? 'client_secret_post' : 'client_secret_basic';
    for (const registered of [method, other]) {
      const client = await register(gateway, { token_endpoint_auth_method: registered });
      const asked = authorization(gateway, client);
      const answer = await person.approve(asked.url, redirectUri);
      const form = { grant_type: 'authorization_code', code: answer.searchParams.get('code'), code_verifier: asked.verifier, redirect_uri: redirectUri };
      const basic = { authorization: `Basic ${btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`)}` };
      const redeemed = method === 'client_secret_basic'
        ? await postForm(`${gateway.origin}/oauth/token`, form, basic)
        : await postForm(`${gateway.origin}/oauth/token`, { ...form, client_id: client.client_id, client_secret: client.client_secret });
      assert.equal(redeemed.status, 200, `registered ${registered}: ${await redeemed.text()}`);
    }
  });
}
