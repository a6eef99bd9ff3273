// check-config before real servers: what stands in the way of a start or of the first call, by its name.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { makeCertificates } from './lib/certificates.mjs';
import { Gateway, binary, startDemoServer } from './lib/gateway.mjs';
import { call, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, listenOnLoopback, temporaryFolder } from './lib/scope.mjs';
import { startAnswering } from './lib/upstream.mjs';

const scope = fileScope();
const noPostgres = Postgres.missing;
let folder, demo, certificates, postgres;

before(async () => {
  folder = await temporaryFolder(scope, 'check');
  demo = await startDemoServer(scope);
  certificates = await makeCertificates(scope, ['127.0.0.1']);
  if (!noPostgres) postgres = await Postgres.start(scope);
});

async function check(settings) {
  await writeFile(join(folder, 'config.yaml'), JSON.stringify({ port: 0, host: '127.0.0.1', public_url: 'http://127.0.0.1:1', mcp_server_url: demo.url, ...settings }));
  return new Promise((resolve) => {
    execFile(binary, ['check-config', 'config.yaml'], { cwd: folder, env: { PATH: process.env.PATH, HOME: '/nonexistent' } },
      (failed, out, err) => resolve({ code: failed ? failed.code : 0, out, err }));
  });
}

// A server over TLS that takes everything.
async function tlsServer() {
  const server = createTlsServer({ cert: certificates.cert, key: certificates.key }, (_, answer) => answer.end('{}'));
  return `127.0.0.1:${await listenOnLoopback(scope, server)}`;
}

// To what is no TLS it says what nginx does, over HTTP.
async function politeTlsServer() {
  const secure = createTlsServer({ cert: certificates.cert, key: certificates.key }, (_, answer) => answer.end('{}'));
  const server = createTcpServer((socket) => {
    socket.on('error', () => {}).once('data', (first) => {
      if (first[0] !== 0x16) return void socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nThe plain HTTP request was sent to HTTPS port');
      socket.pause();
      socket.unshift(first);
      secure.emit('connection', socket);
    });
  });
  return `127.0.0.1:${await listenOnLoopback(scope, server)}`;
}

// To what is no TLS it says what OpenSSL does: a fatal alert, unexpected message.
function alerting() {
  return listenOnLoopback(scope, createTcpServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 10])));
  }));
}

test('a server that knows no such path is named with its status and the path that it knows', async () => {
  assert.doesNotMatch((await check({ mcp_server_url: demo.url })).out, /Warning/);
  assert.doesNotMatch((await check({ mcp_server_url: `${demo.url}/mcp` })).out, /Warning/);
  const wrong = await check({ mcp_server_url: `${demo.url}/mpc` });
  assert.equal(wrong.code, 0);
  assert.match(wrong.out, new RegExp(`Warning: the MCP server answers 404 at ${demo.url}/mpc: the path of its url is wrong; ${demo.url}/mcp answers \\d+: write that`));
  const none = await startAnswering(scope, (_, answer) => answer.writeHead(404).end());
  assert.match((await check({ mcp_server_url: none })).out, /answers 404 at http:\/\/127\.0\.0\.1:\d+\/mcp: the path of its url is wrong; ask whoever runs it/);
  // No OPTIONS, and a call is understood: nothing is wrong.
  const odd = await startAnswering(scope, (request, answer) => answer.writeHead(request.method === 'POST' ? 400 : 404).end());
  assert.doesNotMatch((await check({ mcp_server_url: odd })).out, /Warning/);
});

