// Runs the official conformance suite, and compares what it says of a server with what it says of the gateway before it.
//
//   node run.mjs [--record] [2025-11-25] [2026-07-28] [authorization] [bridge-2025-11-25] [bridge-2026-07-28]

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parse } from 'yaml';

import { binary, Gateway, Program } from '../e2e/lib/gateway.mjs';
import { register, tokensFor } from '../e2e/lib/oauth.mjs';
import { Person } from '../e2e/lib/person.mjs';
import { portOfNobody } from '../e2e/lib/scope.mjs';
import * as suite from './suite.mjs';

const revisions = ['2025-11-25', '2026-07-28'];
const parts = {
  authorization,
  ...Object.fromEntries(revisions.map((revision) => [revision, () => server(revision)])),
  ...Object.fromEntries(revisions.map((revision) => [`bridge-${revision}`, () => bridge(revision)])),
};

const record = process.argv.includes('--record');
const asked = process.argv.slice(2).filter((word) => word !== '--record');
const recordedAt = join(import.meta.dirname, 'recorded.json');
const recorded = JSON.parse(await readFile(recordedAt, 'utf8').catch(() => '{}'));
const expected = parse(await readFile(join(import.meta.dirname, 'expected.yaml'), 'utf8'));

let passed = 0, failed = 0;
const undo = [];
const scope = { after: (step) => undo.unshift(step) };
const results = await mkdtemp(join(tmpdir(), 'mop-conformance-'));
scope.after(() => rm(results, { recursive: true, force: true }));

let gateway, person, upstream;

// One test of the total.
function verdict(name, lines) {
  if (lines.length === 0) return void ++passed;
  ++failed;
  console.log(`FAILED: ${name}`);
  for (const line of lines) console.log(`    ${line}`);
}

// A scenario that fails must be expected to, one that is expected to must fail, and one that passes must have looked.
function judge(part, kind, scenario, list) {
  const wrong = suite.complaints(list);
  if (expected[kind]?.includes(scenario)) {
    return wrong.length ? [] : ['passes, but expected.yaml says that it fails'];
  }
  const least = recorded[part]?.[scenario];
  if (least === undefined) wrong.push('is not in recorded.json: ./run.sh --record');
  else if (suite.proved(list) < least) wrong.push(`only ${suite.proved(list)} checks passed that were not skipped, not ${least}`);
  return wrong;
}

// What ran must be what is recorded: a scenario that is not run any more passes no test.
function missing(part, found) {
  return Object.keys(recorded[part] ?? {}).filter((scenario) => !found[scenario]).map((scenario) => `${scenario} was not run`);
}

async function server(revision) {
  const required = await suite.requirements(revision);
  const bearer = { origin: gateway.origin, token: (await tokensFor(gateway, person)).access_token };
  const direct = await suite.serverScenarios(revision, upstream, join(results, revision, 'direct'));
  const through = await suite.serverScenarios(revision, gateway.mcp, join(results, revision, 'through'), bearer);
  // The fixture has no extensions: what the suite says of them is compared, but need not be good.
  const counted = Object.fromEntries(Object.entries(direct).filter(([scenario]) => required[scenario]?.why !== 'extension'));
  if (record) recorded[revision] = proved(counted);
  verdict(`${revision}: every scenario is run`, [...missing(revision, direct), ...missing(revision, through)]);
  for (const [scenario, list] of Object.entries(counted)) {
    verdict(`${revision}, the fixture itself: ${scenario}`, judge(revision, 'server', scenario, list));
  }
  for (const [scenario, list] of Object.entries(direct)) {
    verdict(`${revision}, through the gateway: ${scenario}`, suite.differences(list, through[scenario] ?? []));
  }
  await controls(revision, direct);
  const total = (all) => Object.values(all).flat().length;
  const scored = Object.values(required).filter((r) => r.scored).length;
  console.log(`${revision}: ${Object.keys(direct).length} scenarios, ${scored} of them required; ${total(direct)} checks ` +
    `directly, ${total(through)} through the gateway`);
}

