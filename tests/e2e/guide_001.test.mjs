// The operator's troubleshooting guide from top to bottom: its commands run as they are printed, in a folder of their own
// with its file names, and its symptoms are provoked and their explanations compared. Only the port differs.
//
// PostgreSQL and the providers are walked in files of their own: guide_001_postgresql, guide_001_providers.
//
// Not walked, since they are about other programs: docker, systemctl, brew, lsof, sudo.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Program, binary } from './lib/gateway.mjs';
import { authorization, call, post, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const guide = {}; // what stands in for the guide's machine: folder, port, gateway
let upstream, person, tokens;

// The guide's config.yaml, out of the pieces that it shows.
const config = (changes = '') => `# The guide's pieces
host: 127.0.0.1
port: ${guide.port}
callback_url: http://localhost:${guide.port}/auth/callback
session_timeout: 600
database_url: sqlite://oauth.db
mcp_server_url: http://localhost:${guide.upstreamPort}
connect_timeout: 10000
request_timeout: 1500
header_forwarding:
  forward_headers:
    - Authorization
    - X-User-*
    - X-Custom-Header
blocked_headers:
  - X-Blocked-Header
cors:
  enabled: true
  origins:
    - http://localhost:3000
    - https://yourdomain.com
  allow_credentials: true
  allowed_headers:
    - Authorization
    - Content-Type
log_level: info
timeouts:
  drain: 2s
${changes}`;

// A command of the guide in its folder, by bash as an operator types it; 8080 stands for the port.
function sh(command, environment = {}) {
  const text = command.replaceAll('localhost:8080', `localhost:${guide.port}`).replaceAll('localhost:3000', `localhost:${guide.upstreamPort}`);
  return new Promise((resolve) => {
    execFile('bash', ['-c', text], { cwd: guide.folder, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment }, timeout: 30_000 },
      (failed, out, err) => resolve({ code: failed ? failed.code : 0, out, err, all: out + err }));
  });
}

// `./mcp-oauth-proxy …`, until the test stops it.
async function startProxy({ args = [], environment = {} } = {}) {
  const program = new Program(scope, './mcp-oauth-proxy', args, {
    cwd: guide.folder, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment },
  });
  await program.line(/^mcp-oauth-proxy is listening on/);
  return program;
}

// `pkill -f mcp-oauth-proxy && ./mcp-oauth-proxy`: the guide's process, and no other that has the name.
async function restart(options = {}) {
  guide.proxy.child.kill('SIGTERM');
  const next = startProxy(options);
  assert.equal((await guide.proxy.exited)[0], 0);
  guide.proxy = await next;
}

const gateway = () => ({ origin: `http://localhost:${guide.port}`, mcp: `http://localhost:${guide.port}/mcp` });
const logText = () => readFile(join(guide.folder, 'logs/proxy.log'), 'utf8').catch(() => '');
const logged = (pattern) => until(`the log has ${pattern}`, async () => pattern.test(await logText()));

async function errorOf(answer, status) {
  assert.equal(answer.status, status, await answer.clone().text());
  return JSON.stringify(await answer.json());
}

before(async () => {
  guide.folder = await temporaryFolder(scope, 'guide');
  guide.port = await portOfNobody();
  await symlink(binary, join(guide.folder, 'mcp-oauth-proxy'));
  upstream = { seen: [], reply: null };
  upstream.server = createServer((asked, answer) => {
    let body = '';
    asked.on('data', (piece) => (body += piece)).on('end', () => {
      upstream.seen.push({ url: asked.url, headers: asked.headers });
      if (upstream.reply) return upstream.reply(answer);
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} }));
    });
  });
  guide.upstreamPort = await listenOnLoopback(scope, upstream.server);
  await writeFile(join(guide.folder, 'config.yaml'), config());
  guide.proxy = await startProxy();
  person = new Person({ password: (await guide.proxy.line(/One-time password:\s+(\S+)/))[1] });
  tokens = await tokensFor(gateway(), person);
});

