// What a person and a client are told by the bridge while something is missing: a sign-in, a good token, a server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { BridgeHome } from './lib/bridge.mjs';
import { Bridge } from './lib/bridge_client.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Person } from './lib/person.mjs';
import { portOfNobody } from './lib/scope.mjs';
import { until, within } from './lib/until.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';

const json = (response, status, body, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

test('while nobody signs in, initialize is answered, calls hear of it, and the end is at once', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  // A browser that shows the page to nobody; and no time of a server runs meanwhile.
  const bridge = await Bridge.start(t, gateway.mcp, { env: { BROWSER: '/bin/true', UPSTREAM_TIMEOUT_MS: '1500' } });
  const { result } = await bridge.initialize();
  assert.equal(result?.serverInfo.name, 'mcp-oauth-proxy bridge');
  assert.match(result.instructions, /\/oauth\/authorize\?/);
  bridge.write({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'echo', _meta: { progressToken: 'p' } } });
  const told = await until('progress', () => bridge.heard('notifications/progress')[0], 20_000);
  assert.match(told.params.message, /\/oauth\/authorize\?/);
  assert.equal(bridge.answers.get('2'), undefined);
  assert.equal(await bridge.end(), 0);
  assert.match(JSON.stringify(bridge.answers.get('2')[0].error), /MOP-BRI-008/);
});

test('a token from the environment that is refused is called that, at the first call', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const said = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const token = `${said({ alg: 'ES256', typ: 'at+jwt' })}.${said({ iss: 'https://elsewhere.example', aud: 'https://other.example/mcp' })}.AAAA`;
  const bridge = await Bridge.start(t, gateway.mcp, { env: { OAUTH2_ACCESS_TOKEN: token } });
  for (const id of ['a', 'b']) {
    const { error } = await bridge.request(id, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } });
    assert.equal(error.data.symptom, 'MOP-SIN-020', JSON.stringify(error));
    assert.match(error.message, /OAUTH2_ACCESS_TOKEN.*elsewhere\.example/);
    assert.match(error.data.fix, /explain-token/);
    assert.ok(!JSON.stringify(error).includes(token));
  }
  assert.equal(await bridge.end(), 0);
});

test('an error that repeats what the server was sent comes without secrets, whatever its status, and with all the rest', async (t) => {
  let status;
  const url = await startAnswering(t, async (asked, answer) => {
    if (asked.method !== 'POST') return answer.writeHead(405).end();
    let text = '';
    for await (const piece of asked) text += piece;
    const { id, method } = JSON.parse(text);
    if (id === undefined) return answer.writeHead(202).end();
    if (method === 'initialize') return json(answer, 200, { jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 's', version: '1' } } });
    const { authorization, 'x-api-key': key, 'x-tenant': tenant } = asked.headers;
    json(answer, status, { jsonrpc: '2.0', id, error: { code: -32042, message: `no: ${authorization} ${key}`, data: { url: `https://${tenant}.example/` } } });
  });
  const token = 'a-token-that-nobody-may-see', key = 'key/that+nobody-may-see', tenant = 'acme-corp';
  const env = { OAUTH2_ACCESS_TOKEN: token, UPSTREAM_HEADERS: JSON.stringify({ 'X-Api-Key': key, 'X-Tenant': tenant }) };
  const bridge = await Bridge.start(t, `${new URL(url).origin}/mcp`, { env });
  await bridge.initialize();
  for (status of [200, 400]) {
    const { error } = await bridge.request(status, 'tools/call', { name: 'x', arguments: {} });
    assert.deepEqual(error, { code: -32042, message: 'no: Bearer *** ***', data: { url: `https://${tenant}.example/` } }, `${status}`);
  }
  assert.equal(await bridge.end(), 0);
  for (const value of [token, key]) assert.ok(!bridge.errors.includes(value), bridge.errors);
});

