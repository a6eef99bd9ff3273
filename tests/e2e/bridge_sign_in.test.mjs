// The bridge signs in for a local client: found, registered, kept, shared, forgotten.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

import { AuthorizationServer } from './lib/authorization_server.mjs';
import { BridgeHome, ProtectedServer } from './lib/bridge.mjs';
import { makeCertificates } from './lib/certificates.mjs';
import { clockOff } from './lib/faketime.mjs';
import { binary, Gateway, Program } from './lib/gateway.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback, stopListening } from './lib/scope.mjs';
import { until, within } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let as, server;

before(async () => {
  as = await AuthorizationServer.start(scope, { consent: true });
  server = await ProtectedServer.start(scope, as.issuer);
});

const mode = async (path) => ((await stat(path)).mode & 0o777).toString(8);
const keptFile = async (home) => join(home.cache, (await readdir(home.cache)).find((name) => name.endsWith('.json.enc')));
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

async function signedIn(t, environment) {
  const home = await BridgeHome.make(t, environment);
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  return home;
}

test('at our gateway with its own users: found, registered, consented, kept and forgotten', async (t) => {
  const upstream = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url });
  const home = await BridgeHome.make(t, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  const done = await home.run(['login', gateway.mcp]);
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, new RegExp(`signed in to ${gateway.mcp} at ${gateway.origin}`));
  assert.match((await home.browserLog()).at(-1), /ended: 200 .*Login successful/);
  assert.equal(await mode(home.cache), '700');
  for (const name of await readdir(home.cache)) assert.equal(await mode(join(home.cache, name)), '600', name);

  const status = await home.run(['status', gateway.mcp]);
  assert.equal(status.code, 0, status.err);
  assert.match(status.out, /refresh token yes/);
  assert.match(status.out, new RegExp(`resource +${gateway.mcp}`));
  assert.match((await home.run(['status'])).out, new RegExp(gateway.mcp));

  const again = await home.run(['login', gateway.mcp]);
  assert.equal(again.code, 0, again.err);
  assert.equal((await home.pages()).length, 1, 'the page does not open twice for one need');

  assert.match((await home.run(['logout', gateway.mcp])).out, /signed out/);
  assert.equal((await home.run(['status', gateway.mcp])).code, 5);
  assert.match((await home.run(['logout', gateway.mcp])).out, /there is no sign-in/);
});

test('an authority of one\'s own is trusted when it is named, and nothing is signed in to otherwise', async (t) => {
  const upstream = await Upstream.start(t);
  const made = await makeCertificates(t, ['127.0.0.1']);
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url, tls: { cert_file: made.certFile, key_file: made.keyFile } });
  const url = `https://127.0.0.1:${gateway.port}/mcp`;
  const home = await BridgeHome.make(t, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  const stranger = await home.run(['login', url]);
  assert.equal(stranger.code, 4);
  assert.match(stranger.err, /certificate/i);
  assert.deepEqual(await home.pages(), []);
  // The variable that clients of Node have set already; --ca-file is the same.
  const known = await home.run(['login', url], { NODE_EXTRA_CA_CERTS: made.caFile });
  assert.equal(known.code, 0, known.err);
  assert.match(known.out, /signed in to/);
});

test('ten at once share one sign-in', async (t) => {
  const home = await BridgeHome.make(t);
  const all = await Promise.all(Array.from({ length: 10 }, () => home.run(['login', server.url])));
  for (const one of all) assert.equal(one.code, 0, one.err);
  assert.equal((await home.pages()).length, 1);
  assert.ok(all.some((one) => one.err.includes('Another bridge')), 'those that wait say for whom');
});

test('ten at once with a token that was refused share one refresh', async (t) => {
  const home = await signedIn(t);
  const before = as.asked('/token');
  server.refused.add(server.tokens.at(-1));
  const all = await Promise.all(Array.from({ length: 10 }, () => home.run(['login', server.url])));
  for (const one of all) assert.equal(one.code, 0, one.err);
  assert.equal(as.asked('/token') - before, 1);
  assert.equal((await home.pages()).length, 1);
});

