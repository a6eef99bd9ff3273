// Secrets of every kind, planted where the gateway gets them, and every way to fail with them: none of them is found in
// what it logs, counts, prints, answers or stores.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { Browser } from './lib/browser.mjs';
import { binary, Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const run = promisify(execFile);
const canary = (name) => `canary-${name}-${randomBytes(18).toString('hex')}`;

const secrets = new Map(); // what must be found nowhere, by what it is
const plant = (name, value = canary(name)) => {
  assert.ok(value?.length >= 8, name);
  secrets.set(name, value);
  return value;
};
const answers = []; // what was said to those who were refused

let gateway, idp, person, encryptionKey, inFile;

before(async () => {
  idp = await Idp.start(scope);
  idp.clientSecret = plant('secret at the provider');
  const upstream = createServer((request, response) => {
    request.resume().on('end', () => {
      const broken = request.headers['x-want'];
      if (broken === 'hang up') return response.destroy();
      if (broken === 'page') return response.writeHead(200, { 'content-type': 'text/html' }).end(`<p>${secrets.get('body of the server')}`);
      if (broken === 'challenge') return response.writeHead(401, { 'www-authenticate': `Bearer error="${secrets.get('challenge of the server')}"`, 'set-cookie': `s=${secrets.get('cookie of the server')}` }).end();
      if (broken === 'no http') return response.socket.end(`SECRET ${secrets.get('body of the server')}\r\n\r\n`);
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'a-session' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
  });
  for (const name of ['body of the server', 'challenge of the server', 'cookie of the server']) plant(name);
  encryptionKey = randomBytes(32).toString('base64');
  plant('encryption key', encryptionKey);
  inFile = { client_id: 'fixed', client_secret: plant('secret in the file', canary('file')), redirect_uris: [redirectUri] };
  gateway = await Gateway.start(scope, {
    mcp_server_url: `http://127.0.0.1:${await listenOnLoopback(scope, upstream)}`,
    encryption_key: encryptionKey,
    log_level: 'debug',
    providers: { corp: idp.settings, local: { type: 'local' } },
    clients: [inFile],
    limits: { requests_per_minute: 1_000_000 },
    tools: { echo: ['mcp'] },
    audit: { file: 'audit.log', decisions: 'all' },
  }, { flags: ['--debug'] });
  idp.allow(`${gateway.origin}/auth/callback`);
  idp.provider.on('grant.success', ({ body }) => {
    for (const [name, value] of Object.entries(body)) if (/token$/.test(name) && name !== 'token_type') plant(`${name} of the provider ${secrets.size}`, value);
  });
  person = new Person({ password: plant('one-time password', await gateway.firstPassword()), chosen: plant('password') });
});

const withPassword = 'Approve and sign in with a user name and password';

// An answer that has to be a refusal.
async function refused(answer) {
  const text = await answer.text();
  assert.ok(answer.status >= 400, `${answer.status} ${text}`);
  answers.push(JSON.stringify([...answer.headers]) + text);
}
const status = (expected) => async (answer) => {
  assert.equal(answer.status, expected, await answer.clone().text());
  await answer.body?.cancel();
};

test('secrets are made, used, and failed with', async () => {
  // What is given to those who sign in, by both ways.
  const client = await register(gateway, { token_endpoint_auth_method: 'client_secret_post' });
  plant('secret of a client', client.client_secret);
  plant('registration access token', client.registration_access_token ?? canary('none'));
  const confidential = async (who, by = 'Approve as') => {
    const asked = authorization(gateway, client, { state: plant(`state ${secrets.size}`) });
    plant(`verifier ${secrets.size}`, asked.verifier);
    const answer = await who.approve(asked.url, redirectUri, by);
    return { asked, code: plant(`code ${secrets.size}`, answer.searchParams.get('code')), answer };
  };
  const token = (parameters) => postForm(`${gateway.origin}/oauth/token`, { client_id: client.client_id, redirect_uri: redirectUri, ...parameters });
  const good = { client_secret: client.client_secret };
  const one = await confidential(person, withPassword);
  await refused(await token({ grant_type: 'authorization_code', code: one.code, code_verifier: one.asked.verifier }));
  await refused(await token({ grant_type: 'authorization_code', code: one.code, code_verifier: one.asked.verifier, client_secret: plant('wrong secret of a client') }));
  const two = await confidential(person);
  await refused(await token({ grant_type: 'authorization_code', code: two.code, code_verifier: plant('wrong verifier', randomBytes(33).toString('base64url')), ...good }));
  const redeemedBy = async ({ code, asked }) => {
    const redeemed = await token({ grant_type: 'authorization_code', code, code_verifier: asked.verifier, ...good });
    assert.equal(redeemed.status, 200);
    const given = await redeemed.json();
    plant(`access token ${secrets.size}`, given.access_token);
    plant(`signature of an access token ${secrets.size}`, given.access_token.split('.')[2]);
    plant(`refresh token ${secrets.size}`, given.refresh_token);
    return given;
  };

  // Each thing again where it no longer, or never, belongs.
  const three = await confidential(person);
  await redeemedBy(three);
  await refused(await token({ grant_type: 'authorization_code', code: three.code, code_verifier: three.asked.verifier, ...good }));
  const tokens = await redeemedBy(await confidential(person));
  await refused(await token({ grant_type: 'refresh_token', refresh_token: plant('wrong refresh token'), ...good }));
  await refused(await token({ grant_type: 'refresh_token', refresh_token: tokens.access_token, ...good }));
  await refused(await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }));
  await refused(await token({ grant_type: 'password', username: 'admin', password: plant('password in a form'), ...good }));
  await refused(await fetch(`${gateway.origin}/oauth/token`, { method: 'POST', headers: { authorization: `Basic ${btoa(`${client.client_id}:${plant('secret in a header')}`)}`, 'content-type': 'application/x-www-form-urlencoded' }, body: 'grant_type=refresh_token&refresh_token=x' }));
  await refused(await fetch(`${gateway.origin}/oauth/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ client_secret: plant('secret in JSON') }) }));
  await refused(await fetch(`${gateway.origin}/oauth/token?client_secret=${plant('secret in a query')}&code=${plant('code in a query')}`));
  await refused(await fetch(`${gateway.origin}/oauth/token?refresh_token=${plant('refresh token in a query')}`, { method: 'POST', body: 'x' }));
  await refused(await postForm(`${gateway.origin}/oauth/introspect`, { token: tokens.access_token, client_id: 'nobody', client_secret: plant('secret of nobody') }));
  await refused(await postForm(`${gateway.origin}/oauth/revoke`, { token: plant('token to revoke'), client_id: 'nobody' }));
  await refused(await fetch(`${gateway.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${plant('initial access token')}` }, body: JSON.stringify({ redirect_uris: ['javascript:alert(1)'], client_secret: plant('secret asked for'), software_statement: plant('software statement') }) }));
  await refused(await fetch(`${gateway.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"client_secret":"${plant('secret in broken JSON')}"` }));

  // A client of the file.
  const fixed = authorization(gateway, inFile);
  const fixedAnswer = await person.approve(fixed.url, redirectUri, 'Approve as');
  await refused(await redeem(gateway, inFile, fixed, fixedAnswer));
  plant('code of the fixed client', fixedAnswer.searchParams.get('code'));

  // Tokens of all kinds at the MCP endpoint.
  const mine = { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' };
  const at = (headers, body = '{"jsonrpc":"2.0","id":1,"method":"ping"}', path = '') => fetch(gateway.mcp + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  await refused(await at({ authorization: `Bearer ${plant('unknown token')}` }));
  await refused(await at({ authorization: `bearer${plant('token without a blank')}` }));
  await refused(await at({ authorization: plant('one word') }));
  await refused(await at({ authorization: `Basic ${btoa(`admin:${plant('password in a header')}`)}` }));
  await refused(await at({ authorization: `Digest response="${plant('digest')}"` }));
  await refused(await at({ authorization: `Bearer ${plant('token with a bad character')}"` }));
  await refused(await at({ authorization: `Bearer ${tokens.access_token}x` }));
  await refused(await at({ authorization: `Bearer eyJhbGciOiJub25lIn0.${btoa(`{"sub":"${plant('claim')}"}`)}.` }));
  await refused(await at({}, undefined, `?access_token=${plant('token in the query')}`));
  await refused(await at(mine, undefined, `?access_token=${plant('second token')}`));
  await refused(await at({ cookie: `session=${plant('cookie at the endpoint')}` }));
  await refused(await at({ ...mine, origin: `http://${plant('origin').toLowerCase()}@evil.example` }));
  secrets.delete('origin'); // a page's origin is named in the log, and is no secret
  await refused(await at({ ...mine, 'mcp-session-id': plant('session id') }));
  await refused(await at(mine, undefined, `?sessionId=${plant('session id in the query')}`));
  await refused(await at(mine, undefined, `?mop_session=${plant('proof')}&mop_session=x`));
  await refused(await at(mine, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"password":"${plant('argument')}"},"name":"x"}}`));
  await refused(await at(mine, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"other","arguments":{"password":"${plant('argument of a denied tool')}"}}}`));
  await refused(await at(mine, `not JSON ${plant('text for a body')}`));
  await refused(await at({ ...mine, 'mcp-method': plant('header that contradicts') }));
  for (const broken of ['hang up', 'page', 'challenge', 'no http']) {
    await refused(await at({ ...mine, 'x-want': broken, 'x-api-key': plant(`key for the server, ${broken}`), cookie: `c=${plant(`cookie, ${broken}`)}` }));
  }
  await status(200)(await at({ ...mine, 'x-api-key': plant('key for the server') }, JSON.stringify(call('echo', { text: plant('argument that passes') }))));
  // In the address of a resource, and in a path that holds a query in disguise.
  const address = (what) => plant(`${what} ${secrets.size}`, canary('address'));
  const reading = () => JSON.stringify({
    jsonrpc: '2.0', id: 1, method: 'resources/read',
    params: { uri: `https://bob:${address('password in the URI of a resource')}@files.example/x?token=${address('token in the URI of a resource')}` },
  });
  const disguised = () => `/x%3Faccess_token=${address('token in a path')}`;
  await refused(await at({}, reading(), disguised()));
  await refused(await at({ ...mine, 'mcp-method': 'tools/call' }, reading(), disguised()));
  await refused(await at({ ...mine, 'x-want': 'hang up' }, reading(), disguised()));
  await status(200)(await at({ ...mine, referer: `https://eve:${address('password in a referer')}@x.example/?k=${address('key in a referer')}` }, reading(), disguised()));
  const opened = await at(mine, JSON.stringify(initialize()));
  plant('bound session id', opened.headers.get('mcp-session-id'));
  await opened.text();

  // Pages.
  const browser = new Browser();
  let page = await browser.open(authorization(gateway, client, { state: plant('state on pages'), login_hint: 'x' }).url, { until: redirectUri });
  page = await browser.submit(page, withPassword);
  page = await browser.submit(page, 'Sign in', { user: 'admin', password: plant('wrong password') });
  assert.equal(page.status, 401);
  answers.push(page.html);
  page = await browser.submit(page, 'Sign in', { user: 'admin', password: '' });
  answers.push(page.html);
  for (const [what, jar] of [['a stranger', browser], ['the person', person.browser]]) {
    for (const cookies of jar.cookies.values()) for (const [name, { value }] of cookies) if (value.length >= 16) plant(`cookie ${name} of ${what}`, value);
  }
  for (const path of [`/auth/callback?state=${plant('state of nobody')}&code=${plant('code of nobody')}`, `/auth/callback?error=${canary('x')}`,
    `/oauth/authorize?client_id=nobody&code_challenge=${plant('challenge of nobody')}&state=${plant('state in a bad request')}`,
    `/oauth/authorize?client_id=${client.client_id}&redirect_uri=http://evil.example/&state=${plant('state with a bad redirect')}`]) {
    await refused(await fetch(gateway.origin + path, { headers: { cookie: `mop_browser=${plant(`cookie with ${path.slice(0, 20)}`)}`, referer: `http://x/?token=${plant(`referer with ${path.slice(0, 20)}`)}` } }));
  }

  // By the provider, who is away in the end.
  const guest = new Person({ user: 'grace' });
  const asked = authorization(gateway, client, { state: plant('state by the provider') });
  plant('verifier by the provider', asked.verifier);
  const came = await guest.approve(asked.url, redirectUri, 'Approve and sign in with corp');
  plant('code by the provider', came.searchParams.get('code'));
  assert.ok([...secrets.keys()].some((name) => name.startsWith('id_token of the provider')));
  await idp.goAway();
  await new Browser().open(authorization(gateway, client).url, { until: redirectUri });

  // The refresh token twice, the second time after its successor was used: the family ends.
  const next = await (await token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...good })).json();
  plant('second access token', next.access_token);
  plant('second refresh token', next.refresh_token);
  await status(200)(await postForm(`${gateway.origin}/oauth/revoke`, { token: next.refresh_token, client_id: client.client_id, ...good }));
  await refused(await token({ grant_type: 'refresh_token', refresh_token: next.refresh_token, ...good }));
  await refused(await at({ authorization: `Bearer ${next.access_token}` }));
  assert.ok(secrets.size > 70, `${secrets.size} planted`);
});

