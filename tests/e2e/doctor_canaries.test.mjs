// Secrets of every kind, in every place where the doctor's tools meet one: a token, a cookie, a header, the URL of a
// database or of a server, a client secret, a key file. None is in what they print.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { binary, Gateway, startDemoServer } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, portOfNobody, temporaryFolder } from './lib/scope.mjs';
import { startAnswering } from './lib/upstream.mjs';

const scope = fileScope();
const secrets = new Map();
const plant = (name, value = `canary${randomBytes(18).toString('hex')}`) => {
  assert.ok(value.length >= 16, name);
  secrets.set(name, value);
  return value;
};
let demo, idp, gateway, own;

before(async () => {
  demo = await startDemoServer(scope);
  idp = await Idp.start(scope);
  idp.clientSecret = plant('client secret');
  gateway = await Gateway.start(scope, { mcp_server_url: demo.url, providers: { corp: idp.settings, local: { type: 'local' } } });
  idp.allow(`${gateway.origin}/auth/callback`);
  own = await tokensFor(gateway, new Person({ user: 'ada', password: await gateway.firstPassword() }), undefined);
  plant('access token', own.access_token);
  plant('signature of the access token', own.access_token.split('.')[2]);
  plant('refresh token', own.refresh_token);
  plant('key file', (await readFile(join(gateway.folder, 'oauth.db.key'), 'utf8')).trim());
});

async function run(args, { cwd = gateway.folder, input = '', environment = {} } = {}) {
  const child = spawn(binary, args, { cwd, env: { PATH: process.env.PATH, HOME: '/nonexistent', ...environment } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  child.stdin.on('error', () => {}).end(input);
  const [code, signal] = await once(child, 'close');
  assert.equal(signal, null, `${args.join(' ')} ended by a signal: ${said}`);
  return { code, said };
}

function assertFree(said, where) {
  assert.ok(said.length > 20, `${where} said nothing`);
  for (const [name, value] of secrets) {
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1), Buffer.from(value).toString('hex')])
      assert.ok(!said.includes(form), `${where} holds the ${name}:\n${said}`);
  }
}

test('explain-token shows no token, whatever is wrong with it', async () => {
  const port = ['--port', String(gateway.port)];
  const [header, claims, signature] = own.access_token.split('.');
  for (const token of [own.access_token, `Bearer ${own.access_token}`, `"${own.access_token}"`, own.refresh_token, own.access_token.slice(0, -20), `${header}.${claims}.${plant('another signature')}`,
    plant('opaque token'), `${plant('first part')}.${plant('second part')}.${plant('third part')}`, `gho_${plant('GitHub token')}`, `Basic ${btoa(`user:${plant('password')}`)}`,
    `${header}.${Buffer.from(JSON.stringify({ iss: gateway.origin, password: plant('claim') })).toString('base64url')}.${signature}`]) {
    for (const more of [[], ['--json']]) assertFree((await run([...port, 'explain-token', '-', ...more], { input: token })).said, 'explain-token');
  }
  assertFree((await run([...port, 'explain-token', own.access_token])).said, 'explain-token with an argument');
});

test('doctor and check-config show none of a deployment\'s, whatever is wrong with it', async (t) => {
  const nobody = await portOfNobody();
  const base = { host: '127.0.0.1', port: nobody, public_url: `http://127.0.0.1:${nobody}`, mcp_server_url: demo.url };
  const oidc = { type: 'oidc', issuer: idp.issuer, client_id: idp.clientId };
  const folder = await temporaryFolder(t, 'canaries');
  for (const settings of [
    { ...base, encryption_key: plant('encryption key', randomBytes(32).toString('base64')) },
    { ...base, encryption_key: `${plant('encryption key that is none')}\n` },
    { ...base, database_url: `postgresql://user:${plant('password of a database')}@127.0.0.1:${nobody}/db` },
    { ...base, database_url: `postgresql://127.0.0.1:${nobody}/db?password=${plant('password in the query of a database')}` },
    { ...base, mcp_server_url: `http://user:${plant('password of the server')}@127.0.0.1:${nobody}/mcp` },
    { ...base, mcp_server_url: `http://127.0.0.1:${nobody}/mcp?key=${plant('key in the query of the server')}` },
    { ...base, providers: { corp: { ...oidc, client_secret: plant('another client secret') } } },
    { ...base, providers: { corp: { ...oidc, issuer: `http://127.0.0.1:${nobody}`, client_secret: plant('client secret for nobody') } } },
    { ...base, clients: [{ client_id: 'a', client_secret: plant('secret of a client'), redirect_uris: ['http://127.0.0.1/x'] }] },
    { ...base, policy: { url: `http://user:${plant('password of the policy')}@127.0.0.1:${nobody}/policy`, token: plant('token of the policy') } },
    { mode: 'native', ...base, issuers: [{ issuer: `http://127.0.0.1:${nobody}`, introspection_url: `http://127.0.0.1:${nobody}/i`, introspection_client_id: 'i', introspection_client_secret: plant('secret for introspection') }] },
  ]) {
    await writeFile(join(folder, 'config.yaml'), JSON.stringify(settings));
    for (const command of [['check-config', 'config.yaml'], ['doctor', '--config', 'config.yaml'], ['doctor', '--json'], ['doctor', 'config.yaml']])
      assertFree((await run(command, { cwd: folder })).said, `${command.join(' ')} of ${Object.keys(settings)}`);
  }
  for (const command of [['doctor'], ['doctor', '--json']]) assertFree((await run(['--port', String(gateway.port), ...command])).said, `${command.join(' ')} of the running gateway`);
});

test('doctor shows none of what it is given with a URL, nor of what a server answers', async (t) => {
  const at = gateway.mcp.replace('http://', `http://user:${plant('password in a URL')}@`);
  const talkative = await startAnswering(t, (request, answer) => answer.writeHead(401, {
    'content-type': 'application/json', 'set-cookie': `session=${plant('cookie')}`, 'x-api-key': plant('header'),
    'www-authenticate': `Bearer realm="${plant('realm')}", resource_metadata="http://user:${plant('password in the challenge')}@127.0.0.1:1/"`,
  }).end(JSON.stringify({ access_token: plant('token in an answer') })));
  secrets.delete('realm'); // the challenge is shown, and a realm is no secret
  for (const target of [at, `${gateway.mcp}?access_token=${plant('token in a query')}`, `${talkative}/mcp`, `http://user:${plant('password for nobody')}@127.0.0.1:1/mcp`]) {
    for (const more of [[], ['--json']]) assertFree((await run(['doctor', target, ...more], { environment: { HTTPS_PROXY: `http://user:${plant('password of a proxy')}@127.0.0.1:1` } })).said, `doctor ${target.replace(/canary\w+/, '…')}`);
  }
});

test('explain repeats nothing of the message that it is given', async () => {
  const pasted = `401 invalid_token audience mismatch: Authorization: Bearer ${plant('token in a message')}, code_verifier=${plant('verifier in a message')}`;
  for (const more of [[], ['--json']]) {
    const { said } = await run(['explain', pasted, ...more]);
    assert.match(said, /MOP-AUD-001/);
    assertFree(said, 'explain');
  }
  assertFree((await run(['explain', plant('nothing but a secret')])).said, 'explain');
});
