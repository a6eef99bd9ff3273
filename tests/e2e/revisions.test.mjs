// A conversation of every revision, once with the server itself and once through the gateway: the same, byte for byte,
// but for what the gateway has to say itself.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { eventsOf, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { within } from './lib/until.mjs';

const scope = fileScope();
let direct, through;

before(async () => {
  const demo = await startDemoServer(scope);
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url });
  const { access_token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  direct = { origin: demo.url, mcp: `${demo.url}/mcp`, sse: `${demo.url}/sse` };
  through = { origin: gateway.origin, mcp: gateway.mcp, sse: `${gateway.mcp}/sse`, token: access_token };
});

const client = { protocolVersion: '', capabilities: {}, clientInfo: { name: 'golden', version: '1' } };
const message = (id, method, params = {}) => ({ jsonrpc: '2.0', ...(id !== undefined && { id }), method, params });
const tool = (id, name, given, meta) => message(id, 'tools/call', { name, arguments: given, ...(meta && { _meta: meta }) });
const steps = (id) => tool(id, 'progress', { steps: 3, interval_ms: 1 }, { progressToken: 'p' });

// Of an answer all that a client can see, but for what the gateway says in its own name.
const own = ['date', 'x-request-id', 'mcp-session-id', 'connection', 'keep-alive', 'vary'];
async function seen(answer) {
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !own.includes(name)));
  const text = (await answer.text()).replace(/^: [^\n]*\n\n/gm, ''); // comments keep a stream open
  return { status: answer.status, headers, session: answer.headers.has('mcp-session-id'), text };
}

// Everything that is said in a session at one endpoint.
async function inSession(at, version, messages) {
  const answers = [];
  const opened = await post(at.mcp, message(0, 'initialize', { ...client, protocolVersion: version }), at.token);
  const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
  if (version >= '2025-06-18') headers['mcp-protocol-version'] = version;
  answers.push(await seen(opened));
  for (const each of [message(undefined, 'notifications/initialized'), ...messages]) {
    answers.push(await seen(await post(at.mcp, each, at.token, headers)));
  }
  const authorization = at.token && { authorization: `Bearer ${at.token}` };
  answers.push(await seen(await fetch(at.mcp, { method: 'DELETE', headers: { ...headers, ...authorization } })));
  answers.push(await seen(await post(at.mcp, message(9, 'ping'), at.token, headers)));
  return answers;
}

const usual = [
  message(1, 'ping'),
  message('two', 'tools/list'),
  tool(3, 'echo', { text: 'grüße, 世界 \u0000\ud83d\ude00' }),
  steps(4),
  tool(5, 'fail', { kind: 'tool_error' }),
  tool(6, 'fail', { kind: 'jsonrpc_error' }),
  tool(7, 'no-such-tool', {}),
  message(8, 'no/such/method'),
  message(9, 'resources/list'),
  message(10, 'prompts/get', { name: 'greeting', arguments: { name: 'Ada' } }),
  tool(11, 'big', { bytes: 2_000_000 }),
  '{"jsonrpc":"2.0", "id": 12 ,\n "method":"tools\\/list"}',
];

async function assertSame(conversation) {
  const [expected, got] = [await conversation(direct), await conversation(through)];
  assert.equal(got.length, expected.length);
  expected.forEach((answer, i) => assert.deepEqual(got[i], answer, `answer ${i}`));
  return expected;
}

for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
  test(`${version}: a session`, async () => {
    const answers = await assertSame((at) => inSession(at, version, usual));
    assert.equal(JSON.parse(answers[0].text).result.protocolVersion, version);
    assert.ok(answers[0].session);
    assert.match(answers[5].headers['content-type'], /^text\/event-stream/);
    assert.equal(answers.at(-1).status, 404); // the session has ended
  });
}

test('2025-03-26: a batch', async () => {
  const batch = [message(1, 'ping'), message(undefined, 'notifications/progress'), tool(2, 'echo', { text: 'a' }), steps(3)];
  const quick = [message(1, 'ping'), tool(2, 'echo', { text: 'b' })];
  const answers = await assertSame((at) => inSession(at, '2025-03-26', [batch, quick]));
  assert.equal(JSON.parse(answers[3].text).length, 2);
});

test('2025-06-18: a batch is refused by the server, in its own words', async () => {
  const answers = await assertSame((at) => inSession(at, '2025-06-18', [[message(1, 'ping')]]));
  assert.equal(answers[2].status, 400);
});

