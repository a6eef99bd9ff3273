// explain-token: why a token does not open a server, told beside running gateways, guards and their issuers.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { AuthorizationServer } from './lib/authorization_server.mjs';
import { Gateway, binary } from './lib/gateway.mjs';
import { call, post, postForm, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';
import { connectAs, Keychain } from './lib/sdk_client.mjs';
import { hmacToken, TokenIssuer } from './lib/token_issuer.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const tools = { echo: ['tools:read'], whoami: [], 'delete_*': ['tools:write'] };
let upstream, gateway, tokens, as;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  as = await AuthorizationServer.start(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url, tools });
  tokens = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
});

// Pieces of the token, so that a part of it is found as well.
function assertNoTokenIn(output, token, what) {
  for (let i = 0; i + 24 <= token.length; i += 12) assert.ok(!output.includes(token.slice(i, i + 24)), `${what}: ${output}`);
}

// In the folder of a gateway or guard, under the port that it took; the token goes in by standard input.
async function explain(of, token, { args = [], given = ['-'], environment = {} } = {}) {
  const port = of.port ? ['--port', String(of.port)] : [];
  const child = spawn(binary, [...port, 'explain-token', ...given, ...args],
    { cwd: of.folder, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment } });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output.err += text));
  child.stdin.on('error', () => {}).end(given[0] === token ? '' : token);
  const [code] = await once(child, 'close');
  if (token.length >= 24) assertNoTokenIn(output.out + output.err, token.trim(), 'the token is not printed');
  assert.ok(!output.out.includes('\u001b'), 'no colour but on a terminal');
  return { code, ...output };
}
async function explained(of, token, options = {}) {
  const ended = await explain(of, token, { ...options, args: ['--json', ...(options.args ?? [])] });
  assert.ok(ended.out, ended.err);
  return { code: ended.code, err: ended.err, ...JSON.parse(ended.out) };
}
const check = (told, name) => told.checks.find((one) => one.name === name);
const toolsOf = (told) => Object.fromEntries(told.access.tools.items.map((one) => [one.pattern, one.open]));

test('a token of a running gateway opens it, and what it unlocks is what calls show', async () => {
  const told = await explained(gateway, tokens.access_token);
  assert.equal(told.outcome, 'opens', JSON.stringify(told, null, 1));
  assert.equal(told.code, 0);
  assert.equal(told.first_cause, null);
  assert.equal(told.authority, 'this gateway');
  assert.deepEqual(told.server, { name: told.server.name, resource: gateway.mcp });
  for (const one of told.checks) assert.equal(one.verdict, 'ok', one.name);
  assert.ok(check(told, 'revocation'));
  assert.ok(told.claims.sub && told.claims.client_id);
  for (const [name, open] of Object.entries(toolsOf(told))) {
    const answer = await post(gateway.mcp, call(name.replace('*', 'all'), { text: 'x' }), tokens.access_token);
    assert.equal(answer.status === 403, !open, name);
    await answer.arrayBuffer();
  }
  const { code, out } = await explain(gateway, tokens.access_token);
  assert.equal(code, 0);
  assert.match(out, /^✓ The token opens /);
  assert.match(out, /✓ signature +ES256/);
});

test('it looks at the database and changes nothing there', async () => {
  const files = async () => (await readdir(gateway.folder)).sort();
  const before = await files();
  const key = await readFile(join(gateway.folder, 'oauth.db.key'));
  await explain(gateway, tokens.access_token);
  assert.deepEqual(await files(), before);
  assert.deepEqual(await readFile(join(gateway.folder, 'oauth.db.key')), key);
  assert.equal((await post(gateway.mcp, call('whoami'), tokens.access_token)).status, 200);
});

