// A bridge that is right before a server that is not, or with settings that are not: what its client is told.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { Bridge, Mock } from '../lib/bridge_client.mjs';
import { makeCertificates } from '../lib/certificates.mjs';
import { clockTimes } from '../lib/faketime.mjs';
import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { listenOnLoopback, portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { until } from '../lib/until.mjs';
import { startAnswering } from '../lib/upstream.mjs';
import { bridge, login } from './judges.mjs';

// A server that wants a token, and its authorization server, both at one origin; `change` says how they are wrong.
async function signingIn(scope, { resource = {}, server = {}, token = () => [200, { access_token: `token-${randomUUID()}`, token_type: 'Bearer' }], registration, mcp, challenge, authorize } = {}) {
  const json = (answer, status, body) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  let origin;
  const url = await startAnswering(scope, (asked, answer) => {
    const { pathname } = new URL(asked.url, origin);
    if (pathname.startsWith('/.well-known/oauth-protected-resource')) return json(answer, 200, { resource: `${origin}/mcp`, authorization_servers: [origin], ...resource });
    if (pathname.startsWith('/.well-known/')) {
      return json(answer, 200, { issuer: origin, authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token`, registration_endpoint: registration && `${origin}/register`,
        response_types_supported: ['code'], code_challenge_methods_supported: ['S256'], grant_types_supported: ['authorization_code', 'client_credentials', 'refresh_token'], ...server });
    }
    if (pathname === '/register') return json(answer, ...registration);
    if (pathname === '/authorize' && authorize) {
      const { searchParams: said } = new URL(asked.url, origin);
      return answer.writeHead(302, { location: `${said.get('redirect_uri')}?${new URLSearchParams({ ...authorize, state: said.get('state') })}` }).end();
    }
    if (pathname === '/token') return token ? json(answer, ...(typeof token === 'function' ? token() : token)) : asked.destroy();
    if (mcp) return mcp(asked, answer);
    answer.writeHead(401, { 'www-authenticate': challenge ?? `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` }).end();
  });
  origin = new URL(url).origin;
  return { origin, mcp: `${origin}/mcp` };
}

// Takes any token.
const letIn = (asked, answer) => (asked.headers.authorization ? answer.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}') : answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end());
const byItself = { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'c', OAUTH2_CLIENT_SECRET: 'a secret of the client' };
const nobody = { BROWSER: '/bin/true', OAUTH2_CLIENT_ID: 'c' };
// A browser that only follows where it is sent.
const following = { BROWSER: `${process.execPath} -e fetch(process.argv[1]) %s`, OAUTH2_CLIENT_ID: 'c' };

const modern = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: 'x', version: '1' }, 'io.modelcontextprotocol/clientCapabilities': {} };
const verdict = (answer) => ({ id: answer.error?.data?.symptom ?? null, text: JSON.stringify(answer), certain: true });

export async function bridges(scope) {
  const demo = await startDemoServer(scope);
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url });
  const certificates = await makeCertificates(scope, ['127.0.0.1']);
  const told = (world, cause, change, environment, { words, flags } = {}) => ({
    world, cause, words, ask: async (mine) => ({ 'the bridge': await bridge(mine, (await signingIn(mine, change)).mcp, environment, flags) }),
  });
  const at = (world, cause, url, environment = {}, words) => ({ world, cause, words, ask: async (mine) => ({ 'the bridge': await bridge(mine, await url(mine), environment) }) });
  const answering = (status, headers, body = '') => (mine) => startAnswering(mine, (_, answer) => answer.writeHead(status, headers).end(body));

  return [
    at('nobody listens at the URL', 'MOP-UPS-001', async () => `http://127.0.0.1:${await portOfNobody()}/mcp`),
    at('the name of the server does not exist', 'MOP-UPS-002', async () => 'https://mcp-server.invalid/mcp'),
    at('the path is wrong', 'MOP-BRI-001', async () => `${demo.url}/mpc`, {}, /404/),
    at('the server fails', 'MOP-BRI-001', answering(500, { 'content-type': 'text/plain' }, 'out of memory'), {}, /500/),
    at('a web page is at the URL', 'MOP-UPS-006', answering(200, { 'content-type': 'text/html' }, '<!doctype html>')),
    at('the server redirects to another host', 'MOP-BRI-003', answering(307, { location: 'https://other.example.com/mcp' }), {}, /other\.example\.com/),
    at('a firewall answers 403 with a page', 'MOP-BRI-001', answering(403, { 'content-type': 'text/html' }, '<!doctype html><title>Attention Required</title>'), {}, /403/),
    at('an answer without content', 'MOP-BRI-004', answering(202, {})),
    at('the certificate is of an unknown authority', 'MOP-UPS-007', async (mine) => `https://127.0.0.1:${await listenOnLoopback(mine, createTlsServer({ cert: certificates.cert, key: certificates.key }, (_, answer) => answer.end()))}/mcp`),
    at('https:// before a server that speaks none', 'MOP-UPS-007', async () => `${demo.url.replace('http:', 'https:')}/mcp`),
    at('the server asks for an hour of patience', 'MOP-BRI-002', answering(429, { 'retry-after': '3600' })),
    at('the server is under maintenance until tomorrow', 'MOP-BRI-002', answering(503, { 'retry-after': '86400', 'content-type': 'text/html' }, '<!doctype html>')),
    at('the server forgot the session, and opens no other', 'MOP-BRI-005', async (mine) => {
      const mock = await Mock.start(mine);
      let opened = 0;
      mock.any = (asked, answer, body) => {
        if (!body.includes('"initialize"')) return mock.sessions.clear();
        return ++opened > 1 && answer.writeHead(500).end('no room for a session');
      };
      return mock.url;
    }),
    {
      world: 'the list of tools has 70 MB, and the server has no sessions', cause: 'MOP-BRI-007',
      ask: async (mine) => {
        const tools = [{ name: 'echo', description: 'x'.repeat(70_000_000), inputSchema: { type: 'object' } }];
        const url = await startAnswering(mine, async (asked, answer) => {
          let body = '';
          for await (const piece of asked.setEncoding('utf8')) body += piece;
          const say = (status, message) => answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', ...message }));
          const { id, method } = body ? JSON.parse(body) : {};
          if (asked.headers['mcp-protocol-version'] !== '2026-07-28') return say(400, { id: id ?? null, error: { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2026-07-28'] } } });
          const more = method === 'server/discover' ? { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } : { tools };
          return say(200, { id, result: { resultType: 'complete', ttlMs: 0, cacheScope: 'public', ...more } });
        });
        return { 'the bridge': await bridge(mine, `${url}/mcp`) };
      },
    },
    {
      world: 'the bridge is stopped while a tool runs', cause: 'MOP-BRI-008',
      ask: async (mine) => {
        const mock = await Mock.start(mine);
        const client = await Bridge.start(mine, mock.url);
        await client.initialize();
        const called = new Promise((resolve) => { mock.behave.slow = resolve; });
        client.write({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow' } });
        await called;
        client.child.kill('SIGTERM');
        return { 'the bridge': verdict(await client.answerTo(1)) };
      },
    },
    {
      world: 'a client of 2026 subscribes more often than a server with sessions can be told of', cause: 'MOP-BRI-009', words: /64 subscriptions/,
      ask: async (mine) => {
        const client = await Bridge.start(mine, (await Mock.start(mine)).url);
        await client.request('first', 'server/discover', { _meta: modern });
        for (let i = 0; i <= 64; ++i) client.write({ jsonrpc: '2.0', id: i, method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true }, _meta: modern } });
        return { 'the bridge': verdict(await until('an answer', () => [...client.answers].find(([id]) => id !== '"first"')?.[1][0])) };
      },
    },
    {
      world: 'a tool is called, and nobody has signed in for most of a minute', cause: 'MOP-BRI-010', words: /\/authorize\?/,
      ask: async (mine) => {
        const client = await Bridge.start(mine, (await signingIn(mine)).mcp, { env: { ...nobody, ...clockTimes(6) } });
        await client.initialize();
        return { 'the bridge': verdict(await client.call(1, 'echo')) };
      },
    },
    at('the HTTP proxy is not there', 'MOP-BRI-006', async () => 'https://mcp.example.com/mcp', { HTTPS_PROXY: 'http://127.0.0.1:1' }),
    at('a token from the environment that is no good', 'MOP-SIN-020', async () => gateway.mcp, { OAUTH2_ACCESS_TOKEN: 'an-old-token' }),
    at('a person is needed, and none may be asked', 'MOP-SIN-009', async () => gateway.mcp, { OAUTH2_INTERACTIVE: 'false' }),
    told('the metadata is of another resource', 'MOP-SIN-003', { resource: { resource: 'https://other.example.com/mcp' } }, byItself, { words: /other\.example\.com/ }),
    told('the authorization server calls itself otherwise', 'MOP-SIN-004', { server: { issuer: 'https://other.example.com' } }, byItself, { words: /other\.example\.com/ }),
    told('no PKCE with S256 is announced', 'MOP-SIN-005', { server: { code_challenge_methods_supported: undefined } }, nobody),
    told('the token endpoint is missing in the metadata', 'MOP-SIN-002', { server: { token_endpoint: undefined } }, byItself, { words: /token_endpoint/ }),
    told('the token endpoint is plain http elsewhere', 'MOP-SIN-006', { server: { token_endpoint: 'http://192.0.2.1/token' } }, byItself, { words: /192\.0\.2\.1/ }),
    at('a sign-in is asked for, and nothing says where', 'MOP-SIN-001', async (mine) => `${await startAnswering(mine, (asked, answer) => answer.writeHead(asked.url === '/mcp' ? 401 : 404).end())}/mcp`, { BROWSER: '/bin/true' }, /oauth-protected-resource/),
    told('nobody signs in', 'MOP-SIN-010', {}, { ...nobody, OAUTH2_CALLBACK_TIMEOUT_SECONDS: '1' }),
    told('the person says no', 'MOP-SIN-011', { authorize: { error: 'access_denied', error_description: 'not you' } }, following, { words: /not you/ }),
    told('the scope is none that the authorization server gives to this client', 'MOP-SIN-011', { authorize: { error: 'invalid_scope', error_description: 'tools is not allowed' } }, following, { words: /tools is not allowed/ }),
    told('the code is used up when it is redeemed', 'MOP-SIN-015', { authorize: { code: 'old' }, token: [400, { error: 'invalid_grant', error_description: 'Code not valid' }] }, following, { words: /Code not valid/ }),
    told('the server asks for a scope that it never gets', 'MOP-SIN-017', {
      mcp: (asked, answer) => answer.writeHead(asked.headers.authorization ? 403 : 401, { 'www-authenticate': `Bearer ${asked.headers.authorization ? 'error="insufficient_scope", scope="files:write"' : ''}` }).end(),
    }, byItself, { words: /files:write/ }),
    told('no client id, and no registration', 'MOP-SIN-007', {}, { BROWSER: '/bin/true' }, { words: /redirect/i }),
    told('the registration is refused', 'MOP-SIN-008', { registration: [403, { error: 'access_denied', error_description: 'closed for the public' }] }, { BROWSER: '/bin/true' }, { words: /closed for the public/ }),
    told('the client secret is wrong', 'MOP-SIN-012', { token: [401, { error: 'invalid_client' }] }, byItself, { words: /invalid_client/ }),
    told('a scope that the authorization server does not know', 'MOP-SIN-012', { token: [400, { error: 'invalid_scope' }] }, byItself, { words: /invalid_scope/ }),
    told('the token endpoint is away', 'MOP-SIN-013', { token: null }, byItself),
    told('the token endpoint answers without a token', 'MOP-SIN-014', { token: [200, { hello: 'world' }] }, byItself),
    {
      world: 'fresh tokens are refused', cause: 'MOP-SIN-016', words: /fresh tokens/,
      ask: async (mine) => ({ 'bridge login': await login(mine, (await signingIn(mine)).mcp, byItself) }),
    },
    {
      world: 'the pinned callback port is taken', cause: 'MOP-SIN-018',
      ask: async (mine) => {
        const port = await listenOnLoopback(mine, createServer());
        return { 'the bridge': await bridge(mine, gateway.mcp, { BROWSER: '/bin/true', OAUTH2_CALLBACK_PORT: String(port), OAUTH2_CALLBACK_TIMEOUT_SECONDS: '1' }) };
      },
    },
    {
      world: 'the folder of the token cache is a file', cause: 'MOP-SIN-019',
      ask: async (mine) => {
        const folder = await temporaryFolder(mine, 'cache');
        await mkdir(join(folder, 'x'));
        await writeFile(join(folder, 'x/cache'), '');
        return { 'bridge login': await login(mine, (await signingIn(mine, { mcp: letIn })).mcp, { ...byItself, OAUTH2_TOKEN_CACHE_DIR: join(folder, 'x/cache') }) };
      },
    },
  ];
}
