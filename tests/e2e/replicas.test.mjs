// Two gateways behind one nginx, with one PostgreSQL for both.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { binary, Gateway, Program, startDemoServer } from './lib/gateway.mjs';
import { Nginx } from './lib/nginx.mjs';
import { initialize, post, postForm, refresh, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const skip = Postgres.missing;
const run = promisify(execFile);
let postgres, demo, front, one, other, person;

const settings = (port) => ({
  port, public_url: front.origin, mcp_server_url: demo.url, database_url: postgres.url, trusted_proxies: ['127.0.0.1'],
  encryption_key: key, limits: { requests_per_minute: 1_000_000, registrations_per_hour: 1_000_000 },
});
const key = randomBytes(32).toString('base64');
const at = (gateway) => ({ origin: `http://127.0.0.1:${gateway.port}`, mcp: `http://127.0.0.1:${gateway.port}/mcp` });

before(async () => {
  if (skip) return;
  postgres = await Postgres.start(scope);
  demo = await startDemoServer(scope);
  const ports = [await portOfNobody(), await portOfNobody()];
  // One request here, the next there, and what one cannot take the other gets.
  const nginx = await Nginx.start(scope, 'replicas', (port) => `
    upstream both { server 127.0.0.1:${ports[0]} max_fails=0; server 127.0.0.1:${ports[1]} max_fails=0; }
    server { listen 127.0.0.1:${port}; location / { proxy_pass http://both; proxy_http_version 1.1; proxy_buffering off;
      proxy_next_upstream error timeout non_idempotent; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }`);
  front = { origin: nginx.url, mcp: `${nginx.url}/mcp` };
  // At the same moment, so that both find an empty database.
  [one, other] = await Promise.all(ports.map((port) => Gateway.start(scope, settings(port))));
  const passwords = [one, other].map((g) => /One-time password:\s+(\S+)/.exec(g.program.lines.join('\n'))?.[1]).filter(Boolean);
  assert.equal(passwords.length, 1, 'one of them made the first user');
  person = new Person({ password: passwords[0] });
});

const status = async (gateway, token) => {
  const answer = await post(gateway.mcp, initialize(), token);
  await answer.body?.cancel();
  return answer.status;
};
const accepted = (gateway, token) => async () => (await status(gateway, token)) === 200;

test('of two that start together one prints the first password, and the other says that it was printed', { skip }, () => {
  const said = [one, other].filter((g) => /admin, with the one-time password that was printed before/.test(g.program.lines.join('\n')));
  assert.equal(said.length, 1);
});

test('a login that one gateway began ends at the other', { skip }, async () => {
  const tokens = await tokensFor(front, person);
  for (const gateway of [one, other]) {
    assert.equal(await status(at(gateway), tokens.access_token), 200);
    await gateway.logged('a part of the login', (line) => line.path?.startsWith('/oauth/') || line.endpoint);
  }
});

test('a refresh token that comes to both at once has one successor', { skip }, async () => {
  const tokens = await tokensFor(front, person);
  const answers = await Promise.all(Array.from({ length: 24 }, async (_, i) => {
    const answer = await refresh(at(i % 2 ? one : other), tokens.client, tokens.refresh_token);
    return [answer.status, await answer.json()];
  }));
  assert.deepEqual(answers.map(([s]) => s), Array(24).fill(200));
  assert.equal(new Set(answers.map(([, body]) => body.refresh_token)).size, 1);
});

test('what is revoked at one is refused by the other', { skip }, async () => {
  const tokens = await tokensFor(front, person);
  assert.equal(await status(at(other), tokens.access_token), 200);
  const revoked = await postForm(`${at(one).origin}/oauth/revoke`, { token: tokens.refresh_token, client_id: tokens.client.client_id });
  assert.equal(revoked.status, 200);
  await until('the other knows', async () => (await status(at(other), tokens.access_token)) === 401);
});

test('the statements of an operator work', { skip }, async () => {
  const { access_token } = await tokensFor(front, person);
  assert.ok(access_token);
  for (const table of ['sessions', 'tokens', 'users', 'schema_migrations']) assert.match(postgres.sql('\\dt'), new RegExp(`\\|${table}\\|`));
  postgres.sql('SELECT id, state, created_at FROM sessions ORDER BY created_at DESC LIMIT 10;');
  const [newest] = postgres.sql('SELECT user_id, expires_at, created_at FROM tokens ORDER BY created_at DESC LIMIT 5;').split('\n');
  assert.match(newest, /admin.*\|\d{4}-\d\d-\d\d/);
  assert.match(postgres.sql("DELETE FROM sessions WHERE created_at < NOW() - INTERVAL '1 hour';"), /^DELETE \d+$/);
});

// Refreshes again and again until told to stop; what fails is kept.
class Chain {
  given = 0;
  failures = [];
  static async begin() {
    return Object.assign(new Chain(), await tokensFor(front, person));
  }
  async once() {
    const answer = await refresh(front, this.client, this.refresh_token);
    const body = await answer.json().catch(() => ({}));
    if (answer.status !== 200) return this.failures.push(`${answer.status} ${JSON.stringify(body)}`);
    Object.assign(this, { refresh_token: body.refresh_token, access_token: body.access_token });
    return ++this.given;
  }
  async whileIt(goesOn) {
    while (goesOn()) await this.once();
  }
}

async function underLoad(chains, trouble) {
  let goesOn = true;
  const running = Promise.all(chains.map((chain) => chain.whileIt(() => goesOn)));
  const enough = async () => {
    const from = chains.map((c) => c.given);
    await until('every chain gets tokens', () => chains.every((c, i) => c.given >= from[i] + 3), 60_000);
  };
  await enough();
  await trouble();
  await enough();
  goesOn = false;
  await running;
}

test('PostgreSQL is restarted under load, and no request fails', { skip }, async () => {
  const chains = await Promise.all(Array.from({ length: 4 }, Chain.begin));
  await underLoad(chains, async () => {
    await postgres.stop();
    await postgres.run();
  });
  for (const chain of chains) {
    assert.deepEqual(chain.failures, []);
    assert.equal(await status(at(one), chain.access_token), 200);
  }
  const { client, ...tokens } = await tokensFor(front, person);
  await postForm(`${at(one).origin}/oauth/revoke`, { token: tokens.refresh_token, client_id: client.client_id });
  await until('revocations are heard again', async () => (await status(at(other), tokens.access_token)) === 401);
});

test('PostgreSQL crashes under load, and nothing that was given is lost', { skip }, async () => {
  const chains = await Promise.all(Array.from({ length: 4 }, Chain.begin));
  await underLoad(chains, async () => {
    await postgres.crash();
    await postgres.run();
  });
  for (const chain of chains) {
    for (const failure of chain.failures) assert.match(failure, /^503/);
    assert.equal(await status(at(one), chain.access_token), 200);
    await chain.once();
    assert.equal(await status(at(other), chain.access_token), 200);
  }
});

test('a gateway is killed under load, and the other goes on with everything', { skip }, async () => {
  const chains = await Promise.all(Array.from({ length: 4 }, Chain.begin));
  await underLoad(chains, () => one.kill());
  for (const chain of chains) {
    assert.deepEqual(chain.failures, []);
    assert.equal(await status(at(other), chain.access_token), 200);
  }
  await one.restart();
  await until('it is back', accepted(at(one), chains[0].access_token));
});

test('a start waits for PostgreSQL, and says what it waits for', { skip }, async () => {
  await postgres.stop();
  const folder = await temporaryFolder(scope, 'waiting');
  const config = { ...settings(0), public_url: undefined, host: '127.0.0.1' };
  await writeFile(join(folder, 'config.yaml'), JSON.stringify(config));
  const waiting = new Program(scope, binary, ['--config', 'config.yaml'], { cwd: folder });
  await until('it says why', () => waiting.errors.some((line) => line === `ECONNREFUSED 127.0.0.1:${postgres.port}`));

  const refused = await run(binary, ['check-config', 'config.yaml'], { cwd: folder }).catch((e) => e);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, new RegExp(`^Error: ECONNREFUSED 127.0.0.1:${postgres.port}\nCould not connect to PostgreSQL database\n`, 'm'));
  assert.doesNotMatch(refused.stderr + refused.stdout, /oauth_pass/);

  await postgres.run();
  await waiting.line(/is listening on/);
  assert.equal(await waiting.stop(), 0);
  const valid = await run(binary, ['check-config', 'config.yaml'], { cwd: folder });
  assert.match(valid.stdout, /✓ Database connection valid/);
  assert.doesNotMatch(waiting.errors.join('\n'), /oauth_pass/);
});

