// HTTP as no honest client writes it: refused and closed, and nothing of it reaches the upstream.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { connect } from 'node:net';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { deferred, until, within } from './lib/until.mjs';
import { startAnswering } from './lib/upstream.mjs';

const scope = fileScope();
const reached = [];
let gateway, token;

before(async () => {
  const upstream = await startAnswering(scope, (request, answer) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => {
      reached.push({ method: request.method, url: request.url, body });
      answer.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
  });
  gateway = await Gateway.start(scope, { mcp_server_url: upstream, timeouts: { header: 400, body: 400 } });
  token = (await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }))).access_token;
});

// Sends the bytes and reads until the other side closes.
function exchange(bytes, { end = false } = {}) {
  const { promise, resolve, reject } = deferred();
  const socket = connect(gateway.port, '127.0.0.1', () => socket.write(bytes, 'latin1', () => end && socket.end()));
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (piece) => (text += piece));
  socket.on('close', () => resolve(text));
  socket.on('error', (error) => (text ? resolve(text) : reject(error)));
  return within('the connection closes', promise, 5000).finally(() => socket.destroy());
}

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const head = (...lines) => [`POST /mcp HTTP/1.1`, `Host: 127.0.0.1`, `Authorization: Bearer ${token}`, 'Content-Type: application/json', ...lines].join('\r\n') + '\r\n\r\n';
const inner = `POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`;

const smuggled = {
  'both lengths': () => head(`Content-Length: ${ping.length}`, 'Transfer-Encoding: chunked') + `0\r\n\r\n${inner}`,
  'two lengths': () => head('Content-Length: 0', `Content-Length: ${ping.length}`) + ping,
  'a list of lengths': () => head(`Content-Length: ${ping.length}, ${ping.length}`) + ping,
  'a length with a sign': () => head(`Content-Length: +${ping.length}`) + ping,
  'an unknown coding': () => head('Transfer-Encoding: xchunked') + `${ping}`,
  'chunked that is not last': () => head('Transfer-Encoding: chunked, gzip') + '0\r\n\r\n',
  'chunked twice': () => head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  'a space before the colon': () => head(`Content-Length : ${ping.length}`) + ping,
  'a folded field': () => head('X-A: b\r\n c', `Content-Length: ${ping.length}`) + ping,
  'bare LF': () => (head(`Content-Length: ${ping.length}`) + ping).replaceAll('\r\n', '\n'),
  'one bare LF': () => head(`X-A: b\nX-B: c`, `Content-Length: ${ping.length}`) + ping,
  'a bare CR': () => head(`X-A: b\rX-B: c`, `Content-Length: ${ping.length}`) + ping,
  'a zero byte': () => head('X-A: b\0c', `Content-Length: ${ping.length}`) + ping,
  'two hosts': () => head('Host: other', `Content-Length: ${ping.length}`) + ping,
  'no host': () => head(`Content-Length: ${ping.length}`).replace('Host: 127.0.0.1\r\n', '') + ping,
  'a chunk size with a sign': () => head('Transfer-Encoding: chunked') + `+5\r\nhello\r\n0\r\n\r\n`,
  'a chunk size with 0x': () => head('Transfer-Encoding: chunked') + `0x5\r\nhello\r\n0\r\n\r\n`,
  'a chunk that is longer than it says': () => head('Transfer-Encoding: chunked') + `2\r\nhello\r\n0\r\n\r\n`,
  'a chunk size beyond all numbers': () => head('Transfer-Encoding: chunked') + `fffffffffffffffff\r\n`,
  'a head without end': () => head(`X-A: ${'a'.repeat(100_000)}`),
  'no HTTP at all': () => '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n',
};
for (const [what, bytes] of Object.entries(smuggled)) {
  test(`refused and closed: ${what}`, async () => {
    const before = reached.length;
    const text = await exchange(bytes());
    assert.match(text, /^HTTP\/1\.1 4\d\d /);
    assert.equal(text.match(/HTTP\/1\.1 /g).length, 1, 'one answer, not two');
    assert.equal(reached.length, before);
  });
}

