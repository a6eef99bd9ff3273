// A real PostgreSQL server on a free loopback port, in a folder of its own.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';

import { portOfNobody, temporaryFolder } from './scope.mjs';
import { until } from './until.mjs';

const installed = '/usr/lib/postgresql';
const newest = () => (existsSync(installed) ? readdirSync(installed) : [])
  .filter((v) => existsSync(join(installed, v, 'bin/initdb')))
  .sort((a, b) => Number(b) - Number(a))[0];

const numberOf = (kind) => {
  for (const name of ['postgres', 'nobody']) {
    try {
      return Number(execFileSync('id', [kind, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    } catch {
      continue;
    }
  }
  throw new Error('no user to run PostgreSQL as');
};

export class Postgres {
  static get missing() {
    if (newest()) return false;
    assert.ok(!process.env.CI, 'PostgreSQL has to be there in CI');
    return 'PostgreSQL is not installed (Debian: apt install postgresql)';
  }

  static async start(scope) {
    const server = new Postgres();
    server.folder = await temporaryFolder(scope, 'postgres');
    server.bin = join(installed, newest(), 'bin');
    // It refuses to run as root.
    server.options = { cwd: server.folder, env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' }, stdio: ['ignore', 'ignore', 'pipe'] };
    if (process.getuid() === 0) {
      Object.assign(server.options, { uid: numberOf('-u'), gid: numberOf('-g') });
      chownSync(server.folder, server.options.uid, server.options.gid);
    }
    server.data = join(server.folder, 'data');
    execFileSync(join(server.bin, 'initdb'), ['-D', server.data, '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8',
      '--auth-local=trust', '--auth-host=scram-sha-256'], server.options);
    server.port = await portOfNobody();
    await appendFile(join(server.data, 'postgresql.conf'),
      `listen_addresses = '127.0.0.1'\nport = ${server.port}\nunix_socket_directories = '${server.folder}'\nfsync = off\nmax_connections = 60\n`);
    scope.after(() => server.crash());
    await server.run();
    server.sql("CREATE ROLE oauth_user LOGIN PASSWORD 'oauth_pass'", 'postgres', 'postgres');
    server.sql('CREATE DATABASE oauth_db OWNER oauth_user', 'postgres', 'postgres');
    return server;
  }

  get url() {
    return `postgresql://oauth_user:oauth_pass@127.0.0.1:${this.port}/oauth_db`;
  }

  async run() {
    this.child = spawn(join(this.bin, 'postgres'), ['-D', this.data], this.options);
    this.exited = once(this.child, 'close');
    this.child.stderr.resume();
    await until('PostgreSQL takes connections', () => {
      try {
        return this.sql('SELECT 1', 'postgres', 'template1');
      } catch {
        return undefined;
      }
    }, 60_000);
  }

  // As `psql -U USER -d DATABASE -c STATEMENT` prints it, without headings.
  sql(statement, user = 'oauth_user', database = 'oauth_db') {
    return execFileSync('psql', ['-h', this.folder, '-p', String(this.port), '-U', user, '-d', database, '-At', '-c', statement],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  // As an operator does: connections end, what was committed is kept.
  async stop() {
    this.child.kill('SIGINT');
    await this.exited;
  }
  async crash() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.#signal('SIGKILL');
    await this.exited;
  }

  // It holds its connections and answers none, until it goes on.
  pause() {
    this.#signal('SIGSTOP');
  }
  goOn() {
    this.#signal('SIGCONT');
  }

  // From the next start on it speaks TLS, with that certificate.
  async useTls({ cert, key }) {
    for (const [name, content] of [['server.crt', cert], ['server.key', key]]) {
      const file = join(this.data, name);
      await writeFile(file, content, { mode: 0o600 });
      if (this.options.uid !== undefined) chownSync(file, this.options.uid, this.options.gid);
    }
    await appendFile(join(this.data, 'postgresql.conf'), 'ssl = on\n');
  }

  #signal(signal) {
    const postmaster = this.child.pid;
    process.kill(postmaster, 'SIGSTOP');
    for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === postmaster) process.kill(Number(pid), signal);
      } catch {
        continue; // ended meanwhile
      }
    }
    process.kill(postmaster, signal);
  }
}