test('2025-11-25: the stream of the session, and what the server sends on it', async () => {
  await assertSame(async (at) => {
    const opened = await post(at.mcp, message(0, 'initialize', { ...client, protocolVersion: '2025-11-25' }), at.token);
    await opened.text();
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
    const leave = new AbortController();
    const stream = await fetch(at.mcp, {
      headers: { ...headers, accept: 'text/event-stream', ...(at.token && { authorization: `Bearer ${at.token}` }) },
      signal: leave.signal,
    });
    const events = eventsOf(stream);
    const answer = await seen(await post(at.mcp, tool(1, 'announce', { text: 'news' }), at.token, headers));
    const { value } = await within('the announcement', events.next());
    leave.abort();
    return [answer, stream.status, stream.headers.get('content-type'), value];
  });
});

test('2024-11-05: one stream, and the address for messages that it names', async () => {
  const conversation = async (at) => {
    const leave = new AbortController();
    const stream = await fetch(at.sse, {
      headers: { accept: 'text/event-stream', ...(at.token && { authorization: `Bearer ${at.token}` }) },
      signal: leave.signal,
    });
    const events = eventsOf(stream);
    const opening = await within('the endpoint', events.next());
    assert.equal(opening.value.event, 'endpoint');
    const address = new URL(opening.value.data, at.sse);
    assert.equal(address.origin, at.origin);
    const said = [stream.status, stream.headers.get('content-type')];
    for (const [each, count] of [
      [message(0, 'initialize', { ...client, protocolVersion: '2024-11-05' }), 1],
      [message(undefined, 'notifications/initialized'), 0],
      [message(1, 'tools/list'), 1],
      [tool(2, 'echo', { text: 'over two endpoints' }), 1],
      [steps(3), 4],
    ]) {
      said.push(await seen(await post(address, each, at.token)));
      for (let i = 0; i < count; ++i) said.push((await within(`an event after ${each.method}`, events.next())).value);
    }
    leave.abort();
    return said;
  };
  const said = await assertSame(conversation);
  assert.equal(JSON.parse(said[3].data).result.protocolVersion, '2024-11-05');
});

test('2026-07-28: requests without a session', async () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': client.clientInfo,
  };
  const modern = (id, method, params = {}) => message(id, method, { ...params, _meta: { ...meta, ...params._meta } });
  const ask = async (at, body, headers = {}) => seen(await post(at.mcp, body, at.token, {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': body.method,
    ...((body.params.name ?? body.params.uri) && { 'mcp-name': body.params.name ?? body.params.uri }),
    ...headers,
  }));
  const answers = await assertSame(async (at) => [
    await ask(at, modern(1, 'server/discover')),
    await ask(at, modern(2, 'tools/list')),
    await ask(at, modern(3, 'tools/call', { name: 'echo', arguments: { text: 'stateless' } })),
    await ask(at, modern(4, 'tools/call', { name: 'progress', arguments: { steps: 2, interval_ms: 1 }, _meta: { progressToken: 'p' } })),
    await ask(at, modern(5, 'resources/read', { uri: 'demo://readme' })),
    await ask(at, modern(6, 'no/such/method')),
    await ask(at, { ...modern(7, 'tools/list'), params: { _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' } } }, { 'mcp-protocol-version': '2027-01-01' }),
    await seen(await fetch(at.mcp, { headers: { 'mcp-protocol-version': '2026-07-28', ...(at.token && { authorization: `Bearer ${at.token}` }) } })),
  ]);
  assert.deepEqual(answers.map((a) => a.status).slice(0, 5), [200, 200, 200, 200, 200]);
  assert.ok(answers.every((a) => !a.session));
});

const contradictions = [
  ['the method', { 'mcp-method': 'tools/list', 'mcp-name': 'echo' }],
  ['the name', { 'mcp-method': 'tools/call', 'mcp-name': 'whoami' }],
  ['the revision', { 'mcp-method': 'tools/call', 'mcp-name': 'echo', 'mcp-protocol-version': '2025-11-25' }],
];
for (const [what, headers] of contradictions) {
  test(`2026-07-28: a header that contradicts ${what} in the body is refused before the server sees it`, async () => {
    const body = message(1, 'tools/call', {
      name: 'echo', arguments: { text: 'x' },
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} },
    });
    const answer = await post(through.mcp, body, through.token, { 'mcp-protocol-version': '2026-07-28', ...headers });
    assert.equal(answer.status, 400);
    assert.equal((await answer.json()).error.code, -32020);
  });
}
