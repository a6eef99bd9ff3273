// Who can say what is wrong with a deployment, asked as a person or a program would ask. Each returns a verdict:
// { id, text, certain }, what was named first and whether as certain; without an id nothing was named.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Bridge } from '../lib/bridge_client.mjs';
import { binary } from '../lib/gateway.mjs';
import { temporaryFolder } from '../lib/scope.mjs';

const code = /MOP-[A-Z]{3}-\d{3}/;
export const nothing = { id: null, text: '', certain: false };

// A command to its end, with what stands on its input. `through` is a program that starts it, with its arguments.
async function run(scope, args, { cwd, input = '', environment = {}, through = [] }) {
  const [file, ...words] = [...through, binary, ...args];
  const child = spawn(file, words, { cwd, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment } });
  scope.after(() => child.exitCode === null && child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
  child.stdin.on('error', () => {}).end(input);
  const [exit] = await once(child, 'close');
  return { exit, ...said };
}

// In the folder of a gateway or guard, under the port that it took.
export async function explainToken(scope, of, token, { args = [] } = {}) {
  const { out, err } = await run(scope, ['--port', String(of.port), 'explain-token', '-', '--json', ...args],
    { cwd: of.folder, input: token, environment: of.environment });
  if (!out) return { ...nothing, text: err };
  const told = JSON.parse(out);
  const first = told.first_cause ?? told.checks.find((check) => check.verdict === 'cannot_be_told' && check.code);
  return { id: first?.code ?? null, text: JSON.stringify(first), certain: told.outcome === 'refused' };
}

// The line of the request in the log, by its answer or the page that it was.
export async function logLine(of, answer) {
  const id = answer.headers.get('x-request-id');
  await answer.arrayBuffer?.().catch(() => {});
  const line = await of.logged(id, (l) => l.request_id === id && l.status);
  return { id: line.symptom ?? null, text: JSON.stringify(line), certain: true };
}

// The first line of the log that fits.
export async function logged(of, what, test) {
  const line = await of.logged(what, test);
  return { id: line.symptom ?? null, text: JSON.stringify(line), certain: true };
}

// What the client itself was told.
export async function answerText(answer) {
  const text = await answer.text();
  return { id: code.exec(text)?.[0] ?? null, text, certain: true };
}
export const page = ({ text }) => ({ id: code.exec(text)?.[0] ?? null, text, certain: true });

async function folderWith(scope, settings, files) {
  const folder = await temporaryFolder(scope, 'world');
  const config = typeof settings === 'string' ? settings : JSON.stringify({ host: '127.0.0.1', port: 0, ...settings });
  for (const [name, content] of Object.entries({ ...(settings !== null && { 'config.yaml': config }), ...files }))
    await writeFile(join(folder, name), content);
  return folder;
}

// Errors come first, in their order, then warnings.
function firstNamed(said, failed) {
  const words = failed ? said.err : said.out.split('\n').filter((line) => line.includes('Warning')).join('\n');
  return { id: code.exec(words)?.[0] ?? null, text: words || said.out, certain: failed };
}

export async function checkConfig(scope, settings, { files = {}, environment = {}, cwd, through } = {}) {
  const folder = cwd ?? (await folderWith(scope, settings, files));
  const said = await run(scope, ['check-config', 'config.yaml'], { cwd: folder, environment, through });
  return firstNamed(said, said.exit !== 0);
}

// A start that fails.
export async function start(scope, settings, { files = {}, environment = {}, cwd, through } = {}) {
  const folder = cwd ?? (await folderWith(scope, settings, files));
  const said = await run(scope, ['--config', 'config.yaml'], { cwd: folder, environment, through });
  return { id: code.exec(said.err)?.[0] ?? null, text: said.err, certain: true };
}

// A bridge before the server, as a client hears of it: at its first call, or at its start.
export async function bridge(scope, url, environment = {}, flags = []) {
  const client = await Bridge.start(scope, url, { env: { LOG_LEVEL: 'error', ...environment }, flags });
  const answer = client.request('first', 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } });
  const ended = client.exited.then(() => 'ended');
  const first = await Promise.race([answer.catch(() => 'ended'), ended]);
  if (first === 'ended') return { id: code.exec(client.errors)?.[0] ?? null, text: client.errors, certain: true };
  let { error } = first;
  if (!error) ({ error } = await client.request('second', 'tools/list', {}));
  return { id: error?.data?.symptom ?? null, text: JSON.stringify(error ?? first), certain: true };
}

// `bridge login URL`, as somebody runs it whom a bridge told to.
export async function login(scope, url, environment = {}) {
  const { exit, err } = await run(scope, ['bridge', 'login', url], { cwd: await temporaryFolder(scope, 'login'), environment: { LOG_LEVEL: 'warn', HOME: await temporaryFolder(scope, 'home'), ...environment } });
  return { id: code.exec(err)?.[0] ?? null, text: err, certain: exit !== 0 };
}

// `doctor TARGET --json`; a target is a URL, or a gateway.
export async function doctor(scope, target, { settings, cwd, environment = {}, args = [] } = {}) {
  const of = typeof target === 'string' ? undefined : target;
  const folder = cwd ?? of?.folder ?? (await folderWith(scope, settings ?? null, {}));
  const words = of ? ['--port', String(of.port), 'doctor'] : ['doctor', target];
  const { exit, out, err } = await run(scope, [...words.filter(Boolean), '--json', ...args], { cwd: folder, environment: { ...of?.environment, ...environment } });
  let told;
  try {
    told = JSON.parse(out);
  } catch {
    return { ...nothing, text: `${exit}: ${err}${out}` };
  }
  const { first } = told;
  return { id: first?.id ?? null, text: JSON.stringify(first ?? told), certain: first?.certain ?? false };
}
