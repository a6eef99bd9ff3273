// Clients and servers of every revision of MCP with the bridge between them; each of the official clients over standard
// input and output; and our own gateway as the server.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { before, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OlderTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { Bridge, bridgeCommand, bridgeEnvironment, event, events, json, result } from './lib/bridge_client.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let demo;
before(async () => {
  demo = await startDemoServer(scope);
});

const newest = '2026-07-28';
const meta = (version = newest) => ({
  'io.modelcontextprotocol/protocolVersion': version,
  'io.modelcontextprotocol/clientInfo': { name: 'stateless', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
});
const text = (answer) => answer.result?.content?.[0]?.text;
const words = 'grüße, 世界 \u{1f600}';

for (const [version, path] of [['2024-11-05', '/sse'], ['2024-11-05', '/mcp'], ['2025-03-26', '/mcp'], ['2025-06-18', '/mcp'], ['2025-11-25', '/mcp']]) {
  test(`${version} on both sides, at ${path}`, async (t) => {
    const bridge = await Bridge.start(t, `${demo.url}${path}`);
    const opened = await bridge.initialize(version);
    assert.equal(opened.result.protocolVersion, version);
    assert.equal(text(await bridge.call(1, 'echo', { text: words })), words);
    const list = await bridge.request('two', 'tools/list');
    assert.ok(list.result.tools.some((tool) => tool.name === 'echo'));
    assert.ok((await bridge.call(3, 'progress', { steps: 3, interval_ms: 1 }, { progressToken: 'p' })).result);
    assert.equal(bridge.heard('notifications/progress').length, 3);
    assert.ok((await bridge.call(4, 'fail', { kind: 'jsonrpc_error' })).error);
    assert.equal(text(await bridge.call(5, 'big', { bytes: 2_000_000 })).length, 2_000_000);
    assert.equal((await bridge.request(6, 'no/such/method')).error.code, -32601);
    assert.equal((await bridge.request(7, 'prompts/get', { name: 'greeting', arguments: { name: 'Ada' } })).result.messages.length, 1);
    assert.ok((await bridge.request(8, 'ping')).result);
    assert.equal(await bridge.end(), 0);
  });
}

test(`${newest} on both sides`, async (t) => {
  const bridge = await Bridge.start(t, `${demo.url}/mcp`);
  const discovered = await bridge.request(1, 'server/discover', { _meta: meta() });
  assert.deepEqual(discovered.result.supportedVersions, [newest]);
  const call = (id, name, given, more) => bridge.request(id, 'tools/call', { name, arguments: given, _meta: { ...meta(), ...more } });
  assert.equal(text(await call(2, 'echo', { text: words })), words);
  assert.ok((await call(3, 'progress', { steps: 3, interval_ms: 1 }, { progressToken: 'p' })).result);
  assert.equal(bridge.heard('notifications/progress').length, 3);
  assert.equal((await bridge.request(4, 'no/such/method', { _meta: meta() })).error.code, -32601);
  bridge.write({ jsonrpc: '2.0', id: 5, method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true }, _meta: meta() } });
  await until('the acknowledgement', () => bridge.heard('notifications/subscriptions/acknowledged').length === 1);
  bridge.notify('notifications/cancelled', { requestId: 5 });
  assert.equal(text(await call(6, 'echo', { text: 'still here' })), 'still here');
  assert.equal(bridge.answers.get('5'), undefined);
  assert.equal(await bridge.end(), 0);
});

// ---- one of each kind: a server that has only one of them

// The revision without sessions alone; what it was sent is kept.
async function statelessServer(t, behave = {}) {
  const seen = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const message = JSON.parse(body);
    seen.push({ headers: request.headers, message });
    const refuse = (status, code, words, data) => json(response, { jsonrpc: '2.0', id: message.id, error: { code, message: words, ...(data && { data }) } }, status);
    if (request.headers['mcp-protocol-version'] !== newest) return refuse(400, -32022, 'Unsupported protocol version', { supported: [newest], requested: request.headers['mcp-protocol-version'] });
    const said = message.params?._meta?.['io.modelcontextprotocol/protocolVersion'];
    if (said !== newest || request.headers['mcp-method'] !== message.method) return refuse(400, -32020, 'Header mismatch');
    if (message.params._meta['io.modelcontextprotocol/clientCapabilities'] === undefined) return refuse(400, -32602, 'no capabilities');
    const complete = (value) => json(response, result(message, { resultType: 'complete', ...value }));
    if (message.method === 'server/discover') return complete({ supportedVersions: [newest], capabilities: { tools: { listChanged: true } }, ttlMs: 0, cacheScope: 'public', _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'stateless', version: '1' } } });
    const tool = behave[message.params.name ?? message.method];
    if (tool) return tool(request, response, message, complete);
    if (message.method === 'tools/list') return complete({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }], ttlMs: 0, cacheScope: 'public' });
    if (message.method === 'tools/call') return complete({ content: [{ type: 'text', text: String(message.params.arguments?.text) }] });
    refuse(404, -32601, 'Method not found');
  });
  const port = await listenOnLoopback(t, server);
  return { url: `http://127.0.0.1:${port}/mcp`, seen };
}

