// The server of bridge_calls.cc as most people would write one: node:http and JSON, nothing else.
import { createServer } from 'node:http';

const server = createServer((asked, answer) => {
  if (asked.method === 'GET') return answer.writeHead(405).end();
  let text = '';
  asked.setEncoding('utf8').on('data', (piece) => (text += piece));
  asked.on('end', () => {
    const say = (body, fields = {}) => answer.writeHead(200, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(body));
    if (asked.url === '/token') return say({ access_token: 'a-token-for-benches', token_type: 'Bearer', expires_in: 3600 });
    const { id, method, params } = text ? JSON.parse(text) : {};
    if (id === undefined) return answer.writeHead(202).end();
    if (method !== 'initialize') return say({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'y'.repeat(params?.arguments?.size ?? 0) }] } });
    say({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'bench', version: '1' } } },
      { 'mcp-session-id': '3f2a0d9c8b7e6f5a4d3c2b1a09876543' });
  });
});
server.keepAliveTimeout = 600_000;
server.listen(Number(process.argv[2]), '127.0.0.1');
