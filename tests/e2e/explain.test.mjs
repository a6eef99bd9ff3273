// Every failure explains itself, by the id of its request or by an id of the sign-in that it is part of. On SQLite, on
// PostgreSQL with two gateways, and before a guard, which has no database.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import Ajv from 'ajv/dist/2020.js';

import { binary, command, Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, register } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { until } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const schema = JSON.parse(await readFile(new URL('../../docs/reference/explain.schema.json', import.meta.url), 'utf8'));
const fits = new Ajv({ strict: false }).compile(schema);

// The command, in the folder of the gateway, with its configuration and its environment.
function run(gateway, ...args) {
  return runWith('', gateway, ...args);
}

// The same, with that on its standard input.
function runWith(input, gateway, ...args) {
  const config = gateway.settings ? ['--config', 'config.yaml'] : [];
  return new Promise((done) => {
    const program = execFile(binary, [...config, 'explain', ...args], { cwd: gateway.folder, env: { PATH: process.env.PATH, ...gateway.environment } },
      (failed, out, err) => done({ code: failed ? failed.code : 0, out, err }));
    program.stdin.on('error', () => {}).end(input);
  });
}

// What it says of an id, once that is written down.
function explained(gateway, id) {
  return until(`the story of ${id}`, async () => {
    const { code, out } = await run(gateway, id, '--json');
    if (code !== 0) return undefined;
    const told = JSON.parse(out);
    assert.ok(fits(told), JSON.stringify(fits.errors));
    return told;
  });
}

const idOf = (answer) => answer.headers.get('x-request-id');
const verdicts = (told) => told.hops.map((h) => `${h.hop} ${h.verdict}`);
const refused = async (answer) => {
  assert.ok(answer.status >= 400, `${answer.status}`);
  await answer.body?.cancel();
  return idOf(answer);
};

let gateway, upstream, person, tokens;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    limits: { requests_per_minute: 1_000_000 },
    scopes_supported: ['mcp', 'tools:read', 'tools:write'],
    tools: { echo: ['mcp'], whoami: { all_of: ['tools:read', 'tools:write'] }, 'slow*': { denied: true }, progress: ['mcp'] },
  });
  person = new Person({ password: await gateway.firstPassword() });
  const client = await register(gateway);
  const asked = authorization(gateway, client, { scope: 'mcp' });
  const redeemed = await redeem(gateway, client, asked, await person.approve(asked.url, redirectUri));
  tokens = { client, ...(await redeemed.json()) };
});

test('a token that does not hold: where on the way, what was seen and expected, and what to do', async () => {
  const id = await refused(await post(gateway.mcp, call('echo'), 'garbage'));
  const told = await explained(gateway, id);
  assert.equal(told.kind, 'request');
  assert.equal(told.first.id, 'MOP-TOK-004');
  assert.ok(told.first.fix && told.first.verify && told.first.cause);
  assert.deepEqual(verdicts(told), ['client passed', 'gateway passed', 'validation failed', 'policy not_reached', 'upstream not_reached']);
  const { code, out } = await run(gateway, id);
  assert.equal(code, 0);
  assert.match(out, /^✗ MOP-TOK-004 {2}malformed_token/);
  assert.match(out, /✗ validation[^\n]*MOP-TOK-004/);
  assert.ok(!out.includes('garbage'));
});

test('a denied call: each rule, why it did or did not apply, and what would have allowed it', async () => {
  const id = await refused(await post(gateway.mcp, call('whoami'), tokens.access_token));
  const told = await explained(gateway, id);
  assert.equal(told.first.id, 'MOP-SCP-001');
  assert.equal(told.request.user, 'local:admin');
  assert.equal(told.policy.would_allow, 'the scopes tools:read tools:write');
  const rule = (pattern) => told.policy.rules.find((r) => r.pattern === pattern);
  assert.deepEqual([rule('whoami').applies, rule('whoami').allows, rule('whoami').missing_scopes], [true, false, ['tools:read', 'tools:write']]);
  assert.deepEqual([rule('echo').applies, rule('echo').why], [false, 'is for other names']);
  assert.ok(told.policy.scopes.includes('mcp'));
  const denied = await explained(gateway, await refused(await post(gateway.mcp, call('slow'), tokens.access_token)));
  assert.equal(denied.first.id, 'MOP-SCP-002');
  assert.match(denied.policy.rules.find((r) => r.pattern === 'slow*').why, /denied to everybody/);
  const unknown = await explained(gateway, await refused(await post(gateway.mcp, call('ecko'), tokens.access_token)));
  assert.match(unknown.first.seen, /near: echo/);
  assert.ok(unknown.policy.rules.every((r) => !r.applies));
});

