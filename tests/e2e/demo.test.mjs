// What a newcomer does: starts the demo, points a client at the address that it prints, signs in, calls a tool.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';

import { binary, Program } from './lib/gateway.mjs';
import { Person } from './lib/person.mjs';
import { temporaryFolder } from './lib/scope.mjs';
import { connectAs, Keychain, textOf } from './lib/sdk_client.mjs';
import { until } from './lib/until.mjs';

test('the demo needs nothing but a free port, and prints all that one has to know', async (t) => {
  const cwd = await temporaryFolder(t, 'demo');
  const program = new Program(t, binary, ['demo', '--port', '0'], { cwd, env: { PATH: process.env.PATH, HOME: cwd } });
  const [, url] = await program.line(/MCP endpoint:\s+(\S+)/);
  const [, user] = await program.line(/Sign in as:\s+(\S+)/);
  const [, password] = await program.line(/One-time password:\s+(\S+)/);
  const [pasted] = await program.line(/\{"mcpServers".*\}/);
  assert.equal(JSON.parse(pasted).mcpServers.demo.url, url);

  const { client } = await connectAs(new Person({ user, password }), url, new Keychain());
  const { tools } = await client.listTools();
  const printed = (await program.line(/^Tools to call: (.*)\.$/))[1].split(', ');
  for (const name of printed) assert.ok(tools.some((tool) => tool.name === name), name);

  const me = JSON.parse(textOf(await client.callTool({ name: 'whoami' })));
  assert.equal(me.identity['x-user-id'], `local:${user}`);
  assert.equal(me.authorization_received, false);

  const seen = [];
  const result = client.callTool({ name: 'progress', arguments: { steps: 3, interval_ms: 100 } }, undefined, { onprogress: (p) => seen.push(p.progress) });
  let ended = false;
  result.then(() => (ended = true));
  await until('the first step', () => seen.length > 0);
  assert.equal(ended, false, 'the first step is there before the end');
  await result;
  assert.deepEqual(seen, [1, 2, 3]);

  await client.close();
  assert.equal(await program.stop(), 0);
  assert.ok((await readdir(cwd, { recursive: true })).length > 0, 'it remembers its users');
});
