// The same code, or the same refresh token, from many sockets at the same moment.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { before, test } from 'node:test';

import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { authorization, initialize, post, redeem, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';

const scope = fileScope();
const sockets = 128;
const limits = { requests_per_minute: 1_000_000, registrations_per_hour: 1_000_000 };
let demo, gateway, person, client;

before(async () => {
  demo = await startDemoServer(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: demo.url, limits });
  person = new Person({ password: await gateway.firstPassword() });
  client = await register(gateway);
});

// Every socket has sent all but the last byte before the first of them sends that.
async function atOnce(at, parameters) {
  const body = new URLSearchParams(parameters).toString();
  const bytes = Buffer.from(
    `POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\nConnection: close\r\n` +
      `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const open = await Promise.all(Array.from({ length: sockets }, async () => {
    const socket = connect(at.port, '127.0.0.1');
    socket.setNoDelay(true);
    const pieces = [];
    socket.on('data', (piece) => pieces.push(piece));
    await once(socket, 'connect');
    await new Promise((done) => socket.write(bytes.subarray(0, -1), done));
    return { socket, pieces, closed: once(socket, 'close') };
  }));
  for (const { socket } of open) socket.write(bytes.subarray(-1));
  return Promise.all(open.map(async ({ pieces, closed }) => {
    await closed;
    const text = Buffer.concat(pieces).toString();
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), body: JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) };
  }));
}

const codeForm = (asked, answer) => ({
  grant_type: 'authorization_code', client_id: client.client_id, code: answer.searchParams.get('code'), code_verifier: asked.verifier, redirect_uri: asked.redirect_uri,
});
const refreshForm = (id, token) => ({ grant_type: 'refresh_token', client_id: id, refresh_token: token });
const statusAtMcp = async (at, token) => (await post(at.mcp, initialize(), token)).status;

async function assertDead(at, id, tokens) {
  assert.equal(await statusAtMcp(at, tokens.access_token), 401);
  assert.equal((await refresh(at, { client_id: id }, tokens.refresh_token)).status, 400);
}

test('one code on many connections is one grant, and the replay ends it', async () => {
  const asked = authorization(gateway, client);
  const answers = await atOnce(gateway, codeForm(asked, await person.approve(asked.url, asked.redirect_uri)));
  const won = answers.filter((a) => a.status === 200);
  assert.equal(won.length, 1);
  for (const lost of answers.filter((a) => a.status !== 200)) assert.deepEqual([lost.status, lost.body.error], [400, 'invalid_grant']);
  await assertDead(gateway, client.client_id, won[0].body);
});

test('one refresh token on many connections has one successor', async () => {
  const tokens = await tokensFor(gateway, person, client);
  const answers = await atOnce(gateway, refreshForm(client.client_id, tokens.refresh_token));
  assert.deepEqual(answers.map((a) => a.status), Array(sockets).fill(200));
  const successors = new Set(answers.map((a) => a.body.refresh_token));
  assert.equal(successors.size, 1);
  assert.ok(!successors.has(tokens.refresh_token));
  assert.equal(await statusAtMcp(gateway, answers[0].body.access_token), 200);
  const [successor] = successors;
  assert.equal((await refresh(gateway, client, successor)).status, 200);
});

test('without grace a refresh token that comes many times at once ends its family', async () => {
  const strict = await Gateway.start(scope, { mcp_server_url: demo.url, limits, refresh_grace_seconds: 0 });
  const someone = new Person({ password: await strict.firstPassword() });
  const tokens = await tokensFor(strict, someone);
  const id = tokens.client.client_id;
  const answers = await atOnce(strict, refreshForm(id, tokens.refresh_token));
  const won = answers.filter((a) => a.status === 200);
  assert.ok(won.length <= 1, `${won.length}`);
  for (const lost of answers.filter((a) => a.status !== 200)) assert.deepEqual([lost.status, lost.body.error], [400, 'invalid_grant']);
  for (const { body } of won) await assertDead(strict, id, body);
  await assertDead(strict, id, tokens);
});

test('afterwards the server is as it was', async () => {
  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, asked.redirect_uri);
  assert.equal((await redeem(gateway, client, asked, answer)).status, 200);
  assert.deepEqual((await gateway.log()).filter((line) => line.status >= 500 || line.level === 'error'), []);
});
