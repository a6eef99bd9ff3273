// Two things are wrong at once. The cause of a world is the one that has to be mended first: nothing of the other can be
// seen, or helps, before.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { authorization, call, post, postForm, redirectUri, register, tokensFor } from '../lib/oauth.mjs';
import { Person } from '../lib/person.mjs';
import { Browser } from '../lib/browser.mjs';
import { portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { TokenIssuer } from '../lib/token_issuer.mjs';
import { bridge, checkConfig, doctor, explainToken, logLine, page, start } from './judges.mjs';
import { somebodys } from './outside.mjs';

export async function pairs(scope) {
  const demo = await startDemoServer(scope);
  const issuer = await TokenIssuer.start(scope);
  const guard = await Gateway.start(scope, { mode: 'native', issuer: issuer.issuer, mcp_server_url: demo.url, tools: { echo: ['tools:read'] } });
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url });
  const client = await register(gateway);
  const now = Math.floor(Date.now() / 1000);
  const token = (claims = {}, header = {}) => issuer.token({ aud: guard.mcp, scope: 'tools:read', ...claims }, header);
  const ofToken = (world, cause, given, words) => ({
    world, cause, words: words && { 'explain-token': words },
    ask: async (mine) => ({ 'explain-token': await explainToken(mine, guard, given()), 'the log': await logLine(guard, await post(guard.mcp, call('echo', { text: 'x' }), given())) }),
  });
  const ofConfiguration = (world, cause, settings, words, more = {}) => ({
    world, cause, words, ask: async (mine) => { const made = await settings(mine); return { 'check-config': await checkConfig(mine, made, more), 'the start': await start(mine, made, more) }; },
  });
  const ofServer = (world, cause, change) => ({ world, cause, ask: async (mine) => ({ doctor: await doctor(mine, (await somebodys(mine, change)).mcp) }) });
  const gone = (...paths) => (it) => { for (const path of paths) it.answers[path] = (answer) => answer.writeHead(404).end(); };

  return [
    ofToken('another issuer, and expired', 'MOP-ISS-001', () => token({ iss: 'https://other.example.com', exp: now - 3600 })),
    ofToken('another audience, and the scope is missing', 'MOP-AUD-001', () => token({ aud: 'https://other.example.com', scope: '' })),
    ofToken('expired, and the scope is missing', 'MOP-TIM-001', () => token({ iat: now - 7200, exp: now - 3600, scope: '' })),
    ofToken('an unknown key, and another audience', 'MOP-SIG-001', () => token({ aud: 'https://other.example.com' }, { kid: 'unknown' })),
    ofToken('cut off, and of another issuer', 'MOP-TOK-004', () => token({ iss: 'https://other.example.com', name: 'x'.repeat(600) }).slice(0, 512), /512/),
    ofToken('without a signature, and for another audience', 'MOP-TOK-006', () => token({ aud: 'https://other.example.com' }, { alg: 'none' })),
    ofConfiguration('a misspelt key, and nobody at mcp_server_url', 'MOP-CFG-003', async () => ({ mcp_server_url: `http://127.0.0.1:${await portOfNobody()}`, sesion_timeout: 600 }), /session_timeout/),
    ofConfiguration('the file is no database, and the certificate is missing', 'MOP-STO-015', async (mine) => {
      const file = join(await temporaryFolder(mine, 'pair'), 'oauth.db');
      await writeFile(file, 'These are my notes, and no database at all, whatever the name says. '.repeat(20));
      return { mcp_server_url: demo.url, public_url: 'https://127.0.0.1:8443', database_url: `sqlite://${file}`, encryption_key: randomBytes(32).toString('base64'), tls: { cert_file: '/nonexistent.pem', key_file: '/nonexistent.key' } };
    }),
    ofConfiguration('the issuer of a guard is away, and so is the MCP server', 'MOP-ISS-002', async () => ({ mode: 'native', issuer: `http://127.0.0.1:${await portOfNobody()}`, mcp_server_url: `http://127.0.0.1:${await portOfNobody()}` })),
    {
      world: 'a token that was revoked, and nobody at mcp_server_url', cause: 'MOP-TOK-008',
      ask: async (mine) => {
        const lonely = await Gateway.start(mine, { mcp_server_url: `http://127.0.0.1:${await portOfNobody()}` });
        const own = await tokensFor(lonely, new Person({ password: await lonely.firstPassword() }));
        await postForm(`${lonely.origin}/oauth/revoke`, { token: own.refresh_token, client_id: own.client.client_id });
        return { 'explain-token': await explainToken(mine, lonely, own.access_token), 'the log': await logLine(lonely, await post(lonely.mcp, call('echo', { text: 'x' }), own.access_token)) };
      },
    },
    {
      world: 'the audit file is full, and nobody at mcp_server_url', cause: 'MOP-ADT-001',
      ask: async (mine) => {
        const full = await Gateway.start(mine, { mcp_server_url: `http://127.0.0.1:${await portOfNobody()}`, audit: { file: '/dev/full', decisions: 'all', on_failure: 'refuse' } });
        const { access_token: given } = await tokensFor(full, new Person({ password: await full.firstPassword() }));
        return { 'the log': await logLine(full, await post(full.mcp, call('echo', { text: 'x' }), given)) };
      },
    },
    { world: 'an unknown client, and no PKCE', cause: 'MOP-CLI-001', ask: async () => ({ 'the page': page(await new Browser().open(authorization(gateway, { client_id: 'nobody' }, { code_challenge: undefined }).url, { until: redirectUri })) }) },
    { world: 'another redirect URI, and PKCE by plain', cause: 'MOP-RED-002', ask: async () => ({ 'the page': page(await new Browser().open(authorization(gateway, client, { redirect_uri: 'http://127.0.0.1:8123/other', code_challenge_method: 'plain' }).url, { until: redirectUri })) }) },
    {
      world: 'a bridge with a bad token, before a server that nobody serves', cause: 'MOP-UPS-001',
      ask: async (mine) => ({ 'the bridge': await bridge(mine, `http://127.0.0.1:${await portOfNobody()}/mcp`, { OAUTH2_ACCESS_TOKEN: 'bad' }) }),
    },
    {
      world: 'metadata of another resource, and of an authorization server that calls itself otherwise', cause: 'MOP-SIN-003',
      ask: async (mine) => {
        const it = await somebodys(mine, (one) => { one.resource.resource = 'https://other.example.com/mcp'; one.server.issuer = 'https://other.example.com'; });
        return { 'the bridge': await bridge(mine, it.mcp, { OAUTH2_GRANT: 'client_credentials', OAUTH2_CLIENT_ID: 'c', OAUTH2_CLIENT_SECRET: 'a secret of the client' }) };
      },
    },
    ofServer('no challenge, and no registration', 'MOP-CHA-004', (it) => { it.bare = it.refused = (json) => json(401, { error: 'unauthorized' }); delete it.server.registration_endpoint; it.server.client_id_metadata_document_supported = false; }),
    ofServer('no metadata of the authorization server, and no CORS', 'MOP-ASM-001', (it) => { gone('/.well-known/oauth-authorization-server', '/.well-known/openid-configuration')(it); delete it.cors['access-control-allow-origin']; }),
    ofServer('resource is another, and S256 is not announced', 'MOP-PRM-005', (it) => { it.resource.resource = 'http://mcp.internal:3000/mcp'; delete it.server.code_challenge_methods_supported; }),
    ofServer('the issuer is another, and the keys are gone', 'MOP-ASM-003', (it) => { it.server.issuer = 'https://other.example.com'; gone('/keys')(it); }),
    ofServer('a web page at the path, and no metadata', 'MOP-WEB-002', (it) => { it.answers['*'] = (answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>App</title><h1>App</h1>'); }),
  ];
}
