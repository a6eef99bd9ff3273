// An OpenTelemetry collector that takes OTLP over HTTP in JSON, and nothing that is not exactly that.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { listenOnLoopback } from './scope.mjs';
import { until } from './until.mjs';

const onlyHas = (object, required, optional = []) => {
  for (const name of required) assert.ok(name in object, `${name} is missing in ${JSON.stringify(object)}`);
  for (const name of Object.keys(object)) assert.ok([...required, ...optional].includes(name), `${name} is not of OTLP`);
};

function attributes(list) {
  const read = {};
  for (const entry of list) {
    onlyHas(entry, ['key', 'value']);
    assert.match(entry.key, /^[a-z][a-z0-9_.]*$/);
    assert.ok(!(entry.key in read), `${entry.key} twice`);
    const [[kind, value]] = Object.entries(entry.value);
    assert.equal(Object.keys(entry.value).length, 1);
    if (kind === 'stringValue') assert.equal(typeof value, 'string');
    else assert.match(String(kind === 'intValue' && typeof value === 'string' ? value : `${kind}?`), /^-?\d+$/);
    read[entry.key] = kind === 'intValue' ? Number(value) : value;
  }
  return read;
}

function spanOf(span) {
  onlyHas(span, ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes', 'status'], ['parentSpanId']);
  assert.match(span.traceId, /^(?!0+$)[0-9a-f]{32}$/);
  assert.match(span.spanId, /^(?!0+$)[0-9a-f]{16}$/);
  if ('parentSpanId' in span) assert.match(span.parentSpanId, /^(?!0+$)[0-9a-f]{16}$/);
  assert.ok(span.name.length > 0 && span.name.length < 200, span.name);
  assert.ok([2, 3].includes(span.kind));
  for (const time of [span.startTimeUnixNano, span.endTimeUnixNano]) assert.match(time, /^\d{19}$/);
  assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano));
  onlyHas(span.status, [], ['code']);
  if ('code' in span.status) assert.equal(span.status.code, 2);
  return {
    trace: span.traceId, id: span.spanId, parent: span.parentSpanId, name: span.name, kind: span.kind === 2 ? 'server' : 'client',
    failed: span.status.code === 2, began: BigInt(span.startTimeUnixNano), ended: BigInt(span.endTimeUnixNano),
    ...attributes(span.attributes),
  };
}

export class Collector {
  spans = [];
  resources = [];
  requests = []; // { url, headers, text }
  faults = []; // what was wrong with what came
  status = 200;

  static async start(scope, port = 0) {
    const collector = new Collector();
    collector.server = createServer((asked, answer) => collector.#take(asked, answer));
    collector.port = await listenOnLoopback(scope, collector.server, port);
    collector.url = `http://127.0.0.1:${collector.port}`;
    scope.after(() => assert.deepEqual(collector.faults, []));
    return collector;
  }

  // The spans of a trace, once there are so many.
  async trace(id, least = 1) {
    await until(`${least} spans of ${id}`, () => this.spans.filter((s) => s.trace === id).length >= least);
    return this.spans.filter((s) => s.trace === id);
  }

  async #take(asked, answer) {
    let text = '';
    for await (const piece of asked.setEncoding('utf8')) text += piece;
    this.requests.push({ url: asked.url, headers: asked.headers, text });
    if (this.hangs) return;
    if (this.status !== 200) return answer.writeHead(this.status).end();
    try {
      assert.equal(asked.method, 'POST');
      assert.equal(asked.headers['content-type'], 'application/json');
      const body = JSON.parse(text);
      onlyHas(body, ['resourceSpans']);
      for (const group of body.resourceSpans) {
        onlyHas(group, ['resource', 'scopeSpans']);
        onlyHas(group.resource, ['attributes']);
        this.resources.push(attributes(group.resource.attributes));
        for (const scope of group.scopeSpans) {
          onlyHas(scope, ['scope', 'spans']);
          onlyHas(scope.scope, ['name', 'version']);
          this.spans.push(...scope.spans.map(spanOf));
        }
      }
      answer.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    } catch (error) {
      this.faults.push(error.message);
      answer.writeHead(400).end();
    }
  }
}
