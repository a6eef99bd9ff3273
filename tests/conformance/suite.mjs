// The official suite as a program: how it is started, and what it found.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { parse } from 'yaml';

const installed = join(import.meta.dirname, 'node_modules/@modelcontextprotocol/conformance');
const program = join(installed, 'dist/index.js');
const longest = 60_000; // milliseconds
const preload = (name) => join(import.meta.dirname, 'preload', name);

// Starts `conformance ARGUMENTS`. Its listeners are on loopback; with a bearer { origin, token }, requests to that origin
// carry the token. `onLine` sees what it prints, line by line; the result is all of it, and the exit code.
export async function run(given, { bearer, onLine, loopback = 'loopback.cjs' } = {}) {
  const imports = bearer ? ['--import', preload('bearer.mjs')] : [];
  const child = spawn(process.execPath, ['--no-deprecation', '--require', preload(loopback), ...imports, program, ...given], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: longest,
    killSignal: 'SIGKILL',
    env: { ...process.env, BEARER_ORIGIN: bearer?.origin, BEARER_TOKEN: bearer?.token },
  });
  const end = once(child, 'close');
  let said = '', rest = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (piece) => {
      said += piece;
      const lines = (rest + piece).split('\n');
      rest = lines.pop();
      if (onLine) lines.forEach(onLine);
    });
  }
  const [code, signal] = await end;
  if (signal) throw new Error(`the suite was ended after ${longest} ms: ${given.join(' ')}\n${said}`);
  return { code, said };
}

// The server scenarios that a revision requires, and those that are run besides them: { scenario: { scored, why } }.
export async function requirements(revision) {
  const text = await readFile(join(installed, 'requirements', `${revision}.yaml`), 'utf8');
  const { server, not_scored: besides } = parse(text);
  return {
    ...Object.fromEntries(server.map((scenario) => [scenario, { scored: true }])),
    ...Object.fromEntries(besides.filter((b) => b.leg === 'server').map((b) => [b.scenario, { scored: false, why: b.reason }])),
  };
}

// Runs the server scenarios of a revision; { scenario: [check] }.
export function serverScenarios(revision, url, folder, bearer) {
  return ranInto(folder, ['server', '--url', url, '--requirements', revision], { bearer });
}

// The same for one scenario.
export function serverScenario(revision, scenario, url, folder, bearer) {
  return ranInto(folder, ['server', '--url', url, '--scenario', scenario, '--spec-version', revision], { bearer });
}

// The client scenarios of a revision, those that are not scored as well.
export async function clientRequirements(revision) {
  const { client } = parse(await readFile(join(installed, 'requirements', `${revision}.yaml`), 'utf8'));
  return client;
}

// Runs one client scenario with that program as the client; its checks. One at a time: on a busy machine the suite's own
// limits of time are too short for many.
export async function clientScenario(revision, scenario, command, folder) {
  const into = join(folder, scenario.replaceAll('/', '_'));
  await mkdir(into, { recursive: true });
  const { said } = await run(['client', '--command', command, '--scenario', scenario, '--spec-version', revision, '--timeout', '50000', '-o', into], { loopback: 'loopback_at_once.cjs' });
  const found = await checks(join(into, dirname(scenario)));
  const [list] = Object.values(found);
  if (!list) throw new Error(`the suite ran nothing:\n${said}`);
  return { list, said };
}

async function ranInto(folder, given, options) {
  await mkdir(folder, { recursive: true });
  const { said } = await run([...given, '-o', folder], options);
  const found = await checks(folder);
  if (Object.keys(found).length === 0) throw new Error(`the suite ran nothing:\n${said}`);
  return found;
}

// What the suite wrote below a folder: { scenario: [{ id, status, message }] }, without what only informs.
export async function checks(folder) {
  const found = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const scenario = entry.name.replace(/-\d{4}-\d\d-\d\dT[\dTZ-]+$/, '').replace(/^(authorization-server|server)-/, '');
    const all = JSON.parse(await readFile(join(folder, entry.name, 'checks.json'), 'utf8'));
    found[scenario] = all
      .filter((check) => check.status !== 'INFO')
      .map(({ id, status, errorMessage }) => ({ id, status, message: errorMessage }));
  }
  return found;
}

// Failures and warnings of a scenario, as lines.
export const complaints = (list) =>
  list.filter((c) => c.status !== 'SUCCESS' && c.status !== 'SKIPPED').map((c) => `${c.id}: ${c.status}: ${c.message}`);

// Checks that said something: what is skipped has proved nothing.
export const proved = (list) => list.filter((c) => c.status === 'SUCCESS').length;

// Where two runs of one scenario differ, check by check, as lines.
export function differences(direct, through) {
  const keyed = (list) => {
    const seen = new Map(), statuses = new Map();
    for (const { id, status } of list) {
      const nth = (seen.get(id) ?? 0) + 1;
      seen.set(id, nth);
      statuses.set(nth > 1 ? `${id} (${nth})` : id, status);
    }
    return statuses;
  };
  const [a, b] = [keyed(direct), keyed(through)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => `${key}: ${a.get(key) ?? 'absent'} directly, ${b.get(key) ?? 'absent'} through the gateway`);
}