test('OAuth redirect: config.yaml answers the guide\'s greps, and each common mistake is an error that says what is right', async () => {
  assert.match((await sh('cat config.yaml | grep callback_url')).out, /^callback_url: http:\/\/localhost:\d+\/auth\/callback\n$/);
  const right = `http://localhost:${guide.port}/auth/callback`;
  for (const wrong of [`${right}/`, `http://localhost:${guide.port}/call`]) {
    await writeFile(join(guide.folder, 'wrong.yaml'), `mcp_server_url: http://localhost:3000\ncallback_url: ${wrong}\n`);
    const checked = await sh('./mcp-oauth-proxy validate-config wrong.yaml');
    assert.equal(checked.code, 3);
    assert.match(checked.err, /^wrong\.yaml:2: callback_url: value ".*": must have the path \/auth\/callback/);
  }
});

test('Invalid state: the callback says so with and without one, and the sessions are there for sqlite3', async () => {
  // Unquoted as it is printed: the shell cuts it at the &.
  for (const command of ['curl -s http://localhost:8080/auth/callback?code=test&state=test', "curl -s 'http://localhost:8080/auth/callback?code=test&state=test'"]) {
    const { out } = await sh(`${command}\nwait`);
    assert.match(out, /Invalid state/);
    assert.match(out, /State parameter mismatch or missing|invalid_state/);
  }
  await logged(/callback/);
  assert.match((await sh('cat logs/proxy.log | grep callback')).out, /"path":"\/auth\/callback"/);
  assert.match((await sh('cat logs/proxy.log | grep -i error')).out, /"level":"warn".*"message":"Invalid state.*"path":"\/auth\/callback"/);
  await fetch(authorization(gateway(), tokens.client).url, { headers: { 'sec-fetch-site': 'none' } });
  const rows = await sh(`sqlite3 oauth.db "SELECT * FROM sessions WHERE created_at > datetime('now', '-5 minutes');"`);
  assert.equal(rows.code, 0, rows.err);
  assert.notEqual(rows.out, '');
  assert.equal((await sh(`sqlite3 oauth.db "DELETE FROM sessions WHERE created_at < datetime('now', '-1 hour');"`)).code, 0);
  assert.match((await sh('cat config.yaml | grep session_timeout')).out, /600/);
});

test('Token validation: expiry and refresh tokens show in the database, and nothing usable does', async () => {
  const rows = await sh('sqlite3 oauth.db "SELECT user_id, expires_at, created_at FROM tokens ORDER BY created_at DESC LIMIT 5;"');
  assert.match(rows.out, /^local:admin\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m);
  const refreshing = await sh('sqlite3 oauth.db "SELECT user_id, refresh_token FROM tokens WHERE refresh_token IS NOT NULL;"');
  assert.match(refreshing.out, /^local:admin\|/m);
  assert.ok(!refreshing.out.includes(tokens.refresh_token));
});

test('Token refresh by hand: the guide\'s curl, and an answer without any token', async () => {
  const curl = (token) => sh(`curl -X POST http://localhost:8080/auth/refresh \\
  -H "Authorization: Bearer ${token}" \\
  -v`);
  const right = await curl(tokens.access_token);
  assert.match(right.err, /^< HTTP\/1.1 200 /m);
  assert.deepEqual(JSON.parse(right.out), { refreshed: false, provider: 'local', renewable: false });
  const wrong = await curl('YOUR_ACCESS_TOKEN');
  assert.match(wrong.err, /^< HTTP\/1.1 401 /m);
  assert.match(wrong.out, /"error":"invalid_token"/);
});

test('Malformed token, and a signature that is wrong', async () => {
  const cases = [
    ['garbage', 'malformed_token', /Token does not match expected format/],
    [`${tokens.access_token.slice(0, -8)}AAAAAAAA`, 'invalid_signature', /Token signature verification failed/],
  ];
  for (const [token, reason, words] of cases) {
    const text = await errorOf(await post(gateway().mcp, call('echo'), token), 401);
    assert.match(text, words, reason);
    await logged(words);
  }
  // Without the scheme it is no bearer token.
  const bare = await fetch(gateway().mcp, { method: 'POST', headers: { authorization: tokens.access_token, 'content-type': 'application/json' }, body: '{}' });
  assert.equal(bare.status, 401);
  const { out } = await sh(`TOKEN="${tokens.access_token}"; echo $TOKEN | awk -F. '{print NF-1}'`);
  assert.equal(out, '2\n');
});

test('SQLite: the guide\'s pragmas and permissions do no harm, and a foreign writer only makes us wait', async () => {
  const mode = await sh('sqlite3 oauth.db "PRAGMA journal_mode=WAL;"; sqlite3 oauth.db "PRAGMA busy_timeout=5000;"');
  assert.match(mode.out, /^wal\n5000\n$/);
  assert.equal((await stat(join(guide.folder, 'oauth.db'))).mode & 0o777, 0o600);
  const writer = spawn('sqlite3', ['oauth.db'], { cwd: guide.folder });
  scope.after(() => writer.kill());
  writer.stdin.write('BEGIN IMMEDIATE;\nSELECT 1;\n');
  await new Promise((resolve) => writer.stdout.once('data', resolve));
  const registering = register(gateway());
  writer.stdin.end('COMMIT;\n');
  assert.ok((await registering).client_id);
  assert.match((await sh('sqlite3 oauth.db ".tables"')).out, /(?=[^]*sessions)(?=[^]*tokens)(?=[^]*users)[^]*schema_migrations/);
});

test('MCP server unreachable: both of the guide\'s lines, and health says which part it is', async () => {
  const nobody = await portOfNobody();
  await writeFile(join(guide.folder, 'config.yaml'), config().replace(`mcp_server_url: http://localhost:${guide.upstreamPort}`, `mcp_server_url: http://127.0.0.1:${nobody}`));
  await until('the other MCP server', async () => (await post(gateway().mcp, call('echo'), tokens.access_token)).status === 502);
  const text = await errorOf(await post(gateway().mcp, call('echo'), tokens.access_token), 502);
  assert.match(text, new RegExp(`connect ECONNREFUSED 127\\.0\\.0\\.1:${nobody}`));
  assert.match(text, /Failed to proxy request to MCP server/);
  await until('not ready', async () => (await fetch(`${gateway().origin}/ready`)).status === 503);
  const ready = await (await fetch(`${gateway().origin}/ready`)).json();
  assert.equal(ready.mcp_server, 'unreachable');
  assert.deepEqual(ready.reasons, ['MCP server mcp: upstream_refused']);
  assert.equal((await sh('curl -s http://localhost:8080/health')).code, 0);
  await writeFile(join(guide.folder, 'config.yaml'), config());
  await until('the first MCP server again', async () => (await post(gateway().mcp, call('echo'), tokens.access_token)).status === 200);
});

test('MCP server timeout: request_timeout in the guide\'s words', async () => {
  upstream.reply = () => {};
  const text = await errorOf(await post(gateway().mcp, call('echo'), tokens.access_token), 504);
  upstream.reply = null;
  assert.match(text, /timeout of 1500ms exceeded/);
  assert.match(text, /MCP server did not respond in time/);
  assert.match((await sh('cat config.yaml | grep timeout')).out, /connect_timeout: 10000\nrequest_timeout: 1500/);
});

test('Invalid MCP protocol response: a page of HTML is none', async () => {
  upstream.reply = (answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!DOCTYPE html>');
  const text = await errorOf(await post(gateway().mcp, call('echo'), tokens.access_token), 502);
  upstream.reply = null;
  assert.match(text, /invalid_protocol/);
  assert.match(text, /MCP server response does not match expected format/);
});

test('PKCE: the guide\'s own recipe works, and each of its three errors comes in its words', async () => {
  const verifier = (await sh(`CODE_VERIFIER=$(openssl rand -base64 32 | tr -d '=' | tr '+/' '-_'); echo $CODE_VERIFIER`)).out.trim();
  assert.match(verifier, /^[A-Za-z0-9_-]{43,128}$/);
  const challenge = (await sh(`CODE_VERIFIER=${verifier}; echo -n $CODE_VERIFIER | openssl dgst -sha256 -binary | base64 | tr -d '=' | tr '+/' '-_'`)).out.trim();
  assert.equal(challenge, createHash('sha256').update(verifier).digest('base64url'));
  const asked = authorization(gateway(), tokens.client, { code_challenge: challenge });
  const answer = await person.approve(asked.url, redirectUri);
  const wrong = await redeem(gateway(), tokens.client, { ...asked, verifier: 'x'.repeat(43) }, answer);
  assert.deepEqual(await wrong.json(), { error: 'invalid_grant', error_description: 'code_verifier does not match code_challenge' });
  assert.equal((await redeem(gateway(), tokens.client, { ...asked, verifier }, answer)).status, 200);

  for (const [parameters, description] of [
    [{ code_challenge: undefined, code_challenge_method: undefined }, 'PKCE is required for this client'],
    [{ code_challenge_method: 'plain' }, "code_challenge_method 'plain' is not supported"],
  ]) {
    const refused = await fetch(authorization(gateway(), tokens.client, parameters).url, { headers: { accept: 'application/json' }, redirect: 'manual' });
    const text = refused.headers.get('location') ? new URL(refused.headers.get('location')).searchParams.get('error_description') : await refused.text();
    assert.ok(text.includes(description), text);
  }
  await writeFile(join(guide.folder, 'plain.yaml'), 'mcp_server_url: http://localhost:3000\nproviders:\n  google:\n    client_id: a\n    code_challenge_method: plain\n');
  assert.match((await sh('./mcp-oauth-proxy validate-config plain.yaml')).err, /plain\.yaml:5: .*code_challenge_method 'plain' is not supported/);
});

test('Header forwarding: Authorization listed is sent, custom headers pass, blocked ones do not, whatever their case', async () => {
  assert.match((await sh('cat config.yaml | grep -A 10 header_forwarding')).out, /forward_headers:\n\s+- Authorization/);
  const curl = await sh(`curl -s -v http://localhost:8080/mcp/endpoint -H "Authorization: Bearer ${tokens.access_token}" -H 'x-CUSTOM-header: kept' -H 'X-BLOCKED-Header: no' -H 'X-User-Id: mallory' 2>&1 | grep ">"`);
  assert.match(curl.out, /> Authorization: Bearer /);
  const { url, headers } = upstream.seen.at(-1);
  assert.equal(url, '/endpoint');
  assert.equal(headers.authorization, `Bearer ${tokens.access_token}`);
  assert.equal(headers['x-custom-header'], 'kept');
  assert.equal(headers['x-blocked-header'], undefined);
  assert.equal(headers['x-user-id'], 'local:admin');
});

test('Header forwarding: DEBUG=proxy:headers shows what was really sent', async () => {
  await restart({ args: ['--debug'], environment: { DEBUG: 'proxy:headers' } });
  await post(gateway().mcp, call('echo'), tokens.access_token, { 'x-blocked-header': '1' });
  await logged(/x-blocked-header dropped: listed in blocked_headers \(x-blocked-header\)/);
  await logged(/Authorization set: by the gateway/);
  assert.match((await sh('cat logs/proxy.log | grep -i authorization')).out, /proxy:headers/);
  assert.ok(!(await logText()).includes(tokens.access_token));
  await restart();
});

test('CORS: the guide\'s preflight, line for line', async () => {
  const { err } = await sh(`curl -s -X OPTIONS http://localhost:8080/auth/login \\
  -H "Origin: http://localhost:3"000 \\
  -H "Access-Control-Request-Method: POST" \\
  -v`);
  for (const line of ['Access-Control-Allow-Origin: http://localhost:3000', 'Access-Control-Allow-Methods: GET, POST, OPTIONS',
    'Access-Control-Allow-Headers: Authorization, Content-Type', 'Access-Control-Allow-Credentials: true']) {
    assert.ok(err.replaceAll('\r', '').split('\n').includes(`< ${line}`), `${line} in\n${err}`);
  }
});

test('CORS: an origin that is nearly right is told from the one that is', async () => {
  const refused = await post(gateway().mcp, call('echo'), tokens.access_token, { origin: 'https://localhost:3000' });
  assert.equal(refused.status, 403);
  await logged(/Origin https:\/\/localhost:3000 .*http:\/\/localhost:3000 is configured/);
});

test('Debug logging: DEBUG=* alone, --debug --verbose, and log_level in the file', async () => {
  await restart({ environment: { DEBUG: '*' } });
  await post(gateway().mcp, call('echo'), tokens.access_token);
  await logged(/"namespace":"proxy:request"/);
  await rm(join(guide.folder, 'logs'), { recursive: true });
  await restart({ args: ['--debug', '--verbose'] });
  await post(gateway().mcp, call('echo'), tokens.access_token);
  await logged(/"namespace":"mcp:message"/);
  await restart();
  await post(gateway().mcp, call('echo'), 'garbage');
  await logged(/"error":"invalid_token"/);
  assert.match((await sh('cat logs/proxy.log | grep -i error')).out, /Token does not match expected format/);
});

test('Health: the guide\'s answers', async () => {
  const { out } = await sh('curl -s http://localhost:8080/health');
  assert.match(out, /^\{"status": "healthy", "database": "connected", "uptime": \d+/);
  JSON.parse(out);
  for (const path of ['/ready', '/health/database', '/health/mcp-server']) {
    assert.equal((await sh(`curl -s -o /dev/null -w '%{http_code}' http://localhost:8080${path}`)).out, '200', path);
  }
});

test('check-config: the guide\'s lines', async () => {
  await writeFile(join(guide.folder, 'low.yaml'), config().replace('session_timeout: 600', 'session_timeout: 120'));
  assert.deepEqual(await sh('./mcp-oauth-proxy validate-config config.yaml').then(({ code, out }) => [code, out]), [0, '✓ Syntax valid\n']);
  const checked = await sh('./mcp-oauth-proxy check-config low.yaml');
  assert.equal(checked.code, 0, checked.err);
  const lines = checked.out.split('\n');
  for (const line of ['✓ Syntax valid', '✓ Required fields present', '✓ Provider credentials configured', '✓ Database connection valid',
    '⚠ Warning: session_timeout is low (< 300s)']) assert.ok(lines.includes(line), `${line} in\n${checked.out}`);
});

test('A restart at once loses no request on a kept connection', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  scope.after(() => agent.destroy());
  const ask = () => new Promise((resolve, reject) => {
    request(`${gateway().origin}/health`, { agent }, (answer) => answer.resume().on('end', () => resolve(answer))).on('error', reject).end();
  });
  await ask();
  const restarting = restart();
  // It says when it goes, and everything until then is answered.
  let last;
  do {
    last = await ask();
    assert.equal(last.statusCode, 200);
  } while (last.headers.connection !== 'close');
  await restarting;
  assert.equal((await ask()).statusCode, 200);
});

test('Config file not found: where it was looked for, and the two ways to name it', async () => {
  const missing = await sh('./mcp-oauth-proxy --config ./no.yaml');
  assert.equal(missing.code, 3);
  assert.match(missing.err, /Config file not found: .*\/no\.yaml \(name it with --config or CONFIG_PATH/);
  await copyFile(join(guide.folder, 'config.yaml'), join(guide.folder, 'elsewhere.yaml'));
  assert.equal((await sh('export CONFIG_PATH=./elsewhere.yaml\n./mcp-oauth-proxy validate-config')).code, 0);
  assert.equal((await sh('./mcp-oauth-proxy --config ./config.yaml validate-config')).code, 0);
});

test('A port that is taken, and a folder where nothing may be written, are told', async () => {
  const holder = createTcpServer();
  const taken = await listenOnLoopback(scope, holder);
  await writeFile(join(guide.folder, 'taken.yaml'), config().replace(`port: ${guide.port}`, `port: ${taken}`).replace(`localhost:${guide.port}/auth`, `localhost:${taken}/auth`));
  const checked = await sh('./mcp-oauth-proxy check-config taken.yaml');
  assert.match(checked.out, new RegExp(`Warning: port ${taken} is taken`));
});

test('Fresh start: without database and logs it begins anew', async () => {
  guide.proxy.child.kill('SIGTERM');
  assert.equal((await guide.proxy.exited)[0], 0);
  await sh('rm oauth.db oauth.db-shm oauth.db-wal; rm -rf logs/*.log');
  assert.ok(!(await readdir(guide.folder)).includes('oauth.db'));
  guide.proxy = await startProxy();
  assert.ok((await guide.proxy.line(/One-time password:\s+(\S+)/))[1]);
  assert.equal((await post(gateway().mcp, call('echo'), tokens.access_token)).status, 401);
  assert.equal((await sh('curl -s http://localhost:8080/health')).code, 0);
});
