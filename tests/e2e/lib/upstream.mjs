// An MCP server made with the official SDK, whose tools wait for the test.

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { listenOnLoopback, stopListening } from './scope.mjs';
import { deferred, until } from './until.mjs';

const tools = [
  { name: 'echo', description: 'Returns its text.', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } },
  { name: 'whoami', description: 'Returns the headers that came with the call.', inputSchema: { type: 'object' } },
  { name: 'progress', description: 'Reports steps, each after the test has let it go on.', inputSchema: { type: 'object' } },
  { name: 'slow', description: 'Answers when the test lets it.', inputSchema: { type: 'object' } },
];

const text = (value) => ({ content: [{ type: 'text', text: value }] });

export class Upstream {
  requests = []; // { method, url, headers, closed: true once the other side has gone before the answer }
  #sessions = new Map();
  #gate = [];

  static async start(scope, { stateful = true } = {}) {
    const upstream = new Upstream();
    upstream.stateful = stateful;
    upstream.server = createServer((request, response) => upstream.#serve(request, response));
    upstream.port = await listenOnLoopback(scope, upstream.server);
    upstream.url = `http://127.0.0.1:${upstream.port}`;
    return upstream;
  }

  stop() {
    return stopListening(this.server);
  }

  // Lets the tool that waits longest go on.
  async release() {
    const next = await until('a tool that waits', () => this.#gate.shift());
    next.resolve();
  }
  // How many tools wait now.
  get waiting() {
    return this.#gate.length;
  }

  async #hold() {
    const gate = deferred();
    this.#gate.push(gate);
    await gate.promise;
  }

  async #serve(request, response) {
    const seen = { method: request.method, url: request.url, headers: request.headers, closed: false };
    this.requests.push(seen);
    response.on('close', () => (seen.closed = !response.writableFinished));
    const transport = await this.#transportFor(request.headers['mcp-session-id']);
    if (!transport) return response.writeHead(404).end();
    await transport.handleRequest(request, response);
  }

  async #transportFor(session) {
    if (session) return this.#sessions.get(session);
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: this.stateful ? () => randomUUID() : undefined,
      onsessioninitialized: (id) => this.#sessions.set(id, transport),
      onsessionclosed: (id) => this.#sessions.delete(id),
    });
    await this.#mcpServer().connect(transport);
    return transport;
  }

  #mcpServer() {
    const server = new Server({ name: 'upstream', version: '1' }, { capabilities: { tools: {}, logging: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
    server.setRequestHandler(CallToolRequestSchema, (request, extra) => this.#call(request.params, extra));
    return server;
  }

  async #call({ name, arguments: given, _meta }, extra) {
    switch (name) {
      case 'echo': return text(given.text);
      case 'whoami': return text(JSON.stringify(extra.requestInfo.headers));
      case 'slow':
        await this.#hold();
        return text('done');
      case 'progress':
        for (let step = 1; step <= given.steps; ++step) {
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken: _meta.progressToken, progress: step, total: given.steps },
          });
          await this.#hold();
        }
        return text(`${given.steps} steps`);
      default: throw new Error(`no tool ${name}`);
    }
  }
}

// A server that gives one answer to everything.
export async function startAnswering(scope, answer) {
  const server = createServer(answer);
  const port = await listenOnLoopback(scope, server);
  return `http://127.0.0.1:${port}`;
}
