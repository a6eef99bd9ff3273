// The server of bridge_calls.cc as most are made: with the official SDK, its sessions, and answers as event streams.
// The SDK is the one of the end-to-end tests.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';

const require = createRequire(new URL('../tests/e2e/package.json', import.meta.url));
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { z } = require('zod');

const sessions = new Map();
async function transport() {
  const made = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, made),
    onsessionclosed: (id) => sessions.delete(id),
  });
  const server = new McpServer({ name: 'bench', version: '1' });
  server.registerTool('echo', { inputSchema: { size: z.number() } }, ({ size }) => ({ content: [{ type: 'text', text: 'y'.repeat(size) }] }));
  await server.connect(made);
  return made;
}

const server = createServer(async (asked, answer) => {
  if (asked.url === '/token') {
    asked.resume();
    return answer
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ access_token: 'a-token-for-benches', token_type: 'Bearer', expires_in: 3600 }));
  }
  const id = asked.headers['mcp-session-id'];
  await (id ? sessions.get(id) : await transport()).handleRequest(asked, answer);
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
