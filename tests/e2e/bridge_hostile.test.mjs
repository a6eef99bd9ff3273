// The bridge between servers that mean it ill, or are merely wrong: what they cannot make it do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { clockIn } from './lib/faketime.mjs';
import { binary } from './lib/gateway.mjs';
import { listenOnLoopback, temporaryFolder } from './lib/scope.mjs';
import { until, within } from './lib/until.mjs';

const json = (response, status, body, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

async function serve(t, answer) {
  const port = await listenOnLoopback(t, createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    answer(request, response, body);
  }));
  return `http://127.0.0.1:${port}`;
}

// An authorization server that gives whoever asks what `token(parameters)` says.
async function authorizationServer(t, token, metadata = {}) {
  const as = { asked: [] };
  as.url = await serve(t, (request, response, body) => {
    if (request.url.startsWith('/.well-known/')) {
      return json(response, 200, {
        issuer: as.url, token_endpoint: `${as.url}/token`, authorization_endpoint: `${as.url}/authorize`, registration_endpoint: `${as.url}/register`,
        code_challenge_methods_supported: ['S256'], ...metadata,
      });
    }
    if (request.url === '/register') return json(response, 201, { client_id: 'registered' });
    if (request.url !== '/token') return response.writeHead(404).end();
    const parameters = new URLSearchParams(body);
    as.asked.push(parameters);
    return token(parameters, response);
  });
  return as;
}

