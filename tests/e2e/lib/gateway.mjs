// The binary under test.

import assert from 'node:assert/strict';
import { spawn, execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { temporaryFolder } from './scope.mjs';
import { until, within } from './until.mjs';

const root = resolve(import.meta.dirname, '../../..');

export const binary = (() => {
  const named = process.env.MOP_BINARY || process.env.MCP_OAUTH_PROXY;
  const candidates = named ? [named] : ['release', 'dev'].map((b) => join(root, 'build', b, 'mcp-oauth-proxy'));
  // The one that was built last: what is tested is what was just changed.
  const found = candidates.filter(existsSync).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (!found) throw new Error(`no binary at ${candidates.join(' or ')}: ./dev build release, or name it in MOP_BINARY`);
  return resolve(found);
})();

// Nothing of the caller's environment may configure the gateway.
const environment = { PATH: process.env.PATH, HOME: '/nonexistent' };

const unlimited = { sign_ins_per_minute: 0, client_requests_per_minute: 0, user_tokens_per_minute: 0 };

// A child process whose output is kept by line.
export class Program {
  lines = [];
  errors = [];

  constructor(scope, file, args, options = {}) {
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment, ...options });
    this.exited = once(this.child, 'close');
    collect(this.child.stdout, this.lines);
    collect(this.child.stderr, this.errors);
    scope?.after(() => this.kill());
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  // The match of the first line of standard output that fits.
  async line(pattern, milliseconds = 30_000) {
    const find = () => this.lines.map((line) => pattern.exec(line)).find(Boolean);
    const found = await until(`a line like ${pattern}`, () => find() ?? (this.running ? undefined : 'exited'), milliseconds);
    if (found !== 'exited') return found;
    await this.exited;
    if (find()) return find();
    throw new Error(`exited with ${this.child.exitCode}: ${this.errors.join('\n')}`);
  }

  // SIGTERM, and the exit code.
  async stop() {
    if (this.running) this.child.kill('SIGTERM');
    const [code, signal] = await within('the end after SIGTERM', this.exited, 30_000);
    return code ?? signal;
  }

  async kill() {
    if (this.running) this.child.kill('SIGKILL');
    await this.exited;
  }
}

function collect(stream, lines) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    lines.push(...parts);
  });
  stream.on('close', () => rest && lines.push(rest));
}

export class Gateway {
  through = [];
  flags = [];
  environment = {}; // besides that of every program

  // Starts with the settings, as config.yaml in a folder of its own, on a free port.
  // `through` is a program that starts it, with its arguments: ['prlimit', '--nofile=64'].
  // `settings` null: without any file, on what `environment` says.
  static async start(scope, settings = {}, { through = [], flags = [], environment = {} } = {}) {
    const gateway = new Gateway();
    Object.assign(gateway, { through, flags, environment });
    scope.after(() => gateway.end());
    gateway.folder = await temporaryFolder(scope, 'gateway');
    gateway.settings = settings && { host: '127.0.0.1', port: 0, ...settings, timeouts: { drain: '2s', ...settings.timeouts } };
    // Who asks for more requests than anybody makes is not looking for the other limits either.
    if (settings?.limits?.requests_per_minute >= 1_000_000) gateway.settings.rate_limits = { ...unlimited, ...settings.rate_limits };
    await gateway.run();
    return gateway;
  }

  async run() {
    // JSON is YAML.
    if (this.settings) await writeFile(join(this.folder, 'config.yaml'), JSON.stringify(this.settings, null, 2));
    const config = this.settings ? ['--config', 'config.yaml'] : [];
    const [file, ...args] = [...this.through, binary, ...config, ...this.flags];
    this.program = new Program(undefined, file, args, { cwd: this.folder, env: { ...environment, ...this.environment } });
    const [, , port] = await this.program.line(/^mcp-oauth-proxy is listening on (\S+):(\d+)$/);
    this.port = Number(port);
    this.origin = this.settings?.public_url ?? `http://127.0.0.1:${port}`;
    this.mcp = `${this.origin}/mcp`;
  }

  // It has to end well, unless a test ended it its own way.
  async end() {
    if (!this.program) return;
    const { program, stoppedByTest } = this;
    if (!stoppedByTest) assert.equal(await this.stop().finally(() => program.kill()), 0, `the end of the gateway: ${program.errors}`);
  }

  // What the kernel says of the process, by the names of proc(5): 'status' VmRSS in KiB, 'stat' CPU in ticks.
  async residentKiB() {
    return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${this.program.child.pid}/status`, 'utf8'))[1]);
  }
  async cpuTicks() {
    const fields = (await readFile(`/proc/${this.program.child.pid}/stat`, 'utf8')).split(') ')[1].split(' ');
    return Number(fields[11]) + Number(fields[12]);
  }
  // One value of /metrics; 0 when it is not there.
  async metric(name) {
    const text = await (await fetch(`${this.origin}/metrics`)).text();
    return text.split('\n').filter((l) => l.startsWith(name)).reduce((sum, l) => sum + Number(l.split(' ').at(-1)), 0);
  }

  // Again, at the same address and with the same folder.
  async restart() {
    this.settings.port = this.port;
    this.stoppedByTest = false;
    await this.run();
  }

  stop() {
    this.stoppedByTest = true;
    return this.program.stop();
  }
  kill() {
    this.stoppedByTest = true;
    return this.program.kill();
  }

  // The password that is printed once, at the first start.
  async firstPassword() {
    return (await this.program.line(/One-time password:\s+(\S+)/))[1];
  }

  // Another local user; the one-time password.
  async addUser(name) {
    const { stdout } = await promisify(execFile)(binary, ['--config', 'config.yaml', 'users', 'add', name], {
      cwd: this.folder,
      env: environment,
    });
    return /one-time password:\s+(\S+)/i.exec(stdout)[1];
  }

  async log() {
    const text = await readFile(join(this.folder, 'logs/proxy.log'), 'utf8');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }
  // Lines are written in batches.
  logged(what, test) {
    return until(`a log line: ${what}`, async () => (await this.log()).find(test));
  }
}

// A command of the binary that ends by itself: its exit code and what it said.
export async function command(scope, args, { settings, environment: variables = {}, files = {} } = {}) {
  const folder = await temporaryFolder(scope, 'command');
  for (const [name, text] of Object.entries({ ...(settings && { 'config.yaml': JSON.stringify(settings) }), ...files }))
    await writeFile(join(folder, name), text);
  const program = new Program(scope, binary, args, { cwd: folder, env: { ...environment, ...variables } });
  const [code] = await within(`the end of ${args}`, program.exited, 60_000);
  return { code, out: program.lines.join('\n'), err: program.errors.join('\n') };
}

// The MCP server that the binary holds, without any sign-in.
export async function startDemoServer(scope) {
  const program = new Program(scope, binary, ['demo-server']);
  const [, url] = await program.line(/(http:\/\/\S+)\/mcp/);
  return { program, url };
}
