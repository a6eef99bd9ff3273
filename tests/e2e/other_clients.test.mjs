// Programs that people use, as they are: the Inspector's command line, mcp-remote, and the client of the newest revision.

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { Gateway, Program, startDemoServer } from './lib/gateway.mjs';
import { call, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';
import { Keychain, redirectUri, textOf } from './lib/sdk_client.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
const modules = join(import.meta.dirname, 'node_modules');
let gateway, person, folder;

before(async () => {
  const demo = await startDemoServer(scope);
  gateway = await Gateway.start(scope, { mcp_server_url: demo.url });
  person = new Person({ password: await gateway.firstPassword() });
  folder = await temporaryFolder(scope, 'clients');
  // In the place of everything that would open a browser.
  await mkdir(join(folder, 'bin'));
  for (const name of ['xdg-open', 'browser']) {
    await writeFile(join(folder, 'bin', name), '#!/bin/sh\nexit 0\n');
    await chmod(join(folder, 'bin', name), 0o755);
  }
});

const environment = () => ({
  PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
  HOME: folder,
  BROWSER: join(folder, 'bin/browser'),
  MCP_REMOTE_CONFIG_DIR: join(folder, 'mcp-remote'),
});

test('the Inspector\'s command line lists and calls tools with a token', async () => {
  const { access_token } = await tokensFor(gateway, person);
  const inspect = async (...args) => {
    const program = new Program(scope, process.execPath, [
      join(modules, '@modelcontextprotocol/inspector/clients/launcher/build/index.js'), '--cli', gateway.mcp,
      '--transport', 'http', '--header', `Authorization: Bearer ${access_token}`, ...args,
    ], { env: environment(), cwd: folder });
    const [code] = await program.exited;
    assert.equal(code, 0, program.errors.join('\n'));
    return JSON.parse(program.lines.join('\n'));
  };
  const { tools } = await inspect('--method', 'tools/list');
  assert.ok(tools.some((tool) => tool.name === 'echo'));
  const result = await inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'text=hello');
  assert.equal(textOf(result), 'hello');
});

test('mcp-remote signs in by itself and then serves tools over stdio, and needs no sign-in the next time', async () => {
  const start = () => new Program(scope, process.execPath,
    [join(modules, 'mcp-remote/dist/proxy.js'), gateway.mcp, '--transport', 'http-only'],
    { env: environment(), cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  const converse = async (program) => {
    let next = 0;
    const ask = async (method, params) => {
      const id = ++next;
      program.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
      return until(`the answer to ${method}`, () => program.lines.map((l) => JSON.parse(l)).find((m) => m.id === id), 30_000);
    };
    const { result } = await ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'stdio', version: '1' } });
    assert.equal(result.serverInfo.name, 'mcp-oauth-proxy-demo');
    program.child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    const listed = await ask('tools/list', {});
    assert.ok(listed.result.tools.some((tool) => tool.name === 'echo'));
    const called = await ask('tools/call', call('echo', { text: 'over stdio' }).params);
    assert.equal(textOf(called.result), 'over stdio');
    await program.kill();
  };

  const first = start();
  const printed = await until('the address to sign in at', () => {
    assert.ok(first.running, first.errors.join('\n'));
    return /https?:\/\/\S+\/oauth\/authorize\?\S+/.exec(first.errors.join('\n'))?.[0];
  }, 30_000);
  const redirect = new URL(printed).searchParams.get('redirect_uri');
  const answer = await person.approve(printed, redirect);
  const delivered = await fetch(answer);
  assert.equal(delivered.status, 200, await delivered.text());
  await converse(first);

  const second = start();
  await converse(second);
  assert.doesNotMatch(second.errors.join('\n'), /\/oauth\/authorize\?/);
});

test('the client of 2026-07-28 signs in, and speaks it without a session', async () => {
  const keychain = new Keychain();
  const options = { versionNegotiation: { mode: 'auto' } };
  const open = async () => {
    const transport = new StreamableHTTPClientTransport(new URL(gateway.mcp), { authProvider: keychain });
    const client = new Client({ name: 'e2e', version: '2' }, options);
    try {
      await client.connect(transport);
      return { client, transport };
    } catch (error) {
      return { error, transport };
    }
  };
  const refused = await open();
  assert.ok(refused.error instanceof UnauthorizedError, refused.error?.stack);
  const answer = await person.approve(keychain.authorizationUrl, redirectUri);
  await refused.transport.finishAuth(answer.searchParams); // checks `iss` (RFC 9207)

  const { client, transport, error } = await open();
  assert.ifError(error);
  assert.equal(transport.sessionId, undefined);
  const { tools } = await client.listTools();
  assert.ok(tools.some((tool) => tool.name === 'echo'));
  assert.equal(textOf(await client.callTool({ name: 'echo', arguments: { text: 'stateless' } })), 'stateless');
  const line = await gateway.logged('of the call', (l) => l.mcp_method === 'tools/call' && l.client_id === keychain.client.client_id);
  assert.equal(line.mcp_name, 'echo');
  assert.ok(!(await gateway.log()).some((l) => l.mcp_method === 'initialize' && l.client_id === keychain.client.client_id));
  await client.close();
});