// An MCP server for tokens of it; `refuses(request, message)` says when a token is of no use.
async function mcpServer(t, as, refuses = () => false) {
  const server = { shown: [], gets: 0 };
  const origin = await serve(t, (request, response, body) => {
    if (request.url.startsWith('/.well-known/oauth-protected-resource'))
      return json(response, 200, { resource: server.url, authorization_servers: [as.url] });
    if (request.url !== '/mcp') return response.writeHead(404).end();
    const message = request.method === 'POST' ? JSON.parse(body) : {};
    const token = request.headers.authorization;
    if (token) server.shown.push(token);
    if (request.method === 'GET') ++server.gets;
    if (!token || refuses(request, message))
      return response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` }).end();
    if (request.method === 'GET') return response.writeHead(405).end();
    if (request.method === 'DELETE') return response.writeHead(200).end();
    if (message.id === undefined || !message.method) return response.writeHead(202).end();
    const hello = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } };
    return json(response, 200, { jsonrpc: '2.0', id: message.id, result: message.method === 'initialize' ? hello : { tools: [] } }, { 'mcp-session-id': 'one' });
  });
  server.url = `${origin}/mcp`;
  return server;
}

// A bridge, and a person who signs in at whatever page it names.
async function bridge(t, url, environment = {}, { stderr = 'pipe', command = [binary, 'bridge', url] } = {}) {
  const home = environment.HOME ?? await temporaryFolder(t, 'hostile');
  const cache = join(home, 'cache');
  const child = spawn(command[0], command.slice(1), {
    cwd: home, stdio: ['pipe', 'pipe', stderr],
    env: { PATH: process.env.PATH, HOME: home, OAUTH2_TOKEN_CACHE_DIR: cache, OAUTH2_TOKEN_CACHE_KEY: 'file', ...environment },
  });
  const made = { child, home, cache, answers: new Map(), lines: [], errors: '', pages: [], next: 0 };
  let rest = '';
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    made.lines.push(...parts);
    for (const line of parts) made.answers.set(JSON.parse(line).id, JSON.parse(line));
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    made.errors += text;
    for (const [address] of made.errors.slice(-text.length - 4096).matchAll(/^ {2}http\S+\/authorize\?\S+$/gm)) {
      if (made.pages.includes(address)) continue;
      made.pages.push(address);
      const asked = new URL(address).searchParams;
      fetch(`${asked.get('redirect_uri')}?code=the-code-of-page-${made.pages.length}&state=${asked.get('state')}`).catch(() => {});
    }
  });
  made.exited = once(child, 'close');
  made.ask = async (method, params = {}) => {
    const id = ++made.next;
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return until(`the answer to ${method}`, () => made.answers.get(id));
  };
  made.open = async () => {
    const hello = await made.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } });
    child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    return hello;
  };
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await made.exited;
  });
  return made;
}

const numbered = (more = {}) => {
  let count = 0;
  return (parameters, response) => {
    ++count;
    json(response, 200, { access_token: `access-token-${count}`, token_type: 'Bearer', expires_in: 3600, ...(more.refresh ? { refresh_token: `refresh-token-${count}` } : {}), ...more.fields });
  };
};

for (const refresh of [false, true]) {
  test(`a stream of its own that is refused while calls are taken opens no page${refresh ? ', and refreshes a few times' : ''}`, async (t) => {
    const as = await authorizationServer(t, numbered({ refresh }));
    const server = await mcpServer(t, as, (request) => request.method === 'GET');
    const client = await bridge(t, server.url);
    assert.ok((await client.open()).result);
    await until('the stream was tried again', async () => {
      assert.ok((await client.ask('tools/list')).result);
      return server.gets >= 3;
    });
    for (let i = 0; i < 20; ++i) assert.ok((await client.ask('tools/list')).result);
    assert.equal(client.pages.length, 1);
    assert.ok(as.asked.length <= (refresh ? 3 : 1), `${as.asked.length} token requests`);
  });

  test(`a tool that answers 401 while all else works asks nobody${refresh ? ', and refreshes a few times' : ''}`, async (t) => {
    const as = await authorizationServer(t, numbered({ refresh }));
    const server = await mcpServer(t, as, (request, message) => message.method === 'tools/call');
    const client = await bridge(t, server.url);
    assert.ok((await client.open()).result);
    for (let i = 0; i < 10; ++i) {
      assert.ok((await client.ask('tools/call', { name: 'x' })).error);
      assert.ok((await client.ask('tools/list')).result, 'the others are not held back');
    }
    assert.equal(client.pages.length, 1);
    assert.ok(as.asked.length <= (refresh ? 3 : 1), `${as.asked.length} token requests`);
  });
}

test('a refresh token that is over asks a person for a call, and never for a ping', async (t) => {
  const grants = [];
  const as = await authorizationServer(t, (parameters, response) => {
    grants.push(parameters.get('grant_type'));
    if (parameters.get('grant_type') === 'refresh_token') return json(response, 400, { error: 'invalid_grant' });
    return json(response, 200, { access_token: `access-token-${grants.length}`, token_type: 'Bearer', expires_in: 2, refresh_token: 'refresh-token-1' });
  });
  const server = await mcpServer(t, as);
  const client = await bridge(t, server.url);
  assert.ok((await client.open()).result);
  await until('a ping came when the token was over', async () => {
    await client.ask('ping');
    return grants.includes('refresh_token');
  });
  assert.equal(client.pages.length, 1);
  assert.ok((await client.ask('tools/list')).result, 'and the call is not kept from asking');
  assert.equal(client.pages.length, 2);
});

test('a token answer that is not understood is nowhere, and what was sent is told to nobody', async (t) => {
  let answer;
  const as = await authorizationServer(t, (parameters, response) => answer(parameters, response));
  const server = await mcpServer(t, as);
  const everywhere = async (client) => {
    const files = await Promise.all((await readdir(client.cache)).map((name) => readFile(join(client.cache, name), 'latin1')));
    return client.errors + client.lines.join('\n') + files.join('\n');
  };
  const secrets = { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'id', OAUTH2_CLIENT_SECRET: 'the-secret-of-the-client', LOG_LEVEL: 'trace' };

  answer = (_, response) => response.writeHead(200, { 'content-type': 'application/x-www-form-urlencoded' }).end('access_token=gho_SECRETSECRET&refresh_token=ghr_SECRETSECRET');
  const odd = await bridge(t, server.url, secrets);
  assert.match((await odd.open()).error.message, /token/);
  await until('it is in the log', () => odd.errors.includes('non-JSON body (status 200, application/x-www-form-urlencoded)'));
  assert.ok(!(await everywhere(odd)).includes('SECRETSECRET'), await everywhere(odd));

  // One that repeats what it got.
  answer = (parameters, response) => json(response, 400, { error: 'invalid_request', error_description: `odd: ${[...parameters.values()].join(' ')}`.slice(0, 390) });
  for (const [environment, values] of [
    [{ LOG_LEVEL: 'trace' }, ['code', 'code_verifier']],
    [{ ...secrets, OAUTH2_GRANT: 'jwt_bearer', OAUTH2_ASSERTION_COMMAND: 'echo the-assertion-of-the-workload' }, ['assertion']],
  ]) {
    as.asked.length = 0;
    const client = await bridge(t, server.url, environment);
    await client.open();
    await until('it failed', () => client.errors.includes('odd: '));
    const told = (await everywhere(client)).replace(/^ {2}http.*$/gm, '');
    for (const name of values) {
      assert.ok(as.asked[0].get(name).length > 8);
      assert.ok(!told.includes(as.asked[0].get(name)), `${name}: ${told}`);
    }
  }
});

test('a log that nobody reads stops nothing, and a line of it has an end', async (t) => {
  const folder = await temporaryFolder(t, 'unread');
  const fifo = join(folder, 'log');
  await promisify(execFile)('mkfifo', [fifo]);
  const unread = openSync(fifo, 'r+');
  t.after(() => closeSync(unread));
  // One page is left of the sixteen of a pipe, for a line that would take two.
  writeSync(unread, Buffer.alloc(15 * 4096, '.'));
  const origin = await serve(t, (request, response) => {
    if (request.url !== '/mcp') return response.writeHead(404).end();
    return response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${origin}/${'a'.repeat(4000)}"` }).end();
  });
  const client = await bridge(t, `${origin}/mcp`, { LOG_LEVEL: 'error' }, { stderr: unread });
  for (let i = 0; i < 3; ++i) assert.ok((await client.open()).error);
  client.child.kill('SIGTERM');
  await within('the end', client.exited, 5000);

  const read = await bridge(t, `${origin}/mcp`);
  await read.open();
  await until('it is in the log', () => read.errors.includes('no token'));
  for (const line of read.errors.split('\n')) assert.ok(Buffer.byteLength(line) < 2100, `${line.length} bytes`);
});

