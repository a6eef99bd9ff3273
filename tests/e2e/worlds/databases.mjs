// Databases that are away, refuse, or hold something else: as a start, check-config and a running gateway tell of it.

import { randomBytes } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { checkConfig, logLine, start } from './judges.mjs';

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
        return { 'the log': await logLine(gateway, await fetch(`${gateway.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/cb'] }) })) };
      },
    },
    {
      world: 'the rights of the role were taken while it runs', cause: 'MOP-STO-011',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, database_url: own('revoked') });
        admin('ALTER SCHEMA public OWNER TO postgres; REASSIGN OWNED BY revoked TO postgres; REVOKE ALL ON ALL TABLES IN SCHEMA public FROM revoked', 'revoked');
        return { 'the log': await logLine(gateway, await fetch(`${gateway.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ redirect_uris: ['http://127.0.0.1/cb'] }) })) };
      },
    },
  ];
}