function assertFree(text, where, except = []) {
  for (const [name, value] of secrets) {
    if (except.some((e) => e.test(name))) continue;
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1), Buffer.from(value).toString('hex')]) {
      assert.ok(!text.includes(form), `${where} holds the ${name}`);
    }
  }
}

test('no answer to who was refused holds one', () => {
  assert.ok(answers.length > 40);
  for (const answer of answers) assertFree(answer, answer.slice(0, 300));
});

test('neither the log at its most talkative, nor what the program prints, nor the metrics', async () => {
  const last = await fetch(`${gateway.origin}/the-last-one`);
  await gateway.logged('of the last request', (l) => l.request_id === last.headers.get('x-request-id'));
  const log = await readFile(join(gateway.folder, 'logs/proxy.log'), 'utf8');
  assert.ok(log.split('\n').length > 60);
  assertFree(log, 'the log');
  const decisions = await readFile(join(gateway.folder, 'audit.log'), 'utf8');
  for (const verdict of ['allowed', 'denied']) assert.ok(decisions.includes(`"verdict":"${verdict}"`), verdict);
  assertFree(decisions, 'the record of decisions');
  assertFree(gateway.program.errors.join('\n'), 'standard error');
  assertFree(gateway.program.lines.join('\n'), 'standard output', [/one-time/]);
  assertFree(await (await fetch(`${gateway.origin}/metrics`)).text(), '/metrics');
  assertFree(await (await fetch(`${gateway.origin}/health`)).text(), '/health');
});

