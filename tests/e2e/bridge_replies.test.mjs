// Whatever the MCP server does, every request of the client gets exactly one answer, and one that names the cause.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { before, test } from 'node:test';

import { Bridge, Mock, event, events, json, result } from './lib/bridge_client.mjs';
import { fileScope, listenOnLoopback, portOfNobody } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let mock, bridge;
let id = 0;

before(async () => {
  mock = await Mock.start(scope);
  bridge = await Bridge.start(scope, mock.url, { env: { UPSTREAM_TIMEOUT_MS: '1500' } });
  assert.ok((await bridge.initialize()).result);
});

const good = { content: [{ type: 'text', text: 'café €, 世界 \u{1f600}' }] };
const send = (status, type, body, headers = {}) => (_, response, message) =>
  response.writeHead(status, { ...(type && { 'content-type': type }), ...headers }).end(typeof body === 'function' ? body(message) : body);
const slowly = (type, pieces, pause = 2) => async (_, response, message) => {
  response.writeHead(200, { 'content-type': type });
  for (const piece of pieces(message)) {
    response.write(piece);
    await new Promise((next) => setTimeout(next, pause));
  }
  response.end();
};
const bytesOf = (text) => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
const answer = (message) => JSON.stringify(result(message, good));

// A result, or an error with that code and those words in it.
const rows = {
  // ---- answers in every form that servers use
  'plain JSON': [send(200, 'application/json', answer), good],
  'JSON with a charset': [send(200, 'application/json; charset=utf-8', answer), good],
  'a type in capitals': [send(200, 'Application/JSON', answer), good],
  'JSON without a type': [send(200, '', answer), good],
  'pretty-printed JSON': [send(200, 'application/json', (m) => JSON.stringify(result(m, good), null, 2)), good],
  'pretty-printed with CR LF': [send(200, 'application/json', (m) => JSON.stringify(result(m, good), null, 2).replaceAll('\n', '\r\n')), good],
  'JSON byte by byte': [slowly('application/json', (m) => bytesOf(answer(m)), 0), good],
  'JSON in an array': [send(200, 'application/json', (m) => `[${answer(m)}]`), good],
  'members in another order': [send(200, 'application/json', (m) => `{"result":${JSON.stringify(good)},"id":${m.id},"jsonrpc":"2.0"}`), good],
  'status 201': [send(201, 'application/json', answer), good],
  'a stream with one event': [send(200, 'text/event-stream', (m) => event(result(m, good))), good],
  'a stream byte by byte': [slowly('text/event-stream', (m) => bytesOf(`: hi\nevent: message\nid: 5\n${event(result(m, good))}`), 0), good],
  'CR LF in a stream': [send(200, 'text/event-stream', (m) => event(result(m, good)).replaceAll('\n', '\r\n')), good],
  'CR alone in a stream': [send(200, 'text/event-stream', (m) => event(result(m, good)).replaceAll('\n', '\r')), good],
  'an event of several data lines': [send(200, 'text/event-stream', (m) => `data: {"jsonrpc":"2.0",\ndata: "id":${m.id},\ndata:"result":${JSON.stringify(good)}}\n\n`), good],
  'comments and unknown fields': [send(200, 'text/event-stream', (m) => `: a\n\nfoo: bar\n:b\n${event(result(m, good))}`), good],
  'a byte order mark': [send(200, 'text/event-stream', (m) => `\ufeff${event(result(m, good))}`), good],
  'an empty event first': [send(200, 'text/event-stream', (m) => `id: 1\ndata:\n\n${event(result(m, good))}`), good],
  'a broken event first': [send(200, 'text/event-stream', (m) => `data: {"broken\n\n${event(result(m, good))}`), good],
  'another response first': [send(200, 'text/event-stream', (m) => event({ jsonrpc: '2.0', id: 'other', result: {} }) + event(result(m, good))), good],
  'an event of another type first': [send(200, 'text/event-stream', (m) => `event: ping\ndata: x\n\n${event(result(m, good))}`), good],
  'a stream that stays open': [(_, response, m) => { events(response); response.write(event(result(m, good))); }, good],
  'interim answers': [(_, response, m) => { response.writeProcessing(); response.writeEarlyHints({ link: '</a>; rel=preload' }); json(response, result(m, good)); }, good],
  'an error of JSON-RPC': [send(200, 'application/json', (m) => JSON.stringify({ jsonrpc: '2.0', id: m.id, error: { code: -32602, message: 'no such tool', data: { a: 1 } } })), [-32602, /no such tool/]],
  'an error in a stream': [send(200, 'text/event-stream', (m) => event({ jsonrpc: '2.0', id: m.id, error: { code: -5, message: 'ours' } })), [-5, /ours/]],
  'an error under no id': [send(200, 'application/json', JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32603, message: 'oops' } })), [-32603, /oops/]],
  'an event of 9 MiB': [send(200, 'text/event-stream', (m) => event(result(m, { text: 'x'.repeat(9 * 1024 * 1024) }))), (r) => assert.equal(r.text.length, 9 * 1024 * 1024)],
  'a result of 20 MiB, pretty-printed': [send(200, 'application/json', (m) => JSON.stringify(result(m, { list: Array(1_000_000).fill('a b c\n"') }), null, 1)), (r) => assert.equal(r.list[999_999], 'a b c\n"')],
  'a redirect on the same origin': [(request, response, m) => (request.url === '/mcp' ? response.writeHead(307, { location: '/moved' }).end() : json(response, result(m, good))), good],
  'busy for a moment': [((calls) => (_, response, m) => (calls++ === 0 ? response.writeHead(429, { 'retry-after': '0' }).end() : json(response, result(m, good))))(0), good],
  'unavailable for a moment': [((calls) => (_, response, m) => (calls++ === 0 ? response.writeHead(503, { 'retry-after': '1' }).end('later') : json(response, result(m, good))))(0), good],

  // ---- statuses
  ...Object.fromEntries([400, 402, 403, 406, 409, 410, 413, 415, 418, 422, 429, 431, 451, 500, 501, 502, 503, 504, 520, 599].map((status) => [
    `status ${status}`, [send(status, 'text/plain', 'the words of the server'), [-32001, new RegExp(`upstream returned ${status}.*the words of the server`)]],
  ])),
  'status 404 without a session error': [send(404, 'application/json', (m) => JSON.stringify({ jsonrpc: '2.0', id: m.id, error: { code: -32601, message: 'Method not found' } })), [-32601, /Method not found/]],
  'an error status with a message of JSON-RPC': [send(400, 'application/json', JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Bad Request: no' } })), [-32000, /Bad Request: no/]],
  'a page for people': [send(502, 'text/html', '<html>Bad gateway</html>'), [-32001, /502.*Bad gateway/]],
  'busy for too long': [send(429, 'text/plain', 'no', { 'retry-after': '3600' }), [-32001, /429/]],
  'a date in Retry-After': [send(503, 'text/plain', 'no', { 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }), [-32001, /503/]],
  ...Object.fromEntries([300, 301, 302, 303, 305, 306].map((status) => [`redirect ${status}`, [send(status, '', '', { location: '/moved' }), [-32001, new RegExp(String(status))]]])),
  'a redirect to another origin': [send(307, '', '', { location: 'https://evil.example/mcp' }), [-32001, /MOP-BRI-003.*evil\.example/]],
  'a redirect to another port': [send(308, '', '', { location: 'http://127.0.0.1:1/mcp' }), [-32001, /another origin/]],
  'a redirect without a Location': [send(307, '', ''), [-32001, /MOP-BRI-003/]],
  'a redirect in a circle': [(request, response) => response.writeHead(307, { location: request.url }).end(), [-32001, /more than 5/]],
  'no content': [send(204, '', ''), [-32001, /204 without content/]],
  'accepted': [send(202, '', ''), [-32001, /202 without content/]],

  // ---- bodies that are no answer
  'an empty body': [send(200, 'application/json', ''), [-32001, /without content/]],
  'white space': [send(200, 'application/json', ' \r\n\t'), [-32001, /without content/]],
  'an empty stream': [send(200, 'text/event-stream', ''), [-32001, /MOP-BRI-004/]],
  'a web page': [send(200, 'text/html', '<!doctype html><title>Sign in</title>'), [-32001, /Unexpected content type: text\/html/]],
  'plain text': [send(200, 'text/plain', 'hello'), [-32001, /Unexpected content type: text\/plain/]],
  'half a JSON': [send(200, 'application/json', (m) => answer(m).slice(0, 40)), [-32001, /MOP-UPS-005/]],
  'no JSON': [send(200, 'application/json', 'hello'), [-32001, /MOP-UPS-005/]],
  'JSON and more': [send(200, 'application/json', (m) => `${answer(m)}x`), [-32001, /MOP-UPS-005/]],
  'two answers': [send(200, 'application/json', (m) => answer(m) + answer(m)), [-32001, /MOP-UPS-005/]],
  'a number': [send(200, 'application/json', '5'), [-32001, /MOP-BRI-004/]],
  'null': [send(200, 'application/json', 'null'), [-32001, /MOP-BRI-004/]],
  'an object that is no message': [send(200, 'application/json', '{"ok":true}'), [-32001, /MOP-BRI-004/]],
  'an empty array': [send(200, 'application/json', '[]'), [-32001, /MOP-BRI-004/]],
  'the answer to somebody else': [send(200, 'application/json', '{"jsonrpc":"2.0","id":"else","result":{}}'), [-32001, /MOP-BRI-004/]],
  'an id of another type': [send(200, 'application/json', (m) => `{"jsonrpc":"2.0","id":"${m.id}","result":{}}`), [-32001, /MOP-BRI-004/]],
  'invalid UTF-8': [send(200, 'application/json', Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"result":"'), Buffer.from([0xff]), Buffer.from('"}')])), [-32001, /UTF-8/]],
  'a control character in a string': [send(200, 'application/json', '{"jsonrpc":"2.0","id":1,"result":"\n"}'), [-32001, /control character/]],
  'nested too deep': [send(200, 'application/json', '['.repeat(100) + ']'.repeat(100)), [-32001, /deeper/]],
  'a stream that ends': [send(200, 'text/event-stream', event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } })), [-32001, /MOP-BRI-004/]],
  'half an event': [send(200, 'text/event-stream', (m) => event(result(m)).trimEnd()), [-32001, /MOP-BRI-004/]],
  'only comments': [send(200, 'text/event-stream', ': a\n\n: b\n\n'), [-32001, /MOP-BRI-004/]],
  'only a broken event': [send(200, 'text/event-stream', 'data: {"broken\n\n'), [-32001, /no JSON/]],
  'a response under another event type': [send(200, 'text/event-stream', (m) => `event: other\n${event(result(m))}`), [-32001, /MOP-BRI-004/]],

  // ---- connections
  'a reset before the head': [(request) => request.socket.resetAndDestroy(), [-32000, /MOP-UPS-004/]],
  'an end before the head': [(request) => request.socket.destroy(), [-32000, /MOP-UPS-004/]],
  'a reset within JSON': [(request, response, m) => { response.writeHead(200, { 'content-type': 'application/json' }); response.write(answer(m).slice(0, 30)); setTimeout(() => request.socket.resetAndDestroy(), 20); }, [-32000, /in the middle/]],
  'a reset within a stream': [(request, response) => { events(response); response.write(': hi\n\n'); setTimeout(() => request.socket.resetAndDestroy(), 20); }, [-32000, /MOP-UPS-004/]],
  'less than Content-Length': [(request, response) => { response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 }); response.write('{'); setTimeout(() => request.socket.destroy(), 20); }, [-32000, /in the middle/]],
  'a break in a result that is too large to hold': [(request, response, m) => { response.writeHead(200, { 'content-type': 'application/json' }); response.write(JSON.stringify(result(m, { text: 'x'.repeat(2_000_000) })).slice(0, 1_500_000)); setTimeout(() => request.socket.destroy(), 50); }, [-32001, /broke off in the middle/]],
  'silence': [() => {}, [-32000, /upstream timed out.*1500 ms/]],
  'silence after the head': [(_, response) => events(response), [-32000, /upstream timed out/]],
  'silence within JSON': [(_, response) => { response.writeHead(200, { 'content-type': 'application/json' }); response.write('{'); }, [-32000, /upstream timed out/]],
};