test('the same again and again is one story, with a count, and found by each of its last ids', async () => {
  const before = (await explained(gateway, await refused(await post(gateway.mcp, call('echo'), 'a.b.c')))).request;
  const ids = [];
  for (let i = 0; i < 30; ++i) ids.push(await refused(await post(gateway.mcp, call('echo'), 'a.b.c')));
  const told = await until('all of them are counted', async () => {
    const seen = await explained(gateway, ids.at(-1));
    return seen.request.count === before.count + 30 && seen;
  });
  assert.equal(told.request.id, before.id);
  for (const id of ids.slice(-10)) assert.ok(told.request.ids.includes(id), `${id} in ${told.request.ids}`);
  assert.ok(await gateway.metric('mop_stories_total{outcome="collapsed"}') >= 30);
});

test('a 401 without a token and what was answered well leave no story, and it is said why there is none', async () => {
  const plain = await post(gateway.mcp, call('echo'));
  const good = await post(gateway.mcp, call('echo', { text: 'x' }), tokens.access_token);
  const known = await refused(await post(gateway.mcp, call('echo'), 'another garbage'));
  await explained(gateway, known);
  for (const answer of [plain, good]) {
    await answer.body?.cancel();
    const { code, err } = await run(gateway, idOf(answer));
    assert.equal(code, 6);
    assert.match(err, /Kept are failures alone, for 7 days, the newest 1000/);
  }
});

test('the newest failures, a line each', async () => {
  const { code, out } = await run(gateway, '--last', '2');
  assert.equal(code, 0);
  assert.equal(out.split('\n').length, 3);
  assert.match(out, /^\d{4}-\d\d-\d\dT\S+Z {2}[0-9a-z]{13} {2}MOP-[A-Z]{3}-\d{3} {2}.*from 127\.0\.0\.1/);
  const list = JSON.parse((await run(gateway, '--last', '--json')).out);
  assert.ok(fits(list), JSON.stringify(fits.errors));
  assert.ok(list.failures.length > 2);
});

test('a sign-in that fails at its end: every id of it gives all of it, from the first 401 on', async () => {
  const opening = idOf(await post(gateway.mcp, initialize()));
  const client = await register(gateway);
  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, redirectUri);
  const wrong = await redeem(gateway, client, { ...asked, verifier: randomBytes(32).toString('base64url') }, answer);
  const id = await refused(wrong);
  const told = await explained(gateway, id);
  assert.equal(told.kind, 'login');
  assert.equal(told.first.id, 'MOP-PKC-005');
  const seen = verdicts(told);
  for (const hop of ['gateway passed', 'registration passed', 'authorize passed', 'consent passed', 'token failed']) assert.ok(seen.includes(hop), `${hop} in ${seen}`);
  assert.equal(seen.at(-1), 'token failed');
  const ids = told.hops.map((h) => h.id);
  assert.ok(ids.includes(opening), 'the 401 with which it began');
  assert.ok(told.hops.find((h) => h.id === opening).certain === false);
  for (const other of new Set(ids.filter(Boolean))) {
    const again = await explained(gateway, other);
    assert.equal(again.first.id, 'MOP-PKC-005', other);
  }
});

test('a callback in another browser, and one that comes twice, are of the sign-in that they belong to', async () => {
  const idp = await Idp.start(scope);
  const other = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
  idp.allow(`${other.origin}/auth/callback`);
  const client = await register(other);
  const asked = authorization(other, client);
  const alice = new Person({ user: 'alice' });
  const page = await alice.approve(asked.url, `${other.origin}/auth/callback`);
  const stranger = await fetch(page, { redirect: 'manual', headers: { accept: 'application/json' } });
  const id = await refused(stranger);
  const told = await explained(other, id);
  assert.equal(told.kind, 'login');
  assert.equal(told.first.id, 'MOP-STA-003');
  assert.ok(verdicts(told).includes('consent passed'), `${verdicts(told)}`);
});

