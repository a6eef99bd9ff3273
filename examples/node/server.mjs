// An MCP server of Node's own http module with the guard inside.
//
//   npm ci && OAUTH_ISSUER_URL=https://idp.example.com MCP_URL=https://mcp.example.com/mcp node server.mjs 8080

import { createServer } from 'node:http';

import { Guard } from './mcp_oauth.mjs';

/** A small MCP server, without a word about who may do what. */
function answerTo(message, user) {
  if (Array.isArray(message)) return { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'one message at a time' } };
  if (message.id === undefined) return undefined;
  const answer = { jsonrpc: '2.0', id: message.id };
  if (message.method === 'initialize') {
    answer.result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'example', version: '1' } };
  } else if (message.method === 'tools/list') {
    answer.result = { tools: ['whoami', 'delete_note'].map((name) => ({ name, inputSchema: { type: 'object' } })) };
  } else if (message.method === 'tools/call') {
    const { name } = message.params;
    answer.result = { content: [{ type: 'text', text: name === 'whoami' ? `you are ${user.subject}` : `${name} is done` }] };
  } else {
    answer.error = { code: -32601, message: `there is no ${message.method}` };
  }
  return answer;
}

let guard;
try {
  guard = new Guard({
    issuer: process.env.OAUTH_ISSUER_URL ?? '',
    resource: process.env.MCP_URL ?? '',
    tools: { whoami: ['tools:read'], 'delete_*': ['tools:read', 'tools:write'] },
  });
} catch (why) {
  console.error(why.message);
  process.exit(1);
}

const headersOf = (request) => {
  const pairs = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) pairs.push(request.rawHeaders.slice(i, i + 2));
  return pairs;
};

const mostBodyBytes = 4 * 1024 * 1024;

async function serve(request, response) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > mostBodyBytes) return response.writeHead(413, { Connection: 'close' }).end();
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces);
  const send = (answer) => {
    response.writeHead(answer.status, answer.headers.flat());
    response.end(answer.body);
  };
  if (request.url === '/health') {
    const { ready } = guard.status();
    return send({ status: ready ? 200 : 503, headers: [['Content-Type', 'text/plain']], body: ready ? 'ready' : 'not ready' });
  }
  const document = guard.metadata(request.method, request.url);
  if (document) return send(document);
  const call = await guard.admit(request.method, request.url, headersOf(request), body);
  if (call.answer) return send(call.answer);
  // GET and DELETE: no events here, and their body was not looked at.
  if (call.method === 'stream') return send(call.filtered(405, 'text/plain', ''));
  const answer = answerTo(JSON.parse(body), call.user);
  send(call.filtered(answer ? 200 : 202, 'application/json', answer ? JSON.stringify(answer) : ''));
}

// A promise that nobody waits for must not end the process when it fails.
const server = createServer((request, response) => {
  serve(request, response).catch((why) => {
    console.error(why);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
