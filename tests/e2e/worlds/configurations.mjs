// Configurations with one mistake, as check-config and a start tell of it. Codes of configurations are few: what is told has
// to name the key as well, and what to write.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:net';
import { promisify } from 'node:util';

import { makeCertificates } from '../lib/certificates.mjs';
import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { listenOnLoopback, portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { TokenIssuer } from '../lib/token_issuer.mjs';
import { startAnswering } from '../lib/upstream.mjs';
import { checkConfig, doctor, start } from './judges.mjs';

const privateKey = (kind, how) => generateKeyPairSync(kind, how).privateKey.export({ type: 'pkcs8', format: 'pem' });
const publicKey = (kind, how) => generateKeyPairSync(kind, how).publicKey.export({ type: 'spki', format: 'pem' });

// Without the right to have a low port; in a network of its own where this machine lets everybody have one, as containers do.
const everybodyHas443 = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 443;
const withoutRight = ['setpriv', '--bounding-set', '-net_bind_service'];
const unprivileged = everybodyHas443 ? ['unshare', '--user', '--map-root-user', '--net', ...withoutRight] : process.getuid() === 0 ? withoutRight : [];

const run = promisify(execFile);
const mayLackRight = () => run('env', ['--', ...unprivileged, 'true']).then(() => true, () => false);

export async function configurations(scope) {
  const demo = await startDemoServer(scope);
  const issuer = await TokenIssuer.start(scope);
  const base = { mcp_server_url: demo.url };
  const oidc = { type: 'oidc', issuer: 'https://idp.example.com', client_id: 'x', client_secret: 'a secret of the registration' };

  const checked = (world, cause, settings, words, more = {}) => ({
    world, cause, words,
    ask: async (mine) => {
      const made = typeof settings === 'function' ? await settings(mine) : settings;
      return { 'check-config': await checkConfig(mine, made, more), ...(more.starts && { 'the start': await start(mine, made, more) }) };
    },
  });
  const mistake = (world, settings, words, more) => checked(world, 'MOP-CFG-003', { ...base, ...settings }, words, { ...more, starts: true });
  const guard = (change, settings = {}) => async (mine) => {
    const my = await TokenIssuer.start(mine);
    await change(my);
    return { mode: 'native', issuer: my.issuer, ...base, ...settings };
  };
  const withKeys = (world, cause, text, words) => checked(world, cause, guard(() => {}, { keys_file: 'keys.pem' }), words,
    { files: text === null ? {} : { 'keys.pem': text }, starts: true });
  const certificate = async (mine, names = ['127.0.0.1'], days) => {
    const made = await makeCertificates(mine, names);
    if (days === undefined) return made;
    await run('openssl', ['req', '-x509', '-key', made.keyFile, '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
      '-not_before', '20200101000000Z', '-not_after', '20200201000000Z', '-out', made.certFile]).catch(async () => {
      const config = join(made.certFile, '../ca.cnf');
      await writeFile(config, `[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=${join(made.certFile, '..')}\ndatabase=${config}.db\nserial=${config}.serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n`);
      await writeFile(`${config}.db`, '');
      await writeFile(`${config}.serial`, '01\n');
      const request = `${made.certFile}.csr`;
      await run('openssl', ['req', '-new', '-key', made.keyFile, '-subj', '/CN=127.0.0.1', '-out', request]);
      await run('openssl', ['ca', '-batch', '-config', config, '-selfsign', '-keyfile', made.keyFile, '-in', request,
        '-startdate', '20200101000000Z', '-enddate', '20200201000000Z', '-notext', '-out', made.certFile]);
    });
    return made;
  };

  return [
    mistake('a misspelt key', { sesion_timeout: 600 }, /sesion_timeout.*session_timeout/),
    mistake('a port that is none', { port: 'http' }, /port: value "http"/),
    mistake('callback_url has another path', { callback_url: 'http://localhost:8080/call' }, /callback_url.*\/auth\/callback/),
    mistake('callback_url has a slash at its end', { callback_url: 'http://localhost:8080/auth/callback/' }, /callback_url.*trailing slash|callback_url.*\/auth\/callback/),
    mistake('PKCE by plain is configured', { providers: { google: { client_id: 'a', client_secret: 'fmQ0pXw8sN1v4kJ2', code_challenge_method: 'plain' } } }, /code_challenge_method 'plain' is not supported/),
    mistake('a type of provider that does not exist', { providers: { corp: { ...oidc, type: 'oicd' } } }, /type.*oidc/),
    mistake('the issuer of a provider is missing', { providers: { corp: { ...oidc, issuer: undefined } } }, /issuer/),
    mistake('the issuer of a provider is plain http elsewhere', { providers: { corp: { ...oidc, issuer: 'http://idp.example.com' } } }, /issuer.*https/),
    mistake('the client id of a provider is missing', { providers: { corp: { ...oidc, client_id: undefined } } }, /client_id/),
    mistake('public_url is plain http in public', { public_url: 'http://mcp.example.com' }, /public_url.*https/),
    mistake('an encryption key of the wrong length', { encryption_key: 'c2hvcnQ=' }, /encryption_key.*32/),
    mistake('a duration without meaning', { request_timeout: 'soon' }, /request_timeout.*"soon"/),
    mistake('two MCP servers at one path', { mcp_server_url: undefined, upstreams: [{ name: 'a', url: demo.url, paths: ['/x'] }, { name: 'b', url: demo.url, paths: ['/x'] }] }, /\/x/),
    mistake('a database of a kind that is not supported', { database_url: 'mysql://localhost/oauth' }, /database_url.*(sqlite|postgres)/),
    mistake('a variable that is not set', { encryption_key: '${NO_SUCH_VARIABLE}' }, /NO_SUCH_VARIABLE/),
    mistake('a misspelt variable of the environment', { port: 'x' }, /MCP_OAUTH_SESION_TIMEOUT|port/, { environment: { MCP_OAUTH_SESION_TIMEOUT: '10' } }),
    mistake('a guard without an issuer', { mode: 'native' }, /issuer/),
    mistake('a guard whose issuer is plain http elsewhere', { mode: 'native', issuer: 'http://idp.example.com' }, /issuer.*(https|HTTPS)/i),
    checked('TLS, and an address that is no https', 'MOP-TLS-008', async (mine) => { const made = await certificate(mine); return { ...base, port: 8443, public_url: 'http://127.0.0.1:8443', tls: { cert_file: made.certFile, key_file: made.keyFile } }; }, /public_url|https|tls/),
    checked('no MCP server is named', 'MOP-CFG-003', { host: '127.0.0.1' }, /mcp_server_url|MCP_SERVER_URL/, { starts: true }),
    checked('YAML that is broken', 'MOP-CFG-002', 'mcp_server_url: http://127.0.0.1:1\n  port: [', /config\.yaml:\d+/, { starts: true }),
    checked('the file is not there', 'MOP-CFG-001', null, /Config file not found/, { starts: true }),

    checked('the key belongs to another certificate', 'MOP-TLS-001', async (mine) => ({ ...base, public_url: 'https://127.0.0.1:8443', tls: { cert_file: (await certificate(mine)).certFile, key_file: (await certificate(mine)).keyFile } }), /key/, { starts: true }),
    checked('the certificate is no file', 'MOP-TLS-001', { ...base, public_url: 'https://127.0.0.1:8443', tls: { cert_file: '/nonexistent.pem', key_file: '/nonexistent.key' } }, /nonexistent\.pem/, { starts: true }),
    checked('the certificate has expired', 'MOP-TLS-003', async (mine) => { const made = await certificate(mine, ['127.0.0.1'], -1); return { ...base, public_url: 'https://127.0.0.1:8443', tls: { cert_file: made.certFile, key_file: made.keyFile } }; }, /2020/),
    checked('upstream_ca_file holds no certificate', 'MOP-TLS-002', async (mine) => { const folder = await temporaryFolder(mine, 'ca'); await writeFile(join(folder, 'ca.pem'), 'none'); return { ...base, upstream_ca_file: join(folder, 'ca.pem') }; }, /ca\.pem/, { starts: true }),
    checked('the folder of the log is a file', 'MOP-FIL-002', async (mine) => { const folder = await temporaryFolder(mine, 'log'); await writeFile(join(folder, 'logs'), ''); return { ...base, logging: { file: join(folder, 'logs/proxy.log') } }; }, /logging\.file/),
    checked('the folder of the database is not there', 'MOP-FIL-002', { ...base, database_url: 'sqlite:///nonexistent/oauth.db' }, /no folder/),
    {
      world: 'the port is taken', cause: 'MOP-LIS-001', words: /\d+/,
      ask: async (mine) => {
        const port = await listenOnLoopback(mine, createServer());
        const settings = { ...base, port, public_url: `http://127.0.0.1:${port}` };
        return { 'the start': await start(mine, settings), 'check-config': await checkConfig(mine, settings) };
      },
    },

    checked('the issuer of a guard is away', 'MOP-ISS-002', async () => ({ mode: 'native', issuer: `http://127.0.0.1:${await portOfNobody()}`, ...base }), /refused/, { starts: true }),
    checked('discovery of a guard answers with a page', 'MOP-ISS-003', guard((my) => { my.answers['/.well-known/openid-configuration'] = { type: 'text/html', body: '<!doctype html>' }; }), /HTML|JSON|page/, { starts: true }),
    checked('discovery of a guard names an issuer with a slash', 'MOP-ISS-003', guard((my) => { my.stated = `${my.issuer}/`; }), /slash/, { starts: true }),
    checked('the keys of a guard cannot be fetched', 'MOP-ISS-004', guard((my) => { my.answers['/keys'] = { status: 500, body: '' }; }), /500/, { starts: true }),
    checked('the keys of a guard are a page', 'MOP-ISS-004', guard((my) => { my.answers['/keys'] = { type: 'text/html', body: '<!doctype html>' }; }), /HTML|JSON|page/, { starts: true }),
    withKeys('the file with the keys of a guard is not there', 'MOP-FIL-001', null, /keys_file.*keys\.pem/),
    withKeys('the file with the keys of a guard is a page', 'MOP-KEY-001', '<!doctype html>', /keys_file/),
    withKeys('the keys of a guard are private', 'MOP-KEY-001', privateKey('ec', { namedCurve: 'P-256' }), /private/),
    withKeys('the key of a guard is RSA of 1024 bits', 'MOP-KEY-002', publicKey('rsa', { modulusLength: 1024 }), /2048/),
    checked('the key file of the database holds a pass phrase', 'MOP-FIL-001', base, /oauth\.db\.key/,
      { files: { 'oauth.db.key': 'correct horse battery staple\n' }, starts: true }),
    {
      world: 'the port wants a privilege', cause: 'MOP-LIS-002', words: /permission|denied/i, possible: mayLackRight,
      ask: async (mine) => {
        const settings = { ...base, host: '0.0.0.0', port: 443, public_url: 'https://mcp.example.com' };
        const as = { through: unprivileged };
        return { 'the start': await start(mine, settings, as), 'check-config': await checkConfig(mine, settings, as) };
      },
    },

    checked('policy.url answers 500', 'MOP-POL-001', guard(() => {}, { policy: { url: `${issuer.issuer}/nothing` } }), /404|500|policy/),
    checked('policy.url answers with a page', 'MOP-POL-004', async (mine) => ({ mode: 'native', issuer: issuer.issuer, ...base, policy: { url: await startAnswering(mine, (_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')) } })),
    {
      world: 'a gateway that is not running', cause: 'MOP-RUN-001',
      ask: async (mine) => {
        const port = await portOfNobody();
        return { doctor: await doctor(mine, '', { settings: { ...base, port, public_url: `http://127.0.0.1:${port}` } }) };
      },
    },
    {
      world: 'the key file can be read by others', cause: 'MOP-FIL-003',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, base);
        await chmod(join(gateway.folder, 'oauth.db.key'), 0o644);
        return { doctor: await doctor(mine, gateway) };
      },
    },
  ];
}
