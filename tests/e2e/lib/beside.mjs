// The proxies of docs/guide/behind-your-proxy.md, run with the very configurations that stand there; only addresses and ports
// are others.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

import { Gateway, Program } from './gateway.mjs';
import { temporaryFolder, portOfNobody } from './scope.mjs';
import { until } from './until.mjs';

const root = resolve(import.meta.dirname, '../../..');
const guide = readFileSync(join(root, 'docs/guide/behind-your-proxy.md'), 'utf8');

// The fence of that language below the heading.
export function snippet(heading, language) {
  const section = guide.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(section ?? '');
  if (!fence) throw new Error(`the guide has no ${language} below "${heading}"`);
  return fence[1];
}

// Replaces, and fails where there is nothing to replace: then the page has changed.
function substitute(text, changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the guide does not say ${from} any more`);
    text = text.replaceAll(from, to);
  }
  return text;
}

// Debian keeps daemons where only root's PATH leads.
const installed = (name) => ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((f) => join(f, name)).find(existsSync) ?? name;
const fromPackages = (name) => join(execFileSync(join(root, 'tests/e2e/proxies.sh'), { encoding: 'utf8' }).trim(), name);

// Each writes its files into the folder, and says what to run: [program, ...arguments].
const kinds = {
  async nginx({ folder, port, gateway, server }) {
    const body = substitute(snippet('nginx', 'nginx'), [
      ['listen 80;', `listen 127.0.0.1:${port};`], ['mcp.example.com', '127.0.0.1'],
      ['http://127.0.0.1:8080', `http://127.0.0.1:${gateway}`], ['http://127.0.0.1:3000', `http://127.0.0.1:${server}`],
    ]);
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((p) => `${p}_temp_path ${folder};`);
    await writeFile(join(folder, 'nginx.conf'), `daemon off; master_process off; worker_processes 1; pid ${folder}/pid;
      error_log ${folder}/error.log info; events { worker_connections 512; }
      http { ${places.join(' ')} access_log off; ${body} }`);
    return [installed('nginx'), '-c', join(folder, 'nginx.conf'), '-p', folder, '-e', join(folder, 'error.log')];
  },
  async haproxy({ folder, port, gateway, server }) {
    const lua = substitute(snippet('HAProxy', 'lua'), [['http://127.0.0.1:8080', `http://127.0.0.1:${gateway}`]]);
    await writeFile(join(folder, 'verdict.lua'), lua);
    await writeFile(join(folder, 'haproxy.cfg'), substitute(snippet('HAProxy', 'haproxy'), [
      ['bind :80', `bind 127.0.0.1:${port}`], ['/etc/haproxy/verdict.lua', join(folder, 'verdict.lua')],
      ['127.0.0.1:8080', `127.0.0.1:${gateway}`], ['127.0.0.1:3000', `127.0.0.1:${server}`],
    ]));
    return [installed('haproxy'), '-db', '-f', join(folder, 'haproxy.cfg')];
  },
  async caddy({ folder, port, gateway, server }) {
    const body = substitute(snippet('Caddy', 'caddyfile'), [
      ['http://mcp.example.com', `http://127.0.0.1:${port}`],
      ['127.0.0.1:8080', `127.0.0.1:${gateway}`], ['127.0.0.1:3000', `127.0.0.1:${server}`],
    ]);
    await writeFile(join(folder, 'Caddyfile'), `{\n admin off\n storage file_system ${folder}/state\n}\n${body}`);
    return [installed('caddy'), 'run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')];
  },
  async traefik({ folder, port, gateway, server }) {
    await writeFile(join(folder, 'routes.yaml'), substitute(snippet('Traefik', 'yaml'), [
      ['http://127.0.0.1:8080', `http://127.0.0.1:${gateway}`], ['http://127.0.0.1:3000', `http://127.0.0.1:${server}`],
    ]));
    return [fromPackages('traefik'), `--entrypoints.web.address=127.0.0.1:${port}`, `--providers.file.filename=${join(folder, 'routes.yaml')}`,
      '--global.checknewversion=false', '--global.sendanonymoususage=false', '--log.level=ERROR'];
  },
  async envoy({ folder, port, gateway, server }) {
    await writeFile(join(folder, 'envoy.yaml'), substitute(snippet('Envoy', 'yaml'), [
      ['address: 0.0.0.0, port_value: 80}', `address: 127.0.0.1, port_value: ${port}}`],
      ['http://127.0.0.1:8080', `http://127.0.0.1:${gateway}`],
      ['port_value: 8080', `port_value: ${gateway}`], ['port_value: 3000', `port_value: ${server}`],
    ]));
    return [fromPackages('envoy'), '-c', join(folder, 'envoy.yaml'), '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'warn'];
  },
};

// A gateway and a proxy of that kind beside it, in front of the MCP server; clients know the proxy alone.
export async function startBeside(scope, kind, server, settings = {}) {
  const port = await portOfNobody();
  const gateway = await Gateway.start(scope, {
    public_url: `http://127.0.0.1:${port}`,
    trusted_proxies: ['127.0.0.1'],
    upstreams: [{ name: 'files', url: server.url, paths: ['/mcp'] }],
    ...settings,
  });
  const folder = await temporaryFolder(scope, kind);
  const [program, ...args] = await kinds[kind]({ folder, port, gateway: gateway.port, server: server.port });
  const proxy = new Program(scope, program, args, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } });
  await until(`${kind} passes on`, async () => {
    if (!proxy.running) throw new Error(`${kind} ended: ${proxy.errors.join('\n')}${proxy.lines.join('\n')}`);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect').finally(() => socket.destroy());
    return (await fetch(`http://127.0.0.1:${port}/.well-known/oauth-authorization-server`)).ok;
  }, 60_000);
  return { gateway, proxy, port, folder };
}

// One request as it stands: headers twice, and spelled as given.
export async function send(port, method, path, headers = [], body = undefined) {
  const lines = [['Host', `127.0.0.1:${port}`], ...headers];
  const given = headers.some(([name]) => name === 'Transfer-Encoding');
  if (body !== undefined && !given) lines.push(['Content-Type', 'application/json'], ['Content-Length', String(Buffer.byteLength(body))]);
  const sent = request({ host: '127.0.0.1', port, method, path, headers: lines.flat(), agent: false, setHost: false });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  const pieces = [];
  for await (const piece of answer) pieces.push(piece);
  return { status: answer.statusCode, headers: answer.headers, text: Buffer.concat(pieces).toString() };
}
