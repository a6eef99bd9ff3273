// Databases that are away, refuse, or hold something else: as a start, check-config and a running gateway tell of it.

import { randomBytes } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { until } from '../lib/until.mjs';
import { checkConfig, doctor, logLine, start } from './judges.mjs';

export async function databases(scope) {
  const demo = await startDemoServer(scope);
  const encryption_key = randomBytes(32).toString('base64');
  const base = { mcp_server_url: demo.url, encryption_key, database_start_timeout: 0 };
  const both = (world, cause, settings, words) => ({
    world, cause, words,
    ask: async (mine) => {
      const made = { ...base, ...(await settings(mine)) };
      return { 'check-config': await checkConfig(mine, made), 'the start': await start(mine, made) };
    },
  });
  const registers = (gateway) => fetch(`${gateway.origin}/oauth/register`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/cb'] }),
  });
  // The file of a gateway that has ended.
  const left = async (mine) => {
    const gateway = await Gateway.start(mine, base);
    await gateway.stop();
    return join(gateway.folder, 'oauth.db');
  };
  const worlds = [
    both('the file is no database', 'MOP-STO-015', async (mine) => {
      const file = join(await temporaryFolder(mine, 'sqlite'), 'oauth.db');
      await writeFile(file, 'These are my notes, and no database at all, whatever the name says. '.repeat(20));
      return { database_url: `sqlite://${file}` };
    }, /oauth\.db/),
    both('a newer program migrated the file', 'MOP-STO-004', async (mine) => {
      const gateway = await Gateway.start(mine, base);
      await gateway.stop();
      execFileSync('sqlite3', [join(gateway.folder, 'oauth.db'), 'UPDATE schema_migrations SET version = 99']);
      return { database_url: `sqlite://${gateway.folder}/oauth.db` };
    }, /99/),
    both('the encryption key is not that of the file', 'MOP-KEY-003', async (mine) => {
      const gateway = await Gateway.start(mine, base);
      await gateway.stop();
      return { database_url: `sqlite://${gateway.folder}/oauth.db`, encryption_key: randomBytes(32).toString('base64') };
    }),
    both('the key file is gone, and the database holds what it sealed', 'MOP-KEY-003', async (mine) => {
      const gateway = await Gateway.start(mine, { mcp_server_url: demo.url });
      await gateway.stop();
      await rm(join(gateway.folder, 'oauth.db.key'));
      return { database_url: `sqlite://${gateway.folder}/oauth.db`, encryption_key: undefined };
    }),
    {
      world: 'another process holds the file', cause: 'MOP-STO-002',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, base);
        await gateway.stop();
        const holder = spawn('sqlite3', [join(gateway.folder, 'oauth.db')]);
        mine.after(async () => { holder.kill('SIGKILL'); await once(holder, 'close'); });
        holder.stdin.write("PRAGMA locking_mode=EXCLUSIVE;\nBEGIN EXCLUSIVE;\nSELECT 'held';\n");
        for await (const piece of holder.stdout) if (String(piece).includes('held')) break;
        return { 'the start': await start(mine, { ...base, database_url: `sqlite://${gateway.folder}/oauth.db` }) };
      },
    },
    both('database_url names a folder', ['MOP-STO-001', 'MOP-FIL-002'],
      async (mine) => ({ database_url: `sqlite://${await temporaryFolder(mine, 'sqlite')}` }), /sqlite/),
    both('a page of the file was overwritten', 'MOP-STO-003', async (mine) => {
      const file = await left(mine);
      const pages = await open(file, 'r+');
      const size = Number(execFileSync('sqlite3', [file, 'PRAGMA page_size']));
      const root = Number(execFileSync('sqlite3', [file, "SELECT rootpage FROM sqlite_master WHERE name = 'records'"]));
      await pages.write(Buffer.alloc(size, 0x5a), 0, size, (root - 1) * size);
      await pages.close();
      return { database_url: `sqlite://${file}` };
    }, /oauth\.db/),
    both('a migration was left half done', 'MOP-STO-003', async (mine) => {
      const file = await left(mine);
      execFileSync('sqlite3', [file, 'UPDATE schema_migrations SET dirty = 1']);
      return { database_url: `sqlite://${file}` };
    }, /dirty/),
    {
      world: 'somebody put another file in the place of the database', cause: 'MOP-STO-001',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, base);
        const file = join(gateway.folder, 'oauth.db');
        await rename(file, `${file}.old`);
        await copyFile(`${file}.old`, file);
        return { doctor: await doctor(mine, gateway) };
      },
    },
    {
      world: 'the disk of the file is full', cause: 'MOP-STO-013', words: /oauth\.db/,
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, logging: { output: 'stdout' } });
        // What a full disk is to a program: no file of it may become longer than that.
        execFileSync('prlimit', ['--pid', String(gateway.program.child.pid), '--fsize=1:unlimited']);
        const { headers } = await registers(gateway);
        execFileSync('prlimit', ['--pid', String(gateway.program.child.pid), '--fsize=unlimited']);
        const written = () => gateway.program.lines.filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));
        const line = await until('the line of the request', () => written().find((l) => l.request_id === headers.get('x-request-id')));
        return { 'the log': { id: line.symptom ?? null, text: JSON.stringify(line), certain: true } };
      },
    },
    both('nothing listens at the address of PostgreSQL', 'MOP-STO-005', async () => ({ database_url: `postgresql://u:p@127.0.0.1:${await portOfNobody()}/oauth_db` }), /ECONNREFUSED/),
  ];
  if (Postgres.missing) return worlds;

  const postgres = await Postgres.start(scope);
  const at = (user, database, password = 'oauth_pass') => `postgresql://${user}:${password}@127.0.0.1:${postgres.port}/${database}`;
  const admin = (statement, database = 'postgres') => postgres.sql(statement, 'postgres', database);
  const role = (name, more = '') => admin(`CREATE ROLE ${name} LOGIN PASSWORD 'oauth_pass' ${more}`);
  const own = (name) => { role(name); admin(`CREATE DATABASE ${name} OWNER ${name}`); return at(name, name); };
  return [...worlds,
    both('the password is wrong', 'MOP-STO-006', () => ({ database_url: at('oauth_user', 'oauth_db', 'wrong') })),
    both('the role does not exist', 'MOP-STO-006', () => ({ database_url: at('nobody_here', 'oauth_db') })),
    both('the database does not exist', 'MOP-STO-007', () => ({ database_url: at('oauth_user', 'oauth') }), /oauth/),
    both('the role may not make tables', 'MOP-STO-011', () => { role('reader'); return { database_url: at('reader', 'oauth_db') }; }, /GRANT|permission/),
    both('the role takes no more connections', 'MOP-STO-008', () => { role('narrow', 'CONNECTION LIMIT 0'); admin('CREATE DATABASE narrow OWNER narrow'); return { database_url: at('narrow', 'narrow') }; }),
    both('the database is read-only', 'MOP-STO-012', () => { const url = own('frozen'); admin('ALTER DATABASE frozen SET default_transaction_read_only = on'); return { database_url: url }; }),
    both('a newer program migrated PostgreSQL', 'MOP-STO-004', async (mine) => {
      const database_url = own('newer');
      const gateway = await Gateway.start(mine, { ...base, database_url });
      await gateway.stop();
      admin('UPDATE schema_migrations SET version = 99', 'newer');
      return { database_url };
    }, /99/),
    both('the encryption key is not that of PostgreSQL', 'MOP-KEY-003', async (mine) => {
      const database_url = own('sealed');
      const gateway = await Gateway.start(mine, { ...base, database_url });
      await gateway.stop();
      return { database_url, encryption_key: randomBytes(32).toString('base64') };
    }),
    {
      world: 'somebody dropped the tables while it runs', cause: 'MOP-STO-010',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, database_url: own('dropped') });
        admin('DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION dropped', 'dropped');
        return { 'the log': await logLine(gateway, await registers(gateway)) };
      },
    },
    {
      world: 'the rights of the role were taken while it runs', cause: 'MOP-STO-011',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, database_url: own('revoked') });
        admin('ALTER SCHEMA public OWNER TO postgres; REASSIGN OWNED BY revoked TO postgres; REVOKE ALL ON ALL TABLES IN SCHEMA public FROM revoked', 'revoked');
        return { 'the log': await logLine(gateway, await registers(gateway)) };
      },
    },
    both('PostgreSQL is shutting down', 'MOP-STO-009', async (mine) => {
      const own = await Postgres.start(mine);
      const session = spawn('psql', ['-h', own.folder, '-p', String(own.port), '-U', 'oauth_user', '-d', 'oauth_db', '-At']);
      const closed = once(session, 'close');
      mine.after(async () => { session.stdin.end(); await closed; });
      session.stdin.write("SELECT 'signed in';\n");
      for await (const piece of session.stdout) if (String(piece).includes('signed in')) break;
      own.child.kill('SIGTERM'); // it waits for whoever is there
      await until('it takes nobody more', () => { try { own.sql('SELECT 1'); } catch (error) { return /shutting down/.test(error.stderr); } });
      return { database_url: own.url };
    }, /shutting down/),
    {
      world: 'the role is shut out while a change of its is committed', cause: 'MOP-STO-014', words: /not permitted to log in/,
      ask: async (mine) => {
        const own = await Postgres.start(mine);
        const gateway = await Gateway.start(mine, { ...base, database_url: own.url });
        // What is committed then waits for a replica that never comes.
        own.sql("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'", 'postgres');
        own.sql('SELECT pg_reload_conf()', 'postgres');
        let answer, over = true;
        await until('a change waits for the replica', () => {
          if (over) {
            over = false;
            answer = registers(gateway).finally(() => (over = true));
          }
          return own.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'oauth_user' AND wait_event = 'SyncRep' AND query ILIKE '%commit%'", 'postgres') !== '0';
        });
        own.sql('SET synchronous_commit = local; ALTER ROLE oauth_user NOLOGIN', 'postgres');
        own.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'oauth_user'", 'postgres');
        return { 'the log': await logLine(gateway, await answer) };
      },
    },
  ];
}
