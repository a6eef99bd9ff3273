// A bridge as a client starts it: a child process that speaks MCP on its standard input and output.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { binary } from './gateway.mjs';
import { listenOnLoopback, temporaryFolder } from './scope.mjs';
import { deferred, until, within } from './until.mjs';

// What starts a bridge, for clients that start it themselves.
export function bridgeCommand(url, flags = []) {
  const [file, ...first] = process.env.MOP_BRIDGE ? [process.env.MOP_BRIDGE] : [binary, 'bridge'];
  return { command: file, args: [...first, url, ...flags] };
}

// Nothing of the caller's environment counts; the server's token comes from the environment, or there is none.
export async function bridgeEnvironment(scope, more = {}) {
  const home = await temporaryFolder(scope, 'bridge-home');
  return { PATH: process.env.PATH, HOME: home, OAUTH2_TOKEN_CACHE_DIR: `${home}/cache`, ...more };
}

export class Bridge {
  messages = []; // everything that came on standard output
  errors = '';
  answers = new Map(); // by id, JSON
  unreadable = []; // lines that are no JSON

  static async start(scope, url, { flags = [], env = {}, stdio = ['pipe', 'pipe', 'pipe'] } = {}) {
    const bridge = new Bridge();
    const { command, args } = bridgeCommand(url, flags);
    bridge.child = spawn(command, args, { stdio, env: await bridgeEnvironment(scope, env) });
    bridge.exited = once(bridge.child, 'close');
    bridge.child.stdin?.on('error', () => {});
    bridge.child.stderr?.setEncoding('utf8').on('data', (text) => (bridge.errors += text));
    bridge.child.stdout?.setEncoding('utf8');
    let rest = []; // of a line that may be long
    bridge.child.stdout?.on('data', (text) => {
      const [first, ...more] = text.split('\n');
      rest.push(first);
      for (const begun of more) {
        bridge.#take(rest.join(''));
        rest = [begun];
      }
    });
    scope.after(async () => {
      if (bridge.child.exitCode === null && bridge.child.signalCode === null) bridge.child.kill('SIGKILL');
      await bridge.exited;
    });
    return bridge;
  }

  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.unreadable.push(line);
      return;
    }
    for (const one of Array.isArray(message) ? message : [message]) {
      this.messages.push(one);
      if (one.method !== undefined) continue;
      const id = JSON.stringify(one.id);
      this.answers.set(id, [...(this.answers.get(id) ?? []), one]);
    }
  }

  write(message) {
    this.child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }
  notify(method, params) {
    this.write({ jsonrpc: '2.0', method, ...(params && { params }) });
  }
  // The answer to a request; there has to be exactly one.
  async request(id, method, params, milliseconds = 20_000) {
    this.write({ jsonrpc: '2.0', id, method, ...(params && { params }) });
    return this.answerTo(id, milliseconds);
  }
  async answerTo(id, milliseconds = 20_000) {
    return until(`an answer to ${id} (${this.errors.slice(-500)})`, () => this.answers.get(JSON.stringify(id))?.[0], milliseconds);
  }
  async initialize(version = '2025-06-18', capabilities = {}) {
    const answer = await this.request('init', 'initialize', {
      protocolVersion: version,
      capabilities,
      clientInfo: { name: 'e2e', version: '1' },
    });
    if (answer.result) this.notify('notifications/initialized');
    return answer;
  }
  call(id, name, given = {}, meta) {
    return this.request(id, 'tools/call', { name, arguments: given, ...(meta && { _meta: meta }) });
  }
  heard(method) {
    return this.messages.filter((one) => one.method === method);
  }
  // Closes standard input, and the exit code.
  async end(milliseconds = 10_000) {
    this.child.stdin.end();
    const [code, signal] = await within('the end of the bridge', this.exited, milliseconds);
    return code ?? signal;
  }
  async status(name) {
    const text = await readFile(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]);
  }
}

// An MCP server with sessions that does what a test says: `behave[tool]` gets (request, response, message), and
// `get` the same for the server's own stream.
export class Mock {
  requests = [];
  sessions = new Set();
  behave = {};
  version = '2025-06-18';
  capabilities = { tools: {} };
  closed = 0; // answers whose client went away before their end

  static async start(scope, more = {}) {
    const mock = Object.assign(new Mock(), more);
    mock.server = createServer((request, response) => void mock.#take(request, response));
    mock.port = await listenOnLoopback(scope, mock.server);
    mock.origin = `http://127.0.0.1:${mock.port}`;
    mock.url = `${mock.origin}/mcp`;
    return mock;
  }

  async #take(request, response) {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += piece;
    const seen = { method: request.method, url: request.url, headers: request.headers, body };
    this.requests.push(seen);
    response.on('close', () => response.writableFinished || this.closed++);
    if (this.any?.(request, response, body)) return;
    if (request.method === 'DELETE') {
      this.sessions.delete(request.headers['mcp-session-id']);
      return void response.writeHead(200).end();
    }
    if (request.method === 'GET') {
      if (this.get) return void this.get(request, response);
      return void response.writeHead(405).end();
    }
    const message = JSON.parse(body);
    const session = request.headers['mcp-session-id'];
    if (message.method === 'initialize') {
      const fresh = `s-${crypto.randomUUID()}`;
      this.sessions.add(fresh);
      response.setHeader('mcp-session-id', fresh);
      return void json(response, { jsonrpc: '2.0', id: message.id, result: { protocolVersion: this.version, capabilities: this.capabilities, serverInfo: { name: 'mock', version: '1' } } });
    }
    if (!this.sessions.has(session)) return void json(response, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, 404);
    if (message.id === undefined || message.method === undefined) {
      this.heard?.(message);
      return void response.writeHead(202).end();
    }
    const tool = this.behave[message.params?.name ?? message.method];
    if (tool) return void tool(request, response, message);
    json(response, { jsonrpc: '2.0', id: message.id, result: { content: [] } });
  }
}

export function json(response, message, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(message));
}
export function events(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}
export const result = (message, value = { content: [] }) => ({ jsonrpc: '2.0', id: message.id, result: value });
export const event = (message, id) => `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(message)}\n\n`;

export { deferred };
