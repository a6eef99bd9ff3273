// The identity provider's own tokens: an MCP server gets them, they are renewed in time and once, and a sign-in ends
// with them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { call, post, postForm, refresh, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { until } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const expired = 'token_expired: Access token has expired and refresh failed. Sign in again';
let gateway, idp, upstream;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  idp = await Idp.start(scope);
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url, providers: { corp: idp.settings }, upstream_authorization: 'provider',
    limits: { requests_per_minute: 1_000_000 },
  });
  idp.allow(`${gateway.origin}/auth/callback`);
});

// Signed in while tokens live that long, in seconds.
async function signIn(user, ttl, at = gateway) {
  idp.accessTtl = ttl;
  const tokens = await tokensFor(at, new Person({ user }));
  idp.refreshes.length = 0;
  return tokens;
}

// What a call comes to, and the token that the MCP server got with it.
async function whoami(tokens, at = gateway) {
  const answer = await post(at.mcp, call('whoami'), tokens.access_token);
  const body = await answer.text();
  if (answer.status !== 200) return { status: answer.status, answer, body: JSON.parse(body) };
  const result = JSON.parse(body.startsWith('{') ? body : /^data: (.*)$/m.exec(body)[1]).result;
  const headers = JSON.parse(result.content[0].text);
  return { status: 200, token: headers.authorization?.replace(/^Bearer /, '') };
}

const isGone = (token) => until('the token to expire', async () => !(await idp.accountOf(token)));
const curl = (token, at = gateway) => promisify(execFile)('curl', ['-s', '-X', 'POST', `${at.origin}/auth/refresh`,
  '-H', `Authorization: Bearer ${token}`, '-w', '\n%{http_code}']).then(({ stdout }) => {
  const [body, status] = stdout.split('\n');
  return { status: Number(status), body: JSON.parse(body) };
});

test('the MCP server gets the token of the provider, and nobody else does', async () => {
  const tokens = await signIn('alice', 600);
  const { status, token } = await whoami(tokens);
  assert.equal(status, 200);
  assert.equal(await idp.accountOf(token), 'alice');
  assert.notEqual(token, tokens.access_token);
  assert.ok(!JSON.stringify(tokens).includes(token));
  assert.deepEqual(idp.refreshes, []);

  for (const name of await readdir(gateway.folder, { recursive: true })) {
    const content = await readFile(join(gateway.folder, name), 'latin1').catch(() => '');
    assert.ok(!content.includes(token), `${name} holds a token of the provider`);
  }
});

test('a token is renewed before it expires, and no call notices', async () => {
  const tokens = await signIn('bob', 2);
  const seen = new Set([(await whoami(tokens)).token]);
  idp.refreshes.length = 0;
  await until('three tokens', async () => {
    const { status, token } = await whoami(tokens);
    assert.equal(status, 200);
    seen.add(token);
    return seen.size >= 3;
  }, 30_000);
  assert.equal(idp.refreshes.length, seen.size - 1);
  assert.ok(idp.refreshes.every((r) => r === 'ok'), `${idp.refreshes}`);
  assert.ok(await gateway.metric('mop_provider_refreshes_total{outcome="refreshed",provider="corp"}') >= 2);
});

test('twenty calls at once make one refresh', async () => {
  const tokens = await signIn('carol', 2);
  const { token } = await whoami(tokens);
  await isGone(token);
  idp.accessTtl = 600;
  idp.refreshes.length = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, () => whoami(tokens)));
  assert.deepEqual(answers.map((a) => a.status), Array(20).fill(200));
  assert.equal(new Set(answers.map((a) => a.token)).size, 1);
  assert.deepEqual(idp.refreshes, ['ok']);
});

test('while the provider is away the token in use is good to its end, and then nobody is signed out', async () => {
  const tokens = await signIn('dora', 4);
  const { token } = await whoami(tokens);
  await idp.goAway();
  assert.equal((await whoami(tokens)).token, token);
  const late = await until('the end of the token', async () => {
    const now = await whoami(tokens);
    return now.status !== 200 && now;
  });
  assert.equal(late.status, 503);
  assert.ok(Number(late.answer.headers.get('retry-after')) > 0);
  assert.equal((await refresh(gateway, tokens.client, tokens.refresh_token)).status, 200, 'the client stays signed in');
  await idp.comeBack();
  await until('a new token', async () => (await whoami(tokens)).status === 200, 30_000);
});

test('who the provider does not know any more has to sign in again', async () => {
  const tokens = await signIn('erin', 2);
  const { token } = await whoami(tokens);
  idp.refreshes.length = 0;
  await idp.endAll('erin');
  await isGone(token);
  const ended = await until('the end', async () => {
    const now = await whoami(tokens);
    return now.status !== 200 && now;
  });
  assert.equal(ended.status, 401);
  assert.equal(ended.body.error, 'invalid_token');
  assert.equal(ended.body.error_description, expired);
  assert.match(ended.answer.headers.get('www-authenticate'), /^Bearer .*error="invalid_token".*resource_metadata=/);
  assert.deepEqual(idp.refreshes, ['invalid_grant']);
  assert.equal((await whoami(tokens)).status, 401);
  const client = await refresh(gateway, tokens.client, tokens.refresh_token);
  assert.equal((await client.json()).error, 'invalid_grant');
  const again = await tokensFor(gateway, new Person({ user: 'erin' }), tokens.client);
  assert.equal((await whoami(again)).status, 200);
});

