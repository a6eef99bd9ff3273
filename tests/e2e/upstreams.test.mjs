// Several MCP servers behind one gateway: by path and by host, protected and public, each with its own rules.

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { before, test } from 'node:test';

import { Gateway } from './lib/gateway.mjs';
import { authorization, call, post, redeem, redirectUri, register } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';

const scope = fileScope();
let gateway, person, client;
const seen = {}; // the last request that each server got

// Answers every call with its own name and keeps what it was sent.
async function startServer(name, { answers = true } = {}) {
  const server = createServer((asked, answer) => {
    let body = '';
    asked.on('data', (piece) => (body += piece)).on('end', () => {
      seen[name] = { url: asked.url, headers: asked.headers, body };
      if (!answers) return;
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { server: name } }));
    });
  });
  return `http://127.0.0.1:${await listenOnLoopback(scope, server)}`;
}

before(async () => {
  const header_forwarding = { blocked_headers: ['X-Everywhere'] };
  const open = await startServer('open');
  gateway = await Gateway.start(scope, {
    header_forwarding,
    upstreams: [
      { name: 'files', url: await startServer('files'), paths: ['/mcp/*'], forward_headers: ['X-Colour', 'Authorization'],
        inject_headers: ['X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Token'] },
      { name: 'deep', url: await startServer('deep'), paths: ['/mcp/deep'], upstream_authorization: 'minted',
        tools: { echo: [], 'rm_*': ['files:write'] } },
      { name: 'open', url: open, paths: ['/open'], require_auth: false },
      { name: 'closed', url: `${open}/closed`, paths: ['/open/closed'] },
      { name: 'mail', url: await startServer('mail'), paths: ['/mcp'], hosts: ['mail.localhost'], scopes: ['mail'],
        upstream_authorization: 'static', upstream_credential: 'Bearer of-the-mail-server' },
      { name: 'slow', url: await startServer('slow', { answers: false }), paths: ['/slow'], request_timeout: 200 },
    ],
  });
  person = new Person({ password: await gateway.firstPassword() });
  client = await register(gateway);
});

async function tokenFor(resource, scopes) {
  const asked = authorization(gateway, client, { resource, ...(scopes && { scope: scopes }) });
  const answer = await person.approve(asked.url, redirectUri);
  const redeemed = await redeem(gateway, client, asked, answer);
  assert.equal(redeemed.status, 200, await redeemed.clone().text());
  return (await redeemed.json()).access_token;
}

const serverOf = async (answer) => (await answer.json()).result?.server;

// fetch does not let a test choose the Host field.
function ask(path, { host, method = 'POST', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(`${gateway.origin}${path}`, { method, headers: { ...(host && { host }), ...headers } }, (answer) => {
      let text = '';
      answer.on('data', (piece) => (text += piece)).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    });
    asked.on('error', reject).end(body);
  });
}

const calling = (token) => ({
  headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
  body: JSON.stringify(call('echo')),
});

test('the longest path wins, and a token for one server opens no other', async () => {
  const files = await tokenFor(`${gateway.origin}/mcp`);
  const deep = await tokenFor(`${gateway.origin}/mcp/deep`);
  assert.equal(await serverOf(await post(`${gateway.origin}/mcp`, call('echo'), files)), 'files');
  assert.equal(await serverOf(await post(`${gateway.origin}/mcp/deeper`, call('echo'), files)), 'files');
  assert.equal(seen.files.url, '/deeper');
  assert.equal(await serverOf(await post(`${gateway.origin}/mcp/deep`, call('echo'), deep)), 'deep');
  assert.equal((await post(`${gateway.origin}/mcp/deep`, call('echo'), files)).status, 401);
  assert.equal((await post(`${gateway.origin}/mcp`, call('echo'), deep)).status, 401);
});

test('a server asks for no scopes that only other servers name', async () => {
  const answer = await post(`${gateway.origin}/mcp/files`, call('echo'));
  assert.match(answer.headers.get('www-authenticate'), /scope="mcp"/);
  const metadata = async (path) => (await (await fetch(`${gateway.origin}/.well-known/oauth-protected-resource${path}`)).json()).scopes_supported;
  assert.deepEqual(await metadata('/mcp'), ['mcp']);
  assert.deepEqual(await metadata('/mcp/deep'), ['mcp', 'files:write']);
});

test('each server has its own header rules', async () => {
  const files = await tokenFor(`${gateway.origin}/mcp`);
  const deep = await tokenFor(`${gateway.origin}/mcp/deep`);
  const sent = { 'x-colour': 'red', 'x-shape': 'round', 'x-everywhere': 'no' };
  await post(`${gateway.origin}/mcp`, call('echo'), files, sent);
  await post(`${gateway.origin}/mcp/deep`, call('echo'), deep, sent);
  assert.deepEqual([seen.files.headers['x-colour'], seen.files.headers['x-shape'], seen.files.headers['x-everywhere']], ['red', undefined, undefined]);
  assert.deepEqual([seen.deep.headers['x-colour'], seen.deep.headers['x-shape'], seen.deep.headers['x-everywhere']], ['red', 'round', undefined]);
});

