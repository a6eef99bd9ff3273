// An OAuth client by hand, for what the real ones never show.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

export const redirectUri = 'http://127.0.0.1:8123/callback';

export async function register(gateway, metadata = {}) {
  const answer = await fetch(`${gateway.origin}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'By hand', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', ...metadata }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return answer.json();
}

// What a client sends a browser to; overrides with undefined leave a parameter out.
export function authorization(gateway, client, overrides = {}, path = '/oauth/authorize') {
  const verifier = randomBytes(32).toString('base64url');
  const parameters = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: client.redirect_uris?.[0] ?? redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: randomBytes(8).toString('hex'),
    resource: gateway.mcp,
    ...overrides,
  };
  const url = new URL(path, gateway.origin);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  return { url, verifier, ...parameters };
}

export function postForm(url, parameters, headers = {}) {
  return fetch(url, { method: 'POST', headers, body: new URLSearchParams(parameters) });
}

export function redeem(gateway, client, asked, answer, path = '/oauth/token') {
  return postForm(`${gateway.origin}${path}`, {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    code: answer.searchParams.get('code'),
    code_verifier: asked.verifier,
    ...(asked.redirect_uri && { redirect_uri: asked.redirect_uri }),
  });
}

export function refresh(gateway, client, refreshToken) {
  return postForm(`${gateway.origin}/oauth/token`, {
    grant_type: 'refresh_token',
    client_id: client.client_id,
    refresh_token: refreshToken,
  });
}

// Registered, approved and redeemed.
export async function tokensFor(gateway, person, client) {
  client ??= await register(gateway);
  const asked = authorization(gateway, client);
  const answer = await person.approve(asked.url, asked.redirect_uri);
  const redeemed = await redeem(gateway, client, asked, answer);
  assert.equal(redeemed.status, 200, await redeemed.clone().text());
  return { client, ...(await redeemed.json()) };
}

// One message to an MCP endpoint.
export function post(url, message, token, headers = {}, signal = undefined) {
  return fetch(url, {
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  });
}

export const call = (name, given = {}, id = 1, meta = undefined) => ({
  jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: given, ...(meta && { _meta: meta }) },
});

export const initialize = (protocolVersion = '2025-11-25', id = 0) => ({
  jsonrpc: '2.0', id, method: 'initialize',
  params: { protocolVersion, capabilities: {}, clientInfo: { name: 'by hand', version: '1' } },
});

// The events of a stream, as they arrive; comments are left out.
export async function* eventsOf(response) {
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + piece).split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      const event = {};
      for (const line of part.split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
      }
      if (Object.keys(event).length) yield event;
    }
  }
}