test('a wrong client secret is no missing client id, and is not repeated when the server says it', async (t) => {
  const secret = 'a-secret-that-is-wrong';
  const shown = new Set(); // what it says who it is by, id and secret in one
  let origin;
  const url = await startAnswering(t, (asked, answer) => {
    if (asked.url.startsWith('/.well-known/oauth-protected')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (asked.url.startsWith('/.well-known/')) return json(answer, 200, { issuer: origin, token_endpoint: `${origin}/token`, code_challenge_methods_supported: ['S256'] });
    shown.add(asked.headers.authorization?.split(' ')[1]);
    if (asked.url === '/token') return json(answer, 401, { error: 'invalid_client', error_description: `bad secret ${secret} of ${asked.headers.authorization}` });
    answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  });
  origin = new URL(url).origin;
  const env = { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'c', OAUTH2_CLIENT_SECRET: secret, LOG_LEVEL: 'trace' };
  const bridge = await Bridge.start(t, `${origin}/mcp`, { env });
  const { error } = await bridge.initialize();
  assert.equal(error.data.symptom, 'MOP-SIN-012', JSON.stringify(error));
  assert.match(error.message, /bad secret \*\*\* of Basic \*\*\*/);
  assert.equal(await bridge.end(), 0);
  const heard = () => [secret, ...shown].filter(Boolean);
  assert.ok(heard().some((one) => Buffer.from(one, 'base64').toString() === `c:${secret}`), 'it shows itself by Basic');
  for (const one of heard()) assert.ok(!bridge.errors.includes(one) && !JSON.stringify(bridge.messages).includes(one), bridge.errors);
  const home = await BridgeHome.make(t, env);
  const done = await home.run(['login', `${origin}/mcp`]);
  assert.notEqual(done.code, 0);
  for (const one of heard()) assert.ok(!`${done.out}${done.err}`.includes(one), done.err);
});

test('`bridge login` takes no page, no 404 and no 500 for a server without a sign-in', async (t) => {
  const home = await BridgeHome.make(t);
  for (const [answer, words] of [
    [(_, r) => r.writeHead(404).end(), /answers 404, as no MCP server does/],
    [(_, r) => r.writeHead(500).end(), /answers 500, as no MCP server does/],
    [(_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'), /answers 200 with a page for people/],
  ]) {
    const done = await home.run(['login', `${await startAnswering(t, answer)}/mcp`]);
    assert.equal(done.code, 4, done.err);
    assert.match(done.err, words);
  }
  const open = await home.run(['login', `${await startAnswering(t, (_, r) => json(r, 400, { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'no session' } }))}/mcp`]);
  assert.equal(open.code, 0, open.err);
  assert.match(open.out, /asks for no sign-in/);
});

test('`bridge login` with a sign-in that is kept is not content with a server that has gone', async (t) => {
  let origin, gone = false;
  const url = await startAnswering(t, (asked, answer) => {
    if (asked.url.startsWith('/.well-known/oauth-protected')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (asked.url.startsWith('/.well-known/')) return json(answer, 200, { issuer: origin, token_endpoint: `${origin}/token` });
    if (asked.url === '/token') return json(answer, 200, { access_token: 'a-token-of-some-length', token_type: 'Bearer', expires_in: 3600 });
    if (gone) return answer.writeHead(404).end();
    if (!asked.headers.authorization) return answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    json(answer, 200, { jsonrpc: '2.0', id: 'sign-in', result: {} });
  });
  origin = new URL(url).origin;
  const home = await BridgeHome.make(t, { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'c', OAUTH2_CLIENT_SECRET: 'a-secret-of-some-length' });
  const first = await home.run(['login', `${origin}/mcp`]);
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, /signed in to/);
  gone = true;
  const again = await home.run(['login', `${origin}/mcp`]);
  assert.equal(again.code, 4, again.out);
  assert.match(again.err, /answers 404, as no MCP server does.* A sign-in to it is kept/);
  assert.doesNotMatch(again.out, /signed in/);
});

test('a server that is not there is told in words of the bridge', async (t) => {
  const bridge = await Bridge.start(t, `http://127.0.0.1:${await portOfNobody()}/mcp`);
  const { error } = await bridge.initialize();
  assert.match(error.message, /^mcp-oauth-proxy: connect ECONNREFUSED 127\.0\.0\.1:\d+/);
  assert.match(error.data.fix, /configuration of your client/);
  assert.equal(await bridge.end(), 0);
});

test('a machine without a browser: every way to sign in is named, and one of them works', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t, { BROWSER: '' });
  const client = home.serve(gateway.mcp);
  client.tell({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
  const told = await until('the ways', () => /paste it into this, .*\n.*bridge login/.test(client.errors) && client.errors);
  assert.ok(!told.includes('--device-code'), 'the gateway gives no device codes');
  assert.match(told, /The bridge sees no browser on this machine.*\n?.*add yours under "env"/);
  assert.match(told, /ends at an address that it cannot reach,\s+http:\/\/127\.0\.0\.1:\d+\/callback\?code=/);
  const [, command] = /^ +(mcp-oauth-proxy bridge login \S+)$/m.exec(told);
  assert.equal(command, `mcp-oauth-proxy bridge login ${gateway.mcp}`);
  const opened = await until('the answer to initialize', () => client.lines.find((line) => line.id === 0), 20_000);
  for (const way of ['paste', command, 'DISPLAY']) assert.ok(opened.result.instructions.includes(way), opened.result.instructions);
  const [, address] = /(http:\S+\/oauth\/authorize\?\S+)/.exec(told);
  const terminal = home.inTerminal(['login', gateway.mcp]);
  await until('the terminal waits', () => /paste the address where it ended/.test(terminal.text) && terminal.text);
  terminal.write('8f2c0a-the-code-alone\r');
  await until('what to paste', () => /paste the whole address, with \?code=/.test(terminal.text), 10_000).catch((late) => assert.fail(`${late.message}\n${terminal.text}`));
  const person = new Person({ user: 'admin', password: await gateway.firstPassword() });
  const left = await person.approve(address, new URL(address).searchParams.get('redirect_uri'));
  terminal.write(`${left}\r`);
  assert.equal(await within('the end of the login', terminal.exited, 30_000), 0, terminal.text);
});

test('the command that would sign in is told with the flags that were used, and without their secrets', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t);
  const done = await home.run(['login', gateway.mcp, '--interactive', 'false', '--client-id', 'c', '--client-secret', 's3cr3t-value', '--scope', 'a b']);
  assert.equal(done.code, 5);
  assert.ok(done.err.includes(`run mcp-oauth-proxy bridge login ${gateway.mcp} --client-id c --client-secret '***' --scope 'a b' in a terminal`), done.err);
  assert.ok(!done.err.includes('s3cr3t-value'));
});

test('sign-ins with other settings are found, told and forgotten', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  for (const more of [[], ['--header', 'X-Tenant: a-secret-value']]) {
    const done = await home.run(['login', gateway.mcp, ...more]);
    assert.equal(done.code, 0, done.err);
    home.environment.BRIDGE_PASSWORD = new Person().chosen;  // the first was good once
  }
  const all = JSON.parse((await home.run(['status', gateway.mcp, '--json'])).out);
  assert.equal(all.usable, true);
  assert.deepEqual(all.sign_ins.map((one) => [one.of_these_settings, one.settings, one.usable]), [[true, null, true], [false, "--header 'X-Tenant: ***'", true]]);
  assert.equal(all.sign_ins[0].token.issuer, gateway.origin);
  assert.ok(!JSON.stringify(all).includes('a-secret-value'));
  const other = await home.run(['status', gateway.mcp, '--scope', 'x']);
  assert.equal(other.code, 5);
  assert.match(other.out, /no sign-in to \S+ with these settings; there are with others:[^]*settings +--header 'X-Tenant: \*\*\*'/);
  // One of them, and the other is named.
  const one = await home.run(['logout', gateway.mcp, '--header', 'X-Tenant: a-secret-value']);
  assert.match(one.out, /signed out of \S+ with --header[^]*still signed in to/);
  const left = await home.run(['status', '--json']);
  assert.deepEqual([left.code, JSON.parse(left.out).usable, JSON.parse(left.out).sign_ins.length], [0, true, 1]);
  await home.run(['login', gateway.mcp, '--header', 'X-Tenant: a-secret-value']);
  const both = await home.run(['logout', gateway.mcp]);
  assert.equal(both.out.match(/signed out of/g).length, 2, both.out);
  const none = await home.run(['status', gateway.mcp, '--json']);
  assert.equal(none.code, 5);
  assert.deepEqual(JSON.parse(none.out).sign_ins, []);
  const nowhere = await home.run(['status', '--json']);
  assert.deepEqual([nowhere.code, JSON.parse(nowhere.out).usable], [5, false]);
  assert.equal((await home.run(['status'])).code, 5);
  const unasked = await home.run(['status', gateway.mcp, '--client-credentials', '--client-id', 'c']);
  assert.match(unasked.out, /there is no sign-in to/, unasked.err);
});