test('what an identity provider refused: cause and fix are of this deployment, and no secret that it repeats is kept', async () => {
  const idp = await Idp.start(scope);
  const other = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
  idp.allow(`${other.origin}/auth/callback`);
  const alice = new Person({ user: 'alice' });
  const back = new URL(await alice.approve(authorization(other, await register(other)).url, `${other.origin}/auth/callback`));
  const secret = `canary${randomBytes(18).toString('hex')}`;
  const said = new URLSearchParams({
    error: 'invalid_request',
    error_description: `AADSTS50011: The redirect URI does not match; code=${secret} Bearer ${secret}`,
    state: back.searchParams.get('state'),
    ...(back.searchParams.has('iss') && { iss: back.searchParams.get('iss') }),
  });
  await alice.browser.open(`${back.origin}${back.pathname}?${said}`, { until: redirectUri });
  const line = await until('the line of the log', async () => (await other.log()).findLast((l) => /AADSTS50011/.test(l.detail ?? '')));
  const told = await explained(other, line.request_id);
  assert.match(told.first.seen, /AADSTS50011/);
  assert.ok(told.first.fix.includes(`${other.origin}/auth/callback`), told.first.fix);
  const stored = (await Promise.all(['oauth.db', 'oauth.db-wal'].map((f) => readFile(join(other.folder, f)).catch(() => '')))).join('');
  for (const text of [JSON.stringify(told), (await run(other, line.request_id)).out, stored]) {
    assert.ok(!text.includes(secret));
    assert.ok(!text.includes(said.get('state')));
  }
});

test('a sign-in that nobody finished is told as long as it waits, and one that ended well after a wrong password as that', async () => {
  const idp = await Idp.start(scope);
  const other = await Gateway.start(scope, { mcp_server_url: upstream.url, providers: { corp: idp.settings } });
  idp.allow(`${other.origin}/auth/callback`);
  const client = await register(other);
  await new Person({ user: 'alice' }).approve(authorization(other, client).url, `${other.origin}/auth/callback`);
  const begun = await until('the line of the log', async () => (await other.log()).find((l) => l.action === 'authorize'));
  const waits = await explained(other, begun.request_id);
  assert.equal(waits.first, null);
  assert.equal(waits.sign_in, 'signing_in');
  assert.ok(verdicts(waits).includes('consent passed') && verdicts(waits).includes('token not_reached'), `${verdicts(waits)}`);
  assert.match((await run(other, begun.request_id)).out, /^! This sign-in is not finished\n/);

  const here = await register(gateway);
  const asked = authorization(gateway, here);
  const { browser } = new Person();
  const consent = await browser.open(asked.url, { until: redirectUri });
  const form = await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
  const again = await browser.submit(form, 'Sign in', { user: 'admin', password: 'not the password' });
  const wrong = await until('the line of the log', async () => (await gateway.log()).findLast((l) => l.symptom === 'MOP-LOG-001'));
  const failed = await explained(gateway, wrong.request_id);
  assert.equal(failed.kind, 'login');
  assert.ok(verdicts(failed).includes('sign-in failed') && verdicts(failed).includes('token not_reached'), `${verdicts(failed)}`);
  const { left } = await browser.submit(again, 'Sign in', { user: 'admin', password: person.password });
  const good = await redeem(gateway, here, asked, left);
  assert.equal(good.status, 200);
  await good.body?.cancel();
  const told = await until('its end', async () => {
    const seen = await explained(gateway, wrong.request_id);
    return seen.sign_in === 'ended' && seen;
  });
  assert.equal(told.first.id, failed.first.id);
  assert.ok(verdicts(told).includes('token passed'), `${verdicts(told)}`);
  assert.equal((await explained(gateway, idOf(good))).first.id, failed.first.id);
});

test('what is no id needs no configuration, and is told by the same schema', async () => {
  const nobody = { folder: '/' };
  const { code, out } = await run(nobody, 'Token is not a valid JWT format', '--json');
  assert.equal(code, 0);
  const found = JSON.parse(out);
  assert.ok(fits(found), JSON.stringify(fits.errors));
  assert.equal(found.symptoms[0].id, 'MOP-TOK-012');
  assert.equal((await run(nobody)).code, 2);
  assert.equal((await run(nobody, '--last', 'many')).code, 2);
  assert.equal((await run(nobody, '--last', '3', 'MOP-AUD-001')).code, 2);
});

