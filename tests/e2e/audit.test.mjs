// The file of decisions: what was denied stands in it before the client hears of it, and where it cannot be written, either
// nothing passes unrecorded or what is missing is counted.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { Gateway } from './lib/gateway.mjs';
import { call, initialize, post, postForm, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { until } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const tools = { echo: ['tools:read'], whoami: ['tools:write'] };
const run = promisify(execFile);
let upstream;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
});

async function guardWith(t, audit, more = {}) {
  const issuer = await TokenIssuer.start(t);
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, tools, audit: { file: 'audit.log', ...audit }, ...more });
  return { guard, token: (claims) => issuer.token({ aud: guard.mcp, scope: 'tools:read', ...claims }) };
}
// As it is now, without waiting: a line is there before the answer is.
const records = async (of, name = 'audit.log') => (await readFile(join(of.folder, name), 'utf8')).split('\n').filter(Boolean).map((l) => JSON.parse(l));
const statusOf = async (answer) => {
  await answer.body?.cancel();
  return answer.status;
};
const calls = async (of, token, tool = 'echo') => statusOf(await post(of.mcp, call(tool, { text: 'x' }), token));
// What a full disk is to a program, without one: no file of it may become longer than that.
const limitFiles = (of, bytes) => run('prlimit', ['--pid', String(of.program.child.pid), `--fsize=${bytes}:unlimited`]);
const ready = async (of) => (await fetch(`${of.origin}/ready`)).status;
const health = async (of) => (await fetch(`${of.origin}/health`)).json();

test('what is denied is in the file before it is answered, and what is allowed is not unless that is asked for', async (t) => {
  const { guard, token } = await guardWith(t);
  assert.equal(await calls(guard, token()), 200);
  assert.deepEqual(await records(guard), []);
  assert.equal((await stat(join(guard.folder, 'audit.log'))).mode & 0o777, 0o600);

  const denied = await post(guard.mcp, call('whoami'), token());
  const [line] = await records(guard);
  assert.equal(denied.status, 403);
  assert.equal(line.request_id, denied.headers.get('x-request-id'));
  assert.deepEqual(
    [line.component, line.verdict, line.user_id, line.client_id, line.mcp_method, line.mcp_name, line.upstream, line.reason, line.error],
    ['audit', 'denied', 'john', 'a-client', 'tools/call', 'whoami', 'mcp', 'scope_insufficient', 'insufficient_scope'],
  );
  assert.match(line.detail, /tools:write/);
  for (const [given, reason] of [[undefined, 'token_missing'], ['x', 'token_opaque'], [token({ exp: 1 }), 'token_expired'], [token({ aud: 'other' }), 'token_audience_mismatch']]) {
    assert.equal(await calls(guard, given), 401);
    assert.equal((await records(guard)).at(-1).reason, reason);
  }
  const text = await readFile(join(guard.folder, 'audit.log'), 'utf8');
  assert.ok(!text.includes('eyJ'), 'no token stands in it');
});