// Sessions alone: what has no session is refused as servers of that time do.
async function sessionServer(t, behave = {}) {
  const heard = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    if (request.method === 'DELETE') return void response.writeHead(200).end();
    if (request.method === 'GET') {
      events(response);
      return void behave.stream?.(response);
    }
    const message = JSON.parse(body);
    if (message.method === 'initialize') {
      response.setHeader('mcp-session-id', 's1');
      return json(response, result(message, { protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true } }, serverInfo: { name: 'sessions', version: '1' } }));
    }
    if (request.headers['mcp-session-id'] !== 's1') return json(response, { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Bad Request: Server not initialized' } }, 400);
    assert.equal(JSON.stringify(message).includes('io.modelcontextprotocol'), false, 'what this revision does not know');
    heard.push(message);
    if (message.id === undefined || message.method === undefined) return void response.writeHead(202).end();
    const tool = behave[message.params?.name ?? message.method];
    if (tool) return tool(response, message, heard);
    json(response, result(message, message.method === 'tools/list' ? { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] } : { content: [{ type: 'text', text: String(message.params?.arguments?.text) }] }));
  });
  const port = await listenOnLoopback(t, server);
  return { url: `http://127.0.0.1:${port}/mcp`, heard };
}

test('a client that wants a session, and a server that has none', async (t) => {
  let listening;
  const server = await statelessServer(t, {
    'subscriptions/listen': (_, response, message) => {
      events(response);
      response.write(event({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: { _meta: { 'io.modelcontextprotocol/subscriptionId': message.id } } }));
      listening = response;
    },
    ask: (_, response, message, complete) => {
      const given = message.params.inputResponses;
      if (given) return complete({ content: [{ type: 'text', text: `${given.who.content.name} ${message.params.requestState}` }] });
      json(response, result(message, { resultType: 'input_required', requestState: 'opaque "é"', inputRequests: { who: { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: { type: 'object', properties: {} } } } } }));
    },
  });
  const bridge = await Bridge.start(t, server.url);
  const opened = await bridge.initialize('2025-06-18', { elicitation: {} });
  assert.equal(opened.result.protocolVersion, '2025-06-18');
  assert.equal(opened.result.serverInfo.name, 'stateless');
  assert.equal(text(await bridge.call(1, 'echo', { text: words })), words);
  assert.equal(server.seen.at(-1).headers['mcp-name'], 'echo');
  assert.ok((await bridge.request(2, 'ping')).result);
  await until('the subscription', () => listening);
  listening.write(event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: {} }));
  await until('a change', () => bridge.heard('notifications/tools/list_changed').length === 1);
  const asked = bridge.call(3, 'ask');
  const question = await until('the question', () => bridge.heard('elicitation/create')[0]);
  bridge.write({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: { name: 'Ada' } } });
  assert.equal(text(await asked), 'Ada opaque "é"');
  const ids = server.seen.filter((one) => one.message.params?.name === 'ask').map((one) => JSON.stringify(one.message.id));
  assert.equal(new Set(ids).size, 2);
  assert.equal(await bridge.end(), 0);
});