test('a refresh token that was revoked leads to one sign-in, and to no end', async (t) => {
  const home = await signedIn(t);
  server.refused.add(server.tokens.at(-1));
  as.refuse = (request, response, path) => {
    if (path !== '/token' || as.refused) return false;
    as.refused = true;
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
    return true;
  };
  t.after(() => (as.refuse = undefined));
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /the refresh token is of no use any more/);
  assert.equal((await home.pages()).length, 2);
});

test('who was revoked while his bridge runs is asked to sign in by the next call; a server that only revokes, twice', async (t) => {
  const home = await signedIn(t);
  const bridge = home.serve(server.url);
  bridge.tell({ jsonrpc: '2.0', id: 'i', method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } } });
  const answer = (id) => until(`the answer to ${id}\n${bridge.errors}`, () => bridge.lines.find((line) => line.id === id), 30_000);
  const call = (id) => {
    bridge.tell({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'x' } });
    return answer(id);
  };
  assert.ok((await answer('i')).result, bridge.errors);
  let revoked = 0; // refreshes that are refused: without asking anybody, and by who may ask
  as.refuse = (request, response, path) => {
    if (path !== '/token' || revoked === 0) return false;
    revoked -= 1;
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
    return true;
  };
  t.after(() => (as.refuse = undefined));
  for (const pages of [2, 3]) {
    server.refused.add(server.tokens.at(-1));
    revoked = 2;
    const { result, error } = await call(`call ${pages}`);
    assert.ok(result, JSON.stringify(error));
    assert.equal((await home.pages()).length, pages);
  }
  server.refused.add(server.tokens.at(-1));
  revoked = 2;
  const { error } = await call('last');
  assert.equal(error.data.symptom, 'MOP-SIN-016');
  assert.equal((await home.pages()).length, 3);
});

test('a server that refuses whatever it is shown ends in an explanation, not in a storm', async (t) => {
  const home = await BridgeHome.make(t);
  server.refuseAll = true;
  t.after(() => (server.refuseAll = false));
  const before = as.asked('/token');
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 5);
  assert.match(done.err, /refused 2 fresh tokens; the token says iss=\S+, aud=\S+/);
  assert.ok(as.asked('/token') - before <= 2, `${as.asked('/token') - before} token requests`);
  assert.equal((await home.pages()).length, 1);
});

test('more scopes are asked for once, together with those before', async (t) => {
  const home = await signedIn(t);
  server.wanted = 'tools:write';
  server.needs = (request) => claims(request.headers.authorization.split(' ')[1]).scope.includes('tools:write');
  t.after(() => (server.needs = undefined));
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /asks for more than this sign-in may \(scope: tools:read [^)]*tools:write[^)]*\)\. To sign in again/);
  const asked = new URL((await home.pages()).at(-1)).searchParams.get('scope').split(' ');
  assert.deepEqual(asked.filter((one) => one.startsWith('tools:')), ['tools:read', 'tools:write']);

  server.needs = () => false;
  const vain = await home.run(['login', server.url]);
  assert.equal(vain.code, 5);
  assert.match(vain.err, /was asked for already/);
  assert.equal((await home.pages()).length, 2);
});

test('a server that knows no prompt=consent is asked without, in the page that is open', async (t) => {
  const strict = await AuthorizationServer.start(t);
  const other = await ProtectedServer.start(t, strict.issuer);
  const home = await BridgeHome.make(t);
  const done = await home.run(['login', other.url]);
  assert.equal(done.code, 0, done.err);
  assert.equal((await home.pages()).length, 1);
  assert.match((await home.run(['status', other.url])).out, /refresh token none: a new sign-in is needed then/);
});

test('a device code', async (t) => {
  const home = await BridgeHome.make(t);
  const done = await home.run(['login', server.url, '--device-code']);
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /open \S+\/device on any device and enter the code [A-Z]{4}-[A-Z]{4}/);
  assert.match((await home.browserLog()).at(-1), /Go back to your device/);
});

