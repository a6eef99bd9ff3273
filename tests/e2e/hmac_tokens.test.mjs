// A provider of type hmac: tests make access tokens by themselves, with a secret that they share with the gateway.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Gateway, binary } from './lib/gateway.mjs';
import { authorization, call, post, postForm, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const secret = randomBytes(32).toString('base64');
let gateway, upstream;

before(async () => {
  upstream = await Upstream.start(scope, { stateful: false });
  gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url, providers: { test: { type: 'hmac', secret } }, tools: { echo: ['tools:read'], whoami: [] },
  });
});

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
function sign(claims, { key = secret, header = {}, digest = 'sha256' } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: gateway.origin, aud: gateway.mcp, sub: 'alice', iat: now, exp: now + 60, scope: 'tools:read', ...claims };
  const input = `${b64({ alg: 'HS256', typ: 'JWT', ...header })}.${b64(all)}`;
  return `${input}.${createHmac(digest, key).update(input).digest('base64url')}`;
}
const status = async (token, name = 'echo') => (await post(gateway.mcp, call(name, { text: 'x' }), token)).status;

test('a token that a test signed is good for this resource, and names whom it says', async () => {
  assert.equal(await status(sign({})), 200);
  assert.equal(upstream.requests.at(-1).headers['x-user-id'], 'alice');
  assert.equal(upstream.requests.at(-1).headers.authorization, undefined);
  assert.equal(await status(sign({ aud: ['https://elsewhere.example', gateway.mcp] })), 200);
  const scopeless = await post(gateway.mcp, call('echo', { text: 'x' }), sign({ scope: 'other' }));
  assert.equal(scopeless.status, 403, 'its scopes count');
});

test('every claim that makes a token one for here and now is demanded', async () => {
  const now = Math.floor(Date.now() / 1000);
  for (const [why, token] of [
    ['no sub', sign({ sub: undefined })], ['an empty sub', sign({ sub: '' })], ['no aud', sign({ aud: undefined })],
    ['another aud', sign({ aud: `${gateway.origin}/other` })], ['no exp', sign({ exp: undefined })],
    ['expired', sign({ exp: now - 120 })], ['not yet', sign({ nbf: now + 600 })], ['no iss', sign({ iss: undefined })],
    ['another iss', sign({ iss: 'https://elsewhere.example' })],
    ['another secret', sign({}, { key: randomBytes(32).toString('base64') })],
    ['another digest under this name', sign({}, { digest: 'sha512' })],
    ['HS512', sign({}, { digest: 'sha512', header: { alg: 'HS512' } })],
    ['none', `${b64({ alg: 'none' })}.${sign({}).split('.')[1]}.`],
    ['crit', sign({}, { header: { crit: ['x'], x: 1 } })],
  ]) {
    assert.equal(await status(token), 401, why);
  }
});

test('nobody signs in there: the built-in users do, and their tokens stay what they are', async () => {
  const person = new Person({ password: await gateway.firstPassword() });
  const client = await register(gateway);
  const page = await (await fetch(authorization(gateway, client).url, { headers: { accept: 'text/html', 'sec-fetch-site': 'none' } })).text();
  assert.doesNotMatch(page, /hmac|Sign in with test|>test</i);
  const tokens = await tokensFor(gateway, person, client);
  assert.equal((await post(gateway.mcp, call('whoami'), tokens.access_token)).status, 200);
  // No grant of ours stands behind a token of a test.
  assert.equal((await fetch(`${gateway.origin}/auth/refresh`, { method: 'POST', headers: { authorization: `Bearer ${sign({})}` } })).status, 401);
  const about = await postForm(`${gateway.origin}/oauth/introspect`, { client_id: client.client_id, token: sign({}) });
  assert.deepEqual(await about.json(), { active: false });
});

test('a public key of ours is no secret for HS256', async () => {
  const { keys } = await (await fetch(`${gateway.origin}/.well-known/jwks.json`)).json();
  for (const key of [JSON.stringify(keys[0]), keys[0].x, Buffer.from(keys[0].x, 'base64url')]) {
    assert.equal(await status(sign({}, { key, header: { kid: keys[0].kid, typ: 'at+jwt' } })), 401);
  }
});

test('a start warns, and a secret that anybody knows is refused', async () => {
  assert.match(gateway.program.errors.join('\n'), /Warning: .*providers\.test\.type is hmac, which is for tests/);
  const folder = await temporaryFolder(scope, 'hmac');
  const validate = async (provider) => {
    await writeFile(join(folder, 'config.yaml'), JSON.stringify({ mcp_server_url: upstream.url, providers: { test: { type: 'hmac', ...provider } } }));
    return new Promise((resolve) => execFile(binary, ['validate-config', 'config.yaml'], { cwd: folder }, (failed, _, err) => resolve({ code: failed?.code ?? 0, err })));
  };
  for (const bad of ['short', 'a-string-secret-at-least-256-bits-long', 'your-256-bit-secret-your-256-bit-secret', 'x'.repeat(40), 'changeme-changeme-changeme-changeme']) {
    const { code, err } = await validate({ secret: bad });
    assert.equal(code, 3, bad);
    assert.match(err, /providers\.test\.secret: .*must have at least 32 bytes that nobody can guess/);
    assert.ok(!err.includes(bad), 'a secret is not shown');
  }
  assert.match((await validate({})).err, /providers\.test\.secret: is missing/);
  assert.match((await validate({ secret, client_id: 'a' })).err, /client_id: .*has no meaning for type hmac/);
  assert.equal((await validate({ secret, issuer: 'https://tests.example' })).code, 0);
});
