// A strict reader of the Prometheus text format 0.0.4, and of the rules for names that its users rely on.

import assert from 'node:assert/strict';

const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

function labelsOf(text, line) {
  const labels = {};
  for (let rest = text ?? ''; rest !== '';) {
    const read = label.exec(rest);
    assert.ok(read, `labels of ${line}`);
    assert.ok(!(read[1] in labels), `${read[1]} twice: ${line}`);
    assert.ok(!read[1].startsWith('__'), line);
    labels[read[1]] = read[2];
    rest = rest.slice(read[0].length);
  }
  return labels;
}

function numberOf(text, line) {
  if (text === '+Inf') return Infinity;
  assert.match(text, /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/, line);
  return Number(text);
}

// { name: { type, help, series: [{ name, labels, value }] } }
export function parseMetrics(text) {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const families = new Map();
  const seen = new Set();
  let current;
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (head?.[1] === 'HELP') {
      assert.ok(!families.has(head[2]), `${head[2]} stands in two places`);
      current = { name: head[2], help: head[3], series: [] };
      families.set(head[2], current);
      continue;
    }
    if (head) {
      assert.equal(head[2], current.name, 'the type follows the help');
      assert.equal(current.type, undefined, line);
      assert.match(head[3], /^(counter|gauge|histogram)$/);
      current.type = head[3];
      continue;
    }
    const read = sample.exec(line);
    assert.ok(read, line);
    const suffixes = current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    assert.ok(suffixes.some((s) => read[1] === current.name + s), `${line} stands under ${current.name}`);
    const labels = labelsOf(read[2], line);
    const identity = read[1] + JSON.stringify(Object.entries(labels).sort());
    assert.ok(!seen.has(identity), `twice: ${line}`);
    seen.add(identity);
    current.series.push({ name: read[1], labels, value: numberOf(read[3], line) });
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function checkFamily({ name, type, help, series }) {
  assert.match(name, /^(mop|process)_[a-z0-9]+(_[a-z0-9]+)*$/);
  assert.ok(help.endsWith('.'), `${name}: ${help}`);
  assert.equal(name.endsWith('_total'), type === 'counter', name);
  assert.ok(!/_(count|sum|bucket|milliseconds|ms|info_total)$/.test(name), name);
  if (type === 'histogram') assert.ok(/_(seconds|bytes)$/.test(name), `${name} names no base unit`);
  const names = new Set(series.map((s) => Object.keys(s.labels).filter((l) => l !== 'le').sort().join()));
  assert.ok(names.size <= 1, `${name}: every series has the same labels`);
  if (type === 'counter') for (const s of series) assert.ok(s.value >= 0 && Number.isFinite(s.value), name);
  if (type !== 'histogram') return;
  const groups = Map.groupBy(series, ({ labels: { le, ...rest } }) => JSON.stringify(rest));
  for (const group of groups.values()) {
    const buckets = group.filter((s) => s.name.endsWith('_bucket'));
    const bounds = buckets.map((b) => numberOf(b.labels.le, name));
    assert.deepEqual(bounds, [...bounds].sort((a, b) => a - b), name);
    assert.equal(bounds.at(-1), Infinity, name);
    for (let i = 1; i < buckets.length; ++i) assert.ok(buckets[i].value >= buckets[i - 1].value, name);
    assert.equal(group.find((s) => s.name.endsWith('_count')).value, buckets.at(-1).value, name);
    assert.ok(group.find((s) => s.name.endsWith('_sum')).value >= 0, name);
  }
}