test("the guide's curl renews the token at the provider, and shows none", async () => {
  const tokens = await signIn('fay', 600);
  const { token } = await whoami(tokens);
  const { status, body } = await curl(tokens.access_token);
  assert.equal(status, 200);
  assert.deepEqual([body.refreshed, body.provider, body.renewable], [true, 'corp', true]);
  assert.ok(body.expires_in > 590 && body.expires_in <= 600, `${body.expires_in}`);
  assert.deepEqual(idp.refreshes, ['ok']);
  const next = await whoami(tokens);
  assert.notEqual(next.token, token, 'every worker uses the new one');
  assert.ok(!JSON.stringify(body).includes(next.token));

  assert.equal((await curl(tokens.access_token)).body.refreshed, false);
  assert.deepEqual(idp.refreshes, ['ok'], 'not again at once');
  const bad = await curl('made.up.token');
  assert.deepEqual([bad.status, bad.body.error], [401, 'invalid_token']);
  const cookie = await fetch(`${gateway.origin}/auth/refresh`, { method: 'POST', headers: { cookie: `mop_session=${tokens.access_token}` } });
  assert.equal(cookie.status, 401);
});

test('a gateway that is killed in the middle of a refresh loses no sign-in', async () => {
  const tokens = await signIn('gil', 600);
  const { token } = await whoami(tokens);
  const held = idp.holdTokenRequest();
  const asked = curl(tokens.access_token).catch(() => 'cut');
  const { cut } = await held;
  await gateway.kill();
  cut();
  assert.equal(await asked, 'cut');
  await gateway.restart();
  assert.equal((await whoami(tokens)).token, token, 'the old one is still there');
  const { status, body } = await curl(tokens.access_token);
  assert.deepEqual([status, body.refreshed], [200, true]);
});

test('with refresh_strategy auto the provider decides about sign-ins that send no token', async () => {
  const own = await Gateway.start(scope, {
    mcp_server_url: upstream.url, providers: { corp: { ...idp.settings, refresh_strategy: 'auto' } },
  });
  idp.allow(`${own.origin}/auth/callback`);
  const tokens = await signIn('hal', 2, own);
  assert.equal((await whoami(tokens, own)).token, undefined);
  let current = tokens.refresh_token;
  await until('a refresh that asks the provider', async () => {
    const answer = await refresh(own, tokens.client, current);
    assert.equal(answer.status, 200);
    current = (await answer.json()).refresh_token;
    return idp.refreshes.length > 0;
  });
  await idp.endAll('hal');
  const ended = await until('the end', async () => {
    const answer = await refresh(own, tokens.client, current);
    const body = await answer.json();
    current = body.refresh_token ?? current;
    return answer.status !== 200 && body;
  });
  assert.deepEqual([ended.error, ended.error_description], ['invalid_grant', expired]);
  assert.equal((await whoami(tokens, own)).status, 401, 'its access tokens end with it');
});

test('two gateways at one database make one refresh', { skip: Postgres.missing }, async () => {
  const postgres = await Postgres.start(scope);
  const ports = [await portOfNobody(), await portOfNobody()];
  const settings = (port) => ({
    port, public_url: `http://127.0.0.1:${ports[0]}`, mcp_server_url: upstream.url, database_url: postgres.url,
    encryption_key: key, providers: { corp: idp.settings }, upstream_authorization: 'provider',
  });
  const key = randomBytes(32).toString('base64');
  const both = [];
  for (const port of ports) both.push(await Gateway.start(scope, settings(port)));
  idp.allow(`http://127.0.0.1:${ports[0]}/auth/callback`);
  const tokens = await signIn('ida', 2, both[0]);
  const at = (port) => ({ mcp: `http://127.0.0.1:${port}/mcp` });
  const { token } = await whoami(tokens, at(ports[1]));
  assert.equal(await idp.accountOf(token), 'ida');
  await isGone(token);
  idp.accessTtl = 600;
  idp.refreshes.length = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => whoami(tokens, at(ports[i % 2]))));
  assert.deepEqual(answers.map((a) => a.status), Array(20).fill(200));
  assert.equal(new Set(answers.map((a) => a.token)).size, 1);
  assert.deepEqual(idp.refreshes, ['ok']);
  // A refresh that was asked for at one ends the old token, which the other remembers and could send for minutes.
  const others = await signIn('jon', 600, both[0]);
  const old = (await whoami(others, at(ports[1]))).token;
  assert.equal((await whoami(others, at(ports[0]))).token, old);
  const asked = await curl(others.access_token, { origin: `http://127.0.0.1:${ports[0]}` });
  assert.deepEqual([asked.status, asked.body.refreshed], [200, true]);
  const fresh = (await whoami(others, at(ports[0]))).token;
  assert.notEqual(fresh, old);
  await until('the other gateway sends the new one', async () => (await whoami(others, at(ports[1]))).token === fresh);

  const kept = postgres.sql("SELECT count(*) FROM records WHERE kind = 'provider_token' AND user_id = 'corp:ida'");
  assert.match(String(kept), /1/);
});
