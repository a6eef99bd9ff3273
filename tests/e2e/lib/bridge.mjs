// The bridge as a user runs it, with a home of its own and a person who answers its pages; and a server to sign in to.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { binary, Program } from './gateway.mjs';
import { listenOnLoopback, temporaryFolder } from './scope.mjs';
import { within } from './until.mjs';

const browser = `${process.execPath} ${join(import.meta.dirname, 'bridge_browser.mjs')}`;

export class BridgeHome {
  static async make(scope, environment = {}) {
    const home = new BridgeHome();
    home.scope = scope;
    home.folder = await temporaryFolder(scope, 'bridge');
    home.cache = join(home.folder, '.config/mcp-oauth2-proxy');
    home.environment = {
      PATH: process.env.PATH, HOME: home.folder, BROWSER: browser, BRIDGE_BROWSER_LOG: join(home.folder, 'browser.log'), ...environment,
    };
    return home;
  }

  start(args, environment = {}) {
    return new Program(this.scope, binary, ['bridge', ...args], { cwd: this.folder, env: { ...this.environment, ...environment } });
  }

  // As the program of a client: its lines, what it is told, and how it ended.
  serve(url, environment = {}) {
    const child = spawn(binary, ['bridge', url], { cwd: this.folder, env: { ...this.environment, ...environment } });
    const client = { child, lines: [], errors: '' };
    client.tell = (message) => child.stdin.write(`${JSON.stringify(message)}\n`);
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop();
      client.lines.push(...parts.map((line) => JSON.parse(line)));
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (client.errors += text));
    client.exited = new Promise((done) => child.on('close', done));
    this.scope.after(async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await client.exited;
    });
    return client;
  }

  // To its end.
  async run(args, environment = {}) {
    const program = this.start(args, environment);
    const [code, signal] = await within(`the end of bridge ${args.join(' ')}`, program.exited, 60_000).catch(async (late) => {
      throw new Error([late.message, ...program.errors, 'pages:', ...(await this.browserLog())].join('\n'));
    });
    return { code: code ?? signal, out: program.lines.join('\n'), err: program.errors.join('\n') };
  }

  async browserLog() {
    return (await readFile(this.environment.BRIDGE_BROWSER_LOG, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  }
  // The addresses that were opened.
  async pages() {
    return (await this.browserLog()).filter((line) => !line.startsWith('ended: '));
  }

  // In a terminal of its own, whose output comes as text and whose keyboard is `write`.
  inTerminal(args, environment = {}) {
    const line = [binary, 'bridge', ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qfec', line, '/dev/null'], { cwd: this.folder, env: { ...this.environment, ...environment } });
    const seen = { text: '', write: (text) => child.stdin.write(text), child };
    child.stdout.setEncoding('utf8').on('data', (text) => (seen.text += text));
    seen.exited = new Promise((done) => child.on('close', done));
    this.scope.after(async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await seen.exited;
    });
    return seen;
  }
}

// An MCP server that takes tokens of an authorization server: it says so, and remembers what it was shown.
export class ProtectedServer {
  shown = []; // the Authorization fields
  asked = []; // everything asked at /mcp, by method, address and whether with a token
  refused = new Set(); // tokens that are not taken any more
  wanted = undefined; // the scopes that a challenge asks for
  refuseAll = false;
  metadata = {};

  static async start(scope, issuer) {
    const server = new ProtectedServer();
    server.issuer = issuer;
    const port = await listenOnLoopback(scope, createServer((request, response) => server.#serve(request, response)));
    server.origin = `http://127.0.0.1:${port}`;
    server.url = `${server.origin}/mcp`;
    return server;
  }

  get tokens() {
    return this.shown.map((field) => field.split(' ')[1]);
  }

  async #serve(request, response) {
    let body = '';
    for await (const piece of request) body += piece;
    const path = request.url.split('?')[0];
    const json = (status, body, headers = {}) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    if (path === '/.well-known/oauth-protected-resource/mcp')
      return json(200, { resource: this.url, authorization_servers: [this.issuer], scopes_supported: ['tools:read'], ...this.metadata });
    if (path !== '/mcp') return json(404, {});
    const field = request.headers.authorization;
    this.asked.push({ method: request.method, url: request.url, token: Boolean(field) });
    if (field) this.shown.push(field);
    const token = field?.split(' ')[1];
    const challenge = `Bearer resource_metadata="${this.origin}/.well-known/oauth-protected-resource/mcp"`;
    if (!token || this.refuseAll || this.refused.has(token)) return json(401, {}, { 'www-authenticate': challenge });
    if (this.needs && !this.needs(request)) {
      return json(403, {}, { 'www-authenticate': `${challenge}, error="insufficient_scope", scope="${this.wanted}"` });
    }
    if (request.method !== 'POST') return json(405, {});
    const { id, method } = JSON.parse(body);
    if (id === undefined) return response.writeHead(202).end();
    const hello = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'protected', version: '1' } };
    return json(200, { jsonrpc: '2.0', id, result: method === 'initialize' ? hello : {} });
  }
}
