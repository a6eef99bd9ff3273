// doctor: what is wrong with an MCP server, ours or anybody's, told from outside.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { before, test } from 'node:test';

import Ajv2020 from 'ajv/dist/2020.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

import { AuthorizationServer } from './lib/authorization_server.mjs';
import { makeCertificates } from './lib/certificates.mjs';
import { Gateway, binary } from './lib/gateway.mjs';
import { fileScope, listenOnLoopback, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const root = resolve(import.meta.dirname, '../..');
let gateway, valid;

before(async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
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

// What it says as JSON, which fits its schema.
async function examined(target, { args = [], ...options } = {}) {
  const ended = await run([target, '--json', ...args], options);
  assert.ok(ended.out, `code ${ended.code}: ${ended.err}`);
  const told = JSON.parse(ended.out);
  assert.ok(valid(told), JSON.stringify(valid.errors));
  return { code: ended.code, text: ended.out, ...told };
}
const shown = (told) => JSON.stringify(told, null, 1);
const client = (told, name) => told.clients.find((one) => one.name === name);

// A server whose answers are written down here; `answer` gets the request and gives [status, fields, body] or nothing.
async function serve(t, answer) {
  const server = createServer(async (request, response) => {
    for await (const chunk of request) void chunk;
    const [status, fields, body] = answer(request, `http://127.0.0.1:${server.address().port}`) ?? [404, {}, 'not here'];
    response.writeHead(status, fields);
    response.end(typeof body === 'object' ? JSON.stringify(body) : body);
  });
  const port = await listenOnLoopback(t, server);
  return `http://127.0.0.1:${port}`;
}
const json = { 'content-type': 'application/json' };

test('the schema in the reference is the one that the program writes', async (t) => {
  const folder = await temporaryFolder(t, 'reference');
  const [code] = await once(spawn(binary, ['docs', '--out', folder], { stdio: 'ignore' }), 'close');
  assert.equal(code, 0);
  assert.equal(await readFile(join(folder, 'doctor.schema.json'), 'utf8'), await readFile(join(root, 'docs/reference/doctor.schema.json'), 'utf8'));
});

test('at our own gateway all is well, and clients of this machine get through', async () => {
  const told = await examined(gateway.mcp);
  assert.equal(told.first?.id, undefined, shown(told.first));
  assert.equal(told.verdict, 'ok');
  assert.equal(told.code, 0);
  for (const name of ['claude-code', 'vscode', 'codex', 'bridge', 'inspector']) {
    assert.equal(client(told, name).gets_through, true, shown(client(told, name)));
  }
  // Who runs elsewhere does not reach a loopback address.
  assert.deepEqual([client(told, 'claude').gets_through, client(told, 'claude').stops_at], [false, 'network']);
});

test('its words are without colour where no terminal is, and name each check', async () => {
  const { code, out } = await run([gateway.mcp]);
  assert.equal(code, 0);
  assert.match(out, /^✓ All is well at http/);
  assert.match(out, /server\.pkce +PKCE with S256 is announced/);
  assert.ok(!out.includes('\u001b'));
});

test('one client alone', async () => {
  const told = await examined(gateway.mcp, { args: ['--client', 'vscode'] });
  assert.deepEqual(told.clients.map((one) => one.name), ['vscode']);
});

test('the command line is checked', async () => {
  for (const args of [['ftp://x/'], ['http://'], ['http://user:secret@127.0.0.1/mcp'], ['http://127.0.0.1/', '--client', 'netscape'], ['a', 'b'], ['--nonsense']]) {
    const { code, err, out } = await run(args);
    assert.equal(code, 2, `${args}: ${out}${err}`);
    assert.ok(!err.includes('secret'), err);
  }
});

test('nothing that can be reached is 4', async () => {
  const told = await examined(`http://127.0.0.1:${await portOfNobody()}/mcp`);
  assert.equal(told.code, 4);
  assert.equal(told.first.id, 'MOP-NET-006');
  assert.equal(told.first.certain, true);
  const nameless = await examined('http://nobody.invalid/mcp');
  assert.equal(nameless.code, 4);
  assert.equal(nameless.first.id, 'MOP-NET-005');
});

test('TLS is looked at before anything else', async (t) => {
  const { cert, key, caFile } = await makeCertificates(t, ['127.0.0.1']);
  const server = createSecureServer({ cert, key }, (_, response) => response.writeHead(401, { ...json, 'www-authenticate': 'Bearer' }).end());
  const port = await listenOnLoopback(t, server);
  const untrusted = await examined(`https://127.0.0.1:${port}/mcp`);
  assert.equal(untrusted.first.id, 'MOP-TLS-004', shown(untrusted.first));
  assert.equal(untrusted.code, 5);
  const named = await examined(`https://localhost:${port}/mcp`, { args: ['--ca', caFile] });
  assert.equal(named.first.id, 'MOP-TLS-005', shown(named.first));
  assert.match(named.first.seen, /127\.0\.0\.1/);
  const trusted = await examined(`https://127.0.0.1:${port}/mcp`, { args: ['--ca', caFile] });
  assert.equal(trusted.first.id, 'MOP-PRM-002', shown(trusted.first));
  const clear = await examined(gateway.mcp.replace('http:', 'https:'));
  assert.equal(clear.first.id, 'MOP-TLS-007', shown(clear.first));
  const secure = await examined(`http://127.0.0.1:${port}/mcp`);
  assert.equal(secure.first.id, 'MOP-TLS-008', shown(secure.first));
});

// The middleware that the SDK gives to servers, before an authorization server that is not ours.
async function sdkServer(t, as, { challenge = true } = {}) {
  const app = express();
  const http = createServer(app);
  const port = await listenOnLoopback(t, http);
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  const metadata = await (await fetch(`${as.issuer}/.well-known/openid-configuration`)).json();
  app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: url }));
  const verifier = { verifyAccessToken: async () => { throw new (await import('@modelcontextprotocol/sdk/server/auth/errors.js')).InvalidTokenError('no'); } };
  const named = challenge ? `${url.origin}/.well-known/oauth-protected-resource/mcp` : undefined;
  app.use('/mcp', requireBearerAuth({ verifier, resourceMetadataUrl: named }), express.json(), async (request, response) => {
    const server = new McpServer({ name: 'sdk', version: '1' });
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    await server.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  return url.href;
}

test("a server of the SDK's before oidc-provider is told apart from ours by nothing that is wrong", async (t) => {
  const as = await AuthorizationServer.start(scope);
  const told = await examined(await sdkServer(t, as));
  assert.notEqual(told.verdict, 'failed', shown(told.first));
  assert.equal(told.code, 0);
  assert.equal(client(told, 'claude-code').gets_through, true, shown(client(told, 'claude-code')));
  // The SDK has no CORS on the MCP endpoint.
  assert.equal(client(told, 'inspector').stops_at, 'cors');
});

test('misbuilt: the MCP endpoint is routed, the metadata is a web application', async (t) => {
  const url = await serve(t, (request, origin) => {
    if (request.url === '/mcp') return [401, { ...json, 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` }, {}];
    return [200, { 'content-type': 'text/html' }, '<!doctype html><title>Our shop</title>'];
  });
  const told = await examined(`${url}/mcp`);
  assert.equal(told.first.id, 'MOP-CHA-008', shown(told.first));
  assert.equal(told.code, 5);
  assert.match(told.first.seen, /Our shop/);
});

test('misbuilt: behind a proxy that ends TLS, and does not know', async (t) => {
  const url = await serve(t, (request, origin) => {
    const outside = origin.replace('http:', 'https:');
    if (request.url === '/mcp') return [401, { ...json, 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource"` }, {}];
    if (request.url.startsWith('/.well-known/oauth-protected-resource')) return [200, json, { resource: `${outside}/mcp`, authorization_servers: [origin] }];
    return undefined;
  });
  const told = await examined(`${url}/mcp`);
  assert.equal(told.first.id, 'MOP-PRM-005', shown(told.first));
  assert.match(told.first.cause, /http/);
  assert.equal(client(told, 'vscode').stops_at, 'resource');
});

test('misbuilt: an authorization server without S256, with a slash and with old keys', async (t) => {
  const url = await serve(t, (request, origin) => {
    if (request.url === '/mcp' && request.headers.authorization) return [401, { ...json, 'www-authenticate': 'Bearer error="invalid_token"' }, {}];
    if (request.url === '/mcp') return [401, { ...json, 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` }, {}];
    if (request.url.startsWith('/.well-known/oauth-protected-resource')) return [200, json, { resource: `${origin}/mcp`, authorization_servers: [origin] }];
    if (request.url === '/.well-known/oauth-authorization-server')
      return [200, json, { issuer: `${origin}/`, authorization_endpoint: `${origin}/a`, token_endpoint: `${origin}/t`, jwks_uri: `${origin}/k`, response_types_supported: ['code'] }];
    if (request.url === '/a') return [400, json, {}];
    if (request.url === '/t') return [400, json, { error: 'invalid_grant' }];
    if (request.url === '/k') return [200, json, { keys: [] }];
    return undefined;
  });
  const told = await examined(`${url}/mcp`);
  assert.equal(told.first.id, 'MOP-ASM-003', shown(told.first));
  const ids = told.findings.map((one) => one.id);
  for (const id of ['MOP-ASM-007', 'MOP-ASM-008', 'MOP-ASM-012']) assert.ok(ids.includes(id), `${id} of ${ids}`);
  assert.ok(ids.indexOf('MOP-ASM-003') < ids.indexOf('MOP-ASM-007'));
});

test('misbuilt: takes any token', async (t) => {
  const result = { jsonrpc: '2.0', id: 'doctor', result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' } } };
  const url = await serve(t, (request) => {
    if (request.url !== '/mcp') return undefined;
    return request.headers.authorization ? [200, json, result] : [401, { ...json, 'www-authenticate': 'Bearer' }, {}];
  });
  const told = await examined(`${url}/mcp`);
  assert.ok(told.findings.some((one) => one.id === 'MOP-CHA-002' && one.severity === 'failure' && one.certain), shown(told.findings));
});

test('misbuilt: redirects in a circle, and a wall in front', async (t) => {
  const circle = await serve(t, (request) => [302, { location: request.url === '/a' ? '/b' : '/a' }, '']);
  assert.equal((await examined(`${circle}/a`)).first.id, 'MOP-WEB-006');
  const wall = await serve(t, () => [403, { 'content-type': 'text/html', server: 'cloudflare', 'cf-ray': '1' }, '<html><title>Attention Required! | Cloudflare</title></html>']);
  const told = await examined(`${wall}/mcp`);
  assert.equal(told.first.id, 'MOP-WEB-001');
  assert.match(told.first.seen, /Attention Required.*Cloudflare/);
});

test('a stream that never ends is looked at, not waited for', async (t) => {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/sse') return response.writeHead(405).end();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: endpoint\ndata: /messages\n\n');
  });
  const port = await listenOnLoopback(t, server);
  const began = Date.now();
  const told = await examined(`http://127.0.0.1:${port}/sse`);
  assert.equal(told.first.id, 'MOP-WEB-011', shown(told.first));
  assert.ok(Date.now() - began < 9_000);
  assert.equal(client(told, 'codex').stops_at, 'transport');
});

test('sessions that a server opens for its questions are ended', async (t) => {
  const upstream = await Upstream.start(t);
  const told = await examined(`${upstream.url}/mcp`);
  assert.equal(told.first.id, 'MOP-CHA-001', shown(told.first));
  const opened = upstream.requests.filter((one) => one.method === 'POST').length;
  assert.ok(opened > 0);
  assert.equal(upstream.requests.filter((one) => one.method === 'DELETE').length, opened);
});

// A machine that reaches nobody but by its proxy, which knows two names of outside.
test('what a server names is asked by the proxy that the machine needs, and no inner address is', async (t) => {
  const asked = [];
  let named = 'http://idp.example.com';
  const proxy = await serve(t, (request) => {
    asked.push(request.url);
    const { host, pathname } = new URL(request.url, 'http://nobody.example.com');
    if (host === 'mcp.example.com' && pathname === '/mcp') return [401, { ...json, 'www-authenticate': 'Bearer resource_metadata="http://mcp.example.com/.well-known/oauth-protected-resource/mcp"' }, {}];
    if (host === 'mcp.example.com' && pathname.startsWith('/.well-known/oauth-protected-resource')) return [200, json, { resource: 'http://mcp.example.com/mcp', authorization_servers: [named] }];
    if (host === 'idp.example.com' && pathname.startsWith('/.well-known/')) return [200, json, { issuer: named, authorization_endpoint: `${named}/a`, token_endpoint: `${named}/t`, response_types_supported: ['code'], code_challenge_methods_supported: ['S256'] }];
    return undefined;
  });
  const environment = { http_proxy: proxy };
  const told = await examined('http://mcp.example.com/mcp', { environment });
  assert.ok(told.findings.some((one) => one.check === 'server.published' && one.severity === 'ok'), shown(told.findings));
  assert.ok(asked.some((one) => one.startsWith('http://idp.example.com/')), String(asked));
  for (named of ['http://127.0.0.1:1', 'http://localhost', 'http://[::1]', 'http://169.254.169.254', 'http://127.1', 'http://2130706433', 'http://127.0.0.1.', 'http://metadata.google.internal', 'http://wiki.corp.', 'http://intranet']) {
    asked.length = 0;
    const refused = await examined('http://mcp.example.com/mcp', { environment });
    assert.ok(refused.findings.some((one) => one.id === 'MOP-ASM-001' && /not a public address/.test(one.seen)), shown(refused.findings));
    assert.deepEqual(asked.filter((one) => new URL(one).host !== 'mcp.example.com'), [], named);
  }
});

test('a proxy that is away is told, and not that this machine does not know a name that the proxy may know', async () => {
  for (const host of ['only-by-proxy.invalid', '127.0.0.1:1']) {
    const told = await examined(`http://${host}/mcp`, { environment: { http_proxy: `http://127.0.0.1:${await portOfNobody()}` } });
    assert.deepEqual([told.first.id, told.first.certain, told.code], ['MOP-NET-008', false, 4], shown(told.first));
    assert.match(told.first.title, /proxy/);
    assert.match(told.first.seen, /[Rr]efused/);
  }
});

test('no secret of the URL is shown, and no token but made-up ones is sent', async (t) => {
  const seen = [];
  const url = await serve(t, (request) => { seen.push(request.headers.authorization ?? ''); return undefined; });
  const ended = await run([`${url}/mcp?key=CANARY-OF-THE-QUERY`], { environment: { CANARY: 'x' } });
  assert.ok(!(ended.out + ended.err).includes('CANARY'), ended.out);
  for (const one of seen) assert.ok(one === '' || /made-up-by-mcp-oauth-proxy-doctor|^Bearer ey/.test(one), one);
});
