// Whatever was acknowledged holds, whatever happens to the process.

import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, eventsOf, post, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';
import { until, within } from './lib/until.mjs';

const scope = fileScope();
let gateway, upstream, person;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    limits: { requests_per_minute: 1_000_000, registrations_per_hour: 1_000_000 },
  });
  person = new Person({ password: await gateway.firstPassword() });
});

const works = async (token) => {
  const answer = await post(gateway.mcp, call('echo', { text: 'x' }), token);
  await answer.body?.cancel();
  return answer.status === 200;
};

test('what holds secrets is for nobody else to read', async () => {
  for (const file of ['oauth.db', 'oauth.db.key', 'logs/proxy.log']) {
    assert.equal((await stat(join(gateway.folder, file))).mode & 0o777, 0o600, file);
  }
});

test('killed again and again while tokens are refreshed, it forgets none that it had given', async () => {
  const chains = [];
  for (let i = 0; i < 4; ++i) {
    const { client, refresh_token, access_token } = await tokensFor(gateway, person);
    chains.push({ client, refresh_token, access_token, given: 0 });
  }
  const registered = [];
  for (let round = 0; round < 6; ++round) {
    let up = true;
    const enough = 8 + 5 * round;
    const before = chains.reduce((sum, c) => sum + c.given, 0);
    const running = chains.map(async (chain) => {
      while (up) {
        const answer = await refresh(gateway, chain.client, chain.refresh_token).then(async (a) => [a.status, await a.json()]).catch(() => undefined);
        if (!answer) return; // killed before it could acknowledge
        assert.equal(answer[0], 200, JSON.stringify(answer[1]));
        Object.assign(chain, { refresh_token: answer[1].refresh_token, access_token: answer[1].access_token });
        ++chain.given;
      }
    });
    running.push((async () => {
      while (up) registered.push(await register(gateway).catch(() => (up = false)));
    })());
    await until('enough tokens are given', () => chains.reduce((sum, c) => sum + c.given, 0) >= before + enough);
    await gateway.kill();
    up = false;
    await Promise.all(running);

    await gateway.restart();
    for (const chain of chains) {
      assert.ok(await works(chain.access_token), 'the access token that was given');
      const answer = await refresh(gateway, chain.client, chain.refresh_token);
      const body = await answer.json();
      assert.equal(answer.status, 200, `round ${round}: ${JSON.stringify(body)}`);
      Object.assign(chain, { refresh_token: body.refresh_token, access_token: body.access_token });
    }
  }
  for (const client of registered.filter(Boolean)) {
    const answer = await refresh(gateway, client, 'never given');
    assert.equal((await answer.json()).error, 'invalid_grant', 'the client is still known');
  }
  assert.ok(registered.length > 6);
});

test('a token that was revoked before a kill stays revoked after it', async () => {
  const { client, access_token, refresh_token } = await tokensFor(gateway, person);
  assert.ok(await works(access_token));
  const body = new URLSearchParams({ token: refresh_token, client_id: client.client_id });
  assert.equal((await fetch(`${gateway.origin}/oauth/revoke`, { method: 'POST', body })).status, 200);
  await gateway.kill();
  await gateway.restart();
  assert.equal(await works(access_token), false);
  assert.equal((await refresh(gateway, client, refresh_token)).status, 400);
});

test('the sign-in of a browser outlives a restart', async () => {
  assert.equal(await gateway.stop(), 0);
  await gateway.restart();
  person.pages = [];
  await tokensFor(gateway, person);
  assert.deepEqual(person.pages, ['Allow access?']);
});

test('no password is printed at the second start', () => {
  assert.ok(!gateway.program.lines.join('\n').includes('One-time password'));
});

test('SIGTERM lets the call that is under way end well, takes no more, and frees the port at once', async () => {
  const { access_token } = await tokensFor(gateway, person);
  const answer = await post(gateway.mcp, call('progress', { steps: 2 }, 1, { progressToken: 'p' }), access_token);
  const events = eventsOf(answer);
  await within('the first step', events.next());
  const stopped = gateway.stop();
  await until('no more connections are taken', () => fetch(`${gateway.origin}/health`, { headers: { connection: 'close' } }).then(() => false, () => true), 5000);
  await upstream.release();
  await within('the second step', events.next());
  await upstream.release();
  const { value } = await within('the result', events.next());
  assert.equal(JSON.parse(value.data).result.content[0].text, '2 steps');
  assert.equal(await stopped, 0);
  await gateway.restart();
  assert.ok(await works(access_token));
});

test('a second gateway on the same port says that the port is taken', async () => {
  const other = new Gateway();
  Object.assign(other, { folder: gateway.folder, settings: { ...gateway.settings, port: gateway.port, database_url: 'sqlite://other.db' } });
  await assert.rejects(other.run(), new RegExp(`${gateway.port}`));
  assert.notEqual(other.program.child.exitCode, 0);
});
