// Bytes pass as they come, both ways, and an end on one side is an end on the other.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, eventsOf, initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { startAnswering, Upstream } from './lib/upstream.mjs';
import { deferred, until, within } from './lib/until.mjs';

const scope = fileScope();
let gateway, upstream, token, raw, rawToken;
let onRequest; // what the raw upstream does with the next request

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  raw = await startAnswering(scope, (incoming, answer) => onRequest(incoming, answer));
  gateway = await Gateway.start(scope, {
    upstreams: [{ name: 'sdk', url: upstream.url, paths: ['/mcp'] }, { name: 'raw', url: raw, paths: ['/raw'] }],
    timeouts: { stream_keep_alive: 200 },
  });
  const person = new Person({ password: await gateway.firstPassword() });
  token = (await tokensFor(gateway, person)).access_token;
  const at = Object.assign(Object.create(gateway), { mcp: `${gateway.origin}/raw` });
  rawToken = (await tokensFor(at, person)).access_token;
});

test('each event is here before the next one is made', async () => {
  const answer = await post(gateway.mcp, call('progress', { steps: 20 }, 1, { progressToken: 'p' }), token);
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
  assert.equal(answer.headers.get('x-accel-buffering'), 'no');
  const events = eventsOf(answer);
  for (let step = 1; step <= 20; ++step) {
    const { value } = await within(`event ${step}`, events.next());
    assert.equal(JSON.parse(value.data).params.progress, step);
    await upstream.release();
  }
  const { value } = await within('the result', events.next());
  assert.equal(JSON.parse(value.data).result.content[0].text, '20 steps');
  assert.equal((await within('the end', events.next())).done, true);
});

test('a part of an event passes as well, and bytes arrive as they were sent', async () => {
  const response = deferred();
  onRequest = (_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    response.resolve(answer);
  };
  const answering = post(`${gateway.origin}/raw`, call('x'), rawToken);
  const stream = await within('the request upstream', response.promise);
  const pieces = ['id: 1\r', '\ndata: one', '\r\n\r\n', ': note\n', 'data: tw', 'o\n\n'];
  stream.write(pieces[0]);
  const answer = await within('the head', answering);
  const reader = answer.body.getReader();
  let seen = '';
  for (let i = 0; i < pieces.length; ++i) {
    if (i > 0) stream.write(pieces[i]);
    const expected = pieces.slice(0, i + 1).join('');
    while (seen.length < expected.length) {
      const { value } = await within(`piece ${i}`, reader.read());
      seen += Buffer.from(value).toString();
    }
    assert.equal(seen, expected);
  }
  stream.end();
  assert.equal((await reader.read()).done, true);
});

test('a silent stream is kept open with comments, between events only', async () => {
  const response = deferred();
  onRequest = (_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.flushHeaders();
    response.resolve(answer);
  };
  const answer = await post(`${gateway.origin}/raw`, call('x'), rawToken);
  const stream = await response.promise;
  const reader = answer.body.getReader();
  const { value } = await within('a comment', reader.read());
  assert.match(Buffer.from(value).toString(), /^:[^\n]*\n\n$/);
  stream.write('data: {}\n\n');
  stream.end();
  let rest = '';
  for (let read = await reader.read(); !read.done; read = await reader.read()) rest += Buffer.from(read.value).toString();
  assert.equal(rest.replace(/^:[^\n]*\n\n/gm, ''), 'data: {}\n\n');
});

test('a client that goes away during a stream is gone upstream at once', async () => {
  const gone = new AbortController();
  const answer = await post(gateway.mcp, call('progress', { steps: 2 }, 1, { progressToken: 'p' }), token, {}, gone.signal);
  await eventsOf(answer).next();
  const seen = upstream.requests.at(-1);
  assert.equal(seen.closed, false);
  gone.abort();
  await until('the upstream sees it', () => seen.closed, 2000);
  await upstream.release();
});

test('a client that goes away before the answer has begun is gone upstream at once', async () => {
  const gone = new AbortController();
  const arrived = deferred(), closed = deferred();
  onRequest = (_, answer) => {
    answer.on('close', closed.resolve);
    arrived.resolve();
  };
  const answering = post(`${gateway.origin}/raw`, call('x'), rawToken, {}, gone.signal).catch((error) => error);
  await within('the call is upstream', arrived.promise);
  gone.abort();
  await within('the upstream sees it', closed.promise, 2000);
  assert.equal((await answering).name, 'AbortError');
});

test('a large call streams through: the upstream has its beginning before its end was sent', async () => {
  const begun = deferred();
  let bytes = 0;
  onRequest = (incoming, answer) => {
    incoming.on('data', (piece) => {
      bytes += piece.length;
      begun.resolve();
    });
    incoming.on('end', () => answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ bytes })));
  };
  const filler = 'x'.repeat(3 * 1024 * 1024);
  const head = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"';
  const answered = deferred();
  const outgoing = request(`${gateway.origin}/raw`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rawToken}`, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
  }, answered.resolve);
  outgoing.on('error', answered.reject);
  outgoing.write(head + filler);
  await within('its beginning', begun.promise);
  outgoing.end(`${filler}"}}}`);
  const answer = await within('the answer', answered.promise);
  let text = '';
  for await (const piece of answer) text += piece;
  assert.equal(JSON.parse(text).bytes, head.length + 2 * filler.length + 4);
});

test('a client that does not read holds the upstream back', async () => {
  let written = 0;
  const stuck = deferred();
  onRequest = (_, answer) => {
    answer.writeHead(200, { 'content-type': 'application/octet-stream' });
    const block = Buffer.alloc(64 * 1024, 'x');
    const more = () => {
      while (written < 256 * 1024 * 1024) {
        written += block.length;
        if (!answer.write(block)) return answer.once('drain', more);
      }
      answer.end();
    };
    answer.on('close', stuck.resolve);
    more();
  };
  const outgoing = request(`${gateway.origin}/raw`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rawToken}`, 'content-type': 'application/json' },
  });
  outgoing.on('error', () => {});
  const answered = new Promise((resolve) => outgoing.on('response', resolve));
  outgoing.end(JSON.stringify(call('x')));
  const answer = await within('the head', answered);
  answer.pause();
  // It has stopped growing when many looks in a row see the same.
  let last = -1, same = 0;
  await until('the upstream is held back', () => {
    same = written === last ? same + 1 : 0;
    last = written;
    return same > 60;
  });
  assert.ok(written < 64 * 1024 * 1024, `${written} bytes were taken`);
  outgoing.destroy();
  await within('the upstream is let go', stuck.promise);
});

test('the stream of a session stays open until its client goes', async () => {
  const server = await Upstream.start(scope);
  const own = await Gateway.start(scope, { mcp_server_url: server.url });
  const bearer = (await tokensFor(own, new Person({ password: await own.firstPassword() }))).access_token;
  const initialized = await post(own.mcp, initialize(), bearer);
  const session = { 'mcp-session-id': initialized.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
  await initialized.text();
  const gone = new AbortController();
  const stream = await fetch(own.mcp, { headers: { ...session, authorization: `Bearer ${bearer}`, accept: 'text/event-stream' }, signal: gone.signal });
  assert.equal(stream.status, 200);
  assert.match(stream.headers.get('content-type'), /^text\/event-stream/);
  const seen = server.requests.at(-1);
  assert.equal(seen.closed, false);
  gone.abort();
  await until('the upstream sees the end', () => seen.closed, 2000);
});
