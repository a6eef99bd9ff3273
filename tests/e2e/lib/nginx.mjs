// A real nginx on a free port, in a folder of its own.

import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { Program } from './gateway.mjs';
import { portOfNobody, temporaryFolder } from './scope.mjs';
import { until } from './until.mjs';

// Debian keeps it where only root's PATH leads.
const program = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].find(existsSync) ?? 'nginx';

export class Nginx {
  // `http` writes what stands in the http block, from the port to listen on.
  static async start(scope, name, http) {
    const nginx = new Nginx();
    nginx.folder = await temporaryFolder(scope, `nginx-${name}`);
    nginx.port = await portOfNobody();
    nginx.url = `http://127.0.0.1:${nginx.port}`;
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((p) => `${p}_temp_path ${nginx.folder};`);
    await writeFile(join(nginx.folder, 'nginx.conf'), `
      daemon off; master_process off; worker_processes 1; pid ${nginx.folder}/pid; error_log ${nginx.folder}/error.log info;
      worker_rlimit_nofile 8192;
      events { worker_connections 4096; }
      http { ${places.join(' ')} keepalive_requests 1000000000; access_log off;
        ${http(nginx.port, nginx.folder)} }`);
    nginx.program = new Program(scope, program, ['-c', join(nginx.folder, 'nginx.conf'), '-p', nginx.folder, '-e', join(nginx.folder, 'error.log')]);
    await until(`nginx ${name} listens`, async () => {
      if (!nginx.program.running) throw new Error(nginx.program.errors.join('\n'));
      const socket = connect(nginx.port, '127.0.0.1');
      await once(socket, 'connect').finally(() => socket.destroy());
      return true;
    });
    return nginx;
  }

  // What it served, in its own words; it writes a line when a request has ended.
  async served() {
    const text = await readFile(join(this.folder, 'served.log'), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }
}

// Answers every request, and says in the answer and in its log what it took the request to be.
export const answering = (port, folder) => `
  log_format seen escape=json '{"method":"$request_method","uri":"$request_uri","host":"$host","status":"$status",'
    '"case":"$http_x_case","user":"$http_x_user_id","line":"$request"}';
  server { listen 127.0.0.1:${port}; access_log ${folder}/served.log seen; default_type application/json;
    location / { return 200 '{"jsonrpc":"2.0","id":1,"result":{"case":"$http_x_case","uri":"$request_uri","method":"$request_method"}}'; } }`;

// Passes everything on over connections that it keeps, and does not wait long for what a client does not send.
export const passing = (to, more = '') => (port) => `
  client_header_timeout 3s; client_body_timeout 3s; keepalive_timeout 1s; lingering_timeout 1s; ${more}
  upstream behind { server 127.0.0.1:${to}; keepalive 8; keepalive_timeout 700ms; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://behind; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $http_host; } }`;