test('a program with a secret, and one with a key', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const home = await BridgeHome.make(t, { BROWSER: '/nonexistent' });
  const metadata = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
  const register = async (more) => {
    const answer = await fetch(`${as.issuer}/reg`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ...metadata, ...more }) });
    assert.equal(answer.status, 201, await answer.clone().text());
    return answer.json();
  };
  const secret = await register({ token_endpoint_auth_method: 'client_secret_basic' });
  const withSecret = await home.run(['login', server.url, '--client-credentials', '--client-id', secret.client_id], { OAUTH2_CLIENT_SECRET: secret.client_secret });
  assert.equal(withSecret.code, 0, withSecret.err);
  assert.equal(claims(server.tokens.at(-1)).client_id, secret.client_id);

  const byKey = await register({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256' }] } });
  await writeFile(join(home.folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const withKey = await home.run(['login', server.url, '--client-credentials', '--client-id', byKey.client_id, '--private-key-file', 'key.pem']);
  assert.equal(withKey.code, 0, withKey.err);
  assert.equal(claims(server.tokens.at(-1)).client_id, byKey.client_id);

  const wrong = await home.run(['login', server.url, '--client-credentials', '--client-id', 'nobody'], { OAUTH2_CLIENT_SECRET: 'a wrong secret' });
  assert.equal(wrong.code, 5);
  assert.match(wrong.err, /OAuth2 token request failed \(status 401\)/);
  assert.ok(!wrong.err.includes('a wrong secret'));
});

test('a token that is bound to a key of this machine, where the server wants that', async (t) => {
  server.metadata = { dpop_bound_access_tokens_required: true };
  t.after(() => (server.metadata = {}));
  const home = await BridgeHome.make(t);
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  assert.match(server.shown.at(-1), /^DPoP /);
  assert.ok(claims(server.tokens.at(-1)).cnf.jkt);
  assert.match((await home.run(['status', server.url])).out, /bound to a key/);
  // The refresh token is bound to it as well.
  server.refused.add(server.tokens.at(-1));
  const again = await home.run(['login', server.url]);
  assert.equal(again.code, 0, again.err);
  assert.equal((await home.pages()).length, 1);
});

test('a token of the environment or of a command is used as it is, and nothing is kept', async (t) => {
  const home = await BridgeHome.make(t);
  const given = await home.run(['login', server.url], { OAUTH2_ACCESS_TOKEN: 'a-token-of-the-environment' });
  assert.equal(given.code, 0, given.err);
  assert.equal(server.tokens.at(-1), 'a-token-of-the-environment');
  const command = await home.run(['login', server.url, '--access-token-command', 'echo of-a-command']);
  assert.equal(command.code, 0, command.err);
  assert.equal(server.tokens.at(-1), 'of-a-command');
  assert.deepEqual(await home.pages(), []);
});

test('a page where nobody is ends in time, and says what to do', async (t) => {
  const home = await BridgeHome.make(t, { BRIDGE_PERSON: 'away', SSH_CONNECTION: '10.0.0.9 5000 10.0.0.1 22', USER: 'me' });
  const done = await home.run(['login', server.url, '--auth-timeout', '1']);
  assert.equal(done.code, 5);
  assert.match(done.err, /interactive auth timed out after 1000 ms: nothing reached http:\/\/127\.0\.0\.1:\d+\/callback/);
  assert.match(done.err, /ssh -L (\d+):127\.0\.0\.1:\1 me@10\.0\.0\.1/);
});

test('stray and hostile requests to the callback end nothing', async (t) => {
  const home = await BridgeHome.make(t, { BRIDGE_PERSON: 'away' });
  const login = home.start(['login', server.url]);
  const [address] = await until('the page', async () => { const pages = await home.pages(); return pages.length && pages; });
  const back = new URL(new URL(address).searchParams.get('redirect_uri'));
  const state = new URL(address).searchParams.get('state');
  for (const query of ['', '?error=access_denied', '?code=x&state=wrong', `?code=x&state=${state}&state=${state}`, `?state=${state}`]) {
    const answer = await fetch(`${back}${query}`);
    assert.equal(answer.status, 400, query);
    assert.ok(!/<script|href=|src=/.test(await answer.text()));
  }
  assert.equal((await fetch(`${back.origin}/elsewhere`)).status, 404);
  assert.ok(login.running);
  const left = await new Person({ user: 'alice' }).approve(address, back.href);
  const end = await fetch(left);
  assert.equal(end.status, 200);
  assert.match(end.headers.get('content-security-policy'), /default-src 'none'/);
  assert.equal((await within('the end of the login', login.exited))[0], 0, login.errors.join('\n'));
  await assert.rejects(fetch(back), 'the port is closed with the sign-in');
});

test('localhost is listened on in IPv4 and IPv6, and on nothing else', async (t) => {
  const home = await BridgeHome.make(t, { BRIDGE_PERSON: 'away' });
  const login = home.start(['login', server.url, '--host', 'localhost']);
  const [address] = await until('the page', async () => { const pages = await home.pages(); return pages.length && pages; });
  const back = new URL(new URL(address).searchParams.get('redirect_uri'));
  assert.equal(back.hostname, 'localhost');
  for (const host of ['127.0.0.1', '[::1]']) assert.equal((await fetch(`http://${host}:${back.port}/elsewhere`)).status, 404, host);
  const outside = Object.values(networkInterfaces()).flat().find((one) => one.family === 'IPv4' && !one.internal)?.address;
  if (outside) await assert.rejects(fetch(`http://${outside}:${back.port}/elsewhere`));
  await login.kill();
});

test('a pinned port that is taken is waited for, and its holder is named', async (t) => {
  const holder = createServer();
  const port = await listenOnLoopback(t, holder);
  const home = await BridgeHome.make(t);
  const login = home.start(['login', server.url, String(port)]);
  const line = await until('the reason', () => login.errors.find((one) => one.includes('waiting for the port')));
  assert.match(line, new RegExp(`listen EADDRINUSE: address already in use 127\\.0\\.0\\.1:${port}, held by process ${process.pid}`));
  assert.deepEqual(await home.pages(), []);
  await stopListening(holder);
  assert.equal((await within('the end', login.exited))[0], 0, login.errors.join('\n'));
  assert.equal(new URL(new URL((await home.pages())[0]).searchParams.get('redirect_uri')).port, String(port));
});

test('where the browser cannot reach this machine, the address is pasted', async (t) => {
  const home = await BridgeHome.make(t, { BROWSER: '' });
  // Without a browser a device code would be used, where there is one: a client id of the user has none.
  const registered = await (await fetch(`${as.issuer}/reg`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/callback'], application_type: 'native', token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] }),
  })).json();
  const terminal = home.inTerminal(['login', server.url, '--client-id', registered.client_id]);
  await until('the prompt', () => terminal.text.includes('paste the address where it ended here'), 30_000);
  const address = new URL(/http:\/\/\S+\/auth\?\S+/.exec(terminal.text)[0]);
  const left = await new Person({ user: 'alice' }).approve(address, address.searchParams.get('redirect_uri'));
  terminal.write('http://127.0.0.1/callback?code=x&state=wrong\n');
  await until('the complaint', () => terminal.text.includes('not the address where the browser ended'));
  terminal.write(`${left.href}\n`);
  await within('the end', terminal.exited, 30_000);
  assert.match(terminal.text, /signed in to/);
});

const hello = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } } };
const replyTo = (client, id) => until(`the reply to ${id}`, () => client.lines.find((line) => line.id === id));

