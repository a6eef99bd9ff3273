// What a test file or a test has to undo. A test's own context is a scope as well.

import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { after } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The scope of a whole file, to be made while the file loads: within a hook, `after` belongs to the hook.
export function fileScope() {
  const undo = [];
  after(async () => {
    let failure;
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure) throw failure;
  });
  return { after: (step) => undo.push(step) };
}

// With E2E_KEEP set, folders (logs, databases, screenshots) stay, and their names are printed.
export async function temporaryFolder(scope, name) {
  const folder = await mkdtemp(join(process.env.E2E_KEEP || tmpdir(), `mop-e2e-${name}-`));
  scope.after(async () => {
    if (process.env.E2E_KEEP) console.log(`kept: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 10 }); // who still runs may write there
  });
  return folder;
}

// Listens on a free loopback port; closed, with every connection, when the scope ends.
export async function listenOnLoopback(scope, server, port = 0) {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => stopListening(server));
  return server.address().port;
}

export async function stopListening(server) {
  if (!server.listening) return;
  server.close();
  server.closeAllConnections?.();
  await once(server, 'close');
}

// A port on which nobody listens now. Below those that the system gives to who asks for any, so that nobody gets it meanwhile.
const lowest = 10_000;
const ofTheSystem = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
const highest = ofTheSystem > lowest + 5_000 ? ofTheSystem : 32_768;
const given = new Set();
export async function portOfNobody() {
  for (;;) {
    const port = randomInt(lowest, highest);
    if (given.has(port)) continue;
    const server = createServer();
    const free = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!free) continue;
    await stopListening(server);
    given.add(port);
    return port;
  }
}
