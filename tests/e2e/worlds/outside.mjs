// Deployments as a client meets them, ours behind a real nginx and others', with one thing wrong; `doctor URL` has to say
// which, without knowing anything of them.

import { createServer as createTlsServer } from 'node:https';
import { generateKeyPairSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { makeCertificates } from '../lib/certificates.mjs';
import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { listenOnLoopback, portOfNobody } from '../lib/scope.mjs';
import { startAnswering } from '../lib/upstream.mjs';
import { deployments } from './deployments.mjs';
import { doctor } from './judges.mjs';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' };
const cors = {
  'access-control-allow-origin': '*', 'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id', 'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-headers': 'Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID',
};

// Somebody else's server, with its authorization server at the same origin. `change(it)` makes one thing wrong: it has
// `resource` and `server`, the two documents; `challenge` and `refused`, the answers to a request without and with a token
// that is none; and `answers`, by path, in place of all others.
export async function somebodys(scope, change = () => {}) {
  const it = { answers: {}, cors: { ...cors } };
  it.origin = await startAnswering(scope, (asked, answer) => {
    const { pathname } = new URL(asked.url, it.origin);
    const json = (status, body, headers = {}) => answer.writeHead(status, { 'content-type': 'application/json', ...it.cors, ...headers }).end(JSON.stringify(body));
    const other = it.answers[pathname] ?? it.answers['*'];
    if (other) return other(answer, asked, json);
    if (asked.method === 'OPTIONS') return answer.writeHead(204, it.cors).end();
    if (/^\/\.well-known\/oauth-protected-resource(\/mcp)?$/.test(pathname)) return json(200, it.resource);
    if (/^\/\.well-known\/(oauth-authorization-server|openid-configuration)$/.test(pathname)) return json(200, it.server);
    if (pathname === '/keys') return json(200, { keys: [key] });
    if (pathname === '/register') return json(201, { client_id: 'c', redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none' });
    if (pathname === '/authorize') return answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><h1>Sign in</h1>');
    if (pathname === '/token') return json(400, { error: 'invalid_grant', error_description: 'no such code' });
    if (pathname !== '/mcp') return json(404, { error: 'not found' });
    return (asked.headers.authorization ? it.refused : it.bare)(json, asked, answer);
  });
  it.mcp = `${it.origin}/mcp`;
  it.metadata = `${it.origin}/.well-known/oauth-protected-resource/mcp`;
  it.resource = { resource: it.mcp, authorization_servers: [it.origin], scopes_supported: ['tools'], bearer_methods_supported: ['header'] };
  it.server = {
    issuer: it.origin, authorization_endpoint: `${it.origin}/authorize`, token_endpoint: `${it.origin}/token`, registration_endpoint: `${it.origin}/register`, jwks_uri: `${it.origin}/keys`,
    response_types_supported: ['code'], grant_types_supported: ['authorization_code', 'refresh_token'], code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic'], client_id_metadata_document_supported: true, scopes_supported: ['tools', 'offline_access'],
    authorization_response_iss_parameter_supported: true,
  };
  it.bare = (json) => json(401, { error: 'unauthorized' }, { 'www-authenticate': `Bearer resource_metadata="${it.metadata}", scope="tools"` });
  it.refused = (json) => json(401, { error: 'invalid_token' }, { 'www-authenticate': `Bearer error="invalid_token", resource_metadata="${it.metadata}"` });
  await change(it);
  return it;
}

const html = (status, headers = {}) => (answer) => answer.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<!doctype html><title>A page</title><h1>A page</h1>');

// The metadata of the resource, written as `change` says, in both forms.
const written = (change, headers = {}) => (it) => {
  for (const path of ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])
    it.answers[path] = (answer) => answer.writeHead(200, { 'content-type': 'application/json', ...it.cors, ...headers }).end(change(JSON.stringify(it.resource)));
};
const more = (text) => (json) => `${json.slice(0, -1)},${text}}`;

export async function outside(scope) {
  const demo = await startDemoServer(scope);
  const at = (world, cause, url, words) => ({ world, cause, words, ask: async (mine) => ({ doctor: await doctor(mine, await url(mine)) }) });
  const theirs = (world, cause, change, words) => at(world, cause, async (mine) => (await somebodys(mine, change)).mcp, words);
  // Ours, whose public name is an nginx with these lines.
  const ours = (world, cause, lines, { settings = () => ({}), words, url = (nginx) => `${nginx}/mcp` } = {}) => at(world, cause, async (mine) => {
    const port = await portOfNobody();
    let name;
    const nginx = await Nginx.start(mine, 'world', (own) => {
      name = `http://127.0.0.1:${own}`;
      return `server { listen 127.0.0.1:${own}; ${lines(port, name)} }`;
    });
    await Gateway.start(mine, { port, public_url: name, mcp_server_url: demo.url, trusted_proxies: ['127.0.0.1'], ...settings(port, name) });
    return url(nginx.url);
  }, words);
  const pass = (port, more = '') => `proxy_pass http://127.0.0.1:${port}; proxy_set_header Host $http_host; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 1h; ${more}`;
  const all = (more) => (port) => `location / { ${pass(port, more)} }`;
  const secure = async (mine, names) => {
    const made = await makeCertificates(mine, names);
    return `https://127.0.0.1:${await listenOnLoopback(mine, createTlsServer({ cert: made.cert, key: made.key }, (_, answer) => answer.end()))}/mcp`;
  };
  const [metadata, bare] = ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'];
  const servers = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
  const nowhere = (...paths) => (it) => { for (const path of paths) it.answers[path] = (answer) => answer.writeHead(404).end(); };

  return [
    at('nobody listens', 'MOP-NET-006', async () => `http://127.0.0.1:${await portOfNobody()}/mcp`),
    at('the name does not resolve', 'MOP-NET-005', async () => 'https://mcp-server.invalid/mcp'),
    at('the certificate is of an unknown authority', 'MOP-TLS-004', (mine) => secure(mine, ['127.0.0.1'])),
    at('https:// before what speaks none', 'MOP-TLS-007', async () => `${demo.url.replace('http:', 'https:')}/mcp`),
    at('http:// before what speaks TLS', 'MOP-TLS-008', async (mine) => (await secure(mine, ['127.0.0.1'])).replace('https:', 'http:')),
    at('the server asks for no token', 'MOP-CHA-001', async () => `${demo.url}/mcp`),

    ours('nginx answers 403 with a page, as a firewall does', 'MOP-WEB-001', () => 'location / { return 403; }'),
    ours('nginx has a password of its own', 'MOP-WEB-001', (port) => `location / { auth_basic "staff only"; auth_basic_user_file /dev/null; ${pass(port)} }`),
    ours('nginx leads to a port where nobody is', 'MOP-WEB-003', () => `location / { proxy_pass http://127.0.0.1:1; }`),
    ours('nginx redirects to https', ['MOP-WEB-005', 'MOP-TLS-008'], () => 'location / { return 301 https://mcp.example.com$request_uri; }'),
    ours('nginx redirects to another host', 'MOP-WEB-005', () => `location / { return 308 ${demo.url}$request_uri; }`),
    ours('nginx redirects in a circle', 'MOP-WEB-006', () => 'location / { return 308 $request_uri; }'),
    ours('nginx passes /mcp alone', ['MOP-PRM-001', 'MOP-CHA-008'], (port) => `location /mcp { ${pass(port)} }`),
    ours('nginx takes the challenge away', 'MOP-CHA-004', all('proxy_hide_header WWW-Authenticate;')),
    ours('nginx answers preflights itself, without CORS', 'MOP-COR-001', (port) => `location / { if ($request_method = OPTIONS) { return 405; } ${pass(port)} }`),
    ours('nginx hides the headers of CORS', 'MOP-COR-002', all('proxy_hide_header Access-Control-Allow-Origin;')),
    ours('nginx compresses streams, and waits for more to compress', 'MOP-WEB-010', (port) =>
      `location / { ${pass(port).replace('proxy_buffering off', 'proxy_ignore_headers X-Accel-Buffering')} gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any; }`),
    ours('nginx allows ten requests a minute', 'MOP-WEB-008', () => 'location / { return 429; }'),
    ours('public_url is the address inside', 'MOP-PRM-005', all(''), { settings: (port) => ({ public_url: `http://127.0.0.1:${port}` }) }),
    ours('public_url names localhost, and clients call 127.0.0.1, which is as well', null, all(''), { settings: (_, name) => ({ public_url: name.replace('127.0.0.1', 'localhost') }) }),
    ours('the path of the MCP endpoint is another', 'MOP-WEB-007', all(''), { url: (name) => `${name}/mpc` }),
    ours('nginx passes the authorization server to somewhere else', 'MOP-ASM-001', (port) => `location / { ${pass(port)} } location ~ ^/.well-known/(oauth-authorization-server|openid-configuration) { return 404; }`),
    ours('nginx shows a page at the metadata', ['MOP-PRM-002', 'MOP-CHA-008'], (port) => `location / { ${pass(port)} } location /.well-known/oauth-protected-resource { default_type text/html; return 200 '<!doctype html><title>App</title>'; }`),

    theirs('a web page at the path', 'MOP-WEB-002', (it) => { it.answers['*'] = html(200); }),
    theirs('the server fails', 'MOP-WEB-004', (it) => { it.bare = it.refused = (json) => json(500, { error: 'internal' }); }),
    theirs('another kind of server', 'MOP-WEB-009', (it) => { it.answers['*'] = (answer, _, json) => json(200, { hello: 'world' }); }),
    theirs('the server knows its own name alone', 'MOP-WEB-012', (it) => { it.bare = it.refused = (json) => json(403, { jsonrpc: '2.0', error: { code: -32000, message: 'Invalid Host: 127.0.0.1' }, id: null }); }),
    theirs('any token is good', 'MOP-CHA-002', (it) => { it.refused = (json, asked, answer) => { answer.setHeader('mcp-session-id', 's'); return json(200, { jsonrpc: '2.0', id: 1, result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'x', version: '1' } } }); }; }),
    theirs('403 in place of 401', 'MOP-CHA-003', (it) => { it.bare = it.refused = (json) => json(403, { error: 'forbidden' }); }),
    theirs('401 without a challenge', 'MOP-CHA-004', (it) => { it.bare = it.refused = (json) => json(401, { error: 'unauthorized' }); }),
    theirs('a challenge whose quotes are wrong', 'MOP-CHA-005', (it) => { it.bare = it.refused = (json) => json(401, {}, { 'www-authenticate': `Bearer resource_metadata="${it.metadata}` }); }),
    theirs('a challenge that does not say where the metadata is', 'MOP-CHA-006', (it) => { it.bare = (json) => json(401, {}, { 'www-authenticate': 'Bearer' }); it.refused = (json) => json(401, {}, { 'www-authenticate': 'Bearer error="invalid_token"' }); }),
    theirs('a challenge with a path alone', 'MOP-CHA-007', (it) => { it.bare = it.refused = (json, asked) => json(401, {}, { 'www-authenticate': `Bearer ${asked.headers.authorization ? 'error="invalid_token", ' : ''}resource_metadata="${metadata}"` }); }),
    theirs('a challenge that names the port inside', 'MOP-CHA-008', async (it) => { const port = await portOfNobody(); it.bare = it.refused = (json, asked) => json(401, {}, { 'www-authenticate': `Bearer ${asked.headers.authorization ? 'error="invalid_token", ' : ''}resource_metadata="http://127.0.0.1:${port}${metadata}"` }); }),
    theirs('a bad token is a 500', 'MOP-CHA-009', (it) => { it.refused = (json) => json(500, { error: 'jwt malformed' }); }),
    theirs('no metadata of the resource', 'MOP-PRM-001', (it) => { nowhere(metadata, bare, ...servers)(it); it.bare = (json) => json(401, {}, { 'www-authenticate': 'Bearer' }); it.refused = (json) => json(401, {}, { 'www-authenticate': 'Bearer error="invalid_token"' }); }),
    theirs('the metadata is no JSON', ['MOP-PRM-002', 'MOP-CHA-008'], (it) => { it.answers[metadata] = it.answers[bare] = html(200); }),
    theirs('the metadata is at the root alone', 'MOP-PRM-003', (it) => { nowhere(metadata)(it); it.metadata = `${it.origin}${bare}`; }),
    theirs('the two forms of the metadata contradict each other', 'MOP-PRM-004', (it) => { it.answers[bare] = (_, __, json) => json(200, { ...it.resource, authorization_servers: ['https://other.example.com'] }); }),
    theirs('resource is http inside and https outside', 'MOP-PRM-005', (it) => { it.resource.resource = 'http://mcp.internal:3000/mcp'; }),
    theirs('resource has a slash at its end', 'MOP-PRM-006', (it) => { it.resource.resource = `${it.mcp}/`; }),
    theirs('no authorization server is named', 'MOP-PRM-007', (it) => { it.resource.authorization_servers = []; }),
    theirs('offline_access is a scope of the resource', 'MOP-PRM-008', (it) => { it.resource.scopes_supported = ['tools', 'offline_access']; }),
    theirs('no metadata of the authorization server', 'MOP-ASM-001', nowhere(...servers)),
    theirs('the metadata of the authorization server is a page', 'MOP-ASM-002', (it) => { for (const path of servers) it.answers[path] = html(200); }),
    theirs('issuer has a slash at its end', 'MOP-ASM-003', (it) => { it.server.issuer = `${it.origin}/`; }),
    theirs('no token endpoint', 'MOP-ASM-004', (it) => { delete it.server.token_endpoint; }),
    theirs('the authorization endpoint is plain http elsewhere', 'MOP-ASM-005', (it) => { it.server.authorization_endpoint = 'http://login.example.com/authorize'; }),
    theirs('the token endpoint is not there', 'MOP-ASM-006', nowhere('/token')),
    theirs('S256 is not announced', 'MOP-ASM-007', (it) => { delete it.server.code_challenge_methods_supported; }),
    theirs('clients cannot register', 'MOP-ASM-008', (it) => { delete it.server.registration_endpoint; it.server.client_id_metadata_document_supported = false; }),
    theirs('registration wants a token', 'MOP-ASM-013', (it) => { it.server.client_id_metadata_document_supported = false; it.answers['/register'] = (_, __, json) => json(401, { error: 'invalid_token' }); }),
    theirs('public clients are not announced', 'MOP-ASM-009', (it) => { it.server.token_endpoint_auth_methods_supported = ['client_secret_basic']; }),
    theirs('codes are not announced', 'MOP-ASM-010', (it) => { it.server.response_types_supported = ['token']; }),
    theirs('the keys are not there', 'MOP-ASM-011', nowhere('/keys')),
    theirs('the key set is empty', 'MOP-ASM-012', (it) => { it.answers['/keys'] = (_, __, json) => json(200, { keys: [] }); }),
    theirs('preflights want a token', 'MOP-COR-001', (it) => { it.answers['/mcp'] = (answer, asked, json) => (asked.headers.authorization ? it.refused : it.bare)(json, asked, answer); }),
    theirs('no origin may read', 'MOP-COR-002', (it) => { delete it.cors['access-control-allow-origin']; }),
    theirs('the headers of MCP may not be sent', 'MOP-COR-003', (it) => { it.cors['access-control-allow-headers'] = 'Content-Type'; }),
    theirs('the challenge may not be read', 'MOP-COR-004', (it) => { delete it.cors['access-control-expose-headers']; }),
    theirs('the clock is an hour behind', 'MOP-TIM-003', (it) => { it.cors.date = new Date(Date.now() - 3_600_000).toUTCString(); }),

    // What many readers put up with, and what our own questions meet.
    theirs('the metadata begins with a byte order mark', 'MOP-PRM-002', written((json) => `\ufeff${json}`), /byte order mark/),
    theirs('a member stands twice in the metadata', 'MOP-PRM-002', written(more('"resource_name":"a","resource_name":"b"')), /stands twice/),
    theirs('the metadata is written in Latin-1', 'MOP-PRM-002', written((json) => Buffer.from(more('"resource_name":"caf\u00e9"')(json), 'latin1')), /not UTF-8/),
    theirs('the metadata is behind a redirect', 'MOP-PRM-002', (it) => {
      for (const path of [metadata, bare]) it.answers[path] = (answer) => answer.writeHead(301, { location: '/meta.json', ...it.cors }).end();
      it.answers['/meta.json'] = (_, __, json) => json(200, it.resource);
    }, /redirect/),
    theirs('the metadata is compressed, which it may be', null, written(gzipSync, { 'content-encoding': 'gzip' })),
    theirs('the metadata has 400 KB', ['MOP-PRM-002', 'MOP-CHA-008'], written(more(`"x":"${'x'.repeat(400_000)}"`)), /there is more/),
    theirs('the metadata fails', ['MOP-PRM-002', 'MOP-CHA-008'], (it) => { it.answers[metadata] = it.answers[bare] = (_, __, json) => json(500, { error: 'internal' }); }),
    theirs('four requests a minute are allowed, and the metadata is not among them', 'MOP-WEB-008', (it) => { for (const path of [metadata, bare]) it.answers[path] = (answer) => answer.writeHead(429, { 'retry-after': '60' }).end(); }),
    theirs('the metadata of the authorization server meets a limit', 'MOP-WEB-008', (it) => { for (const path of servers) it.answers[path] = (answer) => answer.writeHead(429).end(); }),
    theirs('the registration endpoint is a web page', 'MOP-ASM-006', (it) => { it.server.client_id_metadata_document_supported = false; it.answers['/register'] = html(200); }),
    theirs('the registration endpoint leads to a sign-in', 'MOP-ASM-006', (it) => { it.answers['/register'] = (answer) => answer.writeHead(302, { location: '/login', ...it.cors }).end(); }),
    theirs('the registration endpoint fails', 'MOP-ASM-006', (it) => { it.answers['/register'] = (_, __, json) => json(500, { error: 'internal' }); }),
    theirs('the server itself asks for user and password', 'MOP-WEB-001', (it) => { it.bare = it.refused = (json) => json(401, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'who are you?' } }, { 'www-authenticate': 'Basic realm="mine"' }); }),
    theirs('a broken challenge before a good one', 'MOP-CHA-005', (it) => {
      const broken = (more) => (json, asked, answer) => answer.writeHead(401, [...Object.entries(it.cors).flat(), 'content-type', 'application/json', 'www-authenticate', 'Basic realm="x', 'www-authenticate', `Bearer ${more}resource_metadata="${it.metadata}"`]).end('{}');
      it.bare = broken('');
      it.refused = broken('error="invalid_token", ');
    }),
    theirs('the URL in the challenge has no quotes', 'MOP-CHA-005', (it) => { it.bare = it.refused = (json, asked) => json(401, {}, { 'www-authenticate': `Bearer ${asked.headers.authorization ? 'error="invalid_token", ' : ''}resource_metadata=${it.metadata}` }); }),
    theirs('an ingress that does not know the name', 'MOP-WEB-007', (it) => { it.answers['*'] = (answer) => answer.writeHead(404, { 'content-type': 'text/plain' }).end('default backend - 404'); }),
    at('a stream of 2024 that wants a token, beside another server', 'MOP-WEB-011', async (mine) => {
      const it = await somebodys(mine);
      it.resource.resource = `${it.origin}/sse`;
      it.answers['/sse'] = (answer, asked, json) => (asked.method === 'GET' ? it.bare(json, asked, answer) : answer.writeHead(asked.method === 'POST' ? 405 : 204, it.cors).end());
      return `${it.origin}/sse`;
    }),
    theirs('a redirect to a relative address', 'MOP-WEB-005', (it) => {
      it.answers['/mcp/'] = (answer, asked, json) => (asked.headers.authorization ? it.refused : it.bare)(json, asked, answer);
      it.answers['/mcp'] = (answer) => answer.writeHead(307, { location: 'mcp/' }).end();
    }, /307 to http:\/\/127\.0\.0\.1:\d+\/mcp\//),
    theirs('answers of MCP that call themselves text/html', 'MOP-WEB-009', (it) => { it.bare = it.refused = (json, asked, answer) => answer.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' }).end(JSON.stringify({ jsonrpc: '2.0', id: 'doctor', result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' } } })); }, /Content-Type/),
    theirs('the application refuses with a page of its own, and Cloudflare passes it', 'MOP-CHA-003', (it) => { it.answers['/mcp'] = html(403, { 'cf-ray': '8abc-FRA', server: 'cloudflare', 'x-powered-by': 'Express' }); }),
    theirs('somebody in front lets in nobody of this country', 'MOP-WEB-001', (it) => { it.answers['/mcp'] = (_, __, json) => json(403, { message: 'requests from your country are not authorized' }); }),
    theirs('a 400 that speaks of HTTPS', 'MOP-CHA-003', (it) => { it.bare = it.refused = (json) => json(400, { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'Unsupported protocol version; see HTTPS://example.com/docs' } }); }),

    ...(await deployments(scope)),
    ours('nothing is wrong with ours', null, all('')),
    theirs('nothing is wrong with somebody else\'s', null, () => {}),
  ];
}