test('migrate goes down and up again, and says where it is', { skip }, async () => {
  const folder = await temporaryFolder(scope, 'migrate');
  postgres.sql('CREATE SCHEMA apart');
  await writeFile(join(folder, 'config.yaml'), JSON.stringify({ ...settings(0), database_url: `${postgres.url}?options=-csearch_path%3Dapart` }));
  const migrate = async (what) => (await run(binary, ['migrate', what], { cwd: folder })).stdout;
  const tables = () => postgres.sql("SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'apart'");
  assert.equal(await migrate('version'), '0\n');
  assert.match(await migrate('up'), /oauth_user:\*\*\*@.* is at version 1\n/);
  assert.equal(tables(), 'records schema_migrations sessions tokens users');
  assert.equal(await migrate('version'), '1\n');
  await migrate('down');
  assert.equal(tables(), 'schema_migrations');
  await migrate('up');

  postgres.sql('UPDATE apart.schema_migrations SET version = 99');
  const newer = await run(binary, ['migrate', 'up'], { cwd: folder }).catch((e) => e);
  assert.match(newer.stderr, /newer version/);
  postgres.sql('UPDATE apart.schema_migrations SET version = 1, dirty = true');
  const dirty = await run(binary, ['migrate', 'up'], { cwd: folder }).catch((e) => e);
  assert.match(dirty.stderr, /left half done \(dirty\)/);
});
