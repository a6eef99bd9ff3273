// Deployments between which and whoever asks the network or TLS is wrong, and a gateway whose own surroundings are: what
// doctor says of them, and the gateway's own log.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { makeCertificates } from '../lib/certificates.mjs';
import { binary, Gateway, startDemoServer } from '../lib/gateway.mjs';
import { listenOnLoopback, portOfNobody, temporaryFolder } from '../lib/scope.mjs';
import { until } from '../lib/until.mjs';
import { startAnswering } from '../lib/upstream.mjs';
import { doctor, logged } from './judges.mjs';

const run = promisify(execFile);

// A server with TLS, whose certificate is by an authority that doctor is told of.
async function secure(scope, { options = {}, outdated = false } = {}) {
  const made = await makeCertificates(scope, ['127.0.0.1']);
  if (outdated) await makeOutdated(made);
  const answer = (_, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  const port = await listenOnLoopback(scope, createTlsServer({ cert: await readFile(made.certFile), key: made.key, ...options }, answer));
  return { port, ca: ['--ca', made.caFile] };
}

// The same name, key and authority, and dates of long ago.
async function makeOutdated({ caFile, certFile, keyFile }) {
  const folder = join(caFile, '..');
  await writeFile(join(folder, 'ca.cnf'), `[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=${folder}\ndatabase=${folder}/db\nserial=${folder}/serial\ndefault_md=sha256\n`
    + 'policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=IP:127.0.0.1\n');
  await writeFile(join(folder, 'db'), '');
  await writeFile(join(folder, 'serial'), '01\n');
  await run('openssl', ['req', '-new', '-key', keyFile, '-subj', '/CN=127.0.0.1', '-out', join(folder, 'server.csr')]);
  await run('openssl', ['ca', '-batch', '-config', join(folder, 'ca.cnf'), '-cert', caFile, '-keyfile', join(folder, 'ca.key'), '-in', join(folder, 'server.csr'),
    '-startdate', '20200101000000Z', '-enddate', '20200201000000Z', '-notext', '-out', certFile]);
}

// A port whose queue is full and whose owner takes nobody from it: what is sent there is dropped, as by a firewall.
async function deaf(scope) {
  const program = `require('node:net').createServer().listen(0, '127.0.0.1', 1, function () {
    require('node:fs').writeSync(1, this.address().port + '\\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  scope.after(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
  const port = Number(said);
  // As many as the kernel lets wait.
  const waiting = Array.from({ length: 6 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  scope.after(() => waiting.forEach((one) => one.destroy()));
  await until('a full queue', () => waiting.filter((one) => !one.connecting).length >= 2);
  return port;
}

async function examined(cwd, args, through = []) {
  const [file, ...words] = [...through, binary, 'doctor', ...args, '--json'];
  const { stdout } = await run(file, words, { cwd, env: { PATH: process.env.PATH, HOME: cwd } }).catch((error) => error);
  return JSON.parse(stdout);
}

// What doctor says of one client.
async function asClient(scope, url, name) {
  const { clients } = await examined(await temporaryFolder(scope, 'client'), [url, '--client', name]);
  const told = clients.find((one) => one.name === name);
  return { id: told.id || null, text: JSON.stringify(told), certain: !told.gets_through };
}

// Doctor on a machine where the public name, mcp.example.com, has two addresses: a namespace with a hosts file of its own.
const inNamespace = ['unshare', '-rm'];
const hasNamespaces = () => run(inNamespace[0], [...inNamespace.slice(1), 'mount', '--bind', '/etc/hosts', '/etc/hosts']).then(() => true, () => false);
async function withTwoAddresses(scope) {
  const made = await makeCertificates(scope, ['mcp.example.com'], { days: 90 });
  const port = await portOfNobody();
  const gateway = await Gateway.start(scope, {
    port, public_url: `https://mcp.example.com:${port}`, mcp_server_url: (await startDemoServer(scope)).url,
    tls: { cert_file: made.certFile, key_file: made.keyFile }, cors: { origins: ['http://localhost:*'] },
  });
  await chmod(join(gateway.folder, 'oauth.db'), 0o600);
  await chmod(made.keyFile, 0o600);
  await writeFile(join(gateway.folder, 'hosts'), '127.0.0.1 mcp.example.com\n127.0.0.2 mcp.example.com\n');
  const { first } = await examined(gateway.folder, ['--ca', made.caFile], [...inNamespace, 'sh', '-c', 'mount --bind hosts /etc/hosts && exec "$@"', 'sh']);
  return { id: first?.id ?? null, text: JSON.stringify(first), certain: first?.certain ?? false };
}

