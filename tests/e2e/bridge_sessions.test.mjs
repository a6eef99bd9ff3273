// Sessions, streams, cancellation and the end, as a client on standard input sees them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';

import { Bridge, Mock, bridgeCommand, bridgeEnvironment, deferred, event, events, json, result } from './lib/bridge_client.mjs';
import { listenOnLoopback, temporaryFolder } from './lib/scope.mjs';
import { until, within } from './lib/until.mjs';

async function pair(t, more = {}, options = {}) {
  const mock = await Mock.start(t, more);
  const bridge = await Bridge.start(t, mock.url, options);
  assert.ok((await bridge.initialize(mock.version)).result);
  return { mock, bridge };
}
const posts = (mock, method) => mock.requests.filter((one) => one.body.includes(`"method":"${method}"`));

test('the order of a start is kept, and the negotiated version is on every request', async (t) => {
  const late = deferred();
  const mock = await Mock.start(t);
  mock.any = (request, response, body) => {
    if (!body.includes('notifications/initialized')) return false;
    late.promise.then(() => response.writeHead(202).end());
    return true;
  };
  const bridge = await Bridge.start(t, mock.url);
  bridge.write({ jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {} } });
  bridge.notify('notifications/initialized');
  bridge.write({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  await until('initialized at the server', () => posts(mock, 'notifications/initialized').length === 1);
  assert.equal(posts(mock, 'tools/list').length, 0);
  late.resolve();
  await bridge.answerTo(1);
  const [list] = posts(mock, 'tools/list');
  assert.equal(list.headers['mcp-protocol-version'], '2025-06-18');
  assert.match(list.headers['mcp-session-id'], /^s-/);
  assert.equal(list.headers.accept, 'application/json, text/event-stream');
  assert.equal(list.headers.authorization, undefined);
  assert.equal(await bridge.end(), 0);
});

test('a session that the server forgot is opened again, and each call repeated once', async (t) => {
  const { mock, bridge } = await pair(t);
  mock.sessions.clear();
  const answers = await Promise.all([1, 2, 3, 4, 5].map((id) => bridge.call(id, 'x')));
  for (const answer of answers) assert.ok(answer.result, JSON.stringify(answer));
  assert.equal(posts(mock, 'initialize').length, 2);
  assert.equal(mock.sessions.size, 1);
  // One that forgets at once is not asked for ever.
  mock.any = (request, response, body) => {
    if (!body.includes('tools/call')) return false;
    json(response, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, 404);
    return true;
  };
  assert.ok((await bridge.call(6, 'x')).error);
  assert.equal(posts(mock, 'initialize').length, 3);
  assert.equal(await bridge.end(), 0);
});

test('a server that was restarted is found again by the stream, before anybody calls', async (t) => {
  const streams = [];
  const { mock, bridge } = await pair(t, {
    get(request, response) {
      if (!this.sessions.has(request.headers['mcp-session-id'])) return void response.writeHead(404).end();
      events(response);
      streams.push(response);
    },
  });
  await until('the first stream', () => streams.length === 1);
  mock.sessions.clear();
  streams[0].end();
  await until('a second session with a stream', () => streams.length === 2);
  streams[1].write(event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }));
  await until('a change', () => bridge.heard('notifications/tools/list_changed').length === 1);
  streams[1].end();
  assert.equal(await bridge.end(), 0);
});

test('a stream that breaks goes on behind its last event, as the server says when', async (t) => {
  const gets = [];
  const { mock, bridge } = await pair(t, {
    get(request, response) {
      if (!request.headers['last-event-id']) return void response.writeHead(405).end();
      gets.push({ at: performance.now(), id: request.headers['last-event-id'] });
      events(response);
      if (gets.length === 1) {
        response.write(event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } }, 'e2'));
        return setTimeout(() => request.socket.destroy(), 20);
      }
      response.end(event({ jsonrpc: '2.0', id: 1, result: { content: [] } }, 'e3'));
    },
  });
  let ended;
  mock.behave.slow = (_, response) => {
    events(response);
    response.write('id: e1\nretry: 400\ndata:\n\n');
    response.end(() => (ended = performance.now()));
  };
  assert.ok((await bridge.call(1, 'slow')).result);
  assert.deepEqual(gets.map((one) => one.id), ['e1', 'e2']);
  assert.ok(gets[0].at - ended >= 395 && gets[0].at - ended < 1500, `${gets[0].at - ended} ms`);
  assert.equal(bridge.heard('notifications/message').length, 1);
  assert.equal(await bridge.end(), 0);
});