test('a cache that cannot be written does not bring a used refresh token back', async (t) => {
  const used = [];
  const as = await authorizationServer(t, (parameters, response) => {
    used.push(parameters.get('refresh_token'));
    json(response, 200, { access_token: `access-token-${used.length}`, token_type: 'Bearer', expires_in: 1, refresh_token: `refresh-token-${used.length}` });
  });
  const server = await mcpServer(t, as);
  const environment = { OAUTH2_CLIENT_ID: 'id', OAUTH2_REFRESH_TOKEN: 'refresh-token-0', HOME: await temporaryFolder(t, 'unwritable') };
  const first = await bridge(t, server.url, environment);
  assert.ok((await first.open()).result);
  first.child.stdin.end();
  await within('the end', first.exited);
  const kept = used.length;

  // From now on no file takes a byte.
  const command = ['/bin/sh', '-c', 'trap "" XFSZ; ulimit -f 0; exec "$0" bridge "$1"', binary, server.url];
  const second = await bridge(t, server.url, environment, { command });
  assert.ok((await second.open()).result);
  await until('three more refreshes', async () => {
    assert.ok((await second.ask('tools/list')).result);
    return used.length >= kept + 3;
  }, 30_000);
  assert.match(second.errors, /the sign-in is not kept/);
  assert.deepEqual(used, used.map((_, i) => `refresh-token-${i}`));
});

test('a clock that is set back keeps nobody waiting for what was to be tried again', async (t) => {
  const home = await temporaryFolder(t, 'clock');
  const clock = join(home, 'clock');
  await writeFile(clock, '+0\n');
  let away = true;
  const give = numbered();
  const as = await authorizationServer(t, (parameters, response) => (away ? json(response, 503, {}) : give(parameters, response)));
  const server = await mcpServer(t, as);
  const client = await bridge(t, server.url, {
    HOME: home, OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'id', OAUTH2_CLIENT_SECRET: 'the-secret-of-the-client',
    ...clockIn(clock),
  });
  assert.ok((await client.open()).error);
  away = false;
  await writeFile(clock, '-2h\n');
  await until('the next try', async () => (await client.open()).result);
});

