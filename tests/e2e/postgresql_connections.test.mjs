// How a gateway reaches its PostgreSQL: TLS that proves the server, a schema and a password file of its own, and a server
// that takes connections and answers none.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { makeCertificates } from './lib/certificates.mjs';
import { binary, Gateway, startDemoServer } from './lib/gateway.mjs';
import { initialize, post, redirectUri, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { Postgres } from './lib/postgres.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const skip = Postgres.missing;
let postgres, demo, trusted, strange;

before(async () => {
  if (skip) return;
  [trusted, strange] = await Promise.all([makeCertificates(scope, ['127.0.0.1', 'localhost']), makeCertificates(scope, ['127.0.0.1'])]);
  postgres = await Postgres.start(scope);
  await postgres.stop();
  await postgres.useTls(trusted);
  await postgres.run();
  demo = await startDemoServer(scope);
});

const settings = (parameters, changes = {}) => ({
  mcp_server_url: demo.url, database_url: `${changes.url ?? postgres.url}?${new URLSearchParams(parameters)}`, database_start_timeout: 1,
  encryption_key: randomBytes(32).toString('base64'),
});

// `check-config` with those parameters: what it said, and how it ended.
async function checked(parameters, changes) {
  const folder = await temporaryFolder(scope, 'checked');
  await writeFile(join(folder, 'config.yaml'), JSON.stringify({ public_url: 'http://127.0.0.1:9', port: 0, ...settings(parameters, changes) }));
  return new Promise((resolve) => {
    execFile(binary, ['check-config', 'config.yaml'], { cwd: folder, env: { PATH: process.env.PATH, HOME: '/nonexistent' }, timeout: 30_000 },
      (failed, out, err) => resolve({ code: failed ? failed.code : 0, text: out + err }));
  });
}

const signsIn = async (gateway) => {
  const password = /One-time password:\s+(\S+)/.exec(gateway.program.lines.join('\n'))?.[1];
  return tokensFor(gateway, new Person({ password }));
};

test('TLS proves the server, by its authority and by its name', { skip }, async () => {
  const gateway = await Gateway.start(scope, settings({ sslmode: 'verify-full', sslrootcert: trusted.caFile }));
  assert.ok((await signsIn(gateway)).access_token);
  const encrypted = postgres.sql('SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = \'oauth_user\' AND client_addr IS NOT NULL', 'postgres', 'postgres');
  assert.equal(encrypted, 't');

  const foreign = await checked({ sslmode: 'verify-full', sslrootcert: strange.caFile });
  assert.notEqual(foreign.code, 0);
  assert.match(foreign.text, /certificate verify failed/);
  assert.ok(!foreign.text.includes('oauth_pass'), foreign.text);
});

test('a schema of its own, a password file, and the kind of server that is wanted', { skip }, async () => {
  postgres.sql('CREATE SCHEMA gateway AUTHORIZATION oauth_user', 'postgres');
  const folder = await temporaryFolder(scope, 'passfile');
  const passfile = join(folder, 'pgpass');
  await writeFile(passfile, `127.0.0.1:${postgres.port}:oauth_db:oauth_user:oauth_pass\n`, { mode: 0o600 });
  const gateway = await Gateway.start(scope, settings(
    { options: '-csearch_path=gateway', passfile, target_session_attrs: 'read-write' },
    { url: postgres.url.replace(':oauth_pass', '') },
  ));
  assert.ok((await signsIn(gateway)).access_token);
  assert.equal(postgres.sql("SELECT count(*) > 0 FROM gateway.tokens"), 't');

  const standby = await checked({ target_session_attrs: 'standby' });
  assert.notEqual(standby.code, 0);
  assert.match(standby.text, /standby/);
  const missing = await checked({ options: '-csearch_path=nobodys' });
  assert.match(missing.text, /CREATE SCHEMA/);
});

test('a server that hangs fails what needs it, in time, and nothing else', { skip }, async () => {
  postgres.sql('CREATE SCHEMA hangs AUTHORIZATION oauth_user', 'postgres');
  const other = await Gateway.start(scope, settings({ options: '-csearch_path=hangs' }));
  const { access_token } = await signsIn(other);
  const register = () => fetch(`${other.origin}/oauth/register`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'By hand', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
  });
  const callStatus = async () => {
    const answer = await post(other.mcp, initialize(), access_token);
    await answer.body?.cancel();
    return answer.status;
  };
  postgres.pause();
  try {
    const waiting = register();
    assert.equal(await callStatus(), 200, 'a token that was given asks no database');
    const refused = await waiting;
    assert.equal(refused.status, 503, await refused.clone().text());
    assert.ok(refused.headers.get('retry-after'));
    await refused.body.cancel();
    assert.equal(await callStatus(), 200);
  } finally {
    postgres.goOn();
  }
  await until('it is used again', async () => {
    const answer = await register();
    await answer.body.cancel();
    return answer.status === 201;
  });
});
