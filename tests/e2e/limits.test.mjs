// Limits against people with many addresses, many clients and many guesses, with a real nginx in front.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { Nginx } from './lib/nginx.mjs';
import { authorization, redirectUri, redeem, refresh, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';
import { until } from './lib/until.mjs';

const scope = fileScope();
let demo;

before(async () => {
  demo = await startDemoServer(scope);
});

const start = (settings, t = scope) => Gateway.start(t, { mcp_server_url: demo.url, ...settings });

// A request from that address of this machine; every 127.x.y.z is one.
async function ask(port, path, { from = '127.0.0.1', to = '127.0.0.1', headers = {}, method = 'GET', body } = {}) {
  const sent = request({ host: to, port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers }, localAddress: from, agent: false });
  sent.end(body);
  const [answer] = await once(sent, 'response');
  const pieces = [];
  for await (const piece of answer) pieces.push(piece);
  return { status: answer.statusCode, headers: answer.headers, text: Buffer.concat(pieces).toString() };
}

const proxy = (to) => (port) => `
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${to}; proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host 127.0.0.1:${to};
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }`;

const spoofed = (i) => ({
  'x-forwarded-for': [`6.6.6.${i}`, '127.0.0.1', `6.6.6.${i}, 127.0.0.1`, 'junk', `[2001:db8::${i}]:1`][i % 5],
  forwarded: `for=6.6.7.${i}`,
  'x-real-ip': `6.6.8.${i}`,
  'x-client-ip': `6.6.9.${i}`,
});

test('behind nginx each client is counted under its own address, whatever it writes', async () => {
  const gateway = await start({ trusted_proxies: ['127.0.0.1'], rate_limits: { requests_per_minute: 5 } });
  const nginx = await Nginx.start(scope, 'limits', proxy(gateway.port));
  const statuses = [];
  for (let i = 0; i < 15; ++i) statuses.push((await ask(nginx.port, '/auth/login', { from: '127.0.0.2', headers: spoofed(i) })).status);
  assert.deepEqual(statuses, [...Array(5).fill(400), ...Array(10).fill(429)]);
  assert.equal((await ask(nginx.port, '/auth/login', { from: '127.0.0.3' })).status, 400);

  const refused = await ask(nginx.port, '/auth/login', { from: '127.0.0.2' });
  const body = JSON.parse(refused.text);
  assert.equal(body.error, 'temporarily_unavailable');
  assert.equal(body.limit, 'rate_limits.requests_per_minute');
  assert.equal(body.limited_by, 'address');
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.ok(Number(refused.headers['retry-after']) <= 12);
  const line = await gateway.logged('the refusal', (l) => l.result === 'too_many_requests');
  assert.equal(line.client, '127.0.0.2');
  assert.equal(await gateway.metric('mop_rate_limited_total{by="address",limit="rate_limits.requests_per_minute"}'), 11);
});

test('a proxy that nobody trusts is one client, with all that it forwards', async () => {
  const gateway = await start({ rate_limits: { requests_per_minute: 5 } });
  const nginx = await Nginx.start(scope, 'untrusted', proxy(gateway.port));
  for (let i = 0; i < 5; ++i) assert.equal((await ask(nginx.port, '/auth/login', { from: `127.0.0.${i + 2}` })).status, 400);
  assert.equal((await ask(nginx.port, '/auth/login', { from: '127.0.0.9' })).status, 429);
  assert.equal((await ask(gateway.port, '/auth/login', { from: '127.0.0.9' })).status, 400, 'it goes around the proxy');
});

test('who connects directly is counted under the address it has', async () => {
  const gateway = await start({ trusted_proxies: ['127.0.0.77'], rate_limits: { requests_per_minute: 3 } });
  for (let i = 0; i < 9; ++i) {
    const { status } = await ask(gateway.port, '/auth/login', { from: '127.0.0.2', headers: spoofed(i) });
    assert.equal(status, i < 3 ? 400 : 429, i);
  }
});

test('over IPv6', { skip: !Object.values(networkInterfaces()).flat().some((a) => a.address === '::1') && 'no IPv6 here' }, async () => {
  const gateway = await start({ host: '::1', public_url: 'http://localhost:1', rate_limits: { requests_per_minute: 3 } });
  for (let i = 0; i < 6; ++i) {
    const { status } = await ask(gateway.port, '/auth/login', { from: '::1', to: '::1', headers: spoofed(i) });
    assert.equal(status, i < 3 ? 400 : 429, i);
  }
  assert.equal((await ask(gateway.port, '/metrics', { from: '::1', to: '::1' })).status, 200);
});

