// What is between the bridge and the server: TLS with private authorities and client certificates, and HTTP proxies.

import assert from 'node:assert/strict';
import { createServer as createPlain } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { connect } from 'node:net';
import { before, test } from 'node:test';

import { BridgeHome } from './lib/bridge.mjs';
import { Bridge, json, result } from './lib/bridge_client.mjs';
import { makeCertificates } from './lib/certificates.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';

const scope = fileScope();
let certificates, others;
before(async () => {
  certificates = await makeCertificates(scope, ['127.0.0.1', 'localhost', 'mcp.test']);
  others = await makeCertificates(scope, ['mcp.test']);
});

// A server without sessions of its own making; `seen` are the requests.
function answering(seen) {
  return async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    seen.push({ method: request.method, headers: request.headers, certificate: request.socket.getPeerCertificate?.().subject?.CN });
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const message = JSON.parse(body);
    if (message.id === undefined) return void response.writeHead(202).end();
    json(response, result(message, message.method === 'initialize' ? { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'x', version: '1' } } : { content: [] }));
  };
}
async function secureServer(t, options = {}) {
  const seen = [];
  const port = await listenOnLoopback(t, createSecure({ cert: certificates.cert, key: certificates.key, ...options }, answering(seen)));
  return { port, seen };
}
async function works(t, url, options) {
  const bridge = await Bridge.start(t, url, options);
  const opened = await bridge.initialize();
  assert.ok(opened.result, JSON.stringify(opened));
  assert.ok((await bridge.call(1, 'x')).result);
  assert.equal(await bridge.end(), 0);
  return bridge;
}
async function fails(t, url, words, options) {
  const bridge = await Bridge.start(t, url, options);
  assert.match(JSON.stringify((await bridge.initialize()).error), words);
  assert.equal(await bridge.end(), 0);
}

for (const [name, options] of Object.entries({
  '--ca-file': () => ({ flags: ['--ca-file', certificates.caFile] }),
  NODE_EXTRA_CA_CERTS: () => ({ env: { NODE_EXTRA_CA_CERTS: certificates.caFile } }),
  SSL_CERT_FILE: () => ({ env: { SSL_CERT_FILE: certificates.caFile } }),
})) {
  test(`a private authority by ${name}`, async (t) => {
    const { port } = await secureServer(t);
    await works(t, `https://127.0.0.1:${port}/mcp`, options());
  });
}

test('a certificate that is not trusted, or for another name, is named', async (t) => {
  const { port } = await secureServer(t);
  await fails(t, `https://127.0.0.1:${port}/mcp`, /MOP-UPS-007.*|self-signed|issuer certificate/);
  await fails(t, `https://127.0.0.1:${port}/mcp`, /MOP-UPS-007/, { flags: ['--ca-file', others.caFile] });
  const wrong = await secureServer(t, { cert: others.cert, key: others.key });
  await fails(t, `https://127.0.0.1:${wrong.port}/mcp`, /MOP-UPS-007/, { flags: ['--ca-file', others.caFile] });
  const seen = [];
  const clear = await listenOnLoopback(t, createPlain(answering(seen)));
  await fails(t, `https://127.0.0.1:${clear}/mcp`, /speaks no TLS/);
});

test('a file of authorities that is not there ends the start with its name', async (t) => {
  const bridge = await Bridge.start(t, 'https://127.0.0.1:1/mcp', { flags: ['--ca-file', '/nonexistent/ca.pem'] });
  const [code] = await bridge.exited;
  assert.equal(code, 2);
  assert.match(bridge.errors, /\/nonexistent\/ca\.pem/);
});

test('a client certificate is shown', async (t) => {
  const { port, seen } = await secureServer(t, { requestCert: true, rejectUnauthorized: true, ca: certificates.ca });
  await fails(t, `https://127.0.0.1:${port}/mcp`, /MOP-/, { flags: ['--ca-file', certificates.caFile] });
  await works(t, `https://127.0.0.1:${port}/mcp`, {
    flags: ['--ca-file', certificates.caFile, '--certificate-file', certificates.certFile, '--key-file', certificates.keyFile],
  });
  assert.equal(seen.at(-1).certificate, '127.0.0.1');
});

