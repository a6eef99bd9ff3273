// A session of an MCP server belongs to who opened it.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { call, eventsOf, initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { within } from './lib/until.mjs';

const scope = fileScope();
let gateway, admin, bob, session;

before(async () => {
  const demo = await startDemoServer(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: demo.url });
  admin = (await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }))).access_token;
  const password = await gateway.addUser('bob');
  bob = (await tokensFor(gateway, new Person({ user: 'bob', password }))).access_token;
  const opened = await post(gateway.mcp, initialize(), admin);
  session = opened.headers.get('mcp-session-id');
  await opened.text();
});

const status = async (token, id, message = call('echo', { text: 'x' })) => {
  const answer = await post(gateway.mcp, message, token, { 'mcp-session-id': id });
  await answer.body?.cancel();
  return answer.status;
};

test('who opened a session uses it', async () => assert.equal(await status(admin, session), 200));

test('another user with a token of their own does not: 404, as if there was none', async () => {
  assert.equal(await status(bob, session), 404);
  const stream = await fetch(gateway.mcp, { headers: { authorization: `Bearer ${bob}`, 'mcp-session-id': session, accept: 'text/event-stream' } });
  assert.equal(stream.status, 404);
  const end = await fetch(gateway.mcp, { method: 'DELETE', headers: { authorization: `Bearer ${bob}`, 'mcp-session-id': session } });
  assert.equal(end.status, 404);
  assert.equal(await status(admin, session), 200);
});

test('an id that was never given, or was changed, is no session', async () => {
  for (const id of ['guess', `${session}x`, session.slice(0, -1), session.split('.')[0], `x${session}`]) {
    assert.equal(await status(admin, id), 404, id);
  }
});

test('two sessions named at once are none', async () => {
  assert.equal(await status(admin, `${session}, ${session}`), 404);
});

test('the same holds for the sessions of 2024-11-05, whose id stands in the address', async () => {
  const leave = new AbortController();
  const stream = await fetch(`${gateway.mcp}/sse`, {
    headers: { authorization: `Bearer ${admin}`, accept: 'text/event-stream' }, signal: leave.signal });
  const { value } = await within('the endpoint', eventsOf(stream).next());
  const address = new URL(value.data, gateway.origin).href;
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  assert.equal((await post(address, ping, bob)).status, 404);
  assert.equal((await post(address.replace(/mop_session=[^&]*/, ''), ping, admin)).status, 404);
  assert.equal((await post(address, ping, admin)).status, 202);
  leave.abort();
});

test('the session survives a new token of the same user, and a restart of the gateway', async () => {
  const person = new Person({ password: new Person().chosen });
  const { access_token } = await tokensFor(gateway, person);
  assert.equal(await status(access_token, session), 200);
  assert.equal(await gateway.stop(), 0);
  await gateway.restart();
  assert.equal(await status(admin, session), 200);
  assert.equal(await status(bob, session), 404);
});