test('Authorization in forward_headers sends the verified token, and the injected names beside it', async () => {
  const files = await tokenFor(`${gateway.origin}/mcp`);
  await post(`${gateway.origin}/mcp`, call('echo'), files, { 'x-forwarded-user': 'mallory', 'x-forwarded-token': 'forged' });
  assert.equal(seen.files.headers.authorization, `Bearer ${files}`);
  assert.equal(seen.files.headers['x-forwarded-token'], files);
  assert.equal(seen.files.headers['x-forwarded-user'], 'local:admin');
  assert.equal(seen.files.headers['x-user-id'], 'local:admin');
});

test('a minted token names the server and the person, and opens nothing here', async () => {
  const deep = await tokenFor(`${gateway.origin}/mcp/deep`);
  await post(`${gateway.origin}/mcp/deep`, call('echo'), deep);
  const minted = seen.deep.headers.authorization.replace(/^Bearer /, '');
  assert.notEqual(minted, deep);
  const claims = JSON.parse(Buffer.from(minted.split('.')[1], 'base64url'));
  assert.match(claims.aud, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(claims.sub, 'local:admin');
  assert.equal(claims.iss, gateway.origin);
  assert.ok(claims.exp - claims.iat <= 300, 'short-lived');
  for (const path of ['/mcp/deep', '/mcp']) assert.equal((await post(`${gateway.origin}${path}`, call('echo'), minted)).status, 401);
});

test('a server has its own tools', async () => {
  const deep = await tokenFor(`${gateway.origin}/mcp/deep`);
  assert.equal((await post(`${gateway.origin}/mcp/deep`, call('echo'), deep)).status, 200);
  assert.equal((await post(`${gateway.origin}/mcp/deep`, call('unnamed'), deep)).status, 403);
  const files = await tokenFor(`${gateway.origin}/mcp`);
  assert.equal((await post(`${gateway.origin}/mcp`, call('unnamed'), files)).status, 200);
});

test('a public server needs no token, learns of nobody, and has no metadata', async () => {
  const forged = { 'x-user-id': 'local:admin', 'x-forwarded-user': 'admin', 'x_user_email': 'a@b' };
  assert.equal(await serverOf(await post(`${gateway.origin}/open`, call('echo'), undefined, forged)), 'open');
  for (const name of ['x-user-id', 'x-forwarded-user', 'x_user_email', 'x-user-email']) assert.equal(seen.open.headers[name], undefined, name);
  assert.equal(await serverOf(await post(`${gateway.origin}/open`, call('echo'), 'not-a-token')), 'open');
  assert.equal(seen.open.headers.authorization, undefined);
  assert.equal((await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/open`)).status, 404);
  assert.equal((await fetch(`${gateway.origin}/.well-known/oauth-protected-resource/mcp`)).status, 200);
  // A page of a stranger may not use it either.
  assert.equal((await post(`${gateway.origin}/open`, call('echo'), undefined, { origin: 'https://evil.example' })).status, 403);
});

test('a path that a server could read as one of another server is unknown', async () => {
  assert.equal((await ask('/open/closed', calling())).status, 401);
  const unknown = await ask('/nowhere', calling());
  assert.equal(unknown.status, 404);
  delete seen.open;
  for (const path of ['/open/%63losed', '/open/Closed', '/open/closed;x=1', '/open/clos%65d/rest', '/open/;/closed']) {
    for (const token of [undefined, await tokenFor(`${gateway.origin}/open/closed`)]) {
      const answer = await ask(path, calling(token));
      assert.deepEqual([answer.status, answer.text], [404, unknown.text], path);
    }
  }
  assert.equal(seen.open, undefined, 'the server heard nothing');
  assert.equal(JSON.parse((await ask('/open/Other;x=1/%41', calling())).text).result.server, 'open');
  assert.equal(seen.open.url, '/Other;x=1/%41');
});

test('a host leads to its own server, with its own resource and challenge', async () => {
  const host = `mail.localhost:${gateway.port}`;
  const refused = await ask('/mcp', { host, ...calling() });
  assert.equal(refused.status, 401);
  const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate'])[1];
  assert.equal(metadata, `http://${host}/.well-known/oauth-protected-resource/mcp`);
  const described = JSON.parse((await ask(new URL(metadata).pathname, { host, method: 'GET' })).text);
  assert.equal(described.resource, `http://${host}/mcp`);
  assert.deepEqual(described.authorization_servers, [gateway.origin]);

  const token = await tokenFor(described.resource, 'mail');
  const answer = await ask('/mcp', { host, ...calling(token) });
  assert.equal(JSON.parse(answer.text).result.server, 'mail');
  assert.equal(seen.mail.headers.authorization, 'Bearer of-the-mail-server');
  // The same token elsewhere, and another's here.
  assert.equal((await post(`${gateway.origin}/mcp`, call('echo'), token)).status, 401);
  assert.equal((await ask('/mcp', { host, ...calling(await tokenFor(`${gateway.origin}/mcp`)) })).status, 401);
});

test('a server has its own patience', async () => {
  const slow = await tokenFor(`${gateway.origin}/slow`);
  const answer = await post(`${gateway.origin}/slow`, call('echo'), slow);
  assert.equal(answer.status, 504);
  assert.match(JSON.stringify(await answer.json()), /timeout of 200ms exceeded/);
});