test('a head that never ends is not waited for', async () => {
  const text = await exchange('POST /mcp HTTP/1.1\r\nHost: x\r\n');
  assert.match(text, /^(HTTP\/1\.1 408 |$)/);
});

test('nor is a body that never comes', async () => {
  const before = reached.length;
  const text = await exchange(head(`Content-Length: ${ping.length}`) + ping.slice(0, 10));
  assert.match(text, /^HTTP\/1\.1 408 /);
  assert.equal(reached.length, before);
});

test('requests one behind the other are answered one by one, in their order', async () => {
  const before = reached.length;
  const one = (id) => {
    const body = `{"jsonrpc":"2.0","id":${id},"method":"ping"}`;
    return head(`Content-Length: ${body.length}`) + body;
  };
  const last = `GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  const text = await exchange(one(1) + one(2) + one(3) + last);
  assert.equal(text.match(/HTTP\/1\.1 200 OK/g).length, 4);
  assert.deepEqual(reached.slice(before).map((r) => JSON.parse(r.body).id), [1, 2, 3]);
});

test('chunks in odd places are put together', async () => {
  const before = reached.length;
  const chunks = [...ping].map((c) => `1\r\n${c}\r\n`).join('');
  const text = await exchange(`${head('Transfer-Encoding: chunked', 'Connection: close')}${chunks}0\r\n\r\n`);
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.equal(reached.at(-1).body, ping);
  assert.equal(reached.length, before + 1);
});

const paths = ['/mcp/../admin', '/mcp/%2e%2e/admin', '/mcp/..%2fadmin', '/mcp/%5c..%5cadmin', '/mcp/./x', '/mcp/a%00b'];
for (const path of paths) {
  test(`${path} goes nowhere`, async () => {
    const before = reached.length;
    const text = await exchange((head(`Content-Length: ${ping.length}`, 'Connection: close') + ping).replace('/mcp ', `${path} `));
    assert.match(text, /^HTTP\/1\.1 4\d\d /);
    assert.equal(reached.length, before);
  });
}

test('many idle connections do not keep others out', async (t) => {
  const sockets = [];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 300; ++i) sockets.push(connect(gateway.port, '127.0.0.1'));
  await until('all are there', () => sockets.every((s) => s.readyState === 'open'));
  assert.equal((await fetch(`${gateway.origin}/health`)).status, 200);
});

test('liboauth2, 2026: a storm of key ids that nobody knows asks the database once in five seconds', async (t) => {
  const watched = await Gateway.start(t, { mcp_server_url: 'http://127.0.0.1:9/mcp', logging: { debug: ['db:query'] } });
  const genuine = (await tokensFor(watched, new Person({ password: await watched.firstPassword() }))).access_token;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const payload = genuine.split('.')[1];
  const forged = () => {
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: randomUUID() })).toString('base64url');
    const signed = sign('sha256', Buffer.from(`${header}.${payload}`), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${header}.${payload}.${signed.toString('base64url')}`;
  };
  const asked = async () => (await watched.log()).filter((l) => l.namespace === 'db:query' && l.message.includes('signing_key')).length;
  const before = await asked();
  const began = Date.now();
  for (let round = 0; round < 30; ++round) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(watched.mcp, call('echo'), forged())));
    for (const answer of answers) assert.equal(answer.status, 401, await answer.text());
  }
  const turns = 1 + Math.ceil((Date.now() - began) / 5000);
  // Another gateway may have made the key: the database is asked, by one request for all.
  await until('the keys are read again', async () => (await asked()) > before);
  const last = await post(watched.mcp, call('echo'), genuine);
  await watched.logged('what came after', (l) => l.request_id === last.headers.get('x-request-id'));
  const queries = (await asked()) - before;
  assert.ok(queries <= turns, `${queries} queries for 300 tokens, in ${turns} turns`);
});
