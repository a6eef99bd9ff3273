// Clients by the thousand: slow to send, or simply too many (those that do not read: src/app/slow_peers_test.cc). Others are answered meanwhile, and what the
// gateway holds for them stays bounded.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const many = 2000;
const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
let gateway, upstreamPort, token;

before(async () => {
  const upstream = createServer(async (request, response) => {
    let body = '';
    try {
      for await (const piece of request) body += piece;
    } catch {
      return; // cut off
    }
    // In any order.
    if (request.headers['x-want'] === 'later') await new Promise((go) => setTimeout(go, Math.random() * 20));
    response.writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result: { who: request.headers['x-who'] } }));
  });
  upstreamPort = await listenOnLoopback(scope, upstream);
  gateway = await start();
  token = (await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }))).access_token;
});

function start(settings = {}, how = {}) {
  return Gateway.start(scope, {
    mcp_server_url: `http://127.0.0.1:${upstreamPort}`,
    ...settings,
    timeouts: { header: 3000, body: 3000, write: 3000, ...settings.timeouts },
    limits: { requests_per_minute: 1_000_000, ...settings.limits },
  }, how);
}

// That many connections, each with what it got and whether it is closed.
async function crowd(t, port, count) {
  const all = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    const one = { socket, text: '', closed: false };
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('close', () => (one.closed = true));
    return one;
  });
  t.after(() => all.forEach(({ socket }) => socket.destroy()));
  await until('all are there', () => all.every(({ socket, closed }) => closed || socket.readyState === 'open'), 60_000);
  return all;
}
const listen = (all) => all.forEach((one) => one.socket.on('data', (piece) => (one.text += piece)));

// Ordinary calls of somebody else.
async function othersAreServed(g = gateway, bearer = token) {
  for (let i = 0; i < 20; ++i) {
    const answer = await post(g.mcp, ping, bearer, { 'x-who': `other-${i}` });
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).result.who, `other-${i}`);
  }
}