test('a command of the user ends with the bridge, also one that has closed its output', async (t) => {
  const server = await mcpServer(t, { url: 'http://127.0.0.1:1' });
  for (const command of ['echo $$ >pid; echo token; exec >/dev/null; sleep 120', 'echo $$ >pid; sleep 60']) {
    const client = await bridge(t, server.url, { OAUTH2_GRANT: 'token', OAUTH2_ACCESS_TOKEN_COMMAND: command });
    client.open().catch(() => {});
    const pid = Number(await until('the command runs', async () => (await readFile(join(client.home, 'pid'), 'utf8')).trim()));
    client.child.kill('SIGTERM');
    await within('the end', client.exited, 5000);
    assert.throws(() => process.kill(pid, 0), /ESRCH/, 'and nothing of it is left');
  }
});

test('without a home nothing is written to the root of the file system', async (t) => {
  const as = await authorizationServer(t, numbered());
  const server = await mcpServer(t, as);
  const before = await readdir('/');
  const client = await bridge(t, server.url, { HOME: undefined, OAUTH2_TOKEN_CACHE_DIR: undefined });
  assert.ok((await client.open()).result);
  assert.deepEqual((await readdir('/')).filter((name) => !before.includes(name)), []);
  assert.match(client.errors, /there is no folder for sign-ins/);
});

test('secret-tool is told no secret', async (t) => {
  const home = await temporaryFolder(t, 'tool');
  const tools = join(home, 'tools');
  await mkdir(tools);
  await writeFile(join(tools, 'secret-tool'), `#!/bin/sh\nenv >>${home}/seen\ncase $1 in store) cat >${home}/ring;; lookup) cat ${home}/ring;; esac\n`);
  await chmod(join(tools, 'secret-tool'), 0o755);
  const as = await authorizationServer(t, numbered());
  const server = await mcpServer(t, as);
  const client = await bridge(t, server.url, {
    HOME: home, PATH: `${tools}:${process.env.PATH}`, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent', OAUTH2_TOKEN_CACHE_KEY: 'auto',
    OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'id', OAUTH2_CLIENT_SECRET: 'the-secret-of-the-client',
  });
  assert.ok((await client.open()).result);
  const seen = await until('the tool was called', () => readFile(join(home, 'seen'), 'utf8'));
  assert.match(seen, /^PATH=/m);
  assert.ok(!/^OAUTH2_/m.test(seen), seen);
});

test('what a server calls a scope or a client moves no terminal: neither in the log nor in `status`', async (t) => {
  const hostile = 'id\u001b]0;title\u0007\u001b[2J\u009b31m\u007f';
  const as = await authorizationServer(t, numbered({ fields: { scope: `a ${hostile}` } }));
  const origin = await serve(t, (request, response, body) => {
    if (request.url.startsWith('/.well-known/oauth-protected-resource')) return json(response, 200, { resource: `${origin}/mcp`, authorization_servers: [as.url] });
    if (request.url !== '/mcp') return response.writeHead(404).end();
    if (!request.headers.authorization)
      return response.writeHead(401, { 'www-authenticate': Buffer.from('Bearer scope="read\u009b31mred"').toString('latin1') }).end();
    return json(response, 200, { jsonrpc: '2.0', id: JSON.parse(body).id ?? null, result: {} });
  });
  const home = await temporaryFolder(t, 'hostile');
  const run = promisify(execFile);
  const options = {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, OAUTH2_TOKEN_CACHE_KEY: 'file', OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'program', OAUTH2_CLIENT_SECRET: 'its-long-secret' },
  };
  const controls = (text) => text.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g);
  const login = await run(binary, ['bridge', 'login', `${origin}/mcp`], options);
  assert.match(login.stderr, /scope=read {2}31mred/);
  const status = await run(binary, ['bridge', 'status', `${origin}/mcp`], options);
  assert.match(status.stdout, /scope +a id\]0;title\[2J31m\n/);
  const program = await run(binary, ['bridge', 'status', '--json', `${origin}/mcp`], options);
  assert.equal(JSON.parse(program.stdout).sign_ins[0].token.scope, `a ${hostile}`);
  for (const text of [login.stdout, login.stderr, status.stdout, status.stderr, program.stdout]) assert.equal(controls(text), null, JSON.stringify(text));
});
