// DEBUG: what an operator sees who asks for it, and what nobody ever sees.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Gateway, binary } from './lib/gateway.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { listenOnLoopback } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

async function answering(scope) {
  const server = createServer((asked, answer) => {
    asked.resume().on('end', () => {
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
  });
  return `http://127.0.0.1:${await listenOnLoopback(scope, server)}`;
}

async function start(scope, settings, environment = {}, flags = []) {
  const through = ['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
  return Gateway.start(scope, { mcp_server_url: await answering(scope), ...settings }, { through, flags });
}

const inNamespace = (name) => (line) => line.namespace === name;

test('DEBUG=proxy:headers names each header, its fate and the rule, and no credential', async (t) => {
  const gateway = await start(t, { header_forwarding: { forward_headers: ['X-Custom-*'], blocked_headers: ['X-Custom-Secret'] } },
    { DEBUG: 'proxy:headers' });
  const person = new Person({ password: await gateway.firstPassword() });
  const tokens = await tokensFor(gateway, person);
  await post(gateway.mcp, call('echo'), tokens.access_token, {
    'x-custom-header': 'seen', 'x-custom-secret': 'hidden-1', 'x-other': 'o', 'x-user-id': 'mallory', cookie: 'a=hidden-2',
    'x-custom-api-key': 'hidden-3',
  });
  const lines = {
    'x-custom-header': ['kept', 'listed in forward_headers (x-custom-*)', 'seen'],
    'x-custom-secret': ['dropped', 'listed in blocked_headers (x-custom-secret)', '***'],
    'x-custom-api-key': ['kept', 'listed in forward_headers (x-custom-*)', '***'],
    'x-other': ['dropped', 'not listed in forward_headers', 'o'],
    'x-user-id': ['dropped', 'is set by the gateway alone', 'mallory'],
    cookie: ['dropped', "belongs to the gateway's own pages", '***'],
    authorization: ['dropped', 'replaced: see upstream_authorization', '***'],
    'content-type': ['kept', 'needed by MCP', 'application/json'],
    'X-User-Id': ['set', 'by the gateway', 'local:admin'],
  };
  for (const [header, [decision, rule, value]] of Object.entries(lines)) {
    const line = await gateway.logged(header, (l) => l.namespace === 'proxy:headers' && l.header === header);
    assert.deepEqual([line.decision, line.rule, line.value], [decision, rule, value], header);
    assert.equal(line.level, 'debug');
    assert.ok(line.request_id);
  }
  const everything = JSON.stringify(await gateway.log()) + gateway.program.errors.join('\n');
  for (const secret of [tokens.access_token, 'hidden-1', 'hidden-2', 'hidden-3']) assert.ok(!everything.includes(secret), secret);
  assert.ok(!(await gateway.log()).some(inNamespace('proxy:request')), 'only what was asked for');
  assert.ok(gateway.program.errors.some((line) => line.includes('x-custom-header kept')), 'standard error has it, too');
});

test('oauth:pkce follows the challenge, and names what clients do wrong', async (t) => {
  const gateway = await start(t, {}, { DEBUG: 'oauth:pkce' });
  const person = new Person({ password: await gateway.firstPassword() });
  const client = await register(gateway);
  const said = (pattern) => gateway.logged(String(pattern), (l) => l.namespace === 'oauth:pkce' && pattern.test(l.message));

  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, redirectUri);
  const code = answer.searchParams.get('code');
  const wrong = await postForm(`${gateway.origin}/oauth/token`, {
    grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: redirectUri, code_verifier: `${asked.verifier}=`,
  });
  assert.equal(wrong.status, 400);
  const mismatch = await said(/^comparison: code_verifier cannot match$/);
  assert.equal(mismatch.mistake, 'code_verifier is base64url with padding, which belongs off');
  assert.equal((await redeem(gateway, client, asked, answer)).status, 200);
  await said(/^code_challenge received: S256/);
  await said(/^storage: code_challenge is kept/);
  await said(/^retrieval: code_challenge found/);
  await said(/^comparison: SHA-256 of code_verifier is code_challenge$/);

  for (const [parameters, mistake] of [
    [{ code_challenge_method: undefined }, /method was left out/],
    [{ code_challenge_method: 'plain' }, /is plain/],
    [{ code_challenge: undefined }, /there is no code_challenge/],
    [{ code_challenge: 'a'.repeat(64) }, /digest in hexadecimal/],
    [{ code_challenge: `${'a'.repeat(42)}+=` }, /standard base64/],
  ]) {
    await fetch(authorization(gateway, client, parameters).url, { redirect: 'manual' });
    await said(mistake);
  }
  const everything = JSON.stringify(await gateway.log()) + gateway.program.errors.join('\n');
  for (const secret of [asked.verifier, code]) assert.ok(!everything.includes(secret));
});

test('--debug alone shows everything, LOG_REQUESTS and LOG_RESPONSES what they say, and nothing shows nothing', async (t) => {
  const every = await start(t, {}, {}, ['--debug']);
  const tokens = await tokensFor(every, new Person({ password: await every.firstPassword() }));
  await post(every.mcp, initialize(), tokens.access_token);
  for (const name of ['oauth:authorize', 'oauth:token', 'oauth:pkce', 'token:validate', 'proxy:headers', 'proxy:request', 'proxy:response', 'mcp:message']) {
    await every.logged(name, inNamespace(name));
  }

  const some = await start(t, {}, { LOG_REQUESTS: 'true', LOG_RESPONSES: 'true' });
  const other = await tokensFor(some, new Person({ password: await some.firstPassword() }));
  await post(some.mcp, initialize(), other.access_token);
  await some.logged('the request', inNamespace('proxy:request'));
  await some.logged('the answer', (l) => l.namespace === 'proxy:response' && l.status === '200');
  assert.deepEqual(new Set((await some.log()).map((l) => l.namespace).filter(Boolean)), new Set(['proxy:request', 'proxy:response']));
});

test('a file that names topics is taken up while it runs, and exclusions hold', async (t) => {
  const gateway = await start(t, { logging: { debug: ['proxy:*', '-proxy:headers'] } });
  const tokens = await tokensFor(gateway, new Person({ password: await gateway.firstPassword() }));
  await post(gateway.mcp, initialize(), tokens.access_token);
  await gateway.logged('the request', inNamespace('proxy:request'));
  assert.ok(!(await gateway.log()).some(inNamespace('proxy:headers')));
});

test('DEBUG=db:* shows what the database is asked, how many rows that is and how long it takes, and no value', async (t) => {
  const gateway = await start(t, {}, { DEBUG: 'db:*' });
  const password = await gateway.firstPassword();
  const tokens = await tokensFor(gateway, new Person({ password }));
  const commit = await gateway.logged('a write', (l) => l.namespace === 'db:transaction' && l.message.startsWith('commit: put '));
  assert.match(commit.message, /^commit: put [a-z_, ]+(; erase [a-z_, ]+)?: \d+ rows? in \d+\.\d{3} ms$/);
  assert.equal(commit.component, 'db');
  assert.match(commit.rows, /^[1-9]\d*$/);
  const get = await gateway.logged('a read', (l) => l.namespace === 'db:query' && l.operation === 'get' && l.rows === '1');
  assert.match(get.message, /^get [a-z_]+: 1 row in \d+\.\d{3} ms$/);
  const everything = JSON.stringify((await gateway.log()).filter((l) => l.namespace?.startsWith('db:')));
  for (const secret of [tokens.client.client_id, tokens.access_token, tokens.refresh_token, password, 'admin']) assert.ok(!everything.includes(secret), secret);

  const quiet = await start(t, { logging: { debug: ['db:transaction'] } });
  await tokensFor(quiet, new Person({ password: await quiet.firstPassword() }));
  await quiet.logged('a write', (l) => l.namespace === 'db:transaction');
  assert.ok(!(await quiet.log()).some((l) => l.namespace === 'db:query'));
});

test('a namespace that means nothing is told, with the nearest', async (t) => {
  const gateway = await start(t, {}, { DEBUG: 'proxy:header,oauth:pkce' });
  await until('the warning', () => gateway.program.errors.some((l) => l.includes('DEBUG: proxy:header watches nothing (did you mean proxy:headers?)')));
  assert.ok(binary);
});

test('logging: text, fields, another place', async (t) => {
  const gateway = await start(t, { logging: { format: 'text', output: 'stdout', fields: { service: 'gate', environment: 'the test' } } });
  const answer = await fetch(`${gateway.origin}/nowhere`);
  const id = answer.headers.get('x-request-id');
  const line = await until('its line', () => gateway.program.lines.find((l) => l.includes(id)));
  assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z info  \[proxy\] .*status=404 .*service=gate environment="the test"$/);
});