test('exit codes: 3 for a configuration, 4 where the database is away, 6 for an id that is unknown', async (t) => {
  const id = '0123456789abc';
  assert.equal((await command(t, ['--config', 'config.yaml', 'explain', id], { settings: { port: 'x' } })).code, 3);
  const away = `postgresql://nobody@127.0.0.1:${await portOfNobody()}/none`;
  assert.equal((await command(t, ['--config', 'config.yaml', 'explain', id], { settings: { mcp_server_url: upstream.url, database_url: away, encryption_key: randomBytes(32).toString('base64') } })).code, 4);
  assert.equal((await run(gateway, id)).code, 6);
  const elsewhere = await command(t, ['explain', id]);
  assert.equal(elsewhere.code, 4);
  assert.match(elsewhere.err, /oauth\.db is not there: run this where the gateway runs/);
  const memory = await command(t, ['--config', 'config.yaml', 'explain', id], { settings: { mcp_server_url: upstream.url, database_url: 'sqlite://:memory:' } });
  assert.equal(memory.code, 4);
  assert.match(memory.err, /explain\.file/);
});

test('nothing of it reaches a stranger: answers and pages are as they were without it', async (t) => {
  const quiet = await Gateway.start(t, { mcp_server_url: upstream.url, explain: { most: 0 } });
  const shape = async (of) => {
    const answer = await post(of.mcp, call('echo'), 'garbage');
    const text = (await answer.text()).replaceAll(String(of.port), 'PORT');
    return [answer.status, [...answer.headers.keys()].sort(), text.replaceAll(idOf(answer), 'ID')];
  };
  const here = await shape(gateway);
  const there = await shape(quiet);
  assert.deepEqual(here[1], there[1]);
  assert.ok(!/explain/.test(here[2]));
  const { code, err } = await run(quiet, '0123456789abc');
  assert.equal(code, 6);
  assert.match(err, /explain\.most is 0/);
});

test('canaries: what a secret came with is told of, the secret is not', async () => {
  const secrets = [];
  const plant = () => (secrets.push(`canary${randomBytes(18).toString('hex')}`), secrets.at(-1));
  const ids = [];
  ids.push(await refused(await post(gateway.mcp, call('echo'), plant())));
  ids.push(await refused(await post(`${gateway.mcp}?access_token=${plant()}`, call('echo'), plant())));
  ids.push(await refused(await post(gateway.mcp, call('whoami', { password: plant() }), tokens.access_token)));
  ids.push(await refused(await fetch(`${gateway.origin}/auth/callback?code=${plant()}&state=${plant()}`)));
  ids.push(await refused(await postForm(`${gateway.origin}/oauth/token`, { grant_type: 'authorization_code', client_id: tokens.client.client_id, code: plant(), code_verifier: plant() })));
  ids.push(await refused(await postForm(`${gateway.origin}/oauth/token`, { grant_type: 'refresh_token', client_id: tokens.client.client_id, refresh_token: plant() })));
  ids.push(await refused(await postForm(`${gateway.origin}/oauth/token`, { grant_type: 'refresh_token', client_id: tokens.client.client_id, client_secret: plant(), refresh_token: plant() })));
  const cookie = await fetch(`${gateway.origin}/oauth/login?login=${plant()}`, { headers: { cookie: `mop=${plant()}` } });
  if (cookie.status >= 400) ids.push(await refused(cookie));
  for (const id of ids.slice(0, 3)) await explained(gateway, id);
  await until('all of them', async () => (await Promise.all(ids.map((id) => run(gateway, id)))).every((r) => r.code === 0));
  const said = (await Promise.all(ids.flatMap((id) => [run(gateway, id), run(gateway, id, '--json')]))).map((r) => r.out + r.err).join('\n');
  const stored = (await Promise.all(['oauth.db', 'oauth.db-wal'].map((f) => readFile(join(gateway.folder, f)).catch(() => '')))).join('');
  for (const secret of [...secrets, tokens.access_token, tokens.refresh_token]) {
    assert.ok(!said.includes(secret), secret);
    assert.ok(!stored.includes(secret), secret);
  }
});