test('a kept sign-in serves a client at once: one small file, no thread, no libcurl, no page', async (t) => {
  const home = await signedIn(t);
  const shown = server.shown.length;
  const client = home.serve(server.url);
  client.tell(hello);
  assert.ok((await replyTo(client, 1)).result, client.errors);
  assert.match(server.shown[shown], /^Bearer /, 'the first request has the token');
  const maps = await readFile(`/proc/${client.child.pid}/maps`, 'utf8');
  assert.ok(!maps.includes('libcurl'), 'libcurl is not loaded');
  const status = await readFile(`/proc/${client.child.pid}/status`, 'utf8');
  assert.equal(/^Threads:\s+(\d+)/m.exec(status)[1], '1');
  client.child.stdin.end();
  assert.equal(await within('the end', client.exited), 0);
  assert.equal((await home.pages()).length, 1);
});

test('ten clients at once without a sign-in: one page, ten answers', async (t) => {
  const home = await BridgeHome.make(t);
  const clients = Array.from({ length: 10 }, () => home.serve(server.url));
  for (const client of clients) client.tell(hello);
  for (const client of clients) assert.ok((await replyTo(client, 1)).result, client.errors);
  assert.equal((await home.pages()).length, 1);
  for (const client of clients) client.child.stdin.end();
  for (const client of clients) assert.equal(await within('the end', client.exited), 0, client.errors);
});

