// Another configuration while the gateway runs: by SIGHUP, or because the file changed. Nobody notices but the operator.

import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { call, eventsOf, initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, portOfNobody } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let upstream, gateway, tokens;

before(async () => {
  upstream = await Upstream.start(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  const person = new Person({ password: await gateway.firstPassword() });
  tokens = await tokensFor(gateway, person);
});

// Done `change`, the gateway has said once more what became of it.
async function saying(pattern, change) {
  const count = () => gateway.program.errors.filter((line) => pattern.test(line)).length;
  const said = count();
  await change();
  await until(`it says ${pattern}`, () => count() > said);
}

const configFile = () => join(gateway.folder, 'config.yaml');
const written = (settings) => JSON.stringify({ ...gateway.settings, ...settings }, null, 2);
const taken = /^the configuration was read again and is in use$/;
const refused = /^the configuration was not taken up; the one in use stays$/;

async function sessionOf() {
  const opened = await post(gateway.mcp, initialize(), tokens.access_token);
  assert.equal(opened.status, 200, await opened.clone().text());
  await opened.text();
  return { 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
}

async function headersSeen(session, headers = {}) {
  const answer = await post(gateway.mcp, call('whoami'), tokens.access_token, { ...session, ...headers });
  for await (const event of eventsOf(answer)) {
    const message = JSON.parse(event.data);
    if (message.result) return JSON.parse(message.result.content[0].text);
  }
  throw new Error('no result');
}

test('a changed file is taken up by itself: a stream goes on, a kept connection stays, a token stays valid', async () => {
  const session = await sessionOf();
  const streaming = await post(gateway.mcp, call('progress', { steps: 2 }, 5, { progressToken: 'p' }), tokens.access_token, session);
  const events = eventsOf(streaming);
  await events.next();

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  scope.after(() => agent.destroy());
  const portOfKept = () => new Promise((resolve, reject) => {
    request(`${gateway.origin}/health`, { agent }, (answer) => {
      const port = answer.socket.localPort;
      answer.resume().on('end', () => resolve(port));
    }).on('error', reject).end();
  });
  const kept = await portOfKept();

  assert.equal((await headersSeen(session, { 'x-colour': 'red' }))['x-colour'], 'red');
  await saying(taken, () => writeFile(configFile(), written({ header_forwarding: { blocked_headers: ['X-Colour'] } })));
  assert.equal((await headersSeen(session, { 'x-colour': 'red' }))['x-colour'], undefined);

  assert.equal(await portOfKept(), kept);
  await upstream.release();
  await upstream.release();
  let last;
  for await (const event of events) last = event;
  assert.equal(JSON.parse(last.data).result.content[0].text, '2 steps');
});

test('a file that an editor renames over the old one is taken up as well', async () => {
  const fresh = join(gateway.folder, 'config.yaml.new');
  await writeFile(fresh, written({ cors: { origins: ['https://app.example'] } }));
  await saying(taken, () => rename(fresh, configFile()));
  const answer = await fetch(`${gateway.origin}/oauth/token`, { method: 'OPTIONS', headers: { origin: 'https://app.example' } });
  assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example');
});

test('SIGHUP reads the file again, and the authorization server follows', async () => {
  const register = () => fetch(`${gateway.origin}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['http://127.0.0.1:1/callback'], token_endpoint_auth_method: 'none' }),
  });
  assert.equal((await register()).status, 201);
  await saying(taken, () => writeFile(configFile(), written({ registration: { dynamic: false } })));
  assert.equal((await register()).status, 403);
  await saying(taken, () => gateway.program.child.kill('SIGHUP'));
  assert.equal((await register()).status, 403);
  const metadata = await (await fetch(`${gateway.origin}/.well-known/oauth-authorization-server`)).json();
  assert.equal(metadata.registration_endpoint, undefined);
  await saying(taken, () => writeFile(configFile(), written({})));
  assert.equal((await register()).status, 201);
});

test('a bad file keeps the old configuration, and every error of it is said with its line', async () => {
  const bad = 'mcp_server_url: nowhere\nport: 99999\nlog_levle: info\n';
  await saying(refused, () => writeFile(configFile(), bad));
  for (const line of [/^config\.yaml:1: mcp_server_url: /, /^config\.yaml:2: port: /, /^config\.yaml:3: log_levle: .*log_level/]) {
    assert.ok(gateway.program.errors.some((e) => line.test(e)), String(line));
    await gateway.logged(String(line), (l) => l.level === 'error' && line.test(l.message));
  }
  await saying(refused, () => writeFile(configFile(), 'port: [\n'));
  assert.equal((await post(gateway.mcp, initialize(), tokens.access_token)).status, 200);
  await saying(taken, () => writeFile(configFile(), written({})));
});

test('a file that disappears changes nothing', async () => {
  await rm(configFile());
  assert.equal((await fetch(`${gateway.origin}/health`)).status, 200);
  await saying(taken, () => writeFile(configFile(), written({ log_level: 'debug' })));
});

test('what cannot change while it runs is named, and the rest is taken up', async () => {
  const port = await portOfNobody();
  const asked = written({ port, workers: 3, database_url: 'sqlite://other.db', header_forwarding: { blocked_headers: ['X-Late'] } });
  await saying(taken, () => writeFile(configFile(), asked));
  for (const line of [`port: ${port} needs a restart; until then 0 stays`, 'workers: 3 needs a restart',
    'database_url: sqlite://other.db needs a restart; until then sqlite://oauth.db stays']) {
    assert.ok(gateway.program.errors.some((e) => e.includes(line)), line);
    await gateway.logged(line, (l) => l.level === 'warn' && l.message.includes(line));
  }
  // The issuer and the resource are those of the port in use: what was given out is good.
  assert.equal((await headersSeen(await sessionOf(), { 'x-late': '1' }))['x-late'], undefined);
});
