// Gateways before an MCP server that is not there, is something else, or fails: what a client is told, and what
// check-config says before anybody calls.

import { writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';

import { send, startBeside } from '../lib/beside.mjs';
import { makeCertificates } from '../lib/certificates.mjs';
import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { Nginx, passing } from '../lib/nginx.mjs';
import { authorization, call, post, redeem, redirectUri, register, tokensFor } from '../lib/oauth.mjs';
import { Person } from '../lib/person.mjs';
import { listenOnLoopback, portOfNobody } from '../lib/scope.mjs';
import { startAnswering, Upstream } from '../lib/upstream.mjs';
import { answerText, checkConfig, logged, logLine, page } from './judges.mjs';

export async function upstreams(scope) {
  const certificates = await makeCertificates(scope, ['other.example']);
  const demo = await startDemoServer(scope);
  const secure = async (mine) => `127.0.0.1:${await listenOnLoopback(mine, createTlsServer({ cert: certificates.cert, key: certificates.key }, (_, answer) => answer.end('{}')))}`;
  const talking = (mine, speak) => listenOnLoopback(mine, createTcpServer((socket) => { socket.on('error', () => {}).resume(); speak(socket); }));

  // `server(mine)` gives the URL of the MCP server; settings of the gateway besides.
  const called = (world, cause, server, { settings = {}, checked = true, words, read = answerText } = {}) => ({
    world, cause, words,
    ask: async (mine) => {
      const url = await server(mine);
      const gateway = await Gateway.start(mine, { mcp_server_url: url, ...settings });
      const { access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
      const verdicts = { 'the answer': await read(await post(gateway.mcp, call('echo', { text: 'x' }), token), gateway) };
      if (checked) verdicts['check-config'] = await checkConfig(mine, { mcp_server_url: url, public_url: 'http://127.0.0.1:1', ...settings });
      return verdicts;
    },
  });
  const html = (status) => (mine) => startAnswering(mine, (request, answer) => (request.method === 'OPTIONS' ? answer.writeHead(204).end() : answer.writeHead(status, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>')));

  return [
    called('nothing listens at mcp_server_url', 'MOP-UPS-001', async () => `http://127.0.0.1:${await portOfNobody()}`),
    called('the name of the MCP server does not exist', 'MOP-UPS-002', async () => 'http://mcp-server.invalid:3000', { words: /resolve|known|mcp-server\.invalid/ }),
    called('the MCP server does not answer in time', 'MOP-UPS-003', (mine) => startAnswering(mine, (request, answer) => request.method === 'OPTIONS' && answer.end()), { settings: { request_timeout: '300ms' }, checked: false, words: /300ms/ }),
    called('the MCP server hangs up', 'MOP-UPS-004', (mine) => startAnswering(mine, (request, answer) => (request.method === 'OPTIONS' ? answer.end() : request.destroy())), { checked: false }),
    called('the MCP server speaks something else', 'MOP-UPS-005', async (mine) => `http://127.0.0.1:${await talking(mine, (s) => s.end('SSH-2.0-OpenSSH_9.2\r\n'))}`, { checked: false }),
    called('http:// before a server that speaks TLS', 'MOP-UPS-005', async (mine) => `http://127.0.0.1:${await talking(mine, (s) => s.once('data', () => s.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 10]))))}`, { checked: false, read: async (_, gateway) => logged(gateway, 'the call', (l) => /speaks TLS/.test(l.detail ?? '')), words: /speaks TLS/ }),
    called('https:// before a server that speaks none', 'MOP-UPS-007', async () => demo.url.replace('http:', 'https:'), { words: { 'check-config': /no TLS/ } }),
    called('the certificate of the MCP server is of an unknown authority', 'MOP-UPS-007', async (mine) => `https://${await secure(mine)}`),
    called('the certificate of the MCP server is for another name', 'MOP-UPS-007', async (mine) => `https://${await secure(mine)}`, { settings: { upstream_ca_file: certificates.caFile } }),
    called('a web page answers calls', 'MOP-UPS-006', html(200), { checked: false }),
    called('another sign-in is before the MCP server', 'MOP-UPS-006', (mine) => startAnswering(mine, (request, answer) => answer.writeHead(401, { 'www-authenticate': 'Bearer' }).end()), { checked: false, words: { 'the log': /401/ } }),
    called('the path of the MCP server is wrong', 'MOP-WEB-007', async () => `${demo.url}/mpc`, { read: async (answer, gateway) => { await answer.text(); return logged(gateway, 'the path', (l) => /no such path/.test(l.message ?? '')); } }),
    {
      world: 'mcp_server_url leads to the gateway itself, by way of an nginx', cause: 'MOP-UPS-008',
      ask: async (mine) => {
        const port = await portOfNobody();
        const nginx = await Nginx.start(mine, 'loop', passing(port));
        const gateway = await Gateway.start(mine, { port, public_url: `http://127.0.0.1:${port}`, mcp_server_url: nginx.url, upstream_authorization: 'verified' });
        const { access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
        return { 'the answer': await answerText(await post(gateway.mcp, call('echo', { text: 'x' }), token)) };
      },
    },
    {
      world: 'the audit file cannot be written, and calls are refused for it', cause: 'MOP-ADT-001',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { mcp_server_url: demo.url, audit: { file: '/dev/full', decisions: 'all', on_failure: 'refuse' } });
        const { access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
        return { 'the log': await logLine(gateway, await post(gateway.mcp, call('echo', { text: 'x' }), token)) };
      },
    },
    {
      world: 'a list of the MCP server is no JSON, and has to be filtered', cause: 'MOP-POL-003',
      ask: async (mine) => {
        const url = await startAnswering(mine, (_, answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{"tools":['));
        const gateway = await Gateway.start(mine, { mcp_server_url: url, tools: { echo: [] } });
        const { access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
        return { 'the answer': await answerText(await post(gateway.mcp, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, token)) };
      },
    },
    {
      world: 'rules came by a reload, and a stream that was open ended', cause: 'MOP-POL-005',
      ask: async (mine) => {
        const server = await startAnswering(mine, (request, answer) => {
          if (request.method !== 'GET') return answer.writeHead(202).end();
          return answer.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n');
        });
        const gateway = await Gateway.start(mine, { mcp_server_url: server });
        const { access_token: token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
        const stream = await fetch(gateway.mcp, { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } });
        await writeFile(join(gateway.folder, 'config.yaml'), JSON.stringify({ ...gateway.settings, tools: { echo: [] } }));
        return { 'the log': await logLine(gateway, stream) };
      },
    },
    {
      world: 'an old client behind an nginx that shows no bodies, and tools have rules', cause: 'MOP-VER-005',
      ask: async (mine) => {
        const server = await Upstream.start(mine, { stateful: false });
        const { gateway, port } = await startBeside(mine, 'nginx', server, { tools: { echo: ['tools:read'] }, danger_trust_mcp_headers: true });
        const person = new Person({ password: await gateway.firstPassword() });
        const client = await register(gateway);
        const asked = authorization(gateway, client, { scope: 'tools:read' });
        const given = await (await redeem(gateway, client, asked, await person.approve(asked.url, redirectUri))).json();
        const headers = [['Accept', 'application/json, text/event-stream'], ['Authorization', `Bearer ${given.access_token}`], ['MCP-Protocol-Version', '2025-06-18']];
        return { 'the answer': page(await send(port, 'POST', '/mcp', headers, JSON.stringify(call('echo', { text: 'x' })))) };
      },
    },
  ];
}
