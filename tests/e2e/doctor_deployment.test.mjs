// doctor: a configuration, the gateway that runs with it, its identity provider; a whole sign-in; what it changes.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { chmod, chown, lstat, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { before, test } from 'node:test';

import Ajv2020 from 'ajv/dist/2020.js';

import { Gateway, binary } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { fileScope, listenOnLoopback, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const root = resolve(import.meta.dirname, '../..');
let upstream, valid;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  const schema = JSON.parse(await readFile(join(root, 'docs/reference/doctor.schema.json'), 'utf8'));
  valid = new Ajv2020({ strict: false }).compile(schema);
});

async function run(args, { environment = {}, cwd } = {}) {
  const child = spawn(binary, ['doctor', ...args], { cwd, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment } });
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output.err += text));
  child.stdin.end();
  const [code] = await once(child, 'close');
  return { code, ...output };
}

async function examined(args, options = {}) {
  const ended = await run([...args, '--json'], options);
  assert.ok(ended.out, `code ${ended.code}: ${ended.err}`);
  const told = JSON.parse(ended.out);
  assert.ok(valid(told), JSON.stringify(valid.errors));
  return { code: ended.code, text: ended.out, err: ended.err, ...told };
}
const shown = (told) => JSON.stringify(told, null, 1);
const wrong = (told) => told.findings.filter((one) => one.severity === 'failure').map((one) => one.id);

// A folder with a configuration whose gateway runs, at the port that stands in the file.
async function deployment(t, settings = {}) {
  const port = await portOfNobody();
  const gateway = await Gateway.start(t, { port, mcp_server_url: upstream.url, ...settings });
  await chmod(join(gateway.folder, 'oauth.db'), 0o600);
  return gateway;
}

test('a configuration and its running gateway, of which nothing is wrong', async (t) => {
  const gateway = await deployment(t);
  const told = await examined([], { cwd: gateway.folder });
  assert.deepEqual(wrong(told), [], shown(told.first));
  assert.equal(told.code, 0);
  const checks = told.findings.map((one) => one.check);
  for (const check of ['config.file', 'start', 'gateway.running', 'gateway.configuration', 'token.asked', 'server.pkce'])
    assert.ok(checks.includes(check), `${check} of ${checks}`);
  const named = await examined([join(gateway.folder, 'config.yaml')], { cwd: '/' });
  assert.deepEqual(wrong(named), []);
});

test('of several servers each is met from outside, and what is wrong at one of them alone is told', async (t) => {
  const port = await portOfNobody();
  let passes = () => true;
  const front = await startAnswering(t, async (request, answer) => {
    if (!passes(request.url)) return void answer.writeHead(404).end('no such place');
    const { host: _, connection: __, ...headers } = request.headers;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const got = await fetch(`http://127.0.0.1:${port}${request.url}`, { method: request.method, headers, redirect: 'manual', ...(chunks.length && { body: Buffer.concat(chunks) }) });
    answer.writeHead(got.status, Object.fromEntries([...got.headers].filter(([name]) => !/^(transfer-encoding|content-encoding|connection|content-length)$/.test(name))));
    for await (const piece of got.body ?? []) answer.write(piece);
    answer.end();
  });
  const servers = ['mail', 'files'].map((name) => ({ name, url: upstream.url, paths: [`/${name}`] }));
  const gateway = await deployment(t, { port, public_url: front, mcp_server_url: undefined, upstreams: servers, trusted_proxies: ['127.0.0.1'] });
  const well = await examined([], { cwd: gateway.folder });
  assert.deepEqual(wrong(well), [], shown(well.first));
  assert.ok(well.findings.some((one) => one.check === 'server.other' && one.where === `${front}/files`), shown(well.findings));
  passes = (path) => path !== '/files';
  const lost = await examined([], { cwd: gateway.folder });
  assert.equal(lost.first.id, 'MOP-WEB-007', shown(lost.first));
  assert.match(lost.first.where, /\/files/);
  assert.deepEqual(wrong(lost), ['MOP-WEB-007'], shown(lost.findings.filter((one) => one.severity !== 'ok')));
});