test('the time can be another one', async () => {
  const later = Math.floor(Date.now() / 1000) + 86_400;
  const told = await explained(gateway, tokens.access_token, { args: ['--at', String(later)] });
  assert.equal(told.code, 5);
  assert.equal(told.first_cause.code, 'MOP-TIM-001');
  assert.match(told.first_cause.seen, /exp .*\(\d+ (h|min) ago\)/);
  assert.match(told.notes.join(), /--at/);
  const bad = await explain(gateway, tokens.access_token, { args: ['--at', 'yesterday'] });
  assert.equal(bad.code, 2);
  assert.match(bad.err, /--at/);
});

test('a token whose grant was revoked is refused for that, and a refresh token is known as one', async () => {
  const person = new Person({ user: 'again', password: await gateway.addUser('again') });
  const mine = await tokensFor(gateway, person);
  assert.equal((await explained(gateway, mine.access_token)).outcome, 'opens');
  const refresh = await explained(gateway, mine.refresh_token);
  assert.equal(refresh.code, 5);
  assert.match(refresh.first_cause.why, /refresh token of this gateway/);
  await postForm(`${gateway.origin}/oauth/revoke`, { token: mine.refresh_token, client_id: mine.client.client_id });
  assert.equal((await post(gateway.mcp, call('whoami'), mine.access_token)).status, 401);
  const told = await explained(gateway, mine.access_token);
  assert.equal(told.code, 5);
  assert.equal(told.first_cause.check, 'revocation');
  assert.equal(told.first_cause.code, 'MOP-TOK-008');
  assert.equal(check(told, 'signature').verdict, 'ok');
});

test('what stands around a token, and what is missing at its end, is named', async () => {
  const token = tokens.access_token;
  const cases = [
    [`Bearer ${token}`, 'MOP-TOK-004', /Bearer/],
    [`"${token}"\n`, 'MOP-TOK-004', /quotes/],
    [` ${token} `, 'MOP-TOK-004', /blanks/],
    [token.slice(0, 100), 'MOP-TOK-004', /cut off after 100 characters/],
    [token.slice(0, -46), 'MOP-TOK-004', /cut off/],
    ['gho_16C7e42F292c6912E7710c838347Ae178B4a', 'MOP-TOK-004', /not three parts|GitHub/],
  ];
  for (const [given, code, why] of cases) {
    const told = await explained(gateway, given);
    assert.equal(told.code, 5, given.slice(0, 10));
    assert.equal(told.first_cause.code, code, JSON.stringify(told.first_cause));
    assert.match(`${told.first_cause.seen} ${told.first_cause.why}`, why);
  }
  const plain = await explained(gateway, `${token}\n`);
  assert.equal(plain.code, 0, 'the line break of a pipe is none of its faults');
});

test('a token of another gateway is one of another deployment', async (t) => {
  const other = await Gateway.start(t, { mcp_server_url: upstream.url });
  const { access_token: token } = await tokensFor(other, new Person({ password: await other.firstPassword() }));
  const told = await explained(gateway, token);
  assert.equal(told.code, 5);
  assert.equal(told.first_cause.code, 'MOP-SIG-001');
  assert.match(told.first_cause.why, /another deployment of mcp-oauth-proxy/);
  assert.match(check(told, 'issuer').why, /port only/);
  assert.equal(check(told, 'audience').verdict, 'fails');
  assert.equal((await post(gateway.mcp, call('whoami'), token)).status, 401);
});

test('a key that does not fit the database is named', async (t) => {
  const folder = await temporaryFolder(t, 'explain');
  await writeFile(join(folder, 'config.yaml'), JSON.stringify({
    ...gateway.settings, database_url: `sqlite://${join(gateway.folder, 'oauth.db')}`, encryption_key: randomBytes(32).toString('base64'),
  }));
  const told = await explained({ folder, port: gateway.port }, tokens.access_token);
  assert.equal(told.code, 3);
  assert.match(check(told, 'signature').why, /encryption_key/);
});

