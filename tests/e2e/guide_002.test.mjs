// The troubleshooting guide of mcp-oauth2-proxy, from top to bottom: the same configuration under the same name, and every
// symptom that it lists.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Bridge, Mock, bridgeEnvironment, json } from './lib/bridge_client.mjs';
import { binary } from './lib/gateway.mjs';
import { fileScope, listenOnLoopback, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { until, within } from './lib/until.mjs';

const scope = fileScope();
let program;
before(async () => {
  program = join(await temporaryFolder(scope, 'guide-002'), 'mcp-oauth2-proxy');
  await symlink(binary, program);
});

// A token endpoint, and an MCP server that wants its tokens.
async function world(t) {
  const seen = { tokens: 0, forms: [], authorization: [] };
  const issuer = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    if (request.url !== '/token') return void response.writeHead(404).end();
    seen.forms.push(new URLSearchParams(body));
    if (seen.answer) return void seen.answer(response);
    json(response, { access_token: `token-${++seen.tokens}-of-the-server`, token_type: 'Bearer', expires_in: 3600 });
  });
  const port = await listenOnLoopback(t, issuer);
  const mock = await Mock.start(t);
  mock.any = (request, response) => {
    seen.authorization.push(request.headers.authorization);
    const good = seen.good?.(request.headers.authorization) ?? /^Bearer token-/.test(request.headers.authorization ?? '');
    if (good) return false;
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token", error_description="audience mismatch"' }).end('{"error":"invalid_token"}');
    return true;
  };
  const environment = {
    UPSTREAM_URL: mock.url, OAUTH2_GRANT: 'client_credentials', OAUTH2_TOKEN_URL: `http://127.0.0.1:${port}/token`, OAUTH2_CLIENT_ID: 'proxy', OAUTH2_CLIENT_SECRET: 'the-client-secret', DISCOVERY_ENABLED: 'false',
  };
  return { mock, seen, environment };
}

async function start(t, environment) {
  process.env.MOP_BRIDGE = program;
  try {
    return await Bridge.start(t, undefined, { env: environment });
  } finally {
    delete process.env.MOP_BRIDGE;
  }
}

// To its end, with its input open: the exit code and what it said.
async function ends(t, environment) {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'], env: await bridgeEnvironment(t, environment) });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  t.after(() => child.kill('SIGKILL'));
  const [code] = await within('the end', once(child, 'close'), 30_000);
  return { code, said };
}

test('the configuration of the guide works under its name, from the environment and from a file', async (t) => {
  const { environment, seen, mock } = await world(t);
  const bridge = await start(t, environment);
  assert.ok((await bridge.initialize()).result);
  assert.ok((await bridge.call(1, 'x')).result);
  assert.equal(await bridge.end(), 0);
  assert.equal(seen.tokens, 1);
  assert.equal(seen.forms[0].get('client_id'), 'proxy');
  assert.ok(seen.authorization.every((field) => field === 'Bearer token-1-of-the-server'));
  const folder = await temporaryFolder(t, 'guide-002-file');
  await writeFile(join(folder, 'proxy.json'), JSON.stringify({
    upstream: { url: mock.url, timeoutMs: 30000 }, oauth2: { grant: 'client_credentials', tokenUrl: environment.OAUTH2_TOKEN_URL, clientId: 'proxy', clientSecret: 'the-client-secret', authStyle: 'body' }, discovery: { enabled: false }, log: { level: 'info' },
  }));
  const other = await start(t, { MCP_PROXY_CONFIG: join(folder, 'proxy.json') });
  assert.ok((await other.initialize()).result);
  assert.equal(await other.end(), 0);
});

test('logs go to stderr; LOG_LEVEL=debug and trace show token and bridge activity, and no secret', async (t) => {
  for (const level of ['debug', 'trace']) {
    const { environment } = await world(t);
    const bridge = await start(t, { ...environment, LOG_LEVEL: level });
    assert.ok((await bridge.initialize()).result);
    await bridge.call(1, 'x');
    assert.equal(await bridge.end(), 0);
    assert.match(bridge.errors, /\/token/);
    assert.match(bridge.errors, /status=200/);
    for (const secret of ['the-client-secret', 'token-1-of-the-server']) assert.equal(bridge.errors.includes(secret), false, secret);
    assert.equal(bridge.unreadable.length, 0);
  }
});