export async function deployments(scope) {
  const demo = await startDemoServer(scope);
  const at = (world, cause, target, words) => ({
    world, cause, words,
    ask: async (mine) => {
      const { url, ...how } = await target(mine);
      return { doctor: await doctor(mine, url, how) };
    },
  });
  const tls = (world, cause, { host = '127.0.0.1', words, ...how }) => at(world, cause, async (mine) => {
    const { port, ca } = await secure(mine, how);
    return { url: `https://${host}:${port}/mcp`, args: ca };
  }, words);
  // A gateway, at the port that stands in its configuration, and doctor in its folder.
  const own = (world, cause, { settings = () => ({}), before = () => {}, words }) => ({
    world, cause, words,
    ask: async (mine) => {
      const port = await portOfNobody();
      const gateway = await Gateway.start(mine, { port, mcp_server_url: demo.url, ...(await settings(mine, port)) });
      const how = (await before(gateway)) ?? {};
      return { doctor: await doctor(mine, '', { cwd: gateway.folder, ...how }) };
    },
  });
  // The document of the policy is what a gateway asks for again and again.
  const fetching = (world, cause, answer, words) => ({
    world, cause, words,
    ask: async (mine) => {
      const url = await startAnswering(mine, answer);
      const gateway = await Gateway.start(mine, { mcp_server_url: demo.url, policy: { url: `${url}/policy` } });
      return { 'the log': await logged(gateway, 'the fetch', (line) => line.symptom) };
    },
  });

  return [
    tls('the certificate is of another name', 'MOP-TLS-005', { host: 'localhost', words: /127\.0\.0\.1/ }),
    tls('the certificate ended years ago', 'MOP-TLS-006', { outdated: true, words: /2020/ }),
    tls('the server wants a certificate of its clients', 'MOP-TLS-009', { options: { requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' } }),
    tls('the server speaks TLS 1.1 at most', 'MOP-TLS-009', { options: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } }),
    at('tokens go over the Internet in cleartext', 'MOP-TLS-010', async (mine) => {
      const proxy = await startAnswering(mine, (asked, answer) => {
        const { pathname } = new URL(asked.url, 'http://mcp.example.com');
        const json = (status, body, headers = {}) => answer.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
        if (pathname === '/mcp') return json(401, {}, { 'www-authenticate': 'Bearer resource_metadata="http://mcp.example.com/.well-known/oauth-protected-resource/mcp"' });
        if (pathname.startsWith('/.well-known/oauth-protected-resource')) return json(200, { resource: 'http://mcp.example.com/mcp', authorization_servers: ['http://mcp.example.com'] });
        return json(404, {});
      });
      return { url: 'http://mcp.example.com/mcp', environment: { http_proxy: proxy } };
    }),
    at('a firewall drops what is sent to the port', 'MOP-NET-007', async (mine) => ({ url: `http://127.0.0.1:${await deaf(mine)}/mcp` })),
    at('the connection is broken off before an answer', 'MOP-NET-008', async (mine) => {
      const port = await listenOnLoopback(mine, createServer((socket) => socket.on('error', () => {}).on('data', () => socket.resetAndDestroy())));
      return { url: `http://127.0.0.1:${port}/mcp` };
    }),
    { world: 'a client that runs elsewhere, and a server at a loopback address', cause: 'MOP-NET-009', ask: async (mine) => ({ 'doctor --client claude': await asClient(mine, `${demo.url}/mcp`, 'claude') }) },

    own('the configuration was changed, and the gateway was not restarted', 'MOP-RUN-003', {
      before: async (gateway) => {
        // Beside the file that it watches: it would reload that.
        const cwd = join(gateway.folder, 'newer');
        await mkdir(cwd);
        const said = JSON.parse(await readFile(join(gateway.folder, 'config.yaml'), 'utf8'));
        await writeFile(join(cwd, 'config.yaml'), JSON.stringify({ ...said, public_url: `http://127.0.0.1:${await portOfNobody()}` }));
        return { cwd };
      },
    }),
    own('the public URL leads nowhere', 'MOP-RUN-004', { settings: async () => ({ public_url: `http://127.0.0.1:${await portOfNobody()}` }) }),
    ...[['the first page of a web server', (_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Welcome to nginx!</title>')],
      ['a server of files, which takes no POST', (asked, answer) => answer.writeHead(asked.method === 'GET' ? 404 : 501, { 'content-type': 'text/html' }).end('<!doctype html><title>Error response</title>')],
      ['an ingress that knows no such name', (_, answer) => answer.writeHead(404, { 'content-type': 'text/plain' }).end('default backend - 404')]]
      .map(([what, answer]) => own(`at the public URL is ${what}, and the gateway runs`, 'MOP-RUN-002', { settings: async (mine) => ({ public_url: await startAnswering(mine, answer) }) })),
    own('at the public URL is another MCP server, and the gateway runs', 'MOP-RUN-002', { settings: () => ({ public_url: demo.url }) }),
    { world: 'the public name has two addresses, and the database is a file', cause: 'MOP-RUN-005', possible: hasNamespaces, ask: async (mine) => ({ doctor: await withTwoAddresses(mine) }) },

    fetching('the address of the policy breaks every connection off', 'MOP-NET-002', (asked) => asked.socket.destroy(), /policy/),
    fetching('the document of the policy has 3 MB', 'MOP-NET-003', (_, answer) => answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ x: 'x'.repeat(3_000_000) })), /policy/),
    fetching('the address of the policy takes the connection and says nothing', 'MOP-NET-004', () => {}, /policy/),
  ];
}