test('without the key or the database it is told what is missing, and the exit code says so', async (t) => {
  const folder = await temporaryFolder(t, 'explain');
  const elsewhere = { folder, port: gateway.port };
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(gateway.settings));
  const told = await explained(elsewhere, tokens.access_token);
  assert.equal(told.code, 4);
  assert.equal(told.outcome, 'unclear');
  assert.equal(check(told, 'signature').verdict, 'cannot_be_told');
  assert.equal(check(told, 'audience').verdict, 'ok');
  assert.deepEqual(await readdir(folder), ['config.yaml'], 'nothing was made');
  await rm(join(folder, 'config.yaml'));
  await writeFile(join(folder, 'config.yaml'), 'port: x');
  assert.equal((await explain(elsewhere, tokens.access_token)).code, 3);
});

test('one on the command line is warned about, and nothing at all is a mistake of the command line', async () => {
  const given = await explain(gateway, tokens.access_token, { given: [tokens.access_token] });
  assert.equal(given.code, 0);
  assert.match(given.err, /history/);
  const piped = await explain(gateway, tokens.access_token, { given: [] });
  assert.equal(piped.code, 0, 'standard input, where there is no terminal');
  assert.equal(piped.err, '');
  const none = await explain(gateway, '');
  assert.equal(none.code, 2);
  assert.match(none.err, /no token/);
});

test('of several servers one is asked about', async (t) => {
  const many = await Gateway.start(t, {
    upstreams: [
      { name: 'mail', url: upstream.url, paths: ['/mail'], tools: { send: ['mail:send'] } },
      { name: 'files', url: upstream.url, paths: ['/files'] },
    ],
  });
  const token = tokens.access_token;
  const first = await explained(many, token);
  assert.equal(first.server.name, 'mail');
  assert.match(first.notes.join(), /mail, files.*--upstream/);
  assert.equal((await explained(many, token, { args: ['--upstream', 'files'] })).server.name, 'files');
  assert.equal((await explained(many, token, { args: ['--resource', `${many.origin}/files`] })).server.name, 'files');
  const slash = await explain(many, token, { args: ['--resource', `${many.origin}/files/`] });
  assert.equal(slash.code, 2);
  assert.match(slash.err, /slash/);
  const unknown = await explain(many, token, { args: ['--upstream', 'none'] });
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /mail, files/);
});

test('tokens that tests sign by HMAC are judged with their secret', async (t) => {
  const secret = randomBytes(32).toString('base64');
  const testing = await Gateway.start(t, { mcp_server_url: upstream.url, providers: { test: { type: 'hmac', secret } }, tools });
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: testing.origin, aud: testing.mcp, sub: 'alice', exp: now + 60, scope: 'tools:read' };
  const good = await explained(testing, hmacToken(secret, claims));
  assert.equal(good.outcome, 'opens', JSON.stringify(good));
  assert.deepEqual(toolsOf(good), { echo: true, whoami: true, 'delete_*': false });
  const other = await explained(testing, hmacToken(`${secret}\n`, claims));
  assert.equal(other.first_cause.code, 'MOP-SIG-002');
  assert.match(other.first_cause.why, /another secret/);
  assert.ok(!JSON.stringify([good, other]).includes(secret));
});

test('a guard’s tokens are judged by the keys that their issuer publishes', async (t) => {
  const guard = await Gateway.start(t, { mode: 'native', issuer: as.issuer, mcp_server_url: upstream.url, tools });
  const keychain = new Keychain();
  const { client } = await connectAs(new Person({ user: 'reader' }), guard.mcp, keychain);
  await client.close();
  const { access_token: token } = keychain.tokens();
  const told = await explained(guard, token);
  assert.equal(told.outcome, 'opens', JSON.stringify(told, null, 1));
  assert.deepEqual(toolsOf(told), { echo: true, whoami: true, 'delete_*': false });
  const lacking = told.access.tools.items.find((one) => one.pattern === 'delete_*');
  assert.deepEqual(lacking.missing_scopes, ['tools:write']);
  assert.match(lacking.would_allow, /tools:write/);
});