for (const [name, [behaviour, expected]] of Object.entries(rows)) {
  test(`${name}: one answer`, async () => {
    const tool = `row-${++id}`;
    mock.behave[tool] = behaviour;
    const got = await bridge.call(id, tool);
    if (Array.isArray(expected)) {
      const [code, words] = expected;
      assert.equal(got.error?.code, code, JSON.stringify(got).slice(0, 500));
      assert.match(JSON.stringify(got.error), words);
    } else if (typeof expected === 'function') expected(got.result);
    else assert.deepEqual(got.result, expected, JSON.stringify(got).slice(0, 500));
  });
}

test('no request had two answers, and the bridge is as it was', async () => {
  assert.ok((await bridge.call('last', 'plain')).result);
  for (const [of, answers] of bridge.answers) assert.equal(answers.length, 1, of);
  assert.equal(bridge.unreadable.length, 1, 'the line that broke off');
  assert.equal(await bridge.end(), 0);
});

// ---- what is no HTTP

const raw = {
  'no HTTP': ['SSH-2.0-OpenSSH_9.2\r\n', /not HTTP/],
  'TLS where HTTP was asked for': ['\x15\x03\x01\x00\x02\x02\x28', /speaks TLS/],
  'both lengths': ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}', /MOP-UPS-005/],
  'two lengths': ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', /MOP-UPS-005/],
  'a broken chunk': ['HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /chunked/],
  'folded headers': ['HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', /MOP-UPS-005/],
  'a head without end': [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`, /head over 64 KiB/],
  'interim answers without end': ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(100), /interim/],
  'an upgrade that nobody asked for': ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', /MOP-UPS-005/],
};
for (const [name, [bytes, words]] of Object.entries(raw)) {
  test(`${name}: initialize is answered with the cause`, async (t) => {
    const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
    const port = await listenOnLoopback(t, server);
    server.on('connection', (socket) => t.after(() => socket.destroy()));
    const other = await Bridge.start(t, `http://127.0.0.1:${port}/mcp`, { env: { UPSTREAM_TIMEOUT_MS: '3000' } });
    const got = await other.initialize();
    assert.match(JSON.stringify(got.error), words);
    assert.equal(await other.end(), 0);
  });
}

test('nobody listens: initialize says so', async (t) => {
  const other = await Bridge.start(t, `http://127.0.0.1:${await portOfNobody()}/mcp`);
  const got = await other.initialize();
  assert.equal(got.error.code, -32000);
  assert.match(got.error.message, /ECONNREFUSED/);
  assert.equal(got.error.data.symptom, 'MOP-UPS-001');
  assert.equal(await other.end(), 0);
});

test('what the client writes wrongly is answered, too', async (t) => {
  const other = await Bridge.start(t, mock.url);
  await other.initialize();
  for (const line of ['{', 'hello', '{"jsonrpc":"2.0"}', '[]', '{"jsonrpc":"2.0","id":1,"method":"x"}}', '\u{1f600}', '"a"']) other.write(line);
  const wrong = await until('seven answers', () => other.answers.get('null')?.length === 7 && other.answers.get('null'));
  assert.deepEqual([...new Set(wrong.map((one) => one.error.code))].sort(), [-32600, -32700]);
  assert.ok((await other.call(1, 'plain')).result);
  assert.equal(await other.end(), 0);
});