test('canaries: neither an encoded query, nor one of a URL, nor a password in the wrong field reaches a story or the log', async () => {
  const secrets = [];
  const plant = () => (secrets.push(`canary${randomBytes(18).toString('hex')}`), secrets.at(-1));
  const html = { headers: { accept: 'text/html' }, redirect: 'manual' };
  const { client } = tokens;
  const ids = [];
  for (const asked of [
    { redirect_uri: `http://127.0.0.1:9/other?api_key2=${plant()}&sig=${plant()}&token=${plant()}` },
    { resource: `https://other.example/mcp?key=${plant()}` },
  ]) {
    const answer = await fetch(authorization(gateway, client, asked).url, html);
    await answer.body?.cancel();
    ids.push(idOf(answer));
  }
  ids.push(await refused(await fetch(`${gateway.origin}/auth/callback%3Fcode%3D${plant()}&other%3D${plant()}`)));
  ids.push(await refused(await post(gateway.mcp, { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name: `https://u:${plant()}@x/y?X-Amz-Signature=${plant()}` } }, tokens.access_token)));
  const { browser } = new Person();
  const consent = await browser.open(authorization(gateway, client).url, { until: redirectUri });
  const form = await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
  await browser.submit(form, 'Sign in', { user: plant(), password: plant() });
  const line = await until('the line of the log', async () => (await gateway.log()).findLast((l) => l.symptom === 'MOP-LOG-001' && l.detail === 'no such user'));
  ids.push(line.request_id);
  await until('all of them', async () => (await Promise.all(ids.map((id) => run(gateway, id)))).every((r) => r.code === 0));
  const said = (await Promise.all(ids.flatMap((id) => [run(gateway, id), run(gateway, id, '--json')]))).map((r) => r.out + r.err).join('\n');
  const stored = (await Promise.all(['oauth.db', 'oauth.db-wal'].map((f) => readFile(join(gateway.folder, f)).catch(() => '')))).join('');
  const log = await until('their lines', async () => {
    const lines = await gateway.log();
    return ids.every((id) => lines.some((l) => l.request_id === id)) && JSON.stringify(lines);
  });
  for (const secret of secrets) {
    assert.ok(!said.includes(secret), said.split('\n').find((l) => l.includes(secret)));
    assert.ok(!stored.includes(secret), secret);
    assert.ok(!log.includes(secret), JSON.stringify((await gateway.log()).find((l) => JSON.stringify(l).includes(secret))));
  }
  assert.match(said, /http:\/\/127\.0\.0\.1:9\/other\?\*\*\*/);
});

test('an id is taken as people have it, and a line whose request left nothing is told by its words', async () => {
  const id = await refused(await post(gateway.mcp, call('echo'), 'yet another garbage'));
  await explained(gateway, id);
  const line = JSON.stringify(await until('its line', async () => (await gateway.log()).find((l) => l.request_id === id)));
  const forms = [`X-Request-Id: ${id}`, `request_id=${id}`, `"${id}",`, id.toUpperCase()];
  for (const given of forms) {
    const { code, out } = await run(gateway, given);
    assert.deepEqual([code, out.slice(0, 13)], [0, '✗ MOP-TOK-004'], given);
    assert.match(out, /The way of this/, given);
  }
  assert.match((await runWith(`${line}\n`, gateway, '-')).out, new RegExp(`request   [0-9a-z]{13}`));
  const unknown = line.replaceAll(id, '0123456789abc');
  const words = await runWith(unknown, gateway, '-');
  assert.equal(words.code, 0);
  assert.match(words.err, /nothing is kept of 0123456789abc/);
  assert.match(words.out, /MOP-TOK-004/);
  assert.equal((await run(gateway, 'X-Request-Id: 0123456789abc')).code, 6);
});

test('a plain 401 that others followed is not told as their failure', async () => {
  const opening = idOf(await post(gateway.mcp, initialize()));
  const answer = await fetch(authorization(gateway, { client_id: 'nobody', redirect_uris: [redirectUri] }).url, { headers: { accept: 'text/html' } });
  const id = await refused(answer);
  assert.equal((await explained(gateway, id)).opening, null);
  const told = await explained(gateway, opening);
  assert.equal(told.opening.id, opening);
  assert.match((await run(gateway, opening)).out, /^This request got a plain 401, which is no failure/);
});

