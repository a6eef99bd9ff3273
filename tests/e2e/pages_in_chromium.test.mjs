// The pages of the sign-in, in a real browser.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { before, test } from 'node:test';

import { makeCertificates } from './lib/certificates.mjs';
import { startChromium } from './lib/chromium.mjs';
import { Gateway } from './lib/gateway.mjs';
import { authorization, call, post, redeem, register } from './lib/oauth.mjs';
import { fileScope, listenOnLoopback, temporaryFolder } from './lib/scope.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
const password = 'correct horse battery';
let gateway, chromium, page, folder, callback, webCallback, oneTime, client;
const violations = []; // of a page's own content security policy

before(async () => {
  const upstream = await Upstream.start(scope, { stateful: false });
  const arrived = (_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Back</title><h1>Back at the client</h1>');
  callback = `http://127.0.0.1:${await listenOnLoopback(scope, createServer(arrived))}/callback`;
  const web = await listenOnLoopback(scope, createTlsServer(await makeCertificates(scope, ['client.example']), arrived));
  webCallback = 'https://client.example/callback';
  gateway = await Gateway.start(scope, { mcp_server_url: upstream.url });
  oneTime = await gateway.firstPassword();
  folder = await temporaryFolder(scope, 'screenshots');
  chromium = await startChromium(scope, { hosts: { 'client.example': web } });
  page = await chromium.newPage();
  page.on('console', (message) => /Content Security Policy/i.test(message.text()) && violations.push(message.text()));
  client = await register(gateway, { client_name: 'Notebook <b>assistant</b>', redirect_uris: [callback, webCallback] });
});

const picture = (name) => page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
const ask = (overrides) => authorization(gateway, client, { redirect_uri: callback, ...overrides });
const press = (name) => page.getByRole('button', { name, exact: true }).click();
const heading = () => page.getByRole('heading', { level: 1 }).innerText();
async function signIn(secret) {
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill(secret);
  await press('Sign in');
}

// What holds for every page of ours.
async function assertProper(response, name) {
  const headers = response.headers();
  assert.match(headers['content-security-policy'], /default-src 'none'/, name);
  assert.match(headers['content-security-policy'], /frame-ancestors 'none'/, name);
  assert.equal(headers['x-frame-options'], 'DENY', name);
  assert.equal(headers['cache-control'], 'no-store', name);
  assert.equal(headers['referrer-policy'], 'no-referrer', name);
  assert.equal(await page.locator('script, [onclick], [onload], link[rel=stylesheet], img').count(), 0, name);
  assert.equal(await page.locator('html[lang]').count(), 1, name);
  await picture(name);
  for (const width of [320, 375]) {
    await page.setViewportSize({ width, height: 700 });
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${name} scrolls sideways at ${width}: ${content} > ${window}`);
    if (width === 320) await picture(`${name}_narrow`);
  }
  await page.setViewportSize({ width: 1280, height: 720 });
}

test('the consent page says who asks, where it leads and what for', async () => {
  const response = await page.goto(ask().url.href);
  assert.equal(await heading(), 'Allow access?');
  const text = await page.locator('main').innerText();
  assert.ok(text.includes('Notebook <b>assistant</b>'), 'the name is text, never markup');
  assert.ok(text.includes(new URL(callback).host));
  assert.ok(text.includes(gateway.mcp));
  assert.match(text, /program on this computer/);
  await assertProper(response, 'consent');
});

test('who denies goes back to the client, which learns it', async () => {
  const asked = ask();
  await page.goto(asked.url.href);
  await press('Deny');
  await page.waitForURL(`${callback}?**`);
  const answer = new URL(page.url()).searchParams;
  assert.equal(answer.get('error'), 'access_denied');
  assert.equal(answer.get('state'), asked.state);
  assert.equal(answer.get('iss'), gateway.origin);
});

test('a wrong password is said to be wrong, and no more than that', async () => {
  await page.goto(ask().url.href);
  const [response] = await Promise.all([page.waitForResponse((r) => r.url().includes('/auth/signin')), press('Approve')]);
  await page.getByLabel('Password').waitFor();
  await assertProper(response, 'sign_in');
  await signIn('not the password');
  const message = await page.getByRole('alert').innerText();
  assert.ok(message.length > 0 && !/user.*(unknown|exist)/i.test(message), message);
  assert.equal(await page.getByLabel('User name').inputValue(), 'admin');
  assert.equal(await page.getByLabel('Password').inputValue(), '');
  await picture('sign_in_wrong');
});

test('the one-time password leads to a password of one\'s own, and that to the client with a code that works', async () => {
  const asked = ask();
  await page.goto(asked.url.href);
  await press('Approve');
  await signIn(oneTime);
  assert.equal(await heading(), 'Choose a password');
  await picture('new_password');
  await page.getByLabel('New password', { exact: true }).fill(password);
  await page.getByLabel('Repeat the new password').fill(`${password}!`);
  await press('Set password and sign in');
  assert.match(await page.getByRole('alert').innerText(), /differ/);
  await page.getByLabel('New password', { exact: true }).fill(password);
  await page.getByLabel('Repeat the new password').fill(password);
  await press('Set password and sign in');
  await page.waitForURL(`${callback}?**`);
  assert.equal(await heading(), 'Back at the client');

  const redeemed = await redeem(gateway, client, asked, new URL(page.url()));
  const { access_token } = await redeemed.json();
  assert.equal((await post(gateway.mcp, call('echo', { text: 'x' }), access_token)).status, 200);
});

test('a program on this computer is asked about every time, with the person\'s name on the button', async () => {
  await page.goto(ask().url.href);
  await press('Approve as admin');
  await page.waitForURL(`${callback}?**`);
});

test('a web client that was approved is not asked about again, where a page of ours leads there', async () => {
  await page.goto(ask({ redirect_uri: webCallback }).url.href);
  await press('Approve as admin');
  await page.waitForURL(`${webCallback}?**`);
  await page.goto(ask({ client_id: 'nobody-knows' }).url.href);
  const target = ask({ redirect_uri: webCallback }).url.href;
  await page.evaluate((url) => void (location.href = url), target);
  await page.waitForURL(`${webCallback}?**`);
  assert.ok(page.url().startsWith(`${webCallback}?`), page.url());
  assert.ok(new URL(page.url()).searchParams.get('code'));
});

test('but it is, when a page of another site leads there', async () => {
  await page.goto(webCallback);
  const target = ask({ redirect_uri: webCallback }).url.href;
  await page.evaluate((url) => void (location.href = url), target);
  await page.getByRole('button', { name: 'Approve as admin' }).waitFor();
});

test('and when the browser was opened for it, by whomever', async () => {
  await page.goto(ask({ redirect_uri: webCallback }).url.href);
  await page.getByRole('button', { name: 'Approve as admin' }).waitFor();
});

test('no page can put ours into a frame', async () => {
  await page.goto(callback);
  const framed = ask().url.href;
  await page.evaluate((url) => {
    const frame = document.createElement('iframe');
    frame.src = url;
    document.body.append(frame);
    return new Promise((done) => (frame.onload = done));
  }, framed);
  const inner = page.frames().find((f) => f !== page.mainFrame());
  assert.equal(await inner.locator('button').count(), 0);
  assert.match(violations.pop(), /frame-ancestors 'none'/);
});

test('an error page gives its code and the id of the request, which the log has as well', async () => {
  const response = await page.goto(ask({ client_id: 'nobody-knows' }).url.href);
  assert.ok(response.status() >= 400);
  const text = await page.locator('main').innerText();
  const [, code] = /Code (MOP-[A-Z]+-\d+)/.exec(text);
  const [, id] = /request (\w+)/.exec(text);
  assert.equal(id, response.headers()['x-request-id']);
  const line = await gateway.logged('of the error page', (l) => l.request_id === id);
  assert.equal(line.symptom, code);
  await assertProper(response, 'error');
});

test('signing out is one click, and the next sign-in asks for the password', async () => {
  const response = await page.goto(`${gateway.origin}/auth/logout`);
  await assertProper(response, 'sign_out');
  await press('Sign out');
  assert.equal(await heading(), 'Signed out');
  await page.goto(ask().url.href);
  await press('Approve');
  await page.getByLabel('Password').waitFor();
});

test('no page broke its own content security policy', () => assert.deepEqual(violations, []));