test('a folder of settings is in the home that ~ means, and without a home it is said what is missing', async (t) => {
  const home = await BridgeHome.make(t);
  assert.match((await home.run(['status'], { OAUTH2_TOKEN_CACHE_DIR: '~/kept' })).out, new RegExp(`no sign-ins in ${home.folder}/kept`));
  assert.match((await home.run(['status'], { HOME: '' })).out, /neither HOME nor XDG_CONFIG_HOME nor oauth2\.tokenCacheDir/);
});

test('a damaged file of the cache is named once and set aside', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  assert.equal((await home.run(['login', gateway.mcp])).code, 0);
  const name = (await readdir(home.cache)).find((one) => one.endsWith('.json.enc'));
  await writeFile(join(home.cache, name), 'damaged');
  const first = await home.run(['status']);
  assert.match(first.err, new RegExp(`damaged.*set_aside_as=\\S+${name}\\.damaged`));
  assert.ok((await readdir(home.cache)).includes(`${name}.damaged`));
  const second = await home.run(['status']);
  assert.equal(second.err, '');
  assert.match((await home.run(['logout', gateway.mcp])).out, /signed out/);
  assert.ok(!(await readdir(home.cache)).some((one) => one.endsWith('.damaged')));
});

test('whoever has the lock is named only while he lives, and his page is not', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  assert.equal((await home.run(['login', gateway.mcp])).code, 0);
  home.environment.BRIDGE_PASSWORD = new Person().chosen;
  assert.equal((await home.run(['logout', gateway.mcp])).code, 0);
  const lock = join(home.cache, (await readdir(home.cache)).find((one) => one.endsWith('.lock')));
  const gone = spawn('true');
  await once(gone, 'exit');
  await writeFile(lock, JSON.stringify({ pid: gone.pid, doing: 'signing in', address: 'http://127.0.0.1:1/of-the-dead', opened: 1 }));
  const holder = spawn('flock', [lock, 'sh', '-c', 'echo held; read _'], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => holder.kill());
  await once(holder.stdout, 'data');
  const login = home.start(['login', gateway.mcp]);
  await until('it waits', () => login.errors.some((line) => line.includes('another bridge is at it')));
  await until('and says so', () => login.errors.some((line) => line.startsWith('Another bridge')));
  const told = login.errors.join('\n');
  assert.ok(!told.includes(String(gone.pid)) && !told.includes('of-the-dead'), told);
  holder.stdin.end();
  assert.equal((await within('the end of the login', login.exited, 30_000))[0], 0, login.errors.join('\n'));
});