test('a reload changes a limit and forgets no count', async () => {
  const gateway = await start({ rate_limits: { requests_per_minute: 3 } });
  for (let i = 0; i < 3; ++i) await ask(gateway.port, '/auth/login');
  assert.equal((await ask(gateway.port, '/auth/login')).status, 429);
  gateway.settings.port = gateway.port;
  gateway.settings.rate_limits.requests_per_minute = 4;
  await writeFile(join(gateway.folder, 'config.yaml'), JSON.stringify(gateway.settings));
  gateway.program.child.kill('SIGHUP');
  await gateway.logged('the new configuration', (l) => l.message === 'the configuration was read again and is in use');
  const refused = JSON.parse((await ask(gateway.port, '/auth/login')).text);
  assert.match(refused.error_description, /requests_per_minute is 4 in 60 s for this address/);
});

test('/metrics is for this machine, for who is allowed, and for who has the token', async () => {
  const open = await start({ trusted_proxies: ['127.0.0.1'] });
  const nginx = await Nginx.start(scope, 'metrics', proxy(open.port));
  assert.equal((await ask(open.port, '/metrics')).status, 200);
  const hidden = await ask(nginx.port, '/metrics', { from: '127.0.0.2' });
  assert.equal(hidden.status, 404);
  assert.equal(hidden.text, (await ask(nginx.port, '/nothing', { from: '127.0.0.2' })).text, 'as if it were not there');
  assert.equal((await ask(nginx.port, '/metrics', { from: '127.0.0.2', headers: { 'x-forwarded-for': '127.0.0.1' } })).status, 404);

  const token = 'a-token-for-the-collector';
  const closed = await start({ trusted_proxies: ['127.0.0.1'], metrics: { allow: ['127.0.0.3'], token } });
  const front = await Nginx.start(scope, 'metrics-allowed', proxy(closed.port));
  const status = async (port, from, headers) => (await ask(port, '/metrics', { from, headers })).status;
  assert.equal(await status(front.port, '127.0.0.3'), 200);
  assert.equal(await status(front.port, '127.0.0.2'), 404);
  assert.equal(await status(front.port, '127.0.0.2', { 'x-forwarded-for': '127.0.0.3' }), 404);
  assert.equal(await status(closed.port, '127.0.0.1'), 404, 'who has a token needs it everywhere');
  assert.equal(await status(front.port, '127.0.0.2', { authorization: `Bearer ${token}` }), 200);
  assert.equal(await status(front.port, '127.0.0.2', { authorization: 'Bearer another' }), 404);
});

test('ten thousand registrations leave known clients, and those who come next, alone', async () => {
  const gateway = await start({
    rate_limits: { requests_per_minute: 0, registrations_per_hour: 0 }, registration: { most_unused: 500 },
  });
  const person = new Person({ password: await gateway.firstPassword() });
  const client = await register(gateway);
  const tokens = await tokensFor(gateway, person, client);
  let left = 10_000;
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (left-- > 0) await register(gateway);
  }));
  const refreshed = await refresh(gateway, client, tokens.refresh_token);
  assert.equal(refreshed.status, 200, await refreshed.clone().text());
  const asked = authorization(gateway, client, { prompt: 'login' });
  assert.equal((await redeem(gateway, client, asked, await person.approve(asked.url, redirectUri))).status, 200);
  await tokensFor(gateway, new Person({ password: person.chosen }));
});

test('who guesses elsewhere does not keep the owner out of the browser where the owner signed in', async () => {
  const gateway = await start({});
  const client = await register(gateway);
  const owner = new Person({ password: await gateway.firstPassword() });
  await tokensFor(gateway, owner, client);
  const again = () => authorization(gateway, client, { prompt: 'login' }).url;

  const stranger = new Person({ password: 'a guess that is wrong' });
  await assert.rejects(stranger.approve(again(), redirectUri), /the sign-in never ended/);
  const line = await gateway.logged('the wait', (l) => l.result === 'login_throttled');
  assert.equal(line.status, 429);

  await owner.approve(again(), redirectUri);
  const elsewhere = new Person({ password: owner.chosen });
  await assert.rejects(elsewhere.approve(again(), redirectUri), /the sign-in never ended/, 'a new browser waits');
  assert.ok((await gateway.metric('mop_rate_limited_total{by="account",limit="limits.sign_in_attempts"}')) > 0);

  const thief = new Person({ password: 'a guess that is wrong' });
  thief.browser = owner.browser;
  for (let i = 0; i < 2; ++i) await assert.rejects(thief.approve(again(), redirectUri));
  await until('the browser waits', async () => (await gateway.metric('mop_rate_limited_total{by="device",limit="limits.sign_in_attempts"}')) > 0);
});
