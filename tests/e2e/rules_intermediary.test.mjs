// What stands between a client and its server must not change what they say to each other. The rows of
// docs/conformance.md that these prove begin with TR and TL.

import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { startAnswering } from './lib/upstream.mjs';
import { deferred, until, within } from './lib/until.mjs';

const scope = fileScope();
let gateway, token, onRequest;
const seen = []; // { method, headers, body } of each request that reached the server

before(async () => {
  const server = await startAnswering(scope, async (incoming, answer) => {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    seen.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body: Buffer.concat(pieces).toString() });
    onRequest(incoming, answer);
  });
  gateway = await Gateway.start(scope, { mcp_server_url: server });
  token = (await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }))).access_token;
});

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
const modernHeaders = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
const answerWith = (status, headers, body) => (_, answer) => answer.writeHead(status, headers).end(body);
const json = { 'content-type': 'application/json' };

// A request as it is, without what a fetch adds.
function exchange(method, headers, body, agent) {
  return new Promise((resolve, reject) => {
    const outgoing = request(gateway.mcp, { method, headers: { authorization: `Bearer ${token}`, ...headers }, agent }, async (answer) => {
      const pieces = [];
      for await (const piece of answer) pieces.push(piece);
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces).toString() });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('every answer of the server is the client\'s answer: status, type and bytes', async () => {
  const error = (code, data) => JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message: 'The  server\'s own words, €', ...data } });
  const rows = [
    ['a notification that is taken', 202, {}, ''],
    ['a notification that is not', 400, json, error(-32600)],
    ['a revision that it does not speak', 400, json, error(-32022, { data: { supported: ['2025-11-25'], requested: '2026-07-28' } })],
    ['a missing session id', 400, json, error(-32000)],
    ['a capability that is missing', 400, json, error(-32021, { data: { requiredCapabilities: { sampling: {} } } })],
    ['an unknown method', 404, json, error(-32601)],
    ['a session that has ended', 404, json, error(-32001)],
    ['an empty 404', 404, {}, ''],
    ['no stream for GET', 405, { ...json, allow: 'POST' }, error(-32000)],
    ['a message too large for it', 413, json, error(-32600)],
    ['another media type, parameters and all', 200, { 'content-type': 'application/json; charset=UTF-8' }, ' { "odd" :\t1.0 }\r\n'],
    ['its own trouble', 500, json, error(-32603)],
    ['too many calls for it', 503, { ...json, 'retry-after': '3' }, error(-32603)],
  ];
  for (const [what, status, headers, body] of rows) {
    onRequest = answerWith(status, headers, body);
    const got = await exchange('POST', json, JSON.stringify(call('echo')));
    assert.equal(got.status, status, what);
    assert.equal(got.body, body, what);
    for (const [name, value] of Object.entries(headers)) assert.equal(got.headers[name], value, `${what}: ${name}`);
    assert.equal(got.headers['mcp-session-id'], undefined, what);
  }
  for (const method of ['GET', 'DELETE']) {
    onRequest = answerWith(405, { ...json, allow: 'POST' }, error(-32000));
    const got = await exchange(method, { accept: 'text/event-stream' });
    assert.deepEqual([got.status, got.headers.allow, got.body], [405, 'POST', error(-32000)], method);
    assert.equal(seen.at(-1).method, method);
  }
});