test('decisions: all has the allowed ones as well, of calls and of verdicts for other proxies', async (t) => {
  const { guard, token } = await guardWith(t, { decisions: 'all' }, { trusted_proxies: ['127.0.0.1'] });
  assert.equal(await calls(guard, token()), 200);
  const verdict = await fetch(`${guard.origin}/auth/verify`, {
    method: 'POST', body: JSON.stringify(call('whoami')),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token()}`, 'x-forwarded-method': 'POST', 'x-forwarded-host': new URL(guard.origin).host, 'x-forwarded-uri': '/mcp' },
  });
  assert.equal(await statusOf(verdict), 403);
  const [allowed, denied] = await records(guard);
  assert.deepEqual([allowed.verdict, allowed.user_id, allowed.mcp_name], ['allowed', 'john', 'echo']);
  assert.deepEqual([denied.verdict, denied.action, denied.original_path, denied.mcp_name, denied.reason], ['denied', 'verify', '/mcp', 'whoami', 'scope_insufficient']);
});

test('a gateway has the same file', async (t) => {
  const gateway = await Gateway.start(t, { mcp_server_url: upstream.url, tools, audit: { file: 'audit.log', decisions: 'all' } });
  const tokens = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  assert.equal(await calls(gateway, tokens.access_token), 200);
  assert.equal(await calls(gateway, tokens.access_token, 'nowhere'), 403);
  const [allowed, denied] = await records(gateway);
  assert.deepEqual([allowed.verdict, allowed.user_id, denied.verdict, denied.mcp_name], ['allowed', 'local:admin', 'denied', 'nowhere']);
});

test('a stream that a revocation ends is on record as well', async (t) => {
  const server = await Upstream.start(t);
  const gateway = await Gateway.start(t, { mcp_server_url: server.url, audit: { file: 'audit.log' } });
  const tokens = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  const opened = await post(gateway.mcp, initialize(), tokens.access_token);
  await opened.text();
  const stream = await fetch(gateway.mcp, { headers: { accept: 'text/event-stream', authorization: `Bearer ${tokens.access_token}`, 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' } });
  assert.equal(stream.status, 200);
  await postForm(`${gateway.origin}/oauth/revoke`, { token: tokens.refresh_token, client_id: tokens.client.client_id });
  await stream.text().catch(() => {});
  const line = await until('it is written', async () => (await records(gateway))[0]);
  assert.deepEqual([line.verdict, line.reason, line.http_method, line.user_id], ['ended', 'token_revoked', 'GET', 'local:admin']);
});

test('a full disk, refuse: no decision passes unrecorded, the file tells what is missing, and it passes', async (t) => {
  // The file of the log would be full as well.
  const { guard, token } = await guardWith(t, { decisions: 'all' }, { logging: { output: 'stderr' } });
  assert.equal(await calls(guard, token()), 200);
  assert.equal(await ready(guard), 200);
  await limitFiles(guard, 1);
  const heard = upstream.requests.length;
  for (const [given, tool] of [[token(), 'echo'], [token(), 'whoami'], [undefined, 'echo']]) {
    const answer = await post(guard.mcp, call(tool, { text: 'x' }), given);
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.get('retry-after'));
    assert.equal((await answer.json()).error_description, 'The decision could not be recorded');
  }
  assert.equal(upstream.requests.length, heard, 'the MCP server heard nothing');
  assert.equal(await guard.metric('mop_audit_lost_total'), 3);
  assert.equal(await ready(guard), 503);
  assert.deepEqual([(await health(guard)).status, (await health(guard)).audit], ['healthy', 'failing']);

  await limitFiles(guard, 'unlimited');
  await until('somebody noticed that there is room', async () => (await ready(guard)) === 200);
  assert.equal(await calls(guard, token()), 200);
  const gap = (await records(guard)).find((l) => l.verdict === 'unrecorded');
  assert.equal(gap.missing, 3);
  assert.ok(Date.parse(gap.since) <= Date.parse(gap.timestamp));
  const said = await until('the log has said both', () => guard.program.errors.some((l) => l.includes('3 decisions are missing in it')) && guard.program.errors.filter((l) => l.includes('MOP-ADT-001') && l.includes('"component":"audit"')));
  assert.equal(said.length, 1, 'once, not for each');
  assert.match(said[0], /File too large/);
});

test('denials alone are recorded: while they cannot be, what is allowed passes and what is denied is not said why', async (t) => {
  const { guard, token } = await guardWith(t);
  assert.equal(await calls(guard, token(), 'whoami'), 403);
  await limitFiles(guard, 1);
  assert.equal(await calls(guard, token(), 'whoami'), 503);
  assert.equal(await calls(guard, token()), 200);
  assert.equal(await ready(guard), 503);
});

test('a full disk, continue: everything goes on, and what is lost is counted and shown', async (t) => {
  const { guard, token } = await guardWith(t, { decisions: 'all', on_failure: 'continue' });
  assert.equal(await calls(guard, token()), 200);
  await limitFiles(guard, 1);
  assert.equal(await calls(guard, token()), 200);
  assert.equal(await calls(guard, token(), 'whoami'), 403);
  assert.equal(await guard.metric('mop_audit_lost_total'), 2);
  assert.equal(await guard.metric('mop_audit_records_total'), 1);
  assert.equal(await ready(guard), 200);
  const { audit, audit_lost: lost } = await health(guard);
  assert.deepEqual([audit, lost], ['failing', 2]);
  await limitFiles(guard, 'unlimited');
  await until('it is written again', async () => (await health(guard)).audit === 'written');
  assert.equal((await records(guard)).find((l) => l.verdict === 'unrecorded').missing, 2);
});

test('a file that is moved away goes on under its name, with SIGHUP and without', async (t) => {
  const { guard } = await guardWith(t);
  const file = join(guard.folder, 'audit.log');
  assert.equal(await calls(guard), 401);
  await rename(file, `${file}.1`);
  assert.equal(await calls(guard), 401);
  assert.deepEqual([(await records(guard, 'audit.log.1')).length, (await records(guard)).length], [1, 1]);
  await rename(file, `${file}.2`);
  guard.program.child.kill('SIGHUP');
  await until('the file is there before a line is', () => stat(file));
  assert.equal(await calls(guard), 401);
  assert.equal((await records(guard)).length, 1);
});