test('a gateway that does not run, and another that holds its port', async (t) => {
  const gateway = await deployment(t);
  gateway.stoppedByTest = true;
  assert.equal(await gateway.stop(), 0);
  const gone = await examined([], { cwd: gateway.folder });
  assert.equal(gone.first.id, 'MOP-RUN-001', shown(gone.first));
  assert.equal(gone.code, 5);
  const other = createServer((_, response) => response.end('hello'));
  await listenOnLoopback(t, other, gateway.port);
  const taken = await examined([], { cwd: gateway.folder });
  assert.equal(taken.first.id, 'MOP-RUN-001', shown(taken.first));
  assert.match(taken.first.cause, /Another program/);
});

test('a gateway that runs with an older configuration', async (t) => {
  const gateway = await deployment(t);
  const text = JSON.parse(await readFile(join(gateway.folder, 'config.yaml'), 'utf8'));
  // Beside the one that it watches: it would reload that.
  const file = join(gateway.folder, 'newer.yaml');
  await writeFile(file, JSON.stringify({ ...text, public_url: `http://127.0.0.1:${await portOfNobody()}` }, null, 2));
  const told = await examined([file], { cwd: gateway.folder });
  assert.equal(told.first.id, 'MOP-RUN-003', shown(told.first));
});

test('a configuration that cannot work ends with 3, and says each line', async (t) => {
  const folder = await temporaryFolder(t, 'config');
  const file = join(folder, 'config.yaml');
  const absent = await examined([file]);
  assert.deepEqual([absent.code, absent.first.id], [3, 'MOP-CFG-001']);
  await writeFile(file, 'prot: 1\nmcp_server_url: nonsense\nencryption_key: CANARY-KEY\n');
  const told = await examined([file]);
  assert.equal(told.code, 3);
  assert.equal(told.first.id, 'MOP-CFG-003');
  assert.ok(told.findings.length >= 2);
  assert.ok(!told.text.includes('CANARY'), told.text);
});

// Something that speaks MCP at that path, and knows no other.
const serverAt = (t, path) => startAnswering(t, (request, response) => {
  if (request.url !== path) return response.writeHead(404).end();
  return response.writeHead(400, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}');
});

test('the running gateway is asked by itself, whatever proxy the environment names', async (t) => {
  const proxy = await startAnswering(t, (_, response) => response.writeHead(403, { 'content-type': 'text/html' }).end('<html><title>Access denied</title>'));
  const gateway = await deployment(t);
  const told = await examined([], { cwd: gateway.folder, environment: { http_proxy: proxy, no_proxy: new URL(upstream.url).host } });
  assert.ok(told.findings.some((one) => one.check === 'gateway.running' && one.severity === 'ok'), shown(told.findings));
});

test('--fix writes no address at which something else answers, nor into what is not that setting', async (t) => {
  const other = await startAnswering(t, (request, response) => response.writeHead(request.url === '/mcp' ? 405 : 404).end());
  const beside = await deployment(t, { mcp_server_url: `${other}/wrong` });
  const told = await examined(['--fix'], { cwd: beside.folder });
  assert.ok(wrong(told).includes('MOP-WEB-007'), shown(told.first));
  assert.deepEqual(told.changes, []);

  const origin = await serverAt(t, '/mcp');
  const gateway = await deployment(t, { mcp_server_url: `http://127.0.0.1:${await portOfNobody()}` });
  const file = join(gateway.folder, 'config.yaml');
  const text = `${await readFile(file, 'utf8')}\n# mcp_server_url: ${origin}/wrong\n`;
  await writeFile(file, text);
  const named = await examined(['--fix', '--yes'], { cwd: gateway.folder, environment: { MCP_SERVER_URL: `${origin}/wrong` } });
  const found = named.findings.find((one) => one.id === 'MOP-WEB-007');
  assert.match(found.fix, /MCP_SERVER_URL/);
  assert.deepEqual(named.changes, []);
  assert.equal(await readFile(file, 'utf8'), text);
});