// The comparison must be able to fail: nobody without a token is served as the fixture serves.
async function controls(revision, direct) {
  const refused = await suite.serverScenario(revision, 'tools-list', gateway.mcp, join(results, revision, 'refused'));
  const same = suite.differences(direct['tools-list'], refused['tools-list']).length === 0;
  verdict(`${revision}: without a token the suite sees a difference`, same ? ['it sees none'] : []);
}

// The client scenarios, with a client on standard input and output and the bridge as the client of the suite's servers.
async function bridge(revision) {
  process.env.BRIDGE_BINARY = binary;
  const part = `bridge-${revision}`;
  const required = await suite.clientRequirements(revision);
  const found = {};
  for (const scenario of required) {
    const command = `${process.execPath} ${join(import.meta.dirname, 'bridge_host.mjs')}`;
    const { list, said } = await suite.clientScenario(revision, scenario, command, join(results, part));
    found[scenario] = list;
    // In a scenario that the client has to leave, its host ends with an error.
    const wrong = suite.complaints(list);
    if (wrong.length) wrong.push(said.slice(-2000));
    const least = recorded[part]?.[scenario];
    if (!record && least === undefined) wrong.push('is not in recorded.json: ./run.sh --record');
    else if (!record && suite.proved(list) < least) wrong.push(`only ${suite.proved(list)} checks passed that were not skipped, not ${least}`);
    verdict(`${part}: ${scenario}`, wrong);
  }
  if (record) recorded[part] = proved(found);
  verdict(`${part}: every scenario is run`, missing(part, found));
  console.log(`${part}: ${required.length} scenarios, ${Object.values(found).flat().length} checks`);
}

async function authorization() {
  const port = await portOfNobody();
  const redirect = `http://127.0.0.1:${port}/callback`;
  const client = await register(gateway, { client_name: 'Conformance', redirect_uris: [redirect] });
  const folder = join(results, 'authorization');
  // The suite prints where a person has to go, then listens for the answer at its redirect.
  let url, visit;
  const onLine = (line) => {
    url ??= /^\s*(https?:\/\/\S+[?&]code_challenge=\S+)/.exec(line)?.[1];
    if (!url || !line.startsWith('Callback server started')) return;
    visit ??= person.approve(url, redirect).then((left) => fetch(left)).catch((error) => error);
  };
  const given = ['--url', gateway.origin, '--client-id', client.client_id, '--resource', gateway.mcp, '--port', String(port)];
  const { said } = await suite.run(['authorization', ...given, '-o', folder], { onLine });
  const answered = await visit;
  if (!answered?.ok) throw new Error(`the sign-in went wrong: ${answered ?? 'nobody was asked'}\n${said}`);
  const found = await suite.checks(folder);
  if (record) recorded.authorization = proved(found);
  verdict('authorization: every scenario is run', missing('authorization', found));
  for (const [scenario, list] of Object.entries(found)) {
    const skipped = list.filter((c) => c.status === 'SKIPPED').map((c) => `${c.id}: skipped`);
    verdict(`authorization: ${scenario}`, [...judge('authorization', 'authorization', scenario, list), ...skipped]);
  }
  console.log(`authorization: ${Object.keys(found).length} scenarios, ${Object.values(found).flat().length} checks`);
}

const proved = (found) =>
  Object.fromEntries(Object.keys(found).sort().map((scenario) => [scenario, suite.proved(found[scenario])]));

try {
  for (const name of asked) if (!parts[name]) throw new Error(`there is no part ${name}, but ${Object.keys(parts)}`);
  const fixture = new Program(scope, process.execPath, [join(import.meta.dirname, 'fixture/server.mjs')]);
  upstream = (await fixture.line(/^listening on (\S+)/))[1];
  gateway = await Gateway.start(scope, { mcp_server_url: upstream });
  person = new Person({ password: await gateway.firstPassword() });
  for (const name of asked.length ? asked : [...revisions, 'authorization', ...revisions.map((revision) => `bridge-${revision}`)]) await parts[name]();
  if (record) await writeFile(recordedAt, `${JSON.stringify(recorded, null, 2)}\n`);
} catch (error) {
  verdict('the run', [error.stack]);
} finally {
  for (const step of undo) await step().catch((error) => verdict('the end', [error.message]));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