for (const [name, change, words] of [
  ['a missing tokenUrl', { OAUTH2_TOKEN_URL: undefined }, /OAuth2 token endpoint is not set; provide tokenUrl or enable discovery/],
  ['a missing clientId', { OAUTH2_CLIENT_ID: undefined }, /clientId/],
  ['a missing upstream', { UPSTREAM_URL: undefined }, /upstream\.url/],
  ['a timeout that is no integer', { UPSTREAM_TIMEOUT_MS: 'abc' }, /UPSTREAM_TIMEOUT_MS must be an integer, got "abc"/],
  ['a port that is no integer', { OAUTH2_CALLBACK_PORT: '80x' }, /OAUTH2_CALLBACK_PORT must be an integer, got "80x"/],
  ['malformed extra parameters', { OAUTH2_EXTRA_PARAMS: '{' }, /OAUTH2_EXTRA_PARAMS is not valid JSON/],
  ['cleartext to another machine', { UPSTREAM_URL: 'http://mcp.example.com/mcp' }, /upstream\.url uses cleartext http to a non-loopback host \(mcp\.example\.com\)/],
  ['a cleartext token endpoint', { OAUTH2_TOKEN_URL: 'http://idp.example.com/token' }, /oauth2\.tokenUrl uses cleartext http to a non-loopback host \(idp\.example\.com\)/],
  ['another scheme', { UPSTREAM_URL: 'ftp://mcp.example.com/' }, /must use http or https, got "ftp:"/],
  ['a file that is not there', { MCP_PROXY_CONFIG: '/nonexistent/proxy.json' }, /\/nonexistent\/proxy\.json/],
]) {
  test(`exit code 2, and stderr names it: ${name}`, async (t) => {
    const { environment } = await world(t);
    const wanted = Object.fromEntries(Object.entries({ ...environment, ...change }).filter(([, value]) => value !== undefined));
    const { code, said } = await ends(t, wanted);
    assert.equal(code, 2, said);
    assert.match(said, words);
  });
}

test('exit code 2 when no first token is to be had, with the reason', async (t) => {
  const { environment, seen } = await world(t);
  seen.answer = (response) => json(response, { error: 'invalid_client', error_description: 'Unknown client' }, 401);
  const refused = await ends(t, environment);
  assert.equal(refused.code, 2, refused.said);
  assert.match(refused.said, /failed to acquire initial oauth2 token: .*Unknown client/);
  const away = await ends(t, { ...environment, OAUTH2_TOKEN_URL: `http://127.0.0.1:${await portOfNobody()}/token` });
  assert.equal(away.code, 2, away.said);
  assert.match(away.said, /failed to acquire initial oauth2 token: /);
});

test('a 401: another token and once more; one that stays is explained, and no storm', async (t) => {
  const { environment, seen } = await world(t);
  seen.good = (field) => /^Bearer token-([2-9]|\d\d)/.test(field ?? '');
  const bridge = await start(t, environment);
  assert.ok((await bridge.initialize()).result);
  assert.equal(seen.tokens, 2);
  seen.good = () => false;
  const answers = await Promise.all([1, 2, 3, 4, 5].map((id) => bridge.call(id, 'x')));
  for (const { error } of answers) assert.match(JSON.stringify(error), /MOP-|401/);
  assert.ok(seen.tokens <= 6, `${seen.tokens} tokens`);
  assert.equal(await bridge.end(), 0);
});

test('a call that takes longer than UPSTREAM_TIMEOUT_MS says so', async (t) => {
  const { environment, mock } = await world(t);
  mock.behave.slow = () => {};
  const bridge = await start(t, { ...environment, UPSTREAM_TIMEOUT_MS: '700' });
  await bridge.initialize();
  const { error } = await bridge.call(1, 'slow');
  assert.equal(error.code, -32000);
  assert.match(error.message, /^mcp-oauth2-proxy: upstream timed out: 700 ms/);
  assert.match(error.data.fix, /UPSTREAM_TIMEOUT_MS/);
  assert.equal(await bridge.end(), 0);
});

test('the server stream is asked for, unless it is switched off; 405 ends that', async (t) => {
  const { environment, mock } = await world(t);
  const gets = () => mock.requests.filter((one) => one.method === 'GET').length;
  const off = await start(t, { ...environment, UPSTREAM_OPEN_SERVER_STREAM: 'false' });
  await off.initialize();
  await off.call(1, 'x');
  assert.equal(gets(), 0);
  assert.equal(await off.end(), 0);
  const on = await start(t, environment);
  await on.initialize();
  await until('the stream was asked for', () => gets() === 1);
  await on.call(1, 'x');
  await until('a word about it', () => /no stream of its own \(HTTP 405\)/.test(on.errors));
  assert.equal(await on.end(), 0);
  assert.equal(gets(), 1);
});

test('a failing upstream is told in the words of the guide\'s program', async (t) => {
  const { environment, mock } = await world(t);
  mock.behave.broken = (_, response) => response.writeHead(500).end('database is down');
  const bridge = await start(t, environment);
  await bridge.initialize();
  const { error } = await bridge.call(1, 'broken');
  assert.equal(error.code, -32001);
  assert.match(error.message, /^mcp-oauth2-proxy: upstream returned 500/);
  assert.equal(error.data.status, 500);
  assert.equal(error.data.body, 'database is down');
  assert.equal(await bridge.end(), 0);
});