test('an MCP server that is away, and one at another path, which --fix writes into the file', async (t) => {
  const away = await deployment(t, { mcp_server_url: `http://127.0.0.1:${await portOfNobody()}` });
  const gone = await examined([], { cwd: away.folder });
  assert.equal(gone.first.id, 'MOP-UPS-001', shown(gone.first));

  const port = Number(new URL(await serverAt(t, '/mcp')).port);
  const gateway = await deployment(t, { mcp_server_url: `http://127.0.0.1:${port}/wrong` });
  const told = await examined(['--fix'], { cwd: gateway.folder });
  assert.equal(told.first.id, 'MOP-WEB-007', shown(told.first));
  assert.deepEqual([told.changes.length, told.changes[0].made], [1, false]);
  const file = join(gateway.folder, 'config.yaml');
  const before = await readFile(file, 'utf8');
  const diff = await run(['--fix'], { cwd: gateway.folder });
  assert.match(diff.out, new RegExp(`\\n-.*:${port}/wrong.*\\n\\+.*:${port}/mcp`));
  assert.match(diff.out, /Nothing was changed/);
  assert.equal(await readFile(file, 'utf8'), before);
  await run(['--fix', '--yes'], { cwd: gateway.folder });
  assert.equal(await readFile(file, 'utf8'), before.replace(`${port}/wrong`, `${port}/mcp`));
  assert.ok(!wrong(await examined([], { cwd: gateway.folder })).includes('MOP-WEB-007'));
});

test('a file that others can read, whose mode --fix --yes narrows', async (t) => {
  const gateway = await deployment(t);
  const database = join(gateway.folder, 'oauth.db');
  await chmod(database, 0o644);
  const told = await examined([], { cwd: gateway.folder });
  assert.ok(told.findings.some((one) => one.id === 'MOP-FIL-003' && one.where.endsWith('oauth.db')), shown(told.findings));
  await run(['--fix', '--yes'], { cwd: gateway.folder });
  assert.equal((await stat(database)).mode & 0o777, 0o600);
});

test('--fix keeps owner, mode and links, and writes through none that was planted', async (t) => {
  const origin = await serverAt(t, '/mcp');
  const gateway = await deployment(t, { mcp_server_url: `${origin}/elsewhere` });
  const config = join(gateway.folder, 'config.yaml');
  const real = join(gateway.folder, 'real.yaml');
  await rename(config, real);
  await symlink('real.yaml', config);
  await chmod(real, 0o640);
  if (process.getuid() === 0) await chown(real, 1000, 1000);
  const victim = join(gateway.folder, 'victim');
  await writeFile(victim, 'precious');
  for (const name of ['config.yaml.doctor', 'real.yaml.doctor']) await symlink('victim', join(gateway.folder, name));
  await run(['--fix', '--yes'], { cwd: gateway.folder });
  assert.ok((await readFile(real, 'utf8')).includes(`"${origin}/mcp"`));
  assert.equal(await readFile(victim, 'utf8'), 'precious');
  assert.ok((await lstat(config)).isSymbolicLink());
  const now = await stat(real);
  assert.equal(now.mode & 0o777, 0o640);
  if (process.getuid() === 0) assert.deepEqual([now.uid, now.gid], [1000, 1000]);
});

