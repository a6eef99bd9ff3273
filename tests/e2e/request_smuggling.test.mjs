// Requests that two servers could cut apart differently (tests/wire/smuggling.json), sent to the gateway with nginx behind
// it, with nginx before it, and with both: no server behind ever sees a request that the one before did not.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { answering, Nginx, passing } from './lib/nginx.mjs';
import { tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { deferred, until, within } from './lib/until.mjs';

const scope = fileScope();
const corpus = JSON.parse(await readFile(new URL('../wire/smuggling.json', import.meta.url), 'utf8'));
// Short, so that a request that never ends is given up soon; longer than nginx keeps a connection to us.
const settings = {
  workers: 1,
  timeouts: { header: 2000, body: 2000, keep_alive: 5000 },
  limits: { requests_per_minute: 1_000_000 },
};
const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const marker = /smuggled/i;

let nginx; // behind the gateway
let node; // { port, served }: another parser behind another gateway
let behindNginx, behindNode; // { gateway, token }
let beforeNginx, beforeNode; // nginx before each

async function gatewayBefore(port) {
  const gateway = await Gateway.start(scope, { ...settings, mcp_server_url: `http://127.0.0.1:${port}/rpc` });
  const { access_token } = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  return { gateway, token: access_token };
}

async function startNode() {
  const served = [];
  const server = createServer((request, response) => {
    served.push({ method: request.method, uri: request.url, host: request.headers.host, case: request.headers['x-case'] ?? '', user: request.headers['x-user-id'] ?? '', status: '200' });
    request.resume().on('end', () => {
      const result = { case: request.headers['x-case'] ?? '', uri: request.url, method: request.method };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
    });
  });
  server.on('clientError', (error, socket) => {
    // A call that is cut short ends in the middle; anything else would be bytes that are no request.
    const cut = error.code === 'HPE_INVALID_EOF_STATE' || error.code === 'ECONNRESET';
    if (!cut) served.push({ method: '', uri: '', host: '', case: '', user: '', status: error.code });
    socket.destroy();
  });
  return { port: await listenOnLoopback(scope, server), served: async () => served };
}

before(async () => {
  nginx = await Nginx.start(scope, 'behind', answering);
  node = await startNode();
  [behindNginx, behindNode] = await Promise.all([gatewayBefore(nginx.port), gatewayBefore(node.port)]);
  beforeNginx = await Nginx.start(scope, 'before', passing(behindNginx.gateway.port));
  beforeNode = await Nginx.start(scope, 'before-node', passing(behindNode.gateway.port, 'proxy_request_buffering off;'));
});

// One request of the corpus, as bytes.
function written(entry, at, { host, token }) {
  const authority = `Host: ${host}\r\n`;
  const fields = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nX-Case: ${at}\r\n`;
  const tail = `GET /mcp/smuggled HTTP/1.1\r\nHost: ${host}\r\nX-Case: ${at}\r\n\r\n`;
  let raw = entry.raw
    .replaceAll(/\{fields:([^}]*?(?:\{host\}[^}]*?)*)\}/g, (_, line) => `${line}\r\n${authority}${fields}`)
    .replaceAll(/\{head:([^}]*)\}/g, (_, method) => `${method} /mcp HTTP/1.1\r\n${authority}${fields}`)
    .replaceAll('{head}', `POST /mcp HTTP/1.1\r\n${authority}${fields}`)
    .replaceAll('{hostless}', `POST /mcp HTTP/1.1\r\n${fields}`)
    .replaceAll('{bytes}', [...ping].map((c) => `1\r\n${c}\r\n`).join(''))
    .replaceAll('{hex}', tail.length.toString(16))
    .replaceAll('{tail}', tail)
    .replaceAll('{open}', `GET /mcp/smuggled HTTP/1.1\r\nX-Smuggled: `)
    .replaceAll('{body}', ping)
    .replaceAll('{ping}', ping.length)
    .replaceAll('{host}', host);
  raw = raw.replaceAll('{length}', raw.length - raw.indexOf('\r\n\r\n') - 4);
  if (raw.startsWith('{lf}')) raw = raw.slice(4).replaceAll('\r\n', '\n');
  if (raw.startsWith('{cr}')) raw = raw.slice(4).replaceAll('\r\n', '\r');
  return Buffer.from(raw, 'latin1');
}

// Sends the bytes on a connection of their own; everything that comes back until it closes.
// `enough` answers, and it says that it sends no more.
function exchange(port, bytes, enough = Infinity) {
  const { promise, resolve } = deferred();
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (piece) => {
    text += piece;
    if (statuses(text).length >= enough) socket.end();
  });
  socket.on('error', () => {});
  socket.on('close', () => resolve(text));
  return within('the connection closes', promise, 20_000).finally(() => socket.destroy());
}

const statuses = (text) => [...text.matchAll(/HTTP\/1\.1 (\d\d\d) /g)].map((m) => m[1]).filter((s) => s !== '100');

async function sendAll(port, who, { atOnce = 24, known, afterEach } = {}) {
  const answers = new Array(corpus.length);
  let next = 0;
  const take = async () => {
    while (next < corpus.length) {
      const at = next++;
      answers[at] = await exchange(port, written(corpus[at], at, { host: `127.0.0.1:${port}`, token: who.token }),
        known ? corpus[at].answers.split(' ').length : Infinity);
      if (afterEach) await afterEach(at);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  return answers;
}

// Somebody else's call, after an attack: it is answered, and with what is its own.
async function victim(port, { token }, at) {
  const answer = await exchange(port, Buffer.from(
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
    + `X-Case: victim-${at}\r\nConnection: close\r\nContent-Length: ${ping.length}\r\n\r\n${ping}`));
  assert.deepEqual(statuses(answer), ['200'], `after ${corpus[at].name}: ${answer}`);
  const text = /\{"jsonrpc".*\}\}/.exec(answer)[0];
  assert.deepEqual(JSON.parse(text).result, { case: `victim-${at}`, uri: '/rpc', method: 'POST' }, `after ${corpus[at].name}`);
}

// What the server behind saw of the attacks since `from`; every line of it is somebody's.
async function seenSince(server, from, victims) {
  const complete = () => server.served().then((all) => all.slice(from));
  const all = await until('the last victim is in the log', async () => {
    const now = await complete();
    return now.filter((r) => r.case.startsWith('victim-')).length >= victims && now;
  });
  for (const r of all) {
    const what = JSON.stringify(r);
    assert.doesNotMatch(r.method + r.uri + r.host + r.user, marker, what);
    assert.equal(r.status, '200', `the gateway itself sent something malformed: ${what}`);
    assert.match(r.case, /^(victim-)?\d+$/, what);
    assert.equal(r.user, 'local:admin', what);
  }
  return all.filter((r) => !r.case.startsWith('victim-'));
}

async function attack(port, who, server, known = false) {
  const from = (await server.served()).length;
  const answers = await sendAll(port, who, { known, afterEach: (at) => victim(port, who, at) });
  const seen = await seenSince(server, from, corpus.length);
  for (const [at, entry] of corpus.entries()) {
    const reached = seen.filter((r) => r.case === String(at)).length;
    const forwarded = statuses(answers[at]).filter((s) => s === '200').length;
    // A call goes on once it is decided; when its rest turns out broken it is cut, and the answer is ours.
    assert.ok(reached <= Math.max(forwarded, 1), `${entry.name}: ${reached} requests behind, ${forwarded} answers from there`);
    assert.doesNotMatch(answers[at], /"uri":"[^"]*smuggled/, entry.name);
  }
  return answers;
}

test('the corpus is as large as it says', () => {
  assert.ok(corpus.length >= 300);
  assert.equal(new Set(corpus.map((e) => e.name)).size, corpus.length);
});

test('each is answered as it has to be, nginx behind', async () => {
  const answers = await attack(behindNginx.gateway.port, behindNginx, nginx, true);
  for (const [at, entry] of corpus.entries()) {
    assert.equal(statuses(answers[at]).join(' '), entry.answers, `${entry.name}\n${answers[at]}`);
  }
});

test('nothing is smuggled past nginx before and the gateway', async () => {
  await attack(beforeNode.port, behindNode, node);
});

test('nothing is smuggled with nginx on both sides', async () => {
  await attack(beforeNginx.port, behindNginx, nginx);
});
