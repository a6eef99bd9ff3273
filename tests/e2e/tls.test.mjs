// The gateway speaks https itself.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { request } from 'node:https';
import { before, test } from 'node:test';

import { makeCertificates } from './lib/certificates.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { fileScope } from './lib/scope.mjs';
import { deferred, until, within } from './lib/until.mjs';

const scope = fileScope();
let gateway, first, second;

before(async () => {
  const demo = await startDemoServer(scope);
  first = await makeCertificates(scope, ['127.0.0.1', 'localhost']);
  second = await makeCertificates(scope, ['127.0.0.1', 'localhost']);
  gateway = await Gateway.start(scope, {
    mcp_server_url: demo.url,
    tls: { cert_file: first.certFile, key_file: first.keyFile },
  });
  gateway.origin = `https://127.0.0.1:${gateway.port}`;
});

function get(path, options = {}) {
  const { promise, resolve, reject } = deferred();
  const asked = request(`${gateway.origin}${path}`, { ca: first.ca, agent: false, ...options }, async (answer) => {
    let body = '';
    for await (const piece of answer) body += piece;
    resolve({ status: answer.statusCode, headers: answer.headers, body });
  });
  asked.on('error', reject);
  asked.end();
  return within(path, promise);
}

async function handshake(options = {}) {
  const { promise, resolve, reject } = deferred();
  const socket = connect({ host: '127.0.0.1', port: gateway.port, ca: first.ca, ...options }, () => resolve(socket));
  socket.on('error', reject);
  const open = await within('the handshake', promise);
  const seen = { protocol: open.getProtocol(), fingerprint: open.getPeerCertificate().fingerprint256 };
  open.destroy();
  return seen;
}

test('its address is https everywhere, and its cookies cannot come from elsewhere', async () => {
  const refused = await get('/mcp', { method: 'POST' });
  assert.equal(refused.status, 401);
  assert.ok(refused.headers['www-authenticate'].includes(`resource_metadata="${gateway.origin}/`));
  const metadata = JSON.parse((await get('/.well-known/oauth-authorization-server')).body);
  assert.equal(metadata.issuer, gateway.origin);
  const { headers } = await get('/auth/logout', { headers: { accept: 'text/html' } });
  assert.match(headers['set-cookie'][0], /^__Host-/);
  for (const attribute of [/; *Secure/i, /; *HttpOnly/i, /; *SameSite=Lax/i, /; *Path=\/(;|$)/i]) {
    assert.match(headers['set-cookie'][0], attribute);
  }
});

test('TLS 1.2 and 1.3 are spoken, older ones are not', async () => {
  assert.equal((await handshake({ maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
  assert.equal((await handshake()).protocol, 'TLSv1.3');
  await assert.rejects(handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
});

test('who speaks http to it is refused without harm', async () => {
  await assert.rejects(fetch(`http://127.0.0.1:${gateway.port}/health`));
  assert.equal((await get('/health')).status, 200);
});

test('SIGHUP takes a new certificate', async () => {
  const { fingerprint } = await handshake();
  await copyFile(second.certFile, first.certFile);
  await copyFile(second.keyFile, first.keyFile);
  gateway.program.child.kill('SIGHUP');
  await until('the new certificate', async () => (await handshake({ ca: second.ca })).fingerprint !== fingerprint);
  assert.equal((await get('/health', { ca: second.ca })).status, 200);
});

test('a certificate that cannot be read is not taken: the old one goes on', async () => {
  const { fingerprint } = await handshake({ ca: second.ca });
  await copyFile(gateway.folder + '/config.yaml', first.certFile);
  const before = gateway.program.errors.length;
  gateway.program.child.kill('SIGHUP');
  await until('it says so', () => gateway.program.errors.length > before);
  assert.equal((await handshake({ ca: second.ca })).fingerprint, fingerprint);
});

test('a certificate that is for other names is told by the start and by a reload, in the log and on standard error', async () => {
  const other = await makeCertificates(scope, ['other.example']);
  await copyFile(other.certFile, first.certFile);
  await copyFile(other.keyFile, first.keyFile);
  const before = gateway.program.errors.length;
  gateway.program.child.kill('SIGHUP');
  const words = /tls\.cert_file .* is for other\.example, and clients come to 127\.0\.0\.1 \(public_url\)/;
  await gateway.logged('the names', (l) => l.level === 'warn' && words.test(l.message ?? ''));
  await until('standard error', () => gateway.program.errors.slice(before).some((line) => words.test(line)));
  const started = await Gateway.start(scope, {
    mcp_server_url: 'http://127.0.0.1:9', tls: { cert_file: other.certFile, key_file: other.keyFile },
  });
  await started.logged('the names', (l) => l.level === 'warn' && words.test(l.message ?? ''));
  await until('standard error', () => started.program.errors.some((line) => words.test(line)));
});
