// Everything fails in turn while clients work: the MCP server, the identity provider, certificates, and the gateway by
// SIGTERM and by SIGKILL. What was acknowledged holds, and no request is lost that a retry could save.
//
// CHAOS_SECONDS=300 goes on that long; every disturbance comes twice at least.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';

import { makeCertificates } from './lib/certificates.mjs';
import { Gateway } from './lib/gateway.mjs';
import { Idp } from './lib/idp.mjs';
import { Ledger } from './lib/ledger.mjs';
import { authorization, call, post, redeem, refresh, register } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback, portOfNobody, stopListening } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const seconds = Number(process.env.CHAOS_SECONDS ?? 20);
const rounds = 2;
// How long a client goes on trying. Far more than any disturbance lasts.
const patience = 30_000;

const scope = fileScope();
const ledger = new Ledger();
let gateway, idp, certificates;

const upstream = {
  executed: new Map(), // attempt -> how often
  async start() {
    this.server = createServer((request, response) => this.answer(request, response));
    this.port = await listenOnLoopback(scope, this.server, this.port ?? 0);
  },
  async answer(request, response) {
    let body = '';
    try {
      for await (const piece of request) body += piece;
    } catch {
      return; // the caller died
    }
    const { id, params } = JSON.parse(body);
    this.executed.set(id, (this.executed.get(id) ?? 0) + 1);
    await pause(2); // done, but not answered: whoever sent it again would have it done again
    const result = JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } });
    if (params.name !== 'stream') return response.writeHead(200, { 'content-type': 'application/json' }).end(result);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let event = 1; event < 10; ++event) {
      response.write(`data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":${event}}}\n\n`);
      await pause(1);
    }
    return response.end(`data: ${result}\n\n`);
  },
};

before(async () => {
  certificates = await Promise.all([1, 2, 3].map(() => makeCertificates(scope, ['127.0.0.1'])));
  tls.setDefaultCACertificates(certificates.map((c) => c.ca));
  await upstream.start();
  idp = await Idp.start(scope);
  const port = await portOfNobody();
  gateway = await Gateway.start(scope, {
    port,
    public_url: `https://127.0.0.1:${port}`,
    mcp_server_url: `http://127.0.0.1:${upstream.port}/mcp`,
    providers: { corp: idp.settings },
    tls: { cert_file: certificates[0].certFile, key_file: certificates[0].keyFile },
    access_token_lifetime: '8h',
    limits: { requests_per_minute: 1_000_000, registrations_per_hour: 1_000_000 },
    registration: { most_unused: 0 }, // a long run registers more than are remembered by default
  });
  idp.allow(`${gateway.origin}/auth/callback`);
});

// What the client may try again: nobody answered, or the answer says that it is somebody behind who is not there.
class Again extends Error {}

async function answered(sending, expected = 200) {
  const answer = await sending.catch((error) => {
    throw new Again(error.cause?.message ?? error.message);
  });
  const text = await answer.text().catch((error) => {
    throw new Again(error.message); // cut off
  });
  if ([502, 503, 504].includes(answer.status)) throw new Again(`status ${answer.status}`);
  assert.equal(answer.status, expected, text);
  return text;
}

// Until `attempt` succeeds. What is not a reason to try again is a failure.
async function persist(what, attempt) {
  const deadline = performance.now() + patience;
  for (let tries = 1; ; ++tries) {
    try {
      return await attempt(tries);
    } catch (error) {
      if (!(error instanceof Again)) throw new Error(`${what}, attempt ${tries}: ${error.message}`, { cause: error });
      if (performance.now() > deadline) throw new Error(`${what} was lost after ${tries} attempts: ${error.message}`);
      ++ledger.counts.retries;
      await pause(10);
    }
  }
}

let attempts = 0;
let working = true;

async function makeCalls(family, name) {
  for (let n = 0; working; ++n) {
    await persist(`${name} ${n}`, async () => {
      const id = `attempt-${++attempts}`;
      const text = await answered(post(gateway.mcp, call(name, {}, id), family.access_token));
      const last = name === 'stream' ? text.trim().split('\n\n').pop().replace(/^data: /, '') : text;
      // A stream that the MCP server's end cut short has no result.
      if (name === 'stream' && JSON.parse(last).id !== id) throw new Again('a stream without its result');
      assert.equal(JSON.parse(last).id, id);
    });
    ++ledger.counts[name === 'stream' ? 'streams' : 'calls'];
  }
}

// An answer that never came may have been given: the same refresh token is good for it once more.
async function keepRefreshing(family) {
  while (working) {
    const text = await persist('refresh', () => answered(refresh(gateway, family.client, family.refresh_token)));
    const { access_token, refresh_token } = JSON.parse(text);
    Object.assign(family, { access_token, refresh_token });
    ++ledger.counts.refreshes;
  }
}