test('the stream of the server comes back with its last id', async (t) => {
  const ids = [];
  const { bridge } = await pair(t, {
    get(request, response) {
      ids.push(request.headers['last-event-id']);
      events(response);
      response.end(`retry: 10\n${event({ jsonrpc: '2.0', method: 'notifications/message', params: { n: ids.length } }, `n${ids.length}`)}`);
    },
  });
  await until('three of them', () => bridge.heard('notifications/message').length >= 3);
  assert.deepEqual(ids.slice(0, 3), [undefined, 'n1', 'n2']);
  assert.equal(await bridge.end(), 0);
});

test('questions of the server and progress pass in both directions', async (t) => {
  const heard = [];
  const { mock, bridge } = await pair(t, { heard: (message) => heard.push(message) });
  mock.behave.ask = async (_, response, message) => {
    events(response);
    response.write(event({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: { message: 'who?' } }));
    response.write(event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } }));
    await until('the answer', () => heard.find((one) => one.id === 'q'));
    response.end(event(result(message, { content: [], said: heard.find((one) => one.id === 'q').result })));
  };
  const answer = bridge.call(1, 'ask', {}, { progressToken: 'p' });
  await until('the question', () => bridge.heard('elicitation/create').length === 1);
  bridge.write({ jsonrpc: '2.0', id: 'q', result: { action: 'accept', content: { name: 'Ada' } } });
  assert.equal((await answer).result.said.content.name, 'Ada');
  assert.equal(bridge.heard('notifications/progress').length, 1);
  assert.equal(await bridge.end(), 0);
});

test('progress and comments move the deadline', async (t) => {
  const { mock, bridge } = await pair(t, {}, { env: { UPSTREAM_TIMEOUT_MS: '800' } });
  mock.behave.long = async (_, response, message) => {
    events(response);
    for (let i = 0; i < 8; i++) {
      response.write(i % 2 ? ': still here\n\n' : event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: i } }));
      await new Promise((next) => setTimeout(next, 250));
    }
    response.end(event(result(message)));
  };
  assert.ok((await bridge.call(1, 'long', {}, { progressToken: 1 })).result);
  assert.equal(await bridge.end(), 0);
});

test('what is cancelled is cancelled at the server, and not answered', async (t) => {
  const heard = [];
  const { mock, bridge } = await pair(t, { heard: (message) => heard.push(message) });
  mock.behave.hang = (_, response, message) => {
    events(response);
    setTimeout(() => response.write(event(result(message))), 400);
  };
  await bridge.call(0, 'x'); // from here on nothing waits for its turn
  bridge.write({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'hang' } });
  await until('the call at the server', () => posts(mock, 'tools/call').length === 2);
  bridge.notify('notifications/cancelled', { requestId: 1, reason: 'changed my mind' });
  await until('the cancellation', () => heard.find((one) => one.method === 'notifications/cancelled'));
  await until('the end of its connection', () => mock.closed >= 1);
  assert.ok((await bridge.call(2, 'x')).result);
  assert.equal(bridge.answers.get('1'), undefined);
  assert.equal(await bridge.end(), 0);
});

test('what is cancelled while it waits for a token never reaches the server', async (t) => {
  const mock = await Mock.start(t);
  let held, ends; // requests for a token; when the last one that was given has surely ended
  const give = (response) => {
    ends = Date.now() + 1500;
    json(response, { access_token: 'a-token-of-some-length', token_type: 'Bearer', expires_in: 1 });
  };
  const tokens = `http://127.0.0.1:${await listenOnLoopback(t, createServer((_, response) => (held ? held.push(response) : give(response))))}/token`;
  const env = { OAUTH2_CLIENT_SECRET: 'a-secret-of-some-length', DISCOVERY_ENABLED: 'false', UPSTREAM_OPEN_SERVER_STREAM: 'false' };
  const bridge = await Bridge.start(t, mock.url, { env, flags: ['--client-credentials', '--client-id', 'c', '--token-endpoint', tokens] });
  assert.ok((await bridge.initialize(mock.version)).result, bridge.errors);
  await bridge.call(1, 'echo');
  await until('the end of the token', () => Date.now() > ends);
  held = [];
  bridge.write({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'transfer' } });
  await until('a token to be asked for', () => held.length > 0);
  bridge.notify('notifications/cancelled', { requestId: 2 });
  bridge.write('{'); // what is answered without the server shows that the line before it is read
  await bridge.answerTo(null);
  held.splice(0).forEach(give);
  held = undefined;
  await bridge.call(3, 'echo');
  assert.equal(await bridge.end(), 0);
  assert.equal(bridge.answers.get('2'), undefined);
  assert.ok(mock.requests.some((one) => one.body.includes('"id":3')));
  assert.deepEqual(mock.requests.filter((one) => /transfer|cancelled/.test(one.body)).map((one) => one.body), []);
});

