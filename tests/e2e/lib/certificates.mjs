// A certificate authority of our own, and a certificate that it signed.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { temporaryFolder } from './scope.mjs';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];

export async function makeCertificates(scope, names, { days = 2 } = {}) {
  const folder = await temporaryFolder(scope, 'certificates');
  const [caFile, caKey, certFile, keyFile] = ['ca.pem', 'ca.key', 'server.pem', 'server.key'].map((f) => join(folder, f));
  await run('openssl', ['req', '-x509', ...newKey, '-days', String(days), '-subj', '/CN=Test authority', '-keyout', caKey, '-out', caFile]);
  const alternatives = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  await run('openssl', ['req', '-x509', ...newKey, '-days', String(days), '-CA', caFile, '-CAkey', caKey, '-subj', `/CN=${names[0]}`,
    '-addext', `subjectAltName=${alternatives}`, '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', keyFile, '-out', certFile]);
  return { caFile, certFile, keyFile, cert: await readFile(certFile), key: await readFile(keyFile), ca: await readFile(caFile) };
}
