// The official SDK's client with its OAuth support: everything between the first 401 and the tool call is its doing.

import assert from 'node:assert/strict';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

export const redirectUri = 'http://127.0.0.1:33418/callback';

// What a client program keeps on disk, in memory.
export class Keychain {
  clientMetadata = {
    client_name: 'SDK client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  saved = []; // every set of tokens, in order

  constructor(known = {}) {
    Object.assign(this, known);
  }
  get redirectUrl() {
    return redirectUri;
  }
  state() {
    return (this.lastState = crypto.randomUUID());
  }
  clientInformation() {
    return this.client;
  }
  saveClientInformation(client) {
    this.client = client;
  }
  tokens() {
    return this.saved.at(-1);
  }
  saveTokens(tokens) {
    this.saved.push(tokens);
  }
  redirectToAuthorization(url) {
    this.authorizationUrl = url;
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
  saveDiscoveryState(found) {
    this.found = found;
  }
  discoveryState() {
    return this.found;
  }
  invalidateCredentials(scope) {
    if (scope === 'all' || scope === 'client') this.client = undefined;
    if (scope === 'all' || scope === 'tokens') this.saved.push(undefined);
  }
}

// Connects with what the keychain holds; UnauthorizedError when a person is needed.
export async function connect(url, keychain, options = {}) {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: keychain, ...options });
  const client = new Client({ name: 'e2e', version: '1' });
  try {
    await client.connect(transport);
  } catch (error) {
    await client.close();
    throw Object.assign(error, { transport });
  }
  return { client, transport };
}

// The same with a person at hand.
export async function connectAs(person, url, keychain, options = {}) {
  let transport;
  try {
    return await connect(url, keychain, options);
  } catch (error) {
    assert.ok(error instanceof UnauthorizedError, error.stack);
    ({ transport } = error);
  }
  const answer = await person.approve(keychain.authorizationUrl, redirectUri);
  assert.equal(answer.searchParams.get('error'), null, answer.href);
  assert.equal(answer.searchParams.get('state'), keychain.lastState);
  await transport.finishAuth(answer.searchParams.get('code'));
  return connect(url, keychain, options);
}

export const textOf = (result) => result.content[0].text;