test('each fault of a token is the first cause that the guard itself logs', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const stranger = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, tools });
  const now = Math.floor(Date.now() / 1000);
  const token = (claims, header) => issuer.token({ aud: guard.mcp, scope: 'tools:read', ...claims }, header);
  const cases = [
    ['a slash at its end', token({ aud: `${guard.mcp}/` }), /slash/],
    ['another case', token({ aud: guard.mcp.replace('/mcp', '/MCP') }), /case/],
    ['the client as audience', token({ aud: 'a-client' }), /client/],
    ['no audience', token({ aud: undefined }), /no aud/],
    ['another issuer', stranger.token({ aud: guard.mcp }), /port only|another/],
    ['the issuer with a slash', token({ iss: `${issuer.issuer}/` }), /slash/],
    ['expired', token({ exp: now - 300 }), /ago/],
    ['not yet', token({ nbf: now + 300 }), /in /],
    ['an id token', token({ nonce: 'n', scope: undefined, client_id: undefined }, { typ: 'JWT' }), /id token/],
    ['an unknown key', token({}, { kid: 'other' }), /other/],
    ['no algorithm', token({}, { alg: 'none' }), /none/],
    ['an opaque token', 'an-opaque-token-that-nobody-knows', /opaque/],
  ];
  for (const [what, given, words] of cases) {
    const answer = await post(guard.mcp, call('echo', { text: 'x' }), given);
    assert.equal(answer.status, 401, what);
    const id = answer.headers.get('x-request-id');
    const line = await guard.logged(what, (l) => l.request_id === id && l.status);
    const told = await explained(guard, given);
    assert.equal(told.code, 5, what);
    assert.equal(told.first_cause.symptom, line.reason, what);
    assert.match(`${told.first_cause.seen} ${told.first_cause.why}`, words, what);
  }
});

test('an issuer whose clock is ahead is said to be', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const ahead = (body) => ({ body: JSON.stringify(body), headers: { date: new Date(Date.now() + 60_000).toUTCString() } });
  issuer.answers['/keys'] = ahead({ keys: issuer.keys });
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url });
  const now = Math.floor(Date.now() / 1000);
  const told = await explained(guard, issuer.token({ aud: guard.mcp, exp: now - 43 }));
  assert.equal(told.outcome, 'opens');
  assert.match(check(told, 'times').seen, /exp .*\(4\d s ago\)/);
  assert.match(check(told, 'times').why, /is (59|60|61) s ahead of this machine/);
});

test('an issuer is shown the token only with --introspect', async (t) => {
  as.format = 'opaque';
  t.after(() => (as.format = 'jwt'));
  const guard = await Gateway.start(t, {
    mode: 'native', issuer: as.issuer, mcp_server_url: upstream.url, tools,
    introspection_client_id: as.introspector.client_id, introspection_client_secret: as.introspector.client_secret,
  });
  const keychain = new Keychain();
  const { client } = await connectAs(new Person({ user: 'olga' }), guard.mcp, keychain);
  await client.close();
  const { access_token: token } = keychain.tokens();
  const asked = as.asked('/token/introspection');
  const silent = await explained(guard, token);
  assert.equal(silent.code, 6);
  assert.match(check(silent, 'introspection').why, /--introspect/);
  assert.equal(as.asked('/token/introspection'), asked);
  const told = await explained(guard, token, { args: ['--introspect'] });
  assert.equal(told.outcome, 'opens', JSON.stringify(told, null, 1));
  assert.equal(as.asked('/token/introspection'), asked + 1);
  assert.ok(!JSON.stringify(told).includes(as.introspector.client_secret));
  await postForm(`${as.issuer}/token/revocation`, { token, client_id: keychain.client.client_id });
  const ended = await explained(guard, token, { args: ['--introspect'] });
  assert.equal(ended.code, 5);
  assert.equal(ended.first_cause.check, 'introspection');
});

test('an issuer that is away leaves the rest to be told', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url });
  const token = issuer.token({ aud: guard.mcp });
  await issuer.goAway();
  const told = await explained(guard, token);
  assert.equal(told.code, 4);
  assert.equal(check(told, 'signature').verdict, 'cannot_be_told');
  assert.equal(check(told, 'audience').verdict, 'ok');
});