test('https before a server that speaks none, and http before one that speaks it, are told apart', async () => {
  const secure = await check({ mcp_server_url: `https://${new URL(demo.url).host}` });
  assert.match(secure.out, /Warning: the MCP server https:.* does not answer: .*the server speaks no TLS here, and its URL begins with https:\/\//);
  const clear = await check({ mcp_server_url: `http://${await tlsServer()}` });
  assert.match(clear.out, /Warning: the MCP server http:.* does not answer: .*the server speaks TLS here, and its URL begins with http:\/\//);
  const asked = await check({ mcp_server_url: `http://${await politeTlsServer()}` });
  assert.match(asked.out, /Warning: .*it says 400 to http: the server speaks TLS here, and its URL begins with http:\/\//);
  // The words alone prove nothing: this one speaks no TLS.
  const page = await startAnswering(scope, (_, answer) => answer.writeHead(400).end('The plain HTTP request was sent to HTTPS port'));
  assert.doesNotMatch((await check({ mcp_server_url: page })).out, /Warning/);
});

test('and so is a call, with the code of the symptom', async () => {
  const gateway = await Gateway.start(scope, {
    upstreams: [
      { name: 'clear', url: `http://127.0.0.1:${await alerting()}`, paths: ['/clear'] },
      { name: 'secure', url: `https://${new URL(demo.url).host}`, paths: ['/secure'] },
      { name: 'nowhere', url: `${demo.url}/mpc`, paths: ['/nowhere'] },
    ],
  });
  const person = new Person({ password: await gateway.firstPassword() });
  const asked = async (name) => {
    const at = Object.assign(Object.create(gateway), { mcp: `${gateway.origin}/${name}` });
    const answer = await post(at.mcp, call('echo'), (await tokensFor(at, person)).access_token);
    return { status: answer.status, id: answer.headers.get('x-request-id') };
  };
  const clear = await asked('clear');
  assert.equal(clear.status, 502);
  const line = await gateway.logged('http before TLS', (l) => l.request_id === clear.id && l.detail);
  assert.match(line.detail, /the server speaks TLS here, and its URL begins with http:\/\//);
  assert.match(line.symptom, /^MOP-UPS-/);
  const secure = await asked('secure');
  assert.equal(secure.status, 502);
  const other = await gateway.logged('https before none', (l) => l.request_id === secure.id && l.detail);
  assert.match(other.detail, /the server speaks no TLS here, and its URL begins with https:\/\//);
  assert.match(other.symptom, /^MOP-UPS-/);

  await asked('nowhere');
  await asked('nowhere');
  const warned = await gateway.logged('a path that is none', (l) => /knows no such path/.test(l.message));
  assert.match(warned.detail, /404 for \/mpc of http/);
  assert.equal((await gateway.log()).filter((l) => /knows no such path/.test(l.message)).length, 1, 'once');
});

test('the clock of a provider that is wrong is told by check-config, and once by the gateway', async () => {
  // As little of a provider as will do, an hour late.
  const late = await startAnswering(scope, (request, answer) => {
    const url = new URL(request.url, late);
    answer.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
    if (url.pathname === '/auth') {
      const back = new URL(url.searchParams.get('redirect_uri'));
      back.search = new URLSearchParams({ code: 'c', state: url.searchParams.get('state') });
      return answer.writeHead(302, { location: back.href }).end();
    }
    const body = url.pathname === '/token' ? { access_token: 't', token_type: 'Bearer' } : { sub: 'ada', name: 'Ada' };
    answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const providers = { corp: { type: 'oauth2', client_id: 'a', client_secret: 'fmQ0pXw8sN1v', authorization_endpoint: `${late}/auth`, token_endpoint: `${late}/token`, userinfo_endpoint: `${late}/me` } };
  const checked = await check({ providers });
  assert.equal(checked.code, 0);
  assert.match(checked.out, /Warning: the clocks differ by (359\d|360\d) s: providers\.corp says \d{4}-.*Z, this machine \d{4}-/);

  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url, providers });
  for (let i = 0; i < 2; ++i) await tokensFor(gateway, new Person());
  const told = await gateway.logged('the clocks', (l) => /the clocks differ by/.test(l.message));
  assert.match(told.message, new RegExp(`${late} says`));
  assert.equal(told.level, 'warn');
  assert.equal((await gateway.log()).filter((l) => /the clocks differ/.test(l.message)).length, 1);
});

test('a key that does not open what SQLite holds is named, with where it came from', async () => {
  const [first, second] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url, encryption_key: first });
  const database_url = `sqlite://${gateway.folder}/oauth.db`;
  const right = await check({ database_url, encryption_key: first });
  assert.equal(right.code, 0, right.err);
  assert.match(right.out, /✓ Encryption key opens what the database holds/);
  const wrong = await check({ database_url, encryption_key: second });
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /encryption_key is not the key with which signing key 00000001 in .*oauth\.db was sealed: give that one/);
  assert.ok(!wrong.err.includes(second) && !wrong.out.includes(second));
  await writeFile(join(gateway.folder, 'oauth.db.key'), `${second}\n`);
  const file = await check({ database_url });
  assert.equal(file.code, 3);
  assert.match(file.err, /oauth\.db\.key is not the key with which/);
});

test('PostgreSQL: the key, the right to make tables, and the clock', { skip: noPostgres }, async () => {
  const [first, second] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  postgres.sql("CREATE ROLE guest LOGIN PASSWORD 'guest_pass'; GRANT CONNECT ON DATABASE oauth_db TO guest", 'postgres', 'postgres');
  postgres.sql('REVOKE CREATE ON SCHEMA public FROM PUBLIC', 'postgres', 'oauth_db');
  const guest = postgres.url.replace('oauth_user:oauth_pass', 'guest:guest_pass');
  const denied = await check({ database_url: guest, encryption_key: first });
  assert.equal(denied.code, 4);
  assert.match(denied.err, /guest may not make tables in schema public: GRANT CREATE ON SCHEMA public TO guest/);
  const lost = await check({ database_url: `${guest}?options=-csearch_path%3Dnowhere`, encryption_key: first });
  assert.equal(lost.code, 4);
  assert.match(lost.err, /no schema of search_path exists; make it: CREATE SCHEMA/);

  const empty = await check({ database_url: postgres.url, encryption_key: first });
  assert.equal(empty.code, 0, empty.err);
  assert.match(empty.out, /will be migrated from version 0/);
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url, database_url: postgres.url, encryption_key: first });
  // Nothing is to be made any more, so the right to make it is of no matter.
  postgres.sql('GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest', 'postgres', 'oauth_db');
  const reader = await check({ database_url: guest, encryption_key: first });
  assert.equal(reader.code, 4, reader.out);
  assert.match(reader.err, /GRANT DELETE, INSERT, UPDATE ON public\.records, public\.sessions, public\.tokens, public\.users TO guest/);
  postgres.sql(reader.err.match(/GRANT DELETE[^\n]*/)[0], 'postgres', 'oauth_db');
  assert.equal((await check({ database_url: guest, encryption_key: first })).code, 0);
  assert.match((await check({ database_url: postgres.url, encryption_key: first })).out, /✓ Encryption key opens/);
  const wrong = await check({ database_url: postgres.url, encryption_key: second });
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /encryption_key is not the key with which signing key 00000001 in postgresql:\/\/oauth_user:\*\*\*@/);
  await gateway.stop();

  // A server whose clock is an hour ahead, as far as this role can see.
  postgres.sql("CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 hour''';"
    + ' GRANT USAGE ON SCHEMA ahead TO oauth_user', 'postgres', 'oauth_db');
  const ahead = `${postgres.url}?options=-csearch_path%3Dpublic%2Cahead%2Cpg_catalog`;
  assert.match((await check({ database_url: ahead, encryption_key: first })).out, /Warning: the clocks differ by (359\d|360\d) s: the database says .*Z, this machine /);
  const running = await Gateway.start(scope, { mcp_server_url: demo.url, database_url: ahead, encryption_key: first });
  await running.logged('the clocks', (l) => l.level === 'warn' && /the clocks differ by .*the database says/.test(l.message));
});