test('a token that ends in the middle is renewed for all calls at once', async (t) => {
  const home = await signedIn(t);
  const client = home.serve(server.url);
  client.tell(hello);
  await replyTo(client, 1);
  const before = as.asked('/token');
  const asked = server.asked.length;
  server.refused.add(server.tokens.at(-1));
  for (let id = 2; id < 22; ++id) client.tell({ jsonrpc: '2.0', id, method: 'ping' });
  for (let id = 2; id < 22; ++id) assert.ok((await replyTo(client, id)).result, client.errors);
  assert.equal(as.asked('/token') - before, 1);
  assert.equal((await home.pages()).length, 1);
  client.child.stdin.end();
  await client.exited;
  for (const one of server.asked.slice(asked)) {
    assert.ok(one.token, 'each request shows the token in its header');
    assert.equal(one.url, '/mcp', 'and nowhere else');
  }
});

test('the address can be pasted in another terminal while the bridge of a client waits', async (t) => {
  const home = await BridgeHome.make(t, { BRIDGE_PERSON: 'away' });
  const client = home.serve(server.url);
  client.tell(hello);
  await until('the page', async () => (await home.pages()).length === 1);
  const terminal = home.inTerminal(['login', server.url]);
  await until('the prompt', () => terminal.text.includes('paste the address where it ended here'), 30_000);
  assert.match(terminal.text, new RegExp(`Another bridge to ${server.url} \\(PID ${client.child.pid}\\) waits for a person to sign in: http`));
  const address = new URL((await home.pages())[0]);
  const left = await new Person({ user: 'alice' }).approve(address, address.searchParams.get('redirect_uri'));
  terminal.write(`${left.href}\n`);
  await within('the end of the login', terminal.exited, 30_000);
  assert.match(terminal.text, /signed in to/);
  assert.ok((await replyTo(client, 1)).result, client.errors);
  assert.equal((await home.pages()).length, 1);
  client.child.stdin.end();
  await client.exited;
});