test('HTTP with SSE, the transport of 2024-11-05', async (t) => {
  let stream;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    if (request.method === 'GET' && request.url === '/sse') {
      events(response);
      stream = response;
      return void response.write('event: endpoint\ndata: /messages?sessionId=7\n\n');
    }
    if (request.method !== 'POST' || request.url !== '/messages?sessionId=7') return void response.writeHead(404).end('Cannot POST /sse');
    response.writeHead(202).end('Accepted');
    const message = JSON.parse(body);
    if (message.id === undefined) return;
    const value = message.method === 'initialize' ? { protocolVersion: '2024-11-05', capabilities: {}, serverInfo: { name: 'old', version: '0' } } : { content: [{ type: 'text', text: 'x'.repeat(message.params?.arguments?.size ?? 1) }] };
    stream.write(event(result(message, value)));
  });
  const port = await listenOnLoopback(t, server);
  const bridge = await Bridge.start(t, `http://127.0.0.1:${port}/sse`);
  assert.equal((await bridge.initialize('2024-11-05')).result.serverInfo.name, 'old');
  assert.ok((await bridge.call(1, 'x')).result);
  assert.equal((await bridge.call(2, 'x', { size: 3_000_000 })).result.content[0].text.length, 3_000_000);
  stream.destroy();
  const lost = bridge.call(3, 'x');
  assert.ok(await lost, 'an answer, whether it came before or after the new stream');
  assert.ok((await bridge.call(4, 'x')).result);
  assert.equal(await bridge.end(), 0);
});

test('a sticky cookie comes back', async (t) => {
  const { mock, bridge } = await pair(t, {
    any(request, response) {
      response.setHeader('set-cookie', ['lb=replica-3; Path=/; HttpOnly', 'other=1; Path=/elsewhere']);
      return false;
    },
  });
  await bridge.call(1, 'x');
  assert.equal(mock.requests.at(-1).headers.cookie, 'lb=replica-3');
  assert.equal(await bridge.end(), 0);
});

test('a batch where the revision has them, refused for each request where not', async (t) => {
  const { mock, bridge } = await pair(t, { version: '2025-03-26' });
  mock.any = (request, response, body) => {
    if (!body.startsWith('[')) return false;
    json(response, JSON.parse(body).map((one) => result(one)));
    return true;
  };
  bridge.write([{ jsonrpc: '2.0', id: 1, method: 'ping' }, { jsonrpc: '2.0', id: 2, method: 'ping' }]);
  assert.ok((await bridge.answerTo(2)).result);
  const other = await pair(t);
  other.bridge.write([{ jsonrpc: '2.0', id: 1, method: 'ping' }, { jsonrpc: '2.0', id: 2, method: 'ping' }]);
  assert.equal((await other.bridge.answerTo(1)).error.code, -32600);
  assert.equal((await other.bridge.answerTo(2)).error.code, -32600);
});

// ---- the end

test('standard input that ends: what is under way is answered, the session removed, the code is 0', async (t) => {
  const { mock, bridge } = await pair(t, { get: (_, response) => events(response) });
  mock.behave.slow = (_, response, message) => setTimeout(() => json(response, result(message)), 300);
  bridge.write({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow' } });
  await until('the call at the server', () => posts(mock, 'tools/call').length === 1);
  assert.equal(await bridge.end(), 0);
  assert.ok(bridge.answers.get('1')[0].result);
  assert.equal(mock.sessions.size, 0);
});

for (const stream of ['open', 'closing', 'failing', 'absent']) {
  test(`standard input that ends while the server's stream is ${stream}: at once`, async (t) => {
    const { mock, bridge } = await pair(t, {
      get: (_, response) => {
        if (stream === 'open') events(response);
        if (stream === 'closing') response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
        if (stream === 'failing') response.writeHead(500).end();
        if (stream === 'absent') response.writeHead(405).end();
      },
    });
    await until('the stream was asked for', () => mock.requests.some((one) => one.method === 'GET'));
    const began = performance.now();
    assert.equal(await bridge.end(), 0);
    assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
    assert.equal(mock.sessions.size, 0);
  });
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  test(`${signal}: what is open is answered with an error, the session removed, the code is 0`, async (t) => {
    const { mock, bridge } = await pair(t);
    mock.behave.hang = () => {};
    bridge.write({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'hang' } });
    await until('the call at the server', () => posts(mock, 'tools/call').length === 1);
    bridge.child.kill(signal);
    assert.deepEqual(await within('the end', bridge.exited), [0, null]);
    assert.equal(bridge.answers.get('1')[0].error.data.symptom, 'MOP-BRI-008');
    assert.equal(mock.sessions.size, 0);
  });
}

test('a client that is gone ends it, whatever is under way', async (t) => {
  const { mock, bridge } = await pair(t);
  mock.behave.hang = () => {};
  bridge.write({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'hang' } });
  await until('the call at the server', () => posts(mock, 'tools/call').length === 1);
  bridge.child.stdout.destroy();
  assert.deepEqual(await within('the end', bridge.exited), [0, null]);
});