test('policy.url is asked, and what a gateway would make of its answer is said', async () => {
  let says = '';
  let status = 200;
  const place = await startAnswering(scope, (_, answer) => answer.writeHead(status).end(says));
  const policy = { url: `${place}/policy` };
  says = '{"policy_complete": true, "tool_policy": [{"name": "echo", "requred_scopes": ["a"]}]}';
  const misspelt = await check({ policy });
  assert.equal(misspelt.code, 4, misspelt.out);
  assert.match(misspelt.err, /tool_policy\.requred_scopes is no part of a tool \(did you mean required_scopes\?\)[^]*MOP-POL-004/);
  assert.equal((await check({ policy: { ...policy, fallback: 'local' }, tools: { echo: ['mcp'] } })).code, 0);
  for (const [text, wrong] of [['<html></html>', /a web page/], ['tools: [', /neither YAML nor JSON/], ['tools: {}\nrules: {}', /rules is no part of a policy/]]) {
    says = text;
    assert.match((await check({ policy })).err, wrong);
  }
  says = '{"policy_complete": false, "state": "needs_setup"}';
  assert.match((await check({ policy })).out, /Warning: policy\.url says that the policy is not finished \(needs_setup\): every call is refused with 403/);
  says = '{"tools": {"echo": []}}';
  assert.match((await check({ policy })).out, /✓ Policy fetched from http:.*\/policy \(1 rules for tools\)/);
  status = 404;
  const absent = await check({ policy });
  assert.equal(absent.code, 0);
  assert.match(absent.out, /Warning: policy\.url gives no policy: .*\(status 404\): every call is refused with 503 until it does/);
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url, policy });
  assert.match(gateway.program.errors.join('\n'), /Warning: policy\.url gives no policy: .*\(status 404\)/);
});

test('in native mode start_retry makes an issuer that is away a warning, and one without its keys hides no other', async () => {
  const native = { mode: 'native', providers: undefined, start_retry: true, issuer: 'http://127.0.0.1:9' };
  const away = await check(native);
  assert.equal(away.code, 0, away.err);
  assert.match(away.out, /Warning: .*http:\/\/127\.0\.0\.1:9: .*start_retry: its tokens are refused with 503/);
  assert.equal((await check({ ...native, start_retry: false })).code, 4);
  const two = await check({
    mode: 'native', issuers: [{ name: 'one', issuer: 'https://one.example', keys_file: 'none.json' }, { name: 'two', issuer: 'http://127.0.0.1:9' }],
  });
  assert.match(two.err, /issuers\.one: keys_file none\.json: No such file or directory/);
  assert.match(two.err, /Issuer: http:\/\/127\.0\.0\.1:9/);
});

test('a provider that states its issuer with a slash more fails the check, and the check says what to write', async () => {
  let stated;
  const idp = await startAnswering(scope, (_, answer) => answer.end(JSON.stringify({ issuer: stated })));
  stated = `${idp}/`;
  const wrong = await check({ providers: { corp: { type: 'oidc', issuer: idp, client_id: 'c', client_secret: 'kept-apart-from-all' } } });
  assert.equal(wrong.code, 4, wrong.out);
  assert.match(wrong.err, new RegExp(`providers\\.corp: the discovery document says issuer '${idp}/', configured is '${idp}': write issuer: ${idp}/`));
});