test('nor the database: what it has to know again it keeps hashed or sealed', async () => {
  const kept = (await readdir(gateway.folder)).filter((name) => name.startsWith('oauth.db'));
  assert.ok(kept.length > 0);
  for (const name of kept) assertFree((await readFile(join(gateway.folder, name))).toString('latin1'), name, [/^state/]); // a client's state is its own
});

test('nor what the commands print about a configuration that holds secrets, right or wrong', async (t) => {
  const folder = await temporaryFolder(t, 'canaries');
  const secret = () => plant(`of a configuration ${secrets.size}`);
  const base = { mcp_server_url: 'http://127.0.0.1:1', public_url: 'http://127.0.0.1:8080' };
  const oidc = { type: 'oidc', issuer: 'https://idp.example.com', client_id: 'x' };
  const configurations = [
    gateway.settings,
    { ...base, encryption_key: secret() }, { ...base, encryption_key: [secret()] }, { ...base, encryption_key: { a: secret() } },
    { ...base, encryption_key: `\${NOT_SET}${secret()}` }, { ...base, encryption_key: `${secret()}\n` },
    { ...base, database_url: `postgresql://user:${secret()}@localhost:5432/db` }, { ...base, database_url: `mysql://user:${secret()}@localhost/db` },
    { ...base, database_url: `postgres://user:${secret()}@:bad:port/` }, { ...base, database_url: [`sqlite://${secret()}`] },
    { ...base, mcp_server_url: `http://user:${secret()}@127.0.0.1:1/mcp` }, { ...base, public_url: `http://user:${secret()}@127.0.0.1:8080` },
    { ...base, providers: { corp: { ...oidc, client_secret: [secret()] } } }, { ...base, providers: { corp: { ...oidc, client_secret: { a: secret() } } } },
    { ...base, providers: { corp: { ...oidc, issuer: `https://user:${secret()}@idp.example.com`, client_secret: secret() } } },
    { ...base, providers: { corp: { ...oidc, type: 'nothing', client_secret: secret() } } }, { ...base, providers: { corp: { ...oidc, client_secrt: secret() } } },
    { ...base, clients: [{ client_id: 'a', client_secret: [secret()], redirect_uris: [] }] }, { ...base, clients: [{ client_id: 'a', client_secret: secret() }] },
    { ...base, clients: { client_secret: secret() } }, { ...base, client_secret: secret() }, { ...base, password: secret() },
    { ...base, encryption_keys: secret() }, { ...base, clients: [{ client_id: 'a', client_secret: 'short', redirect_uris: [`https://user:${secret()}@a.example/`] }] },
  ];
  for (const [at, settings] of configurations.entries()) {
    const file = join(folder, `config-${at}.yaml`);
    await writeFile(file, JSON.stringify(settings));
    for (const command of [['check-config', file], ['validate-config', file], ['--config', file, 'users', 'list'], ['--debug', 'validate-config', file]]) {
      const said = await run(binary, command, { cwd: folder, env: { PATH: process.env.PATH, HOME: '/nonexistent' } }).catch((error) => error);
      assertFree(`${said.stdout}${said.stderr}`, `${command.join(' ')} with ${JSON.stringify(settings)}:\n${said.stdout}${said.stderr}`, [/one-time/]);
    }
    // The same by YAML that is broken behind it.
    await writeFile(file, `encryption_key: ${secret()}\n  clients: [}\n`);
    const broken = await run(binary, ['validate-config', file], { cwd: folder }).catch((error) => error);
    assertFree(`${broken.stdout}${broken.stderr}`, broken.stderr);
  }
  for (const name of ['ENCRYPTION_KEY', 'DATABASE_URL', 'CORP_CLIENT_SECRET', 'CLIENT_SECRET', 'OAUTH_CLIENT_SECRET']) {
    const value = name === 'DATABASE_URL' ? `postgresql://user:${secret()}@localhost/db` : secret();
    const said = await run(binary, ['validate-config'], { cwd: folder, env: { PATH: process.env.PATH, MCP_SERVER_URL: 'http://127.0.0.1:1', [name]: value } }).catch((error) => error);
    assertFree(`${said.stdout}${said.stderr}`, `${name}: ${said.stderr}`);
  }
  const out = join(folder, 'docs');
  await mkdir(out);
  await run(binary, ['docs', '--out', out], { cwd: folder });
  for (const name of await readdir(out, { recursive: true })) {
    if ((await stat(join(out, name))).isFile()) assertFree(await readFile(join(out, name), 'utf8'), name);
  }
});

test('and a crash leaves no image of its memory', async () => {
  const limits = await readFile(`/proc/${gateway.program.child.pid}/limits`, 'utf8');
  assert.match(limits, /^Max core file size +0 +0 +bytes/m);
  const before = await readdir(gateway.folder);
  gateway.stoppedByTest = true;
  gateway.program.child.kill('SIGSEGV');
  await until('it is gone', () => !gateway.program.running);
  assert.equal(gateway.program.child.signalCode, 'SIGSEGV');
  assert.deepEqual((await readdir(gateway.folder)).filter((name) => !before.includes(name)), []);
});
