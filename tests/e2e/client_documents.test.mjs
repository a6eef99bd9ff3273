// Clients that are named by the address of their metadata document.

import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway } from './lib/gateway.mjs';
import { authorization } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { connectAs, Keychain, redirectUri, textOf } from './lib/sdk_client.mjs';
import { makeCertificates } from './lib/certificates.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let upstream, certificates, site, asked, gateway, person;

before(async () => {
  upstream = await Upstream.start(scope);
  certificates = await makeCertificates(scope, ['localhost']);
  asked = [];
  const server = createServer(certificates, (request, response) => {
    asked.push(request.url);
    if (request.url === '/moved.json') return response.writeHead(302, { location: '/client.json' }).end();
    response.setHeader('Content-Type', 'application/json');
    const name = request.url === '/other.json' ? `${site}/client.json` : site + request.url;
    response.end(JSON.stringify({
      client_id: name,
      client_name: 'Documented client',
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: 'none',
    }));
  });
  site = `https://localhost:${await listenOnLoopback(scope, server)}`;
  gateway = await Gateway.start(scope, settings({ client_documents_from_private_addresses: true }));
  person = new Person({ password: await gateway.firstPassword() });
});

const settings = (registration) => ({ mcp_server_url: upstream.url, upstream_ca_file: certificates.caFile, registration });

test('a client with a document needs no registration', async () => {
  const keychain = new Keychain({ clientMetadataUrl: `${site}/client.json` });
  const { client } = await connectAs(person, gateway.mcp, keychain);
  assert.equal(keychain.client.client_id, `${site}/client.json`);
  assert.equal(keychain.client.client_secret, undefined);
  const headers = JSON.parse(textOf(await client.callTool({ name: 'whoami' })));
  assert.equal(headers['x-client-id'], `${site}/client.json`);
  await client.close();
});

test('the consent page names where the document lies', async () => {
  const page = await new Browser().open(ask(gateway, '/client.json'));
  assert.equal(page.title, 'Allow access?');
  assert.match(page.text, /Documented client/);
  assert.match(page.text, /Published by localhost/);
});

test('a document is kept, and not fetched for every request', async () => {
  await new Browser().open(ask(gateway, '/client.json'));
  assert.equal(asked.filter((path) => path === '/client.json').length, 1);
});

for (const [what, path] of [['names another client', '/other.json'], ['is a redirect', '/moved.json']]) {
  test(`a document that ${what} is refused`, async () => {
    const page = await new Browser().open(ask(gateway, path));
    assert.equal(page.status, 400, page.text);
    assert.match(page.text, /MOP-[A-Z]+-\d+/);
    assert.ok(asked.includes(path), 'it was fetched');
  });
}

test('without the setting nothing at a private address is fetched', async () => {
  const guarded = await Gateway.start(scope, settings({}));
  const before = asked.length;
  const page = await new Browser().open(ask(guarded, '/client.json'));
  assert.equal(page.status, 400, page.text);
  assert.match(page.text, /MOP-[A-Z]+-\d+/);
  assert.equal(asked.length, before);
});

test('a server whose certificate no authority signed is not believed', async () => {
  const trusting = await Gateway.start(scope, {
    mcp_server_url: upstream.url,
    registration: { client_documents_from_private_addresses: true },
  });
  const before = asked.length;
  const page = await new Browser().open(ask(trusting, '/client.json'));
  assert.equal(page.status, 400, page.text);
  assert.equal(asked.length, before);
});

function ask(at, path) {
  return authorization(at, { client_id: site + path, redirect_uris: [redirectUri] }).url;
}
