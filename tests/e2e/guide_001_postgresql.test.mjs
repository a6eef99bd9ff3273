// The operator's troubleshooting guide where its database is PostgreSQL: its commands as they are printed, with its role,
// its database and its file names; only host and port differ.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Program, binary } from './lib/gateway.mjs';
import { initialize, post, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const skip = Postgres.missing;
const guide = {}; // the guide's machine: folder, port, PostgreSQL
const root = join(import.meta.dirname, '../..');

const key = randomBytes(32).toString('base64');

const config = () => `host: 127.0.0.1
port: ${guide.port}
callback_url: http://localhost:${guide.port}/auth/callback
database_url: ${guide.postgres.url}
database_start_timeout: 1
encryption_key: ${key}
mcp_server_url: http://localhost:${guide.upstreamPort}
timeouts:
  drain: 2s
`;

// As an operator types it, where psql, dropdb and createdb find the server without being told.
function sh(command) {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', PGHOST: guide.postgres.folder, PGPORT: String(guide.postgres.port) };
  return new Promise((resolve) => {
    execFile('bash', ['-c', command.replaceAll('localhost:5432', `127.0.0.1:${guide.postgres.port}`)], { cwd: guide.folder, env, timeout: 60_000 },
      (failed, out, err) => resolve({ code: failed ? failed.code : 0, out, err, all: out + err }));
  });
}

async function startProxy() {
  const program = new Program(scope, './mcp-oauth-proxy', [], { cwd: guide.folder });
  await program.line(/^mcp-oauth-proxy is listening on/);
  return program;
}
const gateway = () => ({ origin: `http://localhost:${guide.port}`, mcp: `http://localhost:${guide.port}/mcp` });
const tables = async () => (await sh('psql -U oauth_user -d oauth_db -At -c "\\dt"')).out.split('\n').filter(Boolean).map((l) => l.split('|')[1]);

before(async () => {
  if (skip) return;
  guide.folder = await temporaryFolder(scope, 'guide');
  guide.postgres = await Postgres.start(scope);
  guide.port = await portOfNobody();
  guide.upstreamPort = await portOfNobody();
  await symlink(binary, join(guide.folder, 'mcp-oauth-proxy'));
  await symlink(join(root, 'migrations'), join(guide.folder, 'migrations'));
  await writeFile(join(guide.folder, 'config.yaml'), config());
});

test('Table does not exist: migrate up, down and version, and what psql then shows', { skip }, async () => {
  assert.match((await sh('psql -U oauth_user -d oauth_db -c "SELECT 1 FROM tokens"')).err, /relation "tokens" does not exist/);
  const up = await sh('./mcp-oauth-proxy migrate up');
  assert.equal(up.code, 0, up.all);
  for (const table of ['sessions', 'tokens', 'users', 'schema_migrations']) assert.ok((await tables()).includes(table), table);
  const version = (await sh('./mcp-oauth-proxy migrate version')).out;
  assert.match(version, /^\d+/);

  assert.equal((await sh('./mcp-oauth-proxy migrate down')).code, 0);
  assert.deepEqual(await tables(), ['schema_migrations']);
  assert.equal((await sh('./mcp-oauth-proxy migrate up')).code, 0);
  assert.equal((await sh('./mcp-oauth-proxy migrate version')).out, version);
});

// What `migrate -path ./migrations` does: the files that stand in that folder itself, VERSION_NAME.up.sql, in order,
// each as one script, and the version in schema_migrations.
test('Table does not exist: the files in ./migrations are for another migration tool, too', { skip }, async () => {
  const done = await sh(`
    dropdb -U postgres oauth_db && createdb -U postgres -O oauth_user oauth_db &&
    psql -q -U oauth_user -d oauth_db -c 'CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)' &&
    for file in ./migrations/*.up.sql; do
      psql -q -v ON_ERROR_STOP=1 -U oauth_user -d oauth_db -f "$file" &&
      psql -q -U oauth_user -d oauth_db -c "TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES ($(basename "$file" | sed -E 's/^0*([0-9]+)_.*/\\1/'), false)" || exit 1
    done && ls ./migrations/*.up.sql | wc -l`);
  assert.equal(done.code, 0, done.all);
  assert.ok(Number(done.out) >= 1);
  const version = await sh('./mcp-oauth-proxy migrate version');
  const up = await sh('./mcp-oauth-proxy migrate up');
  assert.equal(up.code, 0, up.all);
  assert.equal((await sh('./mcp-oauth-proxy migrate version')).out, version.out, 'nothing was left to do');
});

test('The guide\'s statements, against a database that is in use', { skip }, async () => {
  guide.proxy = await startProxy();
  guide.person = new Person({ password: (await guide.proxy.line(/One-time password:\s+(\S+)/))[1] });
  guide.tokens = await tokensFor(gateway(), guide.person);
  for (const [statement, expected] of [
    ['SELECT id, state, created_at FROM sessions ORDER BY created_at DESC LIMIT 10;', /\bid\b.*\bstate\b.*\bcreated_at\b/],
    ["DELETE FROM sessions WHERE created_at < NOW() - INTERVAL '1 hour';", /^DELETE \d+/],
    ['SELECT user_id, expires_at, created_at FROM tokens ORDER BY created_at DESC LIMIT 5;', /admin.*\| \d{4}-\d\d-\d\d/],
    ['\\dt', /(?=[^]*sessions)(?=[^]*tokens)(?=[^]*users)[^]*schema_migrations/],
  ]) {
    const shown = await sh(`psql -U oauth_user -d oauth_db -c "${statement}"`);
    assert.equal(shown.code, 0, shown.all);
    assert.match(shown.out, expected, statement);
  }
  const direct = await sh('psql postgresql://oauth_user:oauth_pass@localhost:5432/oauth_db -c "SELECT 1;"');
  assert.match(direct.out, /1 row/);
  assert.match((await sh('cat config.yaml | grep database_url')).out, /^database_url: postgresql:\/\/oauth_user:/);
  assert.match((await sh('./mcp-oauth-proxy check-config config.yaml')).out, /✓ Database connection valid/);
  assert.match((await sh(`curl -s http://localhost:${guide.port}/health`)).out, /"status": ?"healthy", ?"database": ?"connected"/);
});

test('Database connection failed: said at the start with the address, and by health while it runs', { skip }, async () => {
  await guide.postgres.stop();
  try {
    await until('health knows', async () => /"unavailable".*store_unreachable/.test((await sh(`curl -s http://localhost:${guide.port}/health/database`)).out));
    const ready = await sh(`curl -s -o ready.json -w '%{http_code}' http://localhost:${guide.port}/ready`);
    assert.equal(ready.out, '503');
    assert.equal((await post(gateway().mcp, initialize(), guide.tokens.access_token)).status, 502, 'the token is still good: the answer is about the MCP server');

    guide.proxy.child.kill('SIGTERM');
    assert.equal((await guide.proxy.exited)[0], 0);
    const started = await sh('./mcp-oauth-proxy');
    assert.notEqual(started.code, 0);
    assert.match(started.all, new RegExp(`ECONNREFUSED 127.0.0.1:${guide.postgres.port}`));
    assert.match(started.all, /Could not connect to PostgreSQL database/);
    const checked = await sh('./mcp-oauth-proxy check-config config.yaml');
    assert.notEqual(checked.code, 0);
    assert.ok(!/oauth_pass/.test(started.all + checked.all), 'the password is not shown');
  } finally {
    await guide.postgres.run();
  }
  guide.proxy = await startProxy();
  assert.equal((await post(gateway().mcp, initialize(), guide.tokens.access_token)).status, 502);
});

test('Fresh start: dropdb and createdb, migrate up, and it begins anew', { skip }, async () => {
  guide.proxy.child.kill('SIGTERM');
  assert.equal((await guide.proxy.exited)[0], 0);
  for (const command of ['dropdb -U postgres oauth_db', 'createdb -U postgres -O oauth_user oauth_db', './mcp-oauth-proxy migrate up', 'rm -rf logs/*.log']) {
    const done = await sh(command);
    assert.equal(done.code, 0, `${command}: ${done.all}`);
  }
  guide.proxy = await startProxy();
  assert.ok((await guide.proxy.line(/One-time password:\s+(\S+)/))[1]);
  assert.equal((await post(gateway().mcp, initialize(), guide.tokens.access_token)).status, 401, 'what was given before is of no use');
});