test('the death of the process that started it ends it, though its input stays open', async (t) => {
  const mock = await Mock.start(t);
  const { command, args } = bridgeCommand(mock.url);
  // Whoever holds the pipe is not who started it.
  const shell = spawn('sh', ['-c', '"$0" "$@" <&3 & echo $!; read -r rest', command, ...args], {
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    env: await bridgeEnvironment(t),
  });
  const [first] = await once(shell.stdout.setEncoding('utf8'), 'data');
  const pid = Number(first.trim().split('\n')[0]);
  shell.stdio[3].write('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}\n');
  await until('the session', () => mock.sessions.size === 1);
  shell.kill('SIGKILL');
  await until('the end of the bridge', async () => (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone) Z')).match(/gone|\) Z/));
  await until('the end of the session', () => mock.sessions.size === 0);
});

test('standard input and output may be files', async (t) => {
  const mock = await Mock.start(t);
  const folder = await temporaryFolder(t, 'bridge-files');
  await writeFile(
    join(folder, 'in'),
    ['{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}', '{"jsonrpc":"2.0","method":"notifications/initialized"}', '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'].join('\r\n'),
  );
  const [input, output] = [await open(join(folder, 'in')), await open(join(folder, 'out'), 'w')];
  const bridge = await Bridge.start(t, mock.url, { stdio: [input.fd, output.fd, 'pipe'] });
  assert.deepEqual(await within('the end', bridge.exited), [0, null]);
  await Promise.all([input.close(), output.close()]);
  const lines = (await readFile(join(folder, 'out'), 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((one) => one.id), [0, 1]);
  const nothing = await Bridge.start(t, mock.url, { stdio: ['ignore', 'pipe', 'pipe'] });
  assert.deepEqual(await within('the end', nothing.exited), [0, null]);
});

// ---- bounds

test('a result of 100 MB passes through little memory, whether it is read fast or slowly', async (t) => {
  const size = 100 * 1000 * 1000;
  let left;
  const { mock, bridge } = await pair(t);
  mock.behave.huge = (_, response, message) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(`{\n"jsonrpc": "2.0",\n"id": ${message.id},\n"result": {"text": "`);
    left = size;
    const more = () => {
      while (left > 0) {
        left -= 100_000;
        if (!response.write('x'.repeat(100_000))) return void response.once('drain', more);
      }
      response.end('"}\n}');
    };
    more();
  };
  const before = await bridge.status('VmRSS');
  // Nobody reads: the server has to wait, and the bridge holds no more than it may.
  bridge.child.stdout.pause();
  const answer = bridge.call(1, 'huge', {}, undefined).catch(() => {});
  await until('the call at the server', () => posts(mock, 'tools/call').length === 1);
  let sent = 0, looks = 0; // it stands still, with more to send
  await until('the server to be held up', () => {
    looks = sent === left ? looks + 1 : 0;
    sent = left;
    return looks > 50;
  });
  assert.ok(left > 0, 'more is taken than anybody reads');
  const while_held = await bridge.status('VmRSS');
  bridge.child.stdout.resume();
  await until('the answer', () => bridge.answers.get('1'), 60_000);
  await answer;
  assert.equal(bridge.answers.get('1')[0].result.text.length, size);
  const peak = await bridge.status('VmHWM');
  assert.ok(while_held - before < 16 * 1024 && peak - before < 24 * 1024, `KiB: ${before} before, ${while_held} held, ${peak} at most`);
  assert.equal(await bridge.end(), 0);
});

test('what only the start needed is let go of, and large results leave little', async (t) => {
  const { mock, bridge } = await pair(t);
  mock.behave.small = (_, response, message) => json(response, result(message, {}));
  await bridge.call(1, 'small');
  const started = await bridge.status('VmHWM');
  await until('the bridge to be smaller', async () => (await bridge.status('VmRSS')) < started * 0.75);
  mock.behave.large = (_, response, message) => json(response, result(message, { text: 'x'.repeat(1_500_000) }));
  await bridge.call(2, 'large');
  await bridge.call(3, 'small');
  const own = await bridge.status('RssAnon');
  assert.ok(own < 8 * 1024, `${own} KiB of its own`);
  assert.equal(await bridge.end(), 0);
});

test('many calls at once: each gets its own answer', async (t) => {
  const { mock, bridge } = await pair(t);
  mock.behave.own = (_, response, message) => setTimeout(() => json(response, result(message, { n: message.id })), Math.random() * 20);
  const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => bridge.call(i, 'own')));
  answers.forEach((one, i) => assert.equal(one.result.n, i));
  assert.equal(await bridge.end(), 0);
});
