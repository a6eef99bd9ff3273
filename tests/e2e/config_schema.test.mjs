// The JSON Schema that editors get, by a validator of others: what the program takes is valid, and what it calls a
// mistake is marked where the schema can know.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';

import { binary } from './lib/gateway.mjs';
import { fileScope, temporaryFolder } from './lib/scope.mjs';

const root = resolve(import.meta.dirname, '../..');
const scope = fileScope();
const run = promisify(execFile);
let folder, schema, validate;

before(async () => {
  folder = await temporaryFolder(scope, 'schema');
  await run(binary, ['docs', '--out', folder]);
  schema = JSON.parse(await readFile(join(folder, 'config.schema.json'), 'utf8'));
  validate = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true }).compile(schema);
});

const complaints = (text) => {
  const content = parse(text);
  if (validate(content)) return [];
  return validate.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
};
const works = (file) => run(binary, ['validate-config', file], { cwd: folder, env: { PATH: process.env.PATH } }).then(() => true, () => false);

test('what is generated is what the repository shows', async () => {
  const shown = await readFile(join(root, 'docs/reference/config.schema.json'), 'utf8');
  assert.deepEqual(JSON.parse(shown), schema);
});

test('every configuration that the program takes is valid', async () => {
  let taken = 0;
  for (const name of await readdir(join(root, 'tests/golden/config'))) {
    const [text] = (await readFile(join(root, 'tests/golden/config', name), 'utf8')).split('----------\n');
    await writeFile(join(folder, 'config.yaml'), text);
    if (!(await works('config.yaml'))) continue;
    taken += 1;
    assert.deepEqual(complaints(text), [], name);
  }
  assert.ok(taken >= 5, `${taken}`);
});

test('the examples of the guides are valid', async () => {
  let examples = 0;
  for (const name of await readdir(join(root, 'docs/guide'))) {
    const page = await readFile(join(root, 'docs/guide', name), 'utf8');
    for (const [, text] of page.matchAll(/^```yaml\n(.*?)^```$/gms)) {
      if (/^(groups|http|static_resources|http_filters|clusters|- name):/m.test(text)) continue; // of Prometheus, Traefik, Envoy
      examples += 1;
      assert.deepEqual(complaints(text), [], `${name}:\n${text}`);
    }
  }
  assert.ok(examples >= 10, `${examples}`);
});

test('a misspelt key, a wrong type and a number out of its range are marked, each at its place', () => {
  for (const [text, place] of [
    ['mcp_server_ulr: http://localhost:3000\n', /additionalProp/],
    ['providers:\n  google:\n    client_idd: a\n', /\/providers/],
    ['upstreams:\n  - url: http://localhost:1\n    path: /a\n', /\/upstreams\/0/],
    ['cors: {enabled: [true]}\n', /\/cors\/enabled/],
    ['port: 70000\n', /\/port/],
  ]) {
    assert.match(complaints(text).join('\n'), place, text);
  }
});
