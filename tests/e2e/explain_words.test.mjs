// Whoever comes with a code, or with the words of a log, a page or a guide, finds the cause, the fix, and the code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import Ajv from 'ajv/dist/2020.js';

import { binary } from './lib/gateway.mjs';

const reference = (name) => readFile(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8');
const fits = new Ajv({ strict: false }).compile(JSON.parse(await reference('explain.schema.json')));

const run = (args, input) => new Promise((done) => {
  const child = execFile(binary, ['explain', ...args], { cwd: '/', env: { PATH: process.env.PATH } },
    (failed, out, err) => done({ code: failed ? failed.code : 0, out, err }));
  child.stdin.on('error', () => {}); // of those that do not read it
  child.stdin.end(input ?? '');
});

test('a code: cause, fix, check, and the guides whose readers know it; without any configuration', async () => {
  const { code, out } = await run(['MOP-AUD-001']);
  assert.equal(code, 0);
  assert.match(out, /^MOP-AUD-001 {2}audience mismatch\n/);
  assert.match(out, /fix {7}Ask for a token.*\n {2}check {5}mcp-oauth-proxy explain-token\n {2}guide {5}.*OAuth Setup Guide/);
  assert.ok(!out.includes('\u001b'));
});

test('the texts of the guides, as they print them', async () => {
  for (const [words, wanted] of [
    ['Authentication required: missing OAuth token', 'MOP-TOK-001'],
    ['invalid config: proxy mode requires ClientID', 'MOP-CFG-003'],
    ['Error: invalid_grant\ncode_verifier does not match code_challenge', 'MOP-PKC-005'],
    ['Error: SQLITE_BUSY: database is locked', 'MOP-STO-002'],
    ['Error: connect ECONNREFUSED 127.0.0.1:3000\nFailed to proxy request to MCP server', 'MOP-UPS-001'],
    ['AADSTS50011: The reply URL specified in the request does not match', 'MOP-IDP-007'],
    ['mcp-oauth2-proxy: upstream timed out: 700 ms', 'MOP-UPS-003'],
    ['Token is not a valid JWT format', 'MOP-TOK-012'],
    ['Token validation failed: issuer mismatch', 'MOP-ISS-001'],
    ['{"error":"invalid_token","error_description":"audience mismatch"}', 'MOP-AUD-001'],
  ]) {
    const { code, out } = await run(['--json', words]);
    assert.equal(code, 0, words);
    const found = JSON.parse(out);
    assert.ok(fits(found), JSON.stringify(fits.errors));
    assert.equal(found.symptoms[0].id, wanted, words);
    assert.equal(found.symptoms[0].exact, true, words);
  }
});

test('a line of the log by a pipe; what is unknown, and what is nothing', async () => {
  const line = await run(['-'], '{"level":"warn","symptom":"MOP-STA-001","reason":"state_invalid"}');
  assert.match(line.out, /^MOP-STA-001 /);
  assert.equal((await run(['nothing that anybody ever said'])).code, 6);
  assert.equal((await run([])).code, 2);
});

test('the generated page of errors has the texts beside the code that explains them', async () => {
  const page = (await reference('errors.md')).split('\n');
  for (const [words, code] of [
    ['State parameter mismatch or missing', 'MOP-STA-001'],
    ['Failed to fetch JWKS', 'MOP-ISS-004'],
    ['Persistent 401', 'MOP-SIN-016'],
    ['active = false from introspection', 'MOP-TOK-010'],
  ]) assert.ok(page.some((line) => line.includes(words) && line.includes(`#${code}`)), words);
});