test('a client without sessions, and a server that has them', async (t) => {
  let stream;
  const server = await sessionServer(t, {
    stream: (response) => (stream = response),
    ask: async (response, message, heard) => {
      events(response);
      response.write(event({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: { message: 'Who?' } }));
      const said = await until('the answer', () => heard.find((one) => one.id === 'q'));
      response.end(event(result(message, { content: [{ type: 'text', text: said.result.content.name }] })));
    },
  });
  const bridge = await Bridge.start(t, server.url);
  const discovered = await bridge.request(1, 'server/discover', { _meta: meta() });
  assert.deepEqual(discovered.result.supportedVersions, [newest]);
  assert.equal(discovered.result._meta['io.modelcontextprotocol/serverInfo'].name, 'sessions');
  const list = await bridge.request(2, 'tools/list', { _meta: meta() });
  assert.equal(list.result.resultType, 'complete');
  bridge.write({ jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen', params: { notifications: { toolsListChanged: true }, _meta: meta() } });
  await until('the acknowledgement', () => bridge.heard('notifications/subscriptions/acknowledged').length === 1);
  await until('the stream', () => stream);
  stream.write(event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }));
  const changed = await until('a change', () => bridge.heard('notifications/tools/list_changed')[0]);
  assert.equal(changed.params._meta['io.modelcontextprotocol/subscriptionId'], 'sub');
  const asked = await bridge.request(3, 'tools/call', { name: 'ask', arguments: {}, _meta: meta() });
  assert.equal(asked.result.resultType, 'input_required');
  const [[key, question]] = Object.entries(asked.result.inputRequests);
  assert.equal(question.method, 'elicitation/create');
  const again = await bridge.request(4, 'tools/call', {
    name: 'ask', arguments: {}, _meta: meta(), requestState: asked.result.requestState, inputResponses: { [key]: { action: 'accept', content: { name: 'Ada' } } },
  });
  assert.equal(text(again), 'Ada');
  assert.equal(await bridge.end(), 0);
});

// ---- the official clients

async function transportTo(t, Transport, url) {
  const { command, args } = bridgeCommand(url);
  return new Transport({ command, args, env: await bridgeEnvironment(t), stderr: 'inherit' });
}

for (const [name, url] of [['sessions', () => `${demo.url}/mcp`], ['HTTP with SSE', () => `${demo.url}/sse`]]) {
  test(`the TypeScript SDK's client of 2025 over standard input and output, ${name}`, async (t) => {
    const client = new OlderClient({ name: 'older', version: '1' });
    t.after(() => client.close());
    await client.connect(await transportTo(t, OlderTransport, url()));
    assert.ok((await client.listTools()).tools.length > 0);
    const progress = [];
    await client.callTool({ name: 'progress', arguments: { steps: 4, interval_ms: 20 } }, undefined, { onprogress: (one) => progress.push(one) });
    assert.ok(progress.length >= 3, 'of 4; the client loses the one that comes with the response');
    const answer = await client.callTool({ name: 'echo', arguments: { text: words } });
    assert.equal(answer.content[0].text, words);
  });
}

for (const [name, options] of [['negotiating', { versionNegotiation: { mode: 'auto' } }], ['with a session', {}]]) {
  for (const [kind, start] of [['the demo server', async () => ({ url: `${demo.url}/mcp` })], ['a server without sessions', statelessServer], ['a server with sessions', sessionServer]]) {
    test(`the TypeScript SDK's newest client ${name}, ${kind}`, async (t) => {
      const server = await start(t);
      const client = new Client({ name: 'newest', version: '1' }, { capabilities: {}, ...options });
      t.after(() => client.close());
      await client.connect(await transportTo(t, StdioClientTransport, server.url));
      const { tools } = await client.listTools();
      assert.ok(tools.some((tool) => tool.name === 'echo'));
      const answer = await client.callTool({ name: 'echo', arguments: { text: words } });
      assert.equal(answer.content[0].text, words);
    });
  }
}

// ---- our own gateway

test('the gateway, with a token from the environment', async (t) => {
  const gateway = await Gateway.start(t, { mcp_server_url: demo.url });
  const { access_token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  const bridge = await Bridge.start(t, gateway.mcp, { env: { OAUTH2_GRANT: 'token', OAUTH2_ACCESS_TOKEN: access_token } });
  assert.equal((await bridge.initialize('2025-11-25')).result.protocolVersion, '2025-11-25');
  assert.equal(text(await bridge.call(1, 'echo', { text: words })), words);
  assert.equal(await bridge.end(), 0);
  assert.equal(bridge.errors.includes(access_token), false);
  const refused = await Bridge.start(t, gateway.mcp, { env: { OAUTH2_GRANT: 'token', OAUTH2_ACCESS_TOKEN: `${access_token}x` } });
  const answer = await refused.initialize('2025-11-25');
  assert.match(answer.error?.data?.symptom ?? '', /^MOP-/, JSON.stringify(answer));
  assert.equal(await refused.end(), 0);
  const stateless = await Bridge.start(t, gateway.mcp, { env: { OAUTH2_GRANT: 'token', OAUTH2_ACCESS_TOKEN: access_token } });
  assert.ok((await stateless.request(1, 'server/discover', { _meta: meta() })).result);
  assert.equal(text(await stateless.request(2, 'tools/call', { name: 'echo', arguments: { text: words }, _meta: meta() })), words);
  assert.equal(await stateless.end(), 0);
});
