// No parameter of any page leads a browser elsewhere, as browsers read addresses: the URL parser of the platform judges.

import assert from 'node:assert/strict';
import { request, Agent } from 'node:http';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { authorization, register } from './lib/oauth.mjs';
import { payloads } from './lib/redirect_payloads.mjs';
import { fileScope } from './lib/scope.mjs';

const scope = fileScope();
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const web = 'https://client.example/callback';
const loopback = 'http://127.0.0.1/callback';
const returnParameters = ['next', 'return', 'returnTo', 'return_to', 'rd', 'redirect', 'redirect_to', 'redirect_url', 'url', 'continue', 'target', 'goto', 'dest',
  'RelayState', 'post_logout_redirect_uri', 'target_link_uri', 'redirect_uri', 'callback'];
let gateway, client;

before(async () => {
  const demo = await startDemoServer(scope);
  gateway = await Gateway.start(scope, {
    mcp_server_url: demo.url,
    limits: { requests_per_minute: 10_000_000, registrations_per_hour: 10_000_000 },
  });
  client = await register(gateway, { redirect_uris: [web, loopback] });
  scope.after(() => agent.destroy());
});

// As it stands: fetch would repair the address before sending it.
function ask(path, { method = 'GET', body, type = 'application/x-www-form-urlencoded', accept = 'text/html' } = {}) {
  return new Promise((resolve, reject) => {
    const headers = { accept, ...(body !== undefined && { 'content-type': type, 'content-length': Buffer.byteLength(body) }) };
    const sent = request({ agent, host: '127.0.0.1', port: gateway.port, method, path, headers }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => resolve({ status: answer.statusCode, location: answer.headers.location, refresh: answer.headers.refresh, text: Buffer.concat(pieces).toString() }));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const unescape = (text) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

// Where the answer, its links and its forms lead, as a browser on a page of the gateway reads them.
function leadsTo(answer) {
  const targets = [...answer.text.matchAll(/\b(?:href|action|src|formaction)\s*=\s*"([^"]*)"/gi)].map(([, target]) => unescape(target));
  if (answer.location !== undefined) targets.push(answer.location);
  if (answer.refresh !== undefined) targets.push(answer.refresh.replace(/^\s*\d+\s*;\s*url\s*=/i, ''));
  return targets.map((target) => new URL(target, gateway.origin));
}

function assertStays(answer, what) {
  for (const url of leadsTo(answer)) {
    const stays = url.origin === gateway.origin || url.origin === new URL(web).origin || (url.protocol === 'http:' && url.hostname === '127.0.0.1');
    assert.ok(stays, `${what} leads to ${url.href}`);
  }
}

async function each(work) {
  const queue = payloads.entries();
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (const [index, payload] of queue) await work(payload, index);
  }));
}

const encode = (pairs) => new URLSearchParams(pairs).toString();

test('there are so many different payloads, and many of them lead elsewhere where nobody looks', () => {
  assert.ok(payloads.length >= 800, `${payloads.length}`);
  const away = payloads.filter((payload) => {
    try {
      return new URL(payload, gateway.origin).origin !== gateway.origin;
    } catch {
      return false;
    }
  });
  assert.ok(away.length >= 500, `${away.length}`);
});

test('no payload at any parameter leads elsewhere, as the URL standard reads it', async () => {
  const right = Object.fromEntries(authorization(gateway, client).url.searchParams);
  const pages = ['/auth/signin', '/auth/login', '/auth/logout', '/auth/callback', '/oauth/consent', '/'];
  await each(async (payload, index) => {
    const asked = encode({ ...right, redirect_uri: payload });
    const wrong = encode({ ...right, redirect_uri: payload, code_challenge: '' });
    assertStays(await ask(`/oauth/authorize?${asked}`), `authorize, ${JSON.stringify(payload)}`);
    assertStays(await ask('/oauth/authorize', { method: 'POST', body: wrong }), `authorize with a mistake, ${JSON.stringify(payload)}`);
    const everything = encode(returnParameters.map((name) => [name, payload]));
    const page = pages[index % pages.length];
    assertStays(await ask(`${page}?${everything}`), `${page}, ${JSON.stringify(payload)}`);
    assertStays(await ask(page, { method: 'POST', body: everything }), `POST ${page}, ${JSON.stringify(payload)}`);
    // And as the path itself, as far as it can be written in a request line.
    if (/^[\x21-\x7e]+$/.test(payload)) assertStays(await ask(payload), `the path ${payload}`);
  });
});

test('what a stranger registers is named on the page as a browser reads it, and nobody is sent there by himself', async () => {
  let taken = 0;
  await each(async (payload) => {
    const registered = await ask('/oauth/register', {
      method: 'POST', type: 'application/json', accept: 'application/json',
      body: JSON.stringify({ redirect_uris: [payload], token_endpoint_auth_method: 'none' }),
    });
    if (registered.status !== 201) return assert.equal(registered.status, 400, payload);
    ++taken;
    const { client_id } = JSON.parse(registered.text);
    const read = new URL(payload);
    assert.doesNotMatch(read.protocol, /^(javascript|data|blob|file|filesystem|wss?|ftp|vbscript|about|intent):/, payload);
    const { url } = authorization(gateway, { client_id, redirect_uris: [payload] });
    const page = await ask(url.pathname + url.search);
    assert.equal(page.status, 200, `${payload}: ${page.text}`);
    assert.equal(page.location, undefined);
    const named = unescape(/sent to<\/dt><dd><strong>([^<]*)</.exec(page.text)?.[1] ?? '');
    if (/^https?:$/.test(read.protocol)) assert.equal(new URL(`${read.protocol}//${named}`).host, read.host, payload);
    else assert.ok(named.startsWith(read.protocol), `${payload}: ${named}`);
    const { url: mistaken } = authorization(gateway, { client_id, redirect_uris: [payload] }, { code_challenge: undefined });
    const refused = await ask(mistaken.pathname + mistaken.search);
    if (read.hostname !== '127.0.0.1') assert.equal(refused.location, undefined, payload);
  });
  assert.ok(taken > 0);
});

test('an approved login goes to the registered address whatever stands beside it', async () => {
  const password = await gateway.firstPassword();
  const browser = new Browser();
  const { url } = authorization(gateway, client);
  for (const name of returnParameters) if (!url.searchParams.has(name)) url.searchParams.set(name, '//evil.example');
  let page = await browser.open(url, { until: web });
  const beside = Object.fromEntries(returnParameters.map((name) => [name, 'https://evil.example/']));
  page = await browser.submit(page, 'Approve', beside);
  page = await browser.submit(page, 'Sign in', { ...beside, user: 'admin', password });
  page = await browser.submit(page, 'Set password and sign in', { ...beside, new_password: 'correct horse battery', new_password_again: 'correct horse battery' });
  assert.equal(page.left?.origin, new URL(web).origin);
  const out = await browser.open(`${gateway.origin}/auth/logout?${encode(beside)}`);
  assertStays({ text: out.html }, 'sign-out');
});
