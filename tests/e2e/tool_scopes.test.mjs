// Scopes for each tool, and the step up to more of them.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { authorization, call, post, redeem, redirectUri, register } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let gateway, upstream, person, client;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    tools: { echo: ['tools:read'], 'who*': { any_of: ['tools:write', 'tools:admin'] } },
  });
  person = new Person({ password: await gateway.firstPassword() });
  client = await register(gateway);
});

async function tokenWith(scopes) {
  const asked = authorization(gateway, client, { scope: scopes });
  const answer = await person.approve(asked.url, redirectUri);
  const body = await (await redeem(gateway, client, asked, answer)).json();
  assert.equal(body.scope, scopes);
  return body.access_token;
}

test('the metadata of the resource names every scope that a tool needs', async () => {
  const metadata = await (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/mcp`)).json();
  for (const needed of ['tools:read', 'tools:write', 'tools:admin']) assert.ok(metadata.scopes_supported.includes(needed), needed);
});

test('a token with the scope of a tool calls that tool', async () => {
  const token = await tokenWith('tools:read');
  assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), token)).status, 200);
});

test('without it: 403, what is needed, and nothing reaches the upstream', async () => {
  const token = await tokenWith('tools:read');
  const before = upstream.requests.length;
  const answer = await post(gateway.mcp, call('whoami'), token);
  assert.equal(answer.status, 403);
  const challenge = answer.headers.get('www-authenticate');
  assert.match(challenge, /^Bearer /);
  assert.match(challenge, /error="insufficient_scope"/);
  assert.match(challenge, /resource_metadata="[^"]+\/mcp"/);
  assert.match(challenge, /scope="[^"]*tools:write[^"]*"/);
  const body = await answer.json();
  assert.equal(body.error, 'insufficient_scope');
  assert.ok(body.required_scopes.includes('tools:write'));
  assert.equal(upstream.requests.length, before);
});

test('one of several scopes is enough where the rule says so', async () => {
  for (const enough of ['tools:write', 'tools:admin']) {
    assert.equal((await post(gateway.mcp, call('whoami'), await tokenWith(enough))).status, 200);
  }
});

test('a tool that no rule names is denied to everyone', async () => {
  const token = await tokenWith('tools:read tools:write tools:admin');
  const answer = await post(gateway.mcp, call('slow'), token);
  assert.equal(answer.status, 403);
  await answer.text();
});

test('a header that names an allowed tool does not open another one', async () => {
  const token = await tokenWith('tools:read');
  const answer = await post(gateway.mcp, call('whoami'), token, { 'mcp-method': 'tools/call', 'mcp-name': 'echo' });
  assert.equal(answer.status, 400);
});

const disguised = {
  'the name twice, the allowed one last': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","name":"echo"}}',
  'the name twice, the allowed one first': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"whoami"}}',
  'the name with escapes': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\\u0061me":"who\\u0061mi"}}',
  'the method with escapes': '{"jsonrpc":"2.0","id":1,"method":"tools\\u002fcall","params":{"name":"whoami"}}',
  'within a batch': '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"whoami"}}]',
};
for (const [what, body] of Object.entries(disguised)) {
  test(`a forbidden tool stays forbidden: ${what}`, async () => {
    const token = await tokenWith('tools:read');
    const before = upstream.requests.length;
    const answer = await post(gateway.mcp, body, token);
    assert.ok([400, 403].includes(answer.status), `${answer.status}`);
    assert.equal(upstream.requests.length, before);
  });
}

test('a scope that nobody offers is not granted', async () => {
  const asked = authorization(gateway, client, { scope: 'tools:read root:everything' });
  const answer = await person.approve(asked.url, redirectUri);
  const { scope: granted } = await (await redeem(gateway, client, asked, answer)).json();
  assert.equal(granted, 'tools:read');
});

test('a refresh may narrow the scopes, and never widen them', async () => {
  const asked = authorization(gateway, client, { scope: 'tools:read tools:write' });
  const answer = await person.approve(asked.url, redirectUri);
  const { refresh_token } = await (await redeem(gateway, client, asked, answer)).json();
  const refresh = (token, wanted) => fetch(`${gateway.origin}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'refresh_token', client_id: client.client_id, refresh_token: token, scope: wanted }),
  });
  const wide = await refresh(refresh_token, 'tools:read tools:write tools:admin');
  assert.equal(wide.status, 400);
  assert.equal((await wide.json()).error, 'invalid_scope');
  const narrow = await refresh(refresh_token, 'tools:read');
  assert.equal(narrow.status, 200);
  assert.equal((await narrow.json()).scope, 'tools:read');
});
