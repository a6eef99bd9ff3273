// The official Python SDK's client over standard input and output, with the bridge as its server: as it opens a session,
// as it negotiates and as it asks without one; at the demo server, and at our gateway behind a sign-in.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

import { BridgeHome } from './lib/bridge.mjs';
import { bridgeCommand } from './lib/bridge_client.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { fileScope } from './lib/scope.mjs';

const run = promisify(execFile);
const words = 'grüße, 世界 \u{1f600}';
const newest = '2026-07-28';
const scope = fileScope();
let demo, packages;

before(async () => {
  demo = await startDemoServer(scope);
  packages = (await run(join(import.meta.dirname, 'python_client.sh'))).stdout.trim();
}, { timeout: 300_000 });

async function converse(t, mode, url, environment) {
  const home = await BridgeHome.make(t, environment);
  const { command, args } = bridgeCommand(url);
  const env = { ...home.environment, PYTHONPATH: packages };
  const { stdout } = await run('python3', [join(import.meta.dirname, 'lib/python_client.py'), mode, words, command, ...args], { env, timeout: 90_000 });
  return { seen: JSON.parse(stdout), home };
}

for (const mode of ['legacy', 'auto', newest]) {
  test(`the Python SDK's client, ${mode}: a server without a sign-in`, async (t) => {
    const { seen } = await converse(t, mode, `${demo.url}/mcp`);
    assert.ok(seen.tools.includes('echo'), JSON.stringify(seen));
    assert.equal(seen.echo, words);
    assert.equal(seen.steps, 3);
    assert.equal(seen.failed, true);
    assert.equal(seen.revision === newest, mode !== 'legacy', seen.revision);
  });
}

test("the Python SDK's client, auto: our gateway, and a person who signs in", async (t) => {
  const gateway = await Gateway.start(t, { mcp_server_url: `${demo.url}/mcp` });
  const { seen, home } = await converse(t, 'auto', gateway.mcp, { BRIDGE_USER: 'admin', BRIDGE_PASSWORD: await gateway.firstPassword() });
  assert.equal(seen.echo, words);
  assert.equal(seen.steps, 3);
  assert.equal((await home.pages()).length, 1);
});