test('what the server needs to know of a request reaches it as it was sent', async () => {
  onRequest = answerWith(200, { ...json, 'mcp-session-id': 'Its-0wn~id!' }, '{"jsonrpc":"2.0","id":0,"result":{}}');
  const opened = await exchange('POST', { ...json, accept: 'application/json,  text/event-stream;q=0.9' }, JSON.stringify(initialize()));
  const session = opened.headers['mcp-session-id'];
  assert.equal(seen.at(-1).headers.accept, 'application/json,  text/event-stream;q=0.9');

  onRequest = answerWith(200, json, '{}');
  await exchange('POST', { ...json, 'mcp-session-id': session, 'mcp-protocol-version': '2025-06-18' }, JSON.stringify(call('echo')));
  assert.equal(seen.at(-1).headers['mcp-session-id'], 'Its-0wn~id!');
  assert.equal(seen.at(-1).headers['mcp-protocol-version'], '2025-06-18');

  await exchange('GET', { accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': 'stream 7/~=~_event,42' });
  assert.equal(seen.at(-1).headers['last-event-id'], 'stream 7/~=~_event,42');
  assert.equal(seen.at(-1).headers['mcp-session-id'], 'Its-0wn~id!');

  const message = call('echo', { region: 'eu', n: 7 }, 1, meta);
  const mirrored = { ...modernHeaders, 'mcp-param-region': '=?base64?ZXU=?=', 'mcp-param-n': '7', 'mcp-param-unheard-of': 'a  b' };
  await exchange('POST', { ...json, ...mirrored, traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }, JSON.stringify(message));
  for (const [name, value] of Object.entries(mirrored)) assert.equal(seen.at(-1).headers[name], value, name);
  assert.equal(seen.at(-1).headers.traceparent, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
  assert.equal(seen.at(-1).headers.authorization, undefined);
});

test('what 2026-07-28 lets no client send reaches no server: a response, a batch, two messages', async () => {
  const request = JSON.stringify(call('echo', {}, 1, meta));
  const response = '{"jsonrpc":"2.0","id":1,"result":{}}';
  const version = { 'mcp-protocol-version': '2026-07-28' };
  const rows = [
    ['a response', response, version],
    ['an error as response', '{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"x"}}', version],
    ['a response whose headers name a method', response, modernHeaders],
    ['a batch of one', `[${request}]`, modernHeaders],
    ['a batch with a response', `[${response}]`, version],
    ['two messages', `${request}\n${request}`, modernHeaders],
    ['a request and a response', `${request}${response}`, modernHeaders],
    ['nothing', '', modernHeaders],
  ];
  onRequest = answerWith(202, {}, '');
  const before = seen.length;
  for (const [what, body, headers] of rows) {
    const got = await exchange('POST', { ...json, ...headers }, body);
    assert.equal(got.status, 400, `${what}: ${got.body}`);
    assert.ok([-32600, -32700, -32020].includes(JSON.parse(got.body).error.code), `${what}: ${got.body}`);
  }
  assert.equal(seen.length, before);
  // Where servers ask, the answer reaches them.
  const got = await exchange('POST', { ...json, 'mcp-protocol-version': '2025-11-25' }, response);
  assert.deepEqual([got.status, seen.at(-1).body], [202, response]);
});

test('the bytes of a message are not touched, either way', async () => {
  const given = '{"params":{"name":"echo","_meta":{},"requestState":"v1.\\u00e9\\/==\\t","arguments":{"n":1.50,"big":12345678901234567890}},\n  "method":"tools\\/call", "id":"\\u0041", "jsonrpc":"2.0"}';
  const answered = '{"result":{"resultType":"input_required","requestState":"v1.\\u00e9\\/==\\t","n":1e2},"id":"A","jsonrpc":"2.0"}\n';
  onRequest = answerWith(200, json, answered);
  const got = await exchange('POST', json, given);
  assert.equal(seen.at(-1).body, given);
  assert.equal(got.body, answered);
});

test('the same call twice is two calls upstream, for the same person too', async () => {
  let count = 0;
  onRequest = (_, answer) => answer.writeHead(200, { ...json, 'cache-control': 'public, max-age=600', etag: '"1"' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { n: ++count, ttlMs: 600000, cacheScope: 'public' } }));
  const message = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } });
  for (const n of [1, 2, 3]) {
    const got = await exchange('POST', { ...json, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' }, message);
    assert.equal(JSON.parse(got.body).result.n, n);
  }
});

test('requests of one connection are judged each by itself', async () => {
  onRequest = answerWith(200, json, '{}');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const message = JSON.stringify(call('echo'));
  try {
    const statuses = [];
    for (const authorization of [`Bearer ${token}`, undefined, `Bearer ${token}`, 'Bearer no', `Bearer ${token}`]) {
      const headers = { ...json, ...(authorization ? { authorization } : {}) };
      const got = await new Promise((resolve, reject) => {
        const outgoing = request(gateway.mcp, { method: 'POST', headers, agent }, (answer) => {
          answer.resume().on('end', () => resolve({ status: answer.statusCode, port: answer.socket?.localPort }));
        });
        outgoing.on('error', reject);
        outgoing.end(message);
      });
      statuses.push(got.status);
    }
    assert.deepEqual(statuses, [200, 401, 200, 401, 200]);
  } finally {
    agent.destroy();
  }
});

test('a refusal of our own is JSON-RPC with the id of the request', async () => {
  const before = seen.length;
  const rows = [
    ['a header that contradicts the body', { ...modernHeaders, 'mcp-name': 'other' }, call('echo', {}, 'call-1', meta), 400, -32020, 'call-1'],
    ['what is not even JSON', {}, '{"jsonrpc":"2.0","id":9,', 400, -32700, 9],
    ['JSON that is no message', {}, '{"jsonrpc":"2.0","id":9}', 400, -32600, 9],
  ];
  for (const [what, headers, message, status, code, id] of rows) {
    const answer = await post(gateway.mcp, message, token, headers);
    assert.equal(answer.status, status, what);
    assert.match(answer.headers.get('content-type'), /^application\/json/, what);
    const body = await answer.json();
    assert.equal(body.jsonrpc, '2.0', what);
    assert.equal(body.error.code, code, what);
    assert.equal(body.id, id, what);
  }
  assert.equal(seen.length, before);
});

// What it means that a client has gone is the server's to say: in 2026-07-28 the call is cancelled, before it goes on and
// its answer can be asked for with Last-Event-ID. So nothing is said in the client's name.
for (const [revision, headers, given] of [
  ['2025-11-25', { 'mcp-protocol-version': '2025-11-25' }, undefined],
  ['2026-07-28', modernHeaders, meta],
]) {
  test(`a client that goes away is a disconnect upstream and nothing else, in every revision: ${revision}`, async () => {
    const begun = deferred(), closed = deferred();
    onRequest = (_, answer) => {
      answer.on('close', closed.resolve);
      answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\ndata: {}\n\n');
      begun.resolve();
    };
    const before = seen.length;
    const gone = new AbortController();
    const answer = await post(gateway.mcp, call('echo', {}, 1, given), token, headers, gone.signal);
    await within('the stream', begun.promise);
    gone.abort();
    await answer.text().catch(() => {});
    await within('the end upstream', closed.promise);
    // A cancellation in the client's name would come after this one, on a connection of its own.
    onRequest = answerWith(202, {}, '');
    await exchange('POST', json, '{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}');
    await until('the message after it', () => seen.length >= before + 2);
    assert.deepEqual(seen.slice(before).map((s) => JSON.parse(s.body).method), ['tools/call', 'notifications/roots/list_changed']);
  });
}