const head = (...lines) => ['POST /mcp HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${token}`, 'Content-Type: application/json', ...lines].join('\r\n') + '\r\n\r\n';

// A byte for everyone in each round, until all are turned away.
async function trickle(all, bytesOf) {
  listen(all);
  let round = 0;
  await until('all are turned away', async () => {
    for (const [i, { socket, closed }] of all.entries()) if (!closed) socket.write(bytesOf(i, round));
    ++round;
    return all.every((one) => one.closed);
  }, 60_000);
}

test('thousands that send their head byte by byte are turned away in time, at a bounded cost', async (t) => {
  await othersAreServed();
  const resident = await gateway.residentKiB();
  const all = await crowd(t, gateway.port, many);
  const text = `GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ${'a'.repeat(20_000)}`;
  const ends = trickle(all, (_, round) => text[round] ?? 'a');
  await othersAreServed();
  const grown = (await gateway.residentKiB()) - resident;
  await ends;
  assert.ok(all.every((one) => /^(HTTP\/1\.1 408 [^]*|)$/.test(one.text)), all.find((o) => o.text)?.text);
  assert.ok(all.filter((one) => one.text).length > many * 0.9, 'they are told why');
  assert.ok(grown < many * 24, `${grown} KiB for ${many}`);
  await until('their places are free', async () => (await gateway.metric('mop_client_connections')) < 50);
  await othersAreServed();
});

test('thousands whose bodies come in chunks of a byte, and stop, are cut off', async (t) => {
  const resident = await gateway.residentKiB();
  const all = await crowd(t, gateway.port, many);
  listen(all);
  const opening = `{"jsonrpc":"2.0","id":1,"params":{"a":"`;
  const bytes = head('Transfer-Encoding: chunked') + [...opening].map((c) => `1\r\n${c}\r\n`).join('');
  for (const { socket } of all) socket.write(bytes);
  await othersAreServed();
  const grown = (await gateway.residentKiB()) - resident;
  await until('all are cut off', () => all.every((one) => one.closed), 60_000);
  assert.ok(all.every((one) => one.text.startsWith('HTTP/1.1 408 ')), all.find((o) => !o.text.startsWith('HTTP/1.1 408 '))?.text);
  assert.ok(grown < many * 40, `${grown} KiB for ${many}`);
  await othersAreServed();
});

test('requests without end on one connection, whose answers nobody reads, are not read on', async (t) => {
  const resident = await gateway.residentKiB();
  const [one] = await crowd(t, gateway.port, 1);
  one.socket.pause();
  const requests = 'GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(20_000);
  let sent = 0;
  await until('it is given up', async () => {
    if (!one.closed && one.socket.writableLength < 1 << 20) sent += one.socket.write(requests) || 1;
    return one.closed;
  }, 60_000);
  assert.ok((await gateway.residentKiB()) - resident < 16 * 1024);
  await othersAreServed();
});

const bombs = {
  'a hundred thousand fields': () => `GET /mcp HTTP/1.1\r\nHost: h\r\n${'a: b\r\n'.repeat(100_000)}\r\n`,
  'a field without end': () => `GET /mcp HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(10 << 20)}`,
  'a name without end': () => `GET /mcp HTTP/1.1\r\nHost: h\r\n${'a'.repeat(10 << 20)}`,
  'a target without end': () => `GET /${'a'.repeat(10 << 20)}`,
  'a method without end': () => 'G'.repeat(10 << 20),
  'empty lines without end': () => '\r\n'.repeat(1 << 20),
  'cookies without end': () => `GET /oauth/authorize HTTP/1.1\r\nHost: h\r\n${'Cookie: a=b\r\n'.repeat(5000)}\r\n`,
  'trailers without end': () => `${head('Transfer-Encoding: chunked')}28\r\n${ping}\r\n0\r\n${'X-T: v\r\n'.repeat(1 << 20)}`,
  'a trailer line without end': () => `${head('Transfer-Encoding: chunked')}28\r\n${ping}\r\n0\r\nX-T: ${'v'.repeat(10 << 20)}`,
  'a chunk size without end': () => `${head('Transfer-Encoding: chunked')}${'0'.repeat(10 << 20)}`,
  'a body beyond the limit in chunks of a byte': () => `${head('Transfer-Encoding: chunked')}${'1\r\n \r\n'.repeat(2 << 20)}`,
  'an array without end': () => `${head(`Content-Length: ${12 << 20}`)}${'['.repeat(12 << 20)}`,
  'a name that never ends': () => `${head(`Content-Length: ${12 << 20}`)}{"jsonrpc":"2.0","${'a'.repeat(12 << 20)}`,
  'members without end': () => `${head(`Content-Length: ${12 << 20}`)}{${'"a":1,'.repeat(2 << 20)}`,
};
for (const [what, bytes] of Object.entries(bombs)) {
  test(`a bomb costs little: ${what}`, async (t) => {
    const resident = await gateway.residentKiB();
    const all = await crowd(t, gateway.port, 4);
    listen(all);
    const text = Buffer.from(bytes(), 'latin1');
    for (const { socket } of all) socket.write(text);
    await until('they are turned away', () => all.every((one) => one.closed), 30_000);
    for (const { text: got } of all) assert.match(got, /^(HTTP\/1\.1 4\d\d [^]*)?$/, what);
    assert.ok((await gateway.residentKiB()) - resident < 24 * 1024, 'memory');
    await othersAreServed();
  });
}

test('more connections than allowed are told so at once, and the others go on', async (t) => {
  const small = await start({ workers: 1, limits: { connections: 100 } });
  const bearer = (await tokensFor(small, new Person({ password: await small.firstPassword() }))).access_token;
  const kept = await crowd(t, small.port, 60);
  await othersAreServed(small, bearer);
  const flood = await crowd(t, small.port, 1000);
  listen(flood);
  await until('most are told', () => flood.filter((one) => one.closed).length >= 900, 30_000);
  assert.ok(flood.filter((one) => one.closed).every((one) => /^(HTTP\/1\.1 503 [^]*)?$/.test(one.text)));
  assert.ok(flood.filter((one) => one.text.startsWith('HTTP/1.1 503 ')).length > 500);
  [...flood, ...kept].forEach(({ socket }) => socket.destroy());
  await until('others are let in', () => othersAreServed(small, bearer).then(() => true));
});

test('without a free descriptor it waits instead of spinning, and goes on when there is one', async (t) => {
  const poor = await start({ workers: 1, timeouts: { header: 60_000, keep_alive: 60_000 } }, { through: ['prlimit', '--nofile=80', '--'] });
  const bearer = (await tokensFor(poor, new Person({ password: await poor.firstPassword() }))).access_token;
  await othersAreServed(poor, bearer);
  const flood = await crowd(t, poor.port, 300);
  // The kernel holds those that were not accepted. What a spin costs would show in this time.
  const from = await poor.cpuTicks();
  const began = performance.now();
  await until('some time has passed', () => performance.now() - began > 2000);
  assert.ok((await poor.cpuTicks()) - from < 60, 'ticks of 10 ms within two seconds');
  assert.ok(poor.program.running);
  flood.forEach(({ socket }) => socket.destroy());
  await until('others are let in', () => othersAreServed(poor, bearer).then(() => true), 60_000);
});

test('CVE-2026-25536: five hundred clients with the same ids at once, each gets its own answers', async () => {
  const clients = Array.from({ length: 500 }, (_, i) => i);
  await Promise.all(clients.map(async (i) => {
    for (let id = 0; id < 4; ++id) {
      const answer = await post(gateway.mcp, { jsonrpc: '2.0', id, method: 'ping' }, token, { 'x-who': `client-${i}`, 'x-want': 'later' });
      assert.deepEqual(await answer.json(), { jsonrpc: '2.0', id, result: { who: `client-${i}` } });
    }
  }));
});
