// What a test file or a test has to undo. A test's own context is a scope as well.

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

// A port on which nobody listens now.
export async function portOfNobody() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await stopListening(server);
  return port;
}