test('--login shows its token to no server that the one in question redirects to', async (t) => {
  const seen = [];
  let origin;
  const thief = createServer((request, answer) => {
    seen.push(request.headers.authorization);
    answer.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` }).end();
  });
  await new Promise((done) => thief.listen(0, '127.0.0.2', done));
  t.after(() => thief.close());
  const url = await startAnswering(t, (asked, answer) => {
    const json = (value, status = 200) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const at = new URL(asked.url, origin);
    if (at.pathname === '/mcp') return answer.writeHead(307, { location: `http://127.0.0.2:${thief.address().port}/steal` }).end();
    if (at.pathname.startsWith('/.well-known/oauth-protected-resource')) return json({ resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (at.pathname.startsWith('/.well-known/')) {
      return json({
        issuer: origin, authorization_endpoint: `${origin}/in`, token_endpoint: `${origin}/token`, registration_endpoint: `${origin}/register`,
        response_types_supported: ['code'], code_challenge_methods_supported: ['S256'],
      });
    }
    if (at.pathname === '/register') return json({ client_id: 'c' }, 201);
    if (at.pathname === '/in') return answer.writeHead(302, { location: `${at.searchParams.get('redirect_uri')}?code=x&state=${at.searchParams.get('state')}` }).end();
    if (at.pathname === '/token') return json({ access_token: 'CANARY-TOKEN', token_type: 'Bearer' });
    return answer.writeHead(404).end();
  });
  origin = new URL(url).origin;
  const browser = join(await temporaryFolder(t, 'browser'), 'go.mjs');
  await writeFile(browser, 'await fetch(process.argv[2]);');
  const told = await examined([`${origin}/mcp`, '--login'], { environment: { BROWSER: `${process.execPath} ${browser} %s` } });
  assert.ok(told.findings.some((one) => one.check === 'login.exchange'), shown(told.findings) + told.err);
  assert.ok(told.findings.some((one) => one.check === 'login.token' && /not tried/.test(one.seen)), shown(told.findings));
  assert.ok(seen.length > 0 && !seen.some((one) => one?.includes('CANARY')), String(seen));
  assert.ok(told.findings.some((one) => one.check === 'login.revocation' && /not given back/.test(one.seen)), shown(told.findings));
});

test('--login calls a refusal inside of a 200 no success, and shows no token that it repeats', async (t) => {
  let origin;
  const url = await startAnswering(t, (asked, answer) => {
    const json = (value, status = 200, fields = {}) => answer.writeHead(status, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(value));
    const at = new URL(asked.url, origin);
    if (at.pathname === '/mcp' && asked.headers.authorization)
      return json({ jsonrpc: '2.0', id: null, error: { code: -32001, message: `Unauthorized: invalid token ${asked.headers.authorization}` } });
    if (at.pathname === '/mcp') return json({}, 401, { 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` });
    if (at.pathname.startsWith('/.well-known/oauth-protected-resource')) return json({ resource: `${origin}/mcp`, authorization_servers: [origin] });
    if (at.pathname.startsWith('/.well-known/')) {
      return json({
        issuer: origin, authorization_endpoint: `${origin}/in`, token_endpoint: `${origin}/token`, registration_endpoint: `${origin}/register`,
        response_types_supported: ['code'], code_challenge_methods_supported: ['S256'],
      });
    }
    if (at.pathname === '/register') return json({ client_id: 'c' }, 201);
    if (at.pathname === '/in') return answer.writeHead(302, { location: `${at.searchParams.get('redirect_uri')}?code=x&state=${at.searchParams.get('state')}` }).end();
    if (at.pathname === '/token') return json({ access_token: 'CANARY-OF-THE-TOKEN', token_type: 'Bearer' });
    return answer.writeHead(404).end();
  });
  origin = new URL(url).origin;
  const browser = join(await temporaryFolder(t, 'browser'), 'go.mjs');
  await writeFile(browser, 'await fetch(process.argv[2]);');
  const told = await examined([`${origin}/mcp`, '--login'], { environment: { BROWSER: `${process.execPath} ${browser} %s` } });
  const of = (check) => told.findings.find((one) => one.check === check);
  assert.deepEqual([of('login.token')?.id, of('login.token')?.severity], ['MOP-SIN-016', 'failure'], shown(told.findings) + told.err);
  assert.match(of('login.token').seen, /invalid token/);
  assert.ok(!(told.text + told.err).includes('CANARY'), told.text + told.err);
  for (const check of ['token.made_up', 'token.unsigned']) assert.equal(of(check).id, 'MOP-CHA-009', shown(of(check)));
});

test('a server that only speaks of HTTPS keeps its http:// in --fix', async (t) => {
  const origin = await startAnswering(t, (request, response) => response.writeHead(400).end('see HTTPS://example.com'));
  const gateway = await deployment(t, { mcp_server_url: `${origin}/mcp` });
  const told = await examined(['--fix'], { cwd: gateway.folder });
  assert.deepEqual(told.changes, []);
});

test('an identity provider that sends back what it was sent has no secret shown', async (t) => {
  let issuer;
  const url = await startAnswering(t, (asked, answer) => {
    const json = (value, status = 200) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (asked.url.startsWith('/.well-known/')) {
      return json({
        issuer, authorization_endpoint: `${issuer}/in`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`, response_types_supported: ['code'],
        subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      });
    }
    if (asked.url !== '/token') return json({ keys: [] });
    let body = '';
    asked.on('data', (more) => (body += more)).on('end', () => {
      const [id, secret] = Buffer.from((asked.headers.authorization ?? '').slice(6), 'base64').toString().split(':');
      json({ error: 'invalid_request', error_description: `no: ${body} ${asked.headers.authorization} ${id} ${secret}` }, 400);
    });
    return undefined;
  });
  issuer = url;
  const client_secret = 'CANARY-SECRET/of+the=client';
  const gateway = await deployment(t, { providers: { corp: { type: 'oidc', issuer, client_id: 'us', client_secret } } });
  const told = await examined([], { cwd: gateway.folder });
  const words = told.text + (await run([], { cwd: gateway.folder })).out;
  assert.match(words, /invalid_request no: \S+ Basic \*\*\* us \*\*\*/);
  for (const one of [client_secret, encodeURIComponent(client_secret), Buffer.from(`us:${client_secret}`).toString('base64').slice(0, -4), 'CANARY'])
    assert.ok(!words.includes(one), `${one} in ${words}`);
});

test('flags that do not go together', async () => {
  for (const args of [['--yes'], ['http://127.0.0.1:1/', '--fix'], ['http://127.0.0.1:1/', '--ca', '/nonexistent/ca.pem'], ['http://127.0.0.1:1/', '--ca', '/dev/null'], ['a.yaml', '--config', 'b.yaml']])
    assert.equal((await run(args)).code, 2, args.join(' '));
  const bare = await run(['mcp.example.com/mcp'], { cwd: '/' });
  assert.equal(bare.code, 3);
  assert.match(bare.err, /a URL begins with https:/);
  assert.match((await run(['http://127.0.0.1:1/', '--config', 'b.yaml'])).err, /no configuration is read/);
});

test('an identity provider: credentials and redirect URI are tried without a person', async (t) => {
  const idp = await Idp.start(t);
  const gateway = await deployment(t, { providers: { corp: idp.settings } });
  idp.allow(`${gateway.origin}/auth/callback`);
  const good = await examined([], { cwd: gateway.folder });
  assert.deepEqual(wrong(good), [], shown(good.first));
  assert.ok(good.findings.some((one) => one.check === 'provider.credentials' && one.severity === 'ok'), shown(good.findings));

  idp.allow(`${gateway.origin}/somewhere/else`);
  const elsewhere = await examined([], { cwd: gateway.folder });
  assert.equal(elsewhere.first.check, 'provider.redirect_uri', shown(elsewhere.first));
  assert.ok(elsewhere.first.fix.includes(`${gateway.origin}/auth/callback`));
  idp.allow(`${gateway.origin}/auth/callback`);

  const file = join(gateway.folder, 'config.yaml');
  const text = JSON.parse(await readFile(file, 'utf8'));
  text.providers.corp.client_secret = 'CANARY-a wrong secret, of some length';
  await writeFile(file, JSON.stringify(text, null, 2));
  const refused = await examined([], { cwd: gateway.folder });
  assert.equal(refused.first.check, 'provider.credentials', shown(refused.first));
  assert.equal(refused.first.certain, true);
  assert.ok(!(refused.text + refused.err).includes('CANARY'));

  await idp.goAway();
  const away = await examined([], { cwd: gateway.folder });
  assert.equal(away.first.id, 'MOP-IDP-001', shown(away.first));
});

test('--login walks a whole sign-in and narrates it, without a secret', async (t) => {
  const sessions = await Upstream.start(t);
  const gateway = await deployment(t, { mcp_server_url: sessions.url });
  const folder = await temporaryFolder(t, 'browser');
  const environment = {
    BROWSER: `${process.execPath} ${join(import.meta.dirname, 'lib/bridge_browser.mjs')} %s`,
    BRIDGE_BROWSER_LOG: join(folder, 'log'), BRIDGE_USER: 'walker', BRIDGE_PASSWORD: await gateway.addUser('walker'),
  };
  const told = await examined([gateway.mcp, '--login'], { environment });
  assert.equal(told.verdict, 'ok', shown(told.first) + told.err);
  const hops = told.findings.filter((one) => one.check.startsWith('login.')).map((one) => one.check);
  for (const hop of ['login.request', 'login.callback', 'login.authorize', 'login.exchange', 'login.token', 'login.revocation'])
    assert.ok(hops.includes(hop), `${hop} of ${hops}`);
  // The one session that it opened is ended.
  assert.deepEqual(sessions.requests.map((one) => one.method), ['POST', 'DELETE']);
  // The refresh token and the access token.
  assert.equal(hops.filter((one) => one === 'login.revocation').length, 2, shown(told.findings));
  assert.match(told.err, /Signing in to/);
  assert.ok(!/ey[A-Za-z0-9_-]{20,}\./.test(told.text + told.err), 'no token');
  assert.ok(!told.text.includes(environment.BRIDGE_PASSWORD));
});