test('who is killed loses at most what was queued', async (t) => {
  const killed = await Gateway.start(t, { mcp_server_url: upstream.url });
  const id = await refused(await post(killed.mcp, call('echo'), 'garbage'));
  await explained(killed, id);
  await killed.kill();
  assert.equal((await explained(killed, id)).first.id, 'MOP-TOK-004');
});

test('a guard, which has no database, keeps them beside its log', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, audience: 'api://mcp', mcp_server_url: upstream.url, tools: { echo: ['tools:read'] } });
  const id = await refused(await post(guard.mcp, call('echo'), issuer.token({ aud: 'api://other' })));
  const told = await explained(guard, id);
  assert.equal(told.first.id, 'MOP-AUD-001');
  assert.match(told.first.expected, /api:\/\/mcp/);
  assert.equal((await stat(join(guard.folder, 'logs/explain.db'))).mode & 0o777, 0o600);
  const denied = await explained(guard, await refused(await post(guard.mcp, call('echo'), issuer.token({ aud: 'api://mcp', scope: 'other' }))));
  assert.equal(denied.policy.would_allow, 'the scopes tools:read');
});

test('a guard whose file cannot be opened serves, and says so', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, audience: 'api://mcp', mcp_server_url: upstream.url, explain: { file: '/dev/null/explain.db' } });
  assert.equal((await post(guard.mcp, initialize(), issuer.token({ aud: 'api://mcp' }))).status, 200);
  assert.match(guard.program.errors.join('\n'), /failures are not kept for explain/);
});

test('two gateways and one PostgreSQL: a sign-in that one began and the other ended', { skip: Postgres.missing }, async (t) => {
  const postgres = await Postgres.start(t);
  const settings = { mcp_server_url: upstream.url, database_url: postgres.url, encryption_key: randomBytes(32).toString('base64'), limits: { requests_per_minute: 1_000_000 } };
  const one = await Gateway.start(t, settings);
  const other = await Gateway.start(t, { ...settings, public_url: one.origin });
  const someone = new Person({ password: await one.firstPassword() });
  const client = await register(one);
  const asked = authorization(one, client);
  const answer = await someone.approve(asked.url, redirectUri);
  const there = { origin: `http://127.0.0.1:${other.port}` };
  const id = await refused(await redeem(there, client, { ...asked, verifier: randomBytes(32).toString('base64url') }, answer));
  for (const asking of [one, other]) {
    const told = await explained(asking, id);
    assert.equal(told.first.id, 'MOP-PKC-005');
    const way = verdicts(told);
    for (const hop of ['registration passed', 'authorize passed', 'consent passed', 'token failed']) assert.ok(way.includes(hop), `${hop} in ${way}`);
    const begun = told.hops.find((h) => h.hop === 'authorize').id;
    assert.ok((await one.log()).some((l) => l.request_id === begun), 'that request came to the first');
    assert.equal((await explained(asking, begun)).first.id, 'MOP-PKC-005');
  }
});

test('while PostgreSQL hangs, who fails is answered as ever, and is told of when it goes on', { skip: Postgres.missing }, async (t) => {
  const postgres = await Postgres.start(t);
  const behind = await Gateway.start(t, { mcp_server_url: upstream.url, database_url: postgres.url, encryption_key: randomBytes(32).toString('base64'), limits: { requests_per_minute: 1_000_000 } });
  await explained(behind, await refused(await post(behind.mcp, call('echo'), 'garbage')));
  const ids = [];
  postgres.pause();
  try {
    for (let i = 0; i < 300; ++i) {
      const answer = await post(behind.mcp, call('echo'), i % 2 ? 'gar.ba.ge' : 'garbage', {}, AbortSignal.timeout(3000));
      ids.push(await refused(answer));
    }
    const page = await fetch(`${behind.origin}/oauth/authorize?response_type=token`, { signal: AbortSignal.timeout(3000) });
    ids.push(await refused(page));
  } finally {
    postgres.goOn();
  }
  for (const id of ids.slice(-2)) assert.ok((await explained(behind, id)).first.id);
});