async function keepRegistering() {
  while (working) {
    ledger.clients.push(await persist('registration', () => register(gateway).catch(mayBeAway)));
    ++ledger.counts.registrations;
    await pause(5);
  }
}

// A page that says the provider is away, a connection that broke: a person tries again from the beginning.
function mayBeAway(error) {
  const text = `${error.message} ${error.cause?.message ?? ''}`;
  if (error instanceof TypeError || /an unexpected page, 50[234]|^50[234]\b/.test(error.message)) throw new Again(text);
  throw error;
}

async function signIn(name) {
  const client = await register(gateway);
  const asked = authorization(gateway, client);
  const answer = await new Person({ user: name }).approve(asked.url, asked.redirect_uri);
  const refused = answer.searchParams.get('error');
  if (refused) throw refused === 'temporarily_unavailable' ? new Again(refused) : new Error(`the client is told ${answer}`);
  return { client, ...JSON.parse(await answered(redeem(gateway, client, asked, answer))) };
}

async function comeAndGo(name) {
  for (let n = 0; working; ++n) {
    const family = await persist(`sign-in of ${name}`, () => signIn(`${name}-${n % 5}`).catch(mayBeAway));
    ++ledger.counts.logins;
    if (n % 2 === 0) {
      ledger.families.push(family);
      continue;
    }
    await persist('revocation', () => answered(Ledger.revoke(gateway, family)));
    ledger.revoked.push(family);
    ++ledger.counts.revocations;
  }
}

const disturbances = {
  'the MCP server restarts': async () => {
    await stopListening(upstream.server);
    await upstream.start();
  },
  'the identity provider is away for a while': async () => {
    await idp.goAway();
    await progress(['calls', 'refreshes']);
    await idp.comeBack();
  },
  'another certificate': async (n) => {
    const [taken] = certificates;
    const next = certificates[1 + (n % 2)];
    await copyFile(next.certFile, taken.certFile);
    await copyFile(next.keyFile, taken.keyFile);
    gateway.program.child.kill('SIGHUP');
    await until('the new certificate', async () => (await fingerprint()) === next.cert.toString().trim());
  },
  'the gateway stops and starts': async () => {
    assert.equal(await gateway.stop(), 0);
    await gateway.restart();
  },
  'the gateway is killed and starts': async () => {
    await gateway.kill();
    await gateway.restart();
  },
};

// The certificate that a new connection is shown, as PEM.
async function fingerprint() {
  const socket = tls.connect({ host: '127.0.0.1', port: gateway.port });
  await new Promise((open, failed) => socket.once('secureConnect', open).once('error', failed));
  const base64 = socket.getPeerCertificate().raw.toString('base64');
  socket.destroy();
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----`;
}

// Until each kind of work has gone on.
async function progress(kinds = Object.keys(ledger.counts).filter((k) => k !== 'retries')) {
  const then = { ...ledger.counts };
  await until(`progress of ${kinds}`, () => kinds.every((k) => ledger.counts[k] > then[k]), patience);
}

test('everything fails in turn, and nothing acknowledged is lost', { timeout: 120_000 + 2000 * seconds }, async (t) => {
  const callers = await Promise.all([1, 2].map((n) => signIn(`caller-${n}`)));
  const refreshers = await Promise.all([1, 2, 3].map((n) => signIn(`refresher-${n}`)));
  ledger.families.push(...refreshers);
  const work = [
    ...callers.flatMap((family) => [makeCalls(family, 'echo'), makeCalls(family, 'echo'), makeCalls(family, 'stream')]),
    ...refreshers.map(keepRefreshing),
    keepRegistering(),
    comeAndGo('ada'),
    comeAndGo('bob'),
  ];
  // The first that fails fails the test, with nobody waiting for progress any longer.
  const failed = Promise.all(work).then(() => new Promise(() => {}));
  const chaos = (async () => {
    await progress();
    const end = performance.now() + seconds * 1000;
    for (let n = 0; n < rounds || performance.now() < end; ++n) {
      for (const [name, disturb] of Object.entries(disturbances)) {
        await disturb(n).catch((error) => {
          throw new Error(`${name}: ${error.message}`, { cause: error });
        });
        await progress();
      }
    }
  })();
  try {
    await Promise.race([chaos, failed]);
  } finally {
    working = false;
  }
  await Promise.all(work);

  for (const [attempt, times] of upstream.executed) assert.equal(times, 1, `${attempt} was executed again by itself`);
  await ledger.verify(gateway);
  await gateway.kill();
  await gateway.restart();
  await ledger.verify(gateway);
  t.diagnostic(JSON.stringify(ledger.counts));
});