test('with a secret service the key is there and not beside the file; a keyring that is locked is survived', async (t) => {
  const home = await BridgeHome.make(t, { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' });
  const tools = join(home.folder, 'tools');
  await mkdir(tools);
  const keyring = join(home.folder, 'keyring');
  await writeFile(join(tools, 'secret-tool'), `#!/bin/sh\n[ -e ${home.folder}/locked ] && exit 1\ncase $1 in store) cat >${keyring};; lookup) cat ${keyring};; esac\n`);
  await chmod(join(tools, 'secret-tool'), 0o755);
  home.environment.PATH = `${tools}:${home.environment.PATH}`;
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  const names = await readdir(home.cache);
  assert.ok(names.includes('key.secret-service') && !names.includes('key.bin'), names.join());
  assert.equal((await home.run(['login', server.url])).code, 0);
  assert.equal((await home.run(['status', server.url])).code, 0);
  assert.equal((await home.pages()).length, 1);

  const before = await readFile(await keptFile(home));
  await writeFile(join(home.folder, 'locked'), '');
  const locked = await home.run(['login', server.url]);
  assert.equal(locked.code, 5, locked.err);
  assert.match(locked.err, /the secret service gives no key: locked, or not there/);
  assert.match(locked.err, /signed in to .*, and nothing of it could be kept\n.*MOP-SIN-019/);
  assert.deepEqual(await readFile(await keptFile(home)), before, 'what the keyring still has the key for stays readable');
  await rm(join(home.folder, 'locked'));
  assert.equal((await home.run(['status', server.url])).code, 0);

  const file = await BridgeHome.make(t, { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent', OAUTH2_TOKEN_CACHE_KEY: 'file', PATH: home.environment.PATH });
  assert.equal((await file.run(['login', server.url])).code, 0);
  assert.ok((await readdir(file.cache)).includes('key.bin'));
});

test('a clock that jumps costs a refresh at most, and no sign-in', async (t) => {
  const home = await signedIn(t);
  const at = (offset) => ({ ...clockOff(offset), LOG_LEVEL: 'debug' });
  const before = as.asked('/token');
  const back = await home.run(['login', server.url], at('-2h'));
  assert.equal(back.code, 0, back.err);
  assert.equal(as.asked('/token') - before, 0, 'what the clock says of a token from its future is nothing');
  const forward = await home.run(['login', server.url], at('+2h'));
  assert.equal(forward.code, 0, forward.err);
  assert.equal(as.asked('/token') - before, 1);
  assert.match(forward.err, /refreshing at /);
  // The clock is right again, and the token was obtained two hours from now.
  const again = await home.run(['login', server.url]);
  assert.equal(again.code, 0, again.err);
  assert.equal((await home.pages()).length, 1);
});

test('no secret is in the log, at any level', async (t) => {
  const home = await BridgeHome.make(t, { LOG_LEVEL: 'trace' });
  const done = await home.run(['login', server.url, '--header', 'X-Key: a-header-secret', '--authorize-param', 'login_hint=x'], { OAUTH2_EXTRA_PARAMS: '{"api_key":"an-extra-secret"}' });
  assert.equal(done.code, 0, done.err);
  server.refused.add(server.tokens.at(-1));
  const again = await home.run(['login', server.url], { OAUTH2_EXTRA_PARAMS: '{"api_key":"an-extra-secret"}' });
  const log = done.err + again.err;
  assert.match(log, /debug \[sign-in\] POST \S+\/token for=the token endpoint/);
  assert.match(log, /trace \[sign-in\] answered url=\S+ status=200/);
  const left = (await home.browserLog()).join('\n');
  for (const one of [...server.tokens, 'a-header-secret']) assert.ok(!log.includes(one), `${one} is in the log`);
  // The address that a person opens is shown as it is; nothing else is.
  assert.ok(!log.replace(/^ {2}http.*$/gm, '').includes('an-extra-secret'), log);
  assert.ok(left.includes('ended: 200'));
  assert.ok(!left.includes('ended: with'), 'nor in the environment of the browser');
});

test('what is wrong with the cache is named and survived', async (t) => {
  const damage = {
    'another key': async (home) => writeFile(join(home.cache, 'key.bin'), Buffer.alloc(32, 7)),
    'a short key': async (home) => writeFile(join(home.cache, 'key.bin'), 'short'),
    'flipped bits': async (home) => {
      const file = await keptFile(home);
      const bytes = await readFile(file);
      bytes[40] ^= 1;
      await writeFile(file, bytes);
    },
    'cut off': async (home) => writeFile(await keptFile(home), (await readFile(await keptFile(home))).subarray(0, 20)),
    empty: async (home) => writeFile(await keptFile(home), ''),
    text: async (home) => writeFile(await keptFile(home), '{"refreshToken":"x"}'),
  };
  for (const [what, harm] of Object.entries(damage)) {
    const home = await signedIn(t);
    await harm(home);
    const done = await home.run(['login', server.url]);
    assert.equal(done.code, 0, `${what}: ${done.err}`);
    assert.match(done.err, /tokenCache: load failed, ignoring cache|is no key of 32 bytes/, what);
    assert.equal((await home.pages()).length, 2, what);
    const quiet = await home.run(['login', server.url]);
    assert.ok(!/tokenCache/.test(quiet.err), `${what}: ${quiet.err}`);
  }
  const home = await signedIn(t);
  const file = await keptFile(home);
  await chmod(file, 0o644);
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0);
  assert.match(done.err, /could be read by others: its mode is 0600 from now on file=\S+ mode=0644/);
  assert.equal(await mode(file), '600');
  assert.equal((await home.pages()).length, 1);
  await chmod(home.cache, 0o777);
  const open = await home.run(['login', server.url]);
  assert.equal(open.code, 0);
  assert.equal(open.err.match(/chmod 700 \S+, until then nothing is kept there/g).length, 1, open.err);
  server.refused.add(server.tokens.at(-1));
  assert.match((await home.run(['login', server.url])).err, /chmod 700/);
});

test('killed at any moment it leaves the old or the new, and no lock', async (t) => {
  const home = await signedIn(t);
  for (let round = 0; round < 30; ++round) {
    server.refused.add(server.tokens.at(-1));
    const program = home.start(['login', server.url]);
    const timer = setTimeout(() => program.child.kill('SIGKILL'), round * 4);
    await program.exited;
    clearTimeout(timer);
    const status = await home.run(['status', server.url]);
    assert.ok(!/load failed/.test(status.err), status.err);
  }
  const done = await home.run(['login', server.url]);
  assert.equal(done.code, 0, done.err);
  // What was left behind goes with the next writing.
  server.refused.add(server.tokens.at(-1));
  assert.equal((await home.run(['login', server.url])).code, 0);
  assert.deepEqual((await readdir(home.cache)).filter((name) => name.endsWith('.tmp')), []);
});

test('who is killed while a person signs in does not fill the desktop with pages when started again', async (t) => {
  const home = await BridgeHome.make(t, { BRIDGE_PERSON: 'away' });
  for (let round = 0; round < 3; ++round) {
    const program = home.start(['login', server.url]);
    await until('the address', () => program.errors.join('\n').includes('/auth?'));
    if (round === 0) await until('the page', async () => (await home.pages()).length === 1);
    await program.kill();
  }
  assert.equal((await home.pages()).length, 1);
});

test('a network that comes back is waited for, and one that does not ends in its own exit code', async (t) => {
  const own = await AuthorizationServer.start(t, { consent: true });
  const protectedServer = await ProtectedServer.start(t, own.issuer);
  const home = await BridgeHome.make(t);
  assert.equal((await home.run(['login', protectedServer.url])).code, 0);
  protectedServer.refused.add(protectedServer.tokens.at(-1));
  await own.goAway();
  const waiting = home.start(['login', protectedServer.url], { LOG_LEVEL: 'debug' });
  await until('the first try', () => waiting.errors.join('\n').includes('no answer'));
  await own.comeBack();
  assert.equal((await within('the end', waiting.exited, 30_000))[0], 0, waiting.errors.join('\n'));

  protectedServer.refused.add(protectedServer.tokens.at(-1));
  await own.goAway();
  const away = await home.run(['login', protectedServer.url]);
  assert.equal(away.code, 4, away.err);
  await own.comeBack();
  assert.equal((await home.pages()).length, 1);
});

test('an authorization server that wants something else opened than a web page opens nothing', async (t) => {
  const hostile = ['file:///etc/passwd', 'javascript:alert(1)', 'http://as.example/authorize', 'https://as.example/$(touch pwned)', 'a:$(touch pwned)?x', '--help', 'https://as.example/`id`', `https://as.example/"&touch pwned&"`];
  let endpoint;
  const evil = createServer((request, response) => {
    const origin = `http://127.0.0.1:${request.socket.localPort}`;
    const json = (body, status = 200) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (request.url.includes('oauth-protected-resource')) return json({ resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (request.url.includes('oauth-authorization-server'))
      return json({ issuer: origin, authorization_endpoint: endpoint, token_endpoint: `${origin}/token`, registration_endpoint: `${origin}/reg`, code_challenge_methods_supported: ['S256'] });
    if (request.url === '/reg') return json({ client_id: 'x' }, 201);
    return json({}, 401);
  });
  const port = await listenOnLoopback(t, evil);
  for (endpoint of hostile) {
    const home = await BridgeHome.make(t);
    const done = await home.run(['login', `http://127.0.0.1:${port}/mcp`]);
    assert.equal(done.code, 5, endpoint);
    assert.match(done.err, /authorization_endpoint of /, endpoint);
    assert.deepEqual(await home.pages(), [], endpoint);
    assert.deepEqual((await readdir(home.folder)).filter((name) => name.includes('pwned')), []);
  }
});

test('under the name that it stands in for, a configuration that cannot work ends with 2 and the guide\'s words', async (t) => {
  const home = await BridgeHome.make(t);
  const name = join(home.folder, 'mcp-oauth2-proxy');
  await symlink(binary, name);
  const run = async (environment) => {
    // Standard input stays open, as a client leaves it.
    const program = new Program(t, name, [], { cwd: home.folder, env: { ...home.environment, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
    const [code] = await program.exited;
    return { code, err: program.errors.join('\n') };
  };
  const good = { UPSTREAM_URL: server.url, OAUTH2_GRANT: 'authorization_code', OAUTH2_CLIENT_ID: 'x' };
  for (const [environment, says] of [
    [{ ...good, OAUTH2_CALLBACK_PORT: 'abc' }, 'failed to load config: OAUTH2_CALLBACK_PORT must be an integer, got "abc"'],
    [{ ...good, UPSTREAM_URL: 'http://mcp.example/mcp' }, 'failed to load config: upstream.url uses cleartext http to a non-loopback host (mcp.example), which would leak OAuth2 credentials/tokens.'],
    [{ ...good, OAUTH2_EXTRA_PARAMS: '{' }, 'failed to load config: OAUTH2_EXTRA_PARAMS is not valid JSON'],
    [{ ...good, DISCOVERY_ENABLED: 'false' }, 'failed to build oauth2 grant: OAuth2 token endpoint is not set; provide tokenUrl or enable discovery'],
    [{ ...good, MCP_PROXY_CONFIG: '/absent.json' }, "failed to load config: ENOENT: no such file or directory, open '/absent.json'"],
    [{}, 'failed to load config: upstream.url: Required'],
    [{ ...good, OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_SECRET: 'wrong', DISCOVERY_ENABLED: 'false', OAUTH2_TOKEN_URL: `${as.issuer}/token` },
      'failed to acquire initial oauth2 token: OAuth2 token request failed (status 401): '],
    [{ ...good, DISCOVERY_ENABLED: 'false', OAUTH2_TOKEN_URL: `${as.issuer}/token`, OAUTH2_AUTHORIZATION_URL: `${as.issuer}/auth`, OAUTH2_INTERACTIVE: 'false' },
      'failed to acquire initial oauth2 token: authorization_code grant requires "authorizationCode"'],
    [{ ...good, OAUTH2_CALLBACK_TIMEOUT_SECONDS: '1', OAUTH2_CALLBACK_PORT: '0', BRIDGE_PERSON: 'away' },
      'failed to acquire initial oauth2 token: interactive auth timed out after 1000 ms'],
  ]) {
    const done = await run(environment);
    assert.equal(done.code, 2, done.err);
    assert.ok(done.err.includes(says), done.err);
  }
});