// A proxy that knows mcp.test, and whom it lets through.
async function startProxy(t, { authorization, status } = {}) {
  const asked = [];
  const server = createPlain((_, response) => response.writeHead(405).end());
  server.on('connect', (request, socket, head) => {
    asked.push(request.url);
    socket.on('error', () => {});
    const refuse = (code) => socket.end(`HTTP/1.1 ${code} No\r\nContent-Length: 0\r\n\r\n`);
    if (status) return refuse(status);
    if (authorization && request.headers['proxy-authorization'] !== authorization) return refuse(407);
    const upstream = connect(Number(request.url.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length) upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    t.after(() => upstream.destroy());
  });
  const port = await listenOnLoopback(t, server);
  return { port, asked };
}

test('HTTPS_PROXY: a tunnel, with its password, and the server sees nothing of it', async (t) => {
  const { port, seen } = await secureServer(t);
  const proxy = await startProxy(t, { authorization: `Basic ${Buffer.from('user:pass word').toString('base64')}` });
  const flags = ['--ca-file', certificates.caFile];
  await works(t, `https://mcp.test:${port}/mcp`, { flags, env: { HTTPS_PROXY: `http://user:pass%20word@127.0.0.1:${proxy.port}` } });
  assert.ok(proxy.asked.every((one) => one === `mcp.test:${port}`));
  assert.equal(seen[0].headers['proxy-authorization'], undefined);
  assert.equal(seen[0].headers.host, `mcp.test:${port}`);
  await fails(t, `https://mcp.test:${port}/mcp`, /MOP-BRI-006.*407|407.*MOP-BRI-006/, { flags, env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
});

test('a proxy that refuses, does not speak HTTP, or is not there is named', async (t) => {
  const refusing = await startProxy(t, { status: 403 });
  await fails(t, 'https://mcp.test/mcp', /403/, { env: { HTTPS_PROXY: `http://127.0.0.1:${refusing.port}` } });
  await fails(t, 'https://mcp.test/mcp', /ECONNREFUSED/, { env: { HTTPS_PROXY: 'http://127.0.0.1:1' } });
});

test('`bridge login` calls what is between by the same names, and asks again only what may pass', async (t) => {
  const { port } = await secureServer(t);
  const clear = await listenOnLoopback(t, createPlain(answering([])));
  const refusing = await startProxy(t, { status: 403 });
  const home = await BridgeHome.make(t);
  for (const [url, environment, id] of [
    [`https://127.0.0.1:${port}/mcp`, {}, 'MOP-UPS-007'],
    [`https://127.0.0.1:${clear}/mcp`, {}, 'MOP-UPS-007'],
    ['https://mcp.test/mcp', { HTTPS_PROXY: `http://127.0.0.1:${refusing.port}` }, 'MOP-BRI-006'],
  ]) {
    const done = await home.run(['login', url], environment);
    assert.equal(done.code, 4, done.err);
    assert.ok(done.err.includes(id), done.err);
    assert.ok(!done.err.includes('trying again'), done.err);
  }
  assert.equal(refusing.asked.length, 1);
  const away = await home.run(['login', 'https://mcp.test/mcp'], { HTTPS_PROXY: 'http://127.0.0.1:1' });
  assert.equal(away.code, 4, away.err);
  assert.match(away.err, /MOP-BRI-006/);
});

test('NO_PROXY and loopback go there directly', async (t) => {
  const { port } = await secureServer(t);
  const proxy = await startProxy(t);
  await works(t, `https://127.0.0.1:${port}/mcp`, { flags: ['--ca-file', certificates.caFile], env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
  assert.equal(proxy.asked.length, 0);
  const home = await BridgeHome.make(t);
  const login = await home.run(['login', `https://127.0.0.1:${port}/mcp`, '--ca-file', certificates.caFile], { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` });
  assert.equal(login.code, 0, login.err);
  assert.equal(proxy.asked.length, 0);
  await fails(t, `https://mcp.test:${port}/mcp`, /mcp\.test/, { env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: '.test' } });
  assert.equal(proxy.asked.length, 0);
});

test('HTTP_PROXY, for a server in clear that was allowed', async (t) => {
  const seen = [];
  const port = await listenOnLoopback(t, createPlain(answering(seen)));
  const proxy = await startProxy(t);
  await works(t, `http://mcp.test:${port}/mcp`, { flags: ['--allow-http'], env: { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` } });
  assert.ok(proxy.asked.length > 0);
});

test('cleartext to another machine is refused before anything is sent, and so is a header of Authorization', async (t) => {
  const bridge = await Bridge.start(t, 'http://mcp.example.com/mcp');
  assert.equal((await bridge.exited)[0], 2);
  assert.match(bridge.errors, /failed to load config: upstream\.url uses cleartext http to a non-loopback host \(mcp\.example\.com\), which would leak OAuth2 credentials\/tokens\. Use https, target a loopback address, or set allowInsecureHttp \/ ALLOW_INSECURE_HTTP=true to override\./);
  const other = await Bridge.start(t, 'https://mcp.example.com/mcp', { flags: ['--header', 'Authorization: Bearer x'], env: { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'a', OAUTH2_CLIENT_SECRET: 'b' } });
  assert.equal((await other.exited)[0], 2);
});

// A proxy that knows mcp.example and as.example, in clear: who is asked for what by way of it, and what `routes` says.
async function forwardProxy(t, routes) {
  const proxy = { asked: [], bodies: [] };
  proxy.port = await listenOnLoopback(t, createPlain(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    proxy.asked.push(`${request.method} ${request.url}`);
    proxy.bodies.push(body);
    const { status = 200, headers = {}, ...answer } = routes(new URL(request.url), request.headers) ?? { status: 404 };
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(answer.body ?? {}));
  }));
  const url = `http://127.0.0.1:${proxy.port}`;
  proxy.env = { ALL_PROXY: url, all_proxy: url };
  return proxy;
}
const withoutToken = { status: 401, headers: { 'www-authenticate': 'Bearer' } };
const program = { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'program', OAUTH2_CLIENT_SECRET: 'its-long-secret' };

test('a proxy variable lets no public server send the bridge, or the browser, to this machine', async (t) => {
  const hits = [];
  const inner = await listenOnLoopback(t, createPlain((request, response) => {
    hits.push(`${request.method} ${request.url}`);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ client_id: 'x', access_token: 'tok-tok-tok', token_type: 'Bearer' }));
  }));
  const issuer = 'http://mcp.example';
  const named = {
    issuer, code_challenge_methods_supported: ['S256'], token_endpoint: `http://127.0.0.1:${inner}/api/shutdown`,
    registration_endpoint: `http://127.0.0.1:${inner}/api/users`, authorization_endpoint: `http://127.0.0.1:${inner}/reset?confirm=yes`,
  };
  const routes = (more) => ({ pathname }) => {
    if (pathname.includes('oauth-protected-resource')) return { body: { resource: `${issuer}/mcp`, authorization_servers: [issuer] } };
    if (pathname.includes('well-known')) return { body: { ...named, ...more } };
    return withoutToken;
  };
  for (const [environment, more] of [
    [{}, {}],
    [{}, { authorization_endpoint: `${issuer}/authorize` }],
    [{}, { authorization_endpoint: `${issuer}/authorize`, registration_endpoint: `http://localhost.:${inner}/api/users` }],
    [program, {}],
  ]) {
    const proxy = await forwardProxy(t, routes(more));
    const home = await BridgeHome.make(t);
    const done = await home.run(['login', `${issuer}/mcp`, '--allow-http', '--auth-timeout', '2'], { ...proxy.env, ...environment });
    assert.notEqual(done.code, 0, done.out);
    assert.deepEqual(hits, [], done.err);
    assert.deepEqual(await home.pages(), []);
    assert.ok(proxy.asked.some((one) => one.includes('oauth-authorization-server')), 'what is public is asked by the proxy');
  }
});

test('logout behind a proxy gives the tokens back by the same way, and by none where useProxy is false', async (t) => {
  const issuer = 'http://as.example';
  const proxy = await forwardProxy(t, ({ pathname }, headers) => {
    if (pathname.includes('oauth-protected-resource')) return { body: { resource: 'http://mcp.example/mcp', authorization_servers: [issuer] } };
    if (pathname.includes('well-known'))
      return { body: { issuer, token_endpoint: `${issuer}/token`, authorization_endpoint: `${issuer}/authorize`, revocation_endpoint: `${issuer}/revoke` } };
    if (pathname === '/token') return { body: { access_token: 'tok-tok-tok', refresh_token: 'refresh-refresh', token_type: 'Bearer', expires_in: 3600 } };
    if (pathname === '/revoke') return { body: {} };
    return headers.authorization ? { body: { jsonrpc: '2.0', id: 'sign-in', result: {} } } : withoutToken;
  });
  const home = await BridgeHome.make(t);
  const run = async (verb, environment = {}) => {
    const done = await home.run([verb, 'http://mcp.example/mcp', '--allow-http'], { ...proxy.env, ...program, ...environment });
    assert.equal(done.code, 0, done.err);
    return done;
  };
  await run('login');
  const before = proxy.asked.length;
  assert.match((await run('logout', { USE_PROXY: 'false' })).err, /did not revoke it/);
  assert.equal(proxy.asked.length, before, 'the proxy does not count, and is not asked');
  await run('login');
  const done = await run('logout');
  assert.match(done.out, /signed out of http:\/\/mcp\.example\/mcp/);
  assert.doesNotMatch(done.err, /did not revoke it/);
  assert.equal(proxy.asked.at(-1), `POST ${issuer}/revoke`);
  assert.match(proxy.bodies.at(-1), /token=refresh-refresh/);
});