test('what is said fits what happened', async (t) => {
  const home = await BridgeHome.make(t);
  const away = await home.run(['login', `http://127.0.0.1:${await portOfNobody()}/mcp`]);
  assert.equal(away.code, 4);
  assert.match(away.err, /The MCP server refuses the connection[^]*\(MOP-UPS-001\)|\(MOP-UPS-001\)/);
  assert.equal(away.err.match(/trying again for up to 4 s/g).length, 1, away.err);
  assert.equal(away.err.match(/http:\/\/127\.0\.0\.1:\d+\/mcp: .*trying again/g).length, 1, away.err);
  assert.ok(!/authorization server|mcp_server_url/.test(away.err), away.err);

  let origin;
  const url = await startAnswering(t, (asked, answer) => {
    if (asked.url.startsWith('/.well-known/oauth-protected')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (asked.url.startsWith('/.well-known/'))
      return json(answer, 200, { issuer: origin, authorization_endpoint: `${origin}/a`, token_endpoint: `${origin}/t`, registration_endpoint: `${origin}/r`, code_challenge_methods_supported: ['S256'] });
    answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  });
  origin = new URL(url).origin;
  const device = await home.run(['login', `${origin}/mcp`, '--device-code']);
  assert.equal(device.code, 5);
  assert.match(device.err, /names no device_authorization_endpoint, so it gives no device code: sign in without --device-code/);
  assert.ok(!device.err.includes('MOP-SIN-001'), device.err);

  const nowhere = await startAnswering(t, (asked, answer) => answer.writeHead(asked.url === '/mcp' ? 401 : 404).end());
  const fixed = await home.run(['login', `${new URL(nowhere).origin}/mcp`]);
  assert.match(fixed.err, /MOP-SIN-001[^]*OAUTH2_ACCESS_TOKEN/);

  const command = await home.run(['login', `${origin}/mcp`, '--access-token-command', 'exit 3']);
  assert.match(command.err, /accessTokenCommand[^]*There is no token, and the bridge cannot get one by itself/);

  const typo = await home.run(['logn', url]);
  assert.equal(typo.code, 2);
  assert.equal(typo.err, 'failed to load config: "logn" is not a command; the nearest is login');
});

test('an authorization server that does not answer is named while it is waited for', async (t) => {
  const home = await BridgeHome.make(t);
  let origin;
  const url = await startAnswering(t, (asked, answer) => {
    if (asked.url === '/mcp') return answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    if (asked.url.startsWith('/.well-known/oauth-protected')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    // Nothing.
  });
  origin = new URL(url).origin;
  const login = home.start(['login', `${origin}/mcp`]);
  const line = await until('the line', () => login.errors.find((one) => one.includes('still waiting')), 20_000);
  assert.match(line, /for=metadata url=\S+\/\.well-known\//);
});
