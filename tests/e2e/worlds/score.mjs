// Builds broken worlds, a few at a time, asks who should know, and makes the table of what was named first.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { within } from '../lib/until.mjs';
import { without } from './without.mjs';

const file = resolve(import.meta.dirname, '../../../docs/broken-worlds.md');
const atOnce = Number(process.env.WORLDS_AT_ONCE || 4);
const wanted = process.env.WORLD && new RegExp(process.env.WORLD);

// What a world has to undo, when it was judged.
class WorldScope {
  #undo = [];
  after(step) {
    this.#undo.push(step);
  }
  async close() {
    let failure;
    for (const step of this.#undo.reverse()) {
      try {
        await step();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure) throw failure;
  }
}

// A world is { world, cause, words?, ask }: `ask(scope)` builds it and returns { name of who was asked: verdict }, the one
// that a user would reach for first. `cause` is the code of what is wrong, of two faults that of the one to mend first; null where nothing is, which then has to be
// said; a list where the catalogue has two rows for the same thing.
// `words` are in what is told, where the code alone does not say which thing it is (of each, or { name: words }).
// `possible()`: whether this machine lets it be built; where it does not, its rows in the page are taken on trust.
async function judge(group, worlds) {
  const rows = [];
  const queue = worlds.map((world, place) => ({ ...world, place })).filter(({ world }) => !wanted || wanted.test(world));
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) rows.push(...(await judgeOne(group, next)));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return rows.sort((a, b) => a.place - b.place);
}

async function judgeOne(group, { world, cause, words, ask, place, possible }) {
  const scope = new WorldScope();
  const begun = performance.now();
  const row = { group, world, cause, place };
  if (possible && !(await possible())) {
    if (process.env.UPDATE_BROKEN_WORLDS) throw new Error(`this machine does not let it be built: ${world}`);
    console.log(`not possible on this machine: ${world}`);
    const lines = (await sections()).get(group).split('\n').filter((line) => line.startsWith(`| ${world} |`));
    return lines.map((line) => line.split(' | ')).map(([, , by, id, outcome]) => ({ ...row, by, id, outcome: outcome.replace(/ \|$/, '') }));
  }
  const failed = (error) => [{ ...row, by: 'nobody', id: null, text: error.stack, certain: false, outcome: 'not built' }];
  let rows;
  try {
    const verdicts = await within(`a verdict about ${world}`, ask(scope), 45_000);
    rows = Object.entries(verdicts).map(([by, verdict]) => ({ ...row, by, ...verdict, outcome: outcomeOf(verdict, cause, words?.[by] ?? words) }));
  } catch (error) {
    rows = failed(error);
  }
  try {
    await scope.close();
  } catch (error) {
    if (rows[0].outcome !== 'not built') rows = failed(error);
  }
  if (process.env.WORLD_TIMES) console.log(`${Math.round(performance.now() - begun)} ms: ${world}`);
  return rows;
}

function outcomeOf({ id, text, certain }, cause, words) {
  if (cause === null) return id ? (certain ? 'WRONG, and certain' : 'doubted') : 'named first';
  if (!id) return 'not named';
  if ([cause].flat().includes(id)) return !(words instanceof RegExp) || words.test(text) ? 'named first' : 'not told which';
  return certain ? 'WRONG, and certain' : 'another, as likely';
}

const head = `# Broken worlds

Deployments in which one thing is wrong (or two), each built by a test with a real gateway and what belongs to it, and what was
named first by the tool that a user would reach for. \`UPDATE_BROKEN_WORLDS=1 E2E_FILES_AT_ONCE=1 tests/e2e/run.sh\` with the names of
\`tests/e2e/broken_worlds_*.test.mjs\` makes these tables; the tests fail where they are not what is seen, and \`./dev lint\` where less
than 95 % are named first or a wrong cause is stated as certain. A world whose cause is not named stays in its table.
Every code of the [catalogue](reference/errors.md) is the cause of a world, or stands among the causes without one at the end, with
the test that proves its row; \`./dev lint\` fails where a code is in neither place or in both, or where there is no such test.
`;
const untold = `## Causes without a world

No deployment can be broken so that these are what it shows. \`tests/e2e/worlds/without.mjs\` lists them, with the test that
stands for a world: that it is told when it comes to it, or that it never is.

| cause | why no world shows it | test that proves the row |
|---|---|---|
${without.map(({ cause, why, tests }) => `| ${cause} | ${why} | ${tests.map((name) => `\`${name}\``).join(', ')} |`).join('\n')}
`;

function sectionOf(group, rows) {
  const worlds = new Set(rows.map((row) => row.world)).size;
  const named = rows.filter((row) => row.outcome === 'named first').length;
  const lines = rows.map((row) => `| ${row.world} | ${row.cause === null ? 'nothing' : [row.cause].flat().join(' or ')} | ${row.by} | ${row.id ?? '-'} | ${row.outcome} |`);
  return `## ${group}\n\n${worlds} worlds, ${rows.length} questions: ${named} named first.\n\n| world | cause | asked | named first | |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}

// The sections of the page by their headings, in the order of the groups of all files.
const order = ['Tokens', 'Requests to the authorization server', 'Sign-ins at an identity provider', 'Calls and MCP servers', 'Configurations', 'Databases',
  'Running gateways', 'Bridges', 'Seen from outside', 'Two faults at once'];
async function sections() {
  const text = await readFile(file, 'utf8').catch(() => '');
  return new Map(text.split(/^(?=## )/m).slice(1).map((section) => [section.slice(3, section.indexOf('\n')), `${section.trimEnd()}\n`]));
}

// A test of each group: everything is built, and what is named is what docs/broken-worlds.md says.
export function judgeAll(test, scope, groups) {
  for (const [group, worldsOf] of Object.entries(groups)) {
    test(`${group}: who is asked names what the table says`, async () => {
      const rows = await judge(group, await worldsOf(scope));
      for (const row of rows.filter((one) => one.outcome !== 'named first')) {
        console.log(`${row.world}: ${row.by} said ${row.id} for ${row.cause}, ${row.outcome}: ${(row.text ?? '').slice(0, 700)}`);
      }
      assert.deepEqual(rows.filter((row) => row.outcome === 'not built').map((row) => `${row.world}: ${row.text}`), []);
      if (wanted) return;
      const seen = sectionOf(group, rows);
      const all = await sections();
      if (process.env.UPDATE_BROKEN_WORLDS) {
        all.set(group, seen);
        const told = order.filter((one) => all.has(one)).map((one) => all.get(one));
        await writeFile(file, [head, ...told, untold].join('\n'));
      }
      assert.equal(untold, (await sections()).get('Causes without a world'));
      assert.equal(seen, all.get(group));
    });
  }
}
