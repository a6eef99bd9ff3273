// What befalls the machine itself: no room left for files, and a clock that is set while everything runs.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { clockIn } from './lib/faketime.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { initialize, post, redirectUri, refresh, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const run = promisify(execFile);
let demo;

before(async () => {
  demo = await startDemoServer(scope);
});

async function started(options) {
  const gateway = await Gateway.start(scope, { mcp_server_url: demo.url }, options);
  const password = /One-time password:\s+(\S+)/.exec(gateway.program.lines.join('\n'))[1];
  return { gateway, person: new Person({ password }) };
}
const statusOf = async (answer) => {
  await answer.body?.cancel();
  return answer.status;
};
const calls = async (gateway, token) => statusOf(await post(gateway.mcp, initialize(), token));
const registers = (gateway) => fetch(`${gateway.origin}/oauth/register`, {
  method: 'POST', headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ client_name: 'By hand', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
});

test('a disk that is full refuses what has to be kept, and only while it is full', async () => {
  const { gateway, person } = await started();
  const tokens = await tokensFor(gateway, person);
  // What a full disk is to a program, without one: no file of it may become longer than that.
  const limitFiles = (bytes) => run('prlimit', ['--pid', String(gateway.program.child.pid), `--fsize=${bytes}:unlimited`]);

  await limitFiles(1);
  const refused = await registers(gateway);
  assert.equal(refused.status, 503, await refused.clone().text());
  assert.ok(refused.headers.get('retry-after'), 'it may pass');
  assert.match((await refused.json()).error, /temporarily_unavailable|server_error/);
  assert.equal(await statusOf(await refresh(gateway, tokens.client, tokens.refresh_token)), 503);
  assert.equal(await calls(gateway, tokens.access_token), 200, 'a token that was given needs no disk');

  // The log is a file of that disk, too.
  await until('why, by name, where it can still be said', () => gateway.program.errors.some((line) => /full|File too large|disk I\/O/i.test(line) && /"symptom":"MOP-/.test(line)));

  await limitFiles('unlimited');
  await until('the disk has room again', async () => (await statusOf(await registers(gateway))) === 201);
  const refreshed = await refresh(gateway, tokens.client, tokens.refresh_token);
  assert.equal(refreshed.status, 200, 'the refresh token that was refused then was not used up');
  await tokensFor(gateway, person);
  assert.equal((await fetch(`${gateway.origin}/ready`)).status, 200);
  await gateway.logged('where the lines of that time are', (l) => /went to standard error/.test(l.message) && l.lines > 0);
});

async function withClock() {
  const folder = await temporaryFolder(scope, 'clock');
  const file = join(folder, 'offset');
  const set = async (offset) => {
    await writeFile(`${file}.new`, `${offset}\n`);
    await rename(`${file}.new`, file);
  };
  await set('+0');
  const through = ['env', ...Object.entries(clockIn(file)).map(([name, value]) => `${name}=${value}`)];
  return { set, ...await started({ through }) };
}

test('a clock that is set forward ends tokens in their order, and refreshing goes on', async () => {
  const { gateway, person, set } = await withClock();
  const tokens = await tokensFor(gateway, person);
  assert.equal(await calls(gateway, tokens.access_token), 200);

  await set('+2h');
  const late = await post(gateway.mcp, initialize(), tokens.access_token);
  assert.equal(late.status, 401);
  assert.match(late.headers.get('www-authenticate'), /invalid_token/);
  assert.match(JSON.stringify(await late.json()), /expired/);
  const refreshed = await (await refresh(gateway, tokens.client, tokens.refresh_token)).json();
  assert.equal(await calls(gateway, refreshed.access_token), 200);
});

test('a clock that is set back loses no login, and new tokens work at once', async () => {
  const { gateway, person, set } = await withClock();
  const tokens = await tokensFor(gateway, person);

  await set('-2m');
  const before_it = await post(gateway.mcp, initialize(), tokens.access_token);
  assert.ok([200, 401].includes(before_it.status), `a token of the future: ${before_it.status}`);
  const refreshed = await refresh(gateway, tokens.client, tokens.refresh_token);
  assert.equal(refreshed.status, 200, await refreshed.clone().text());
  const { access_token } = await refreshed.json();
  assert.equal(await calls(gateway, access_token), 200);
  const another = await tokensFor(gateway, person);
  assert.equal(await calls(gateway, another.access_token), 200);

  await set('+0');
  assert.equal(await calls(gateway, access_token), 200, 'and when it is set right again');
  assert.equal((await fetch(`${gateway.origin}/ready`)).status, 200);
});
