// A gateway that is right, and clients that are not: registration, authorization and token requests, and their pages.

import { createServer } from 'node:https';
import { connect } from 'node:net';

import { Browser } from '../lib/browser.mjs';
import { makeCertificates } from '../lib/certificates.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { authorization, call, initialize, post, postForm, redeem, redirectUri, refresh, register, tokensFor } from '../lib/oauth.mjs';
import { Person } from '../lib/person.mjs';
import { listenOnLoopback } from '../lib/scope.mjs';
import { until } from '../lib/until.mjs';
import { Upstream } from '../lib/upstream.mjs';
import { logged, logLine, page } from './judges.mjs';

export async function requests(scope) {
  const upstream = await Upstream.start(scope);
  const certificates = await makeCertificates(scope, ['localhost']);
  const documents = { '/other.json': (site) => ({ client_id: `${site}/client.json`, client_name: 'Other', redirect_uris: [redirectUri] }) };
  const server = createServer(certificates, (asked, answer) => {
    if (!documents[asked.url]) return answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(documents[asked.url](site)));
  });
  const site = `https://localhost:${await listenOnLoopback(scope, server)}`;
  const gateway = await Gateway.start(scope, {
    mcp_server_url: upstream.url, tools: { echo: ['tools:read'], slow: ['tools:write'] }, upstream_ca_file: certificates.caFile,
    registration: { client_documents_from_private_addresses: true },
  });
  const closed = await Gateway.start(scope, { mcp_server_url: upstream.url, registration: { dynamic: false } });
  const hurried = await Gateway.start(scope, { mcp_server_url: upstream.url, session_timeout: 1 });
  const person = new Person({ password: await gateway.firstPassword() });
  const client = await register(gateway);
  const own = await tokensFor(gateway, person, client);
  const secretive = await register(gateway, { token_endpoint_auth_method: 'client_secret_post' });
  const codesOnly = await register(gateway, { grant_types: ['authorization_code'] });
  const two = await register(gateway, { redirect_uris: [redirectUri, 'https://app.example/back'] });
  const coded = async (more = {}) => {
    const asked = authorization(gateway, client, more);
    return { asked, answer: await person.approve(asked.url, asked.redirect_uri) };
  };

  const byLog = (world, cause, send, words) => ({ world, cause, words, ask: async () => ({ 'the log': await logLine(gateway, await send()) }) });
  const form = (path, parameters, headers) => () => postForm(`${gateway.origin}${path}`, parameters, headers);
  const raw = (path, init) => () => fetch(`${gateway.origin}${path}`, { method: 'POST', ...init });
  // In a browser: as a page, or as an answer to the client; the log has it either way.
  const asked = (world, cause, parameters, { of = gateway, by = client, words } = {}) => ({
    world, cause, words,
    ask: async () => ({ 'the log': await logLine(of, await fetch(authorization(of, by, parameters).url, { redirect: 'manual', headers: { 'sec-fetch-site': 'none', accept: 'text/html' } })) }),
  });
  const onPage = (world, cause, parameters, by = client) => ({
    world, cause, ask: async () => ({ 'the page': page(await new Browser().open(authorization(gateway, by, parameters).url, { until: redirectUri })) }),
  });
  // Bytes as they are; what is no request has no id to find its line by.
  const bytes = (world, cause, text) => ({
    world, cause,
    ask: async (mine) => {
      const socket = connect(gateway.port, '127.0.0.1').on('error', () => {}).resume();
      mine.after(() => socket.destroy());
      socket.write(text);
      return { 'the log': await logged(gateway, world, (l) => l.symptom === cause) };
    },
  });
  // What a proxy in front asks at /auth/verify.
  const verdict = (world, cause, headers, settings = {}) => ({
    world, cause,
    ask: async (mine) => {
      const asked = await Gateway.start(mine, { mcp_server_url: upstream.url, tools: { echo: ['tools:read'] }, trusted_proxies: ['127.0.0.1'], ...settings });
      const { access_token: token } = await tokensFor(asked, new Person({ password: await asked.firstPassword() }));
      return { 'the log': await logLine(asked, await fetch(`${asked.origin}/auth/verify`, { headers: { authorization: `Bearer ${token}`, ...headers(asked) } })) };
    },
  });
  const registering = (metadata) => raw('/oauth/register', { headers: { 'content-type': 'application/json' }, body: JSON.stringify(metadata) });
  const code = { grant_type: 'authorization_code', client_id: client.client_id, code: 'c'.repeat(43), code_verifier: 'v'.repeat(43), redirect_uri: redirectUri };
  const atMcp = (world, cause, init, words) => byLog(world, cause, () => fetch(gateway.mcp + (init.path ?? ''), {
    method: 'POST', body: JSON.stringify(call('echo', { text: 'x' })), ...init,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${own.access_token}`, ...init.headers },
  }), words);

  return [
    onPage('the client was never registered', 'MOP-CLI-001', {}, { client_id: 'nobody' }),
    byLog('the client is gone, and asks for a token', 'MOP-CLI-001', form('/oauth/token', { ...code, client_id: 'nobody' })),
    byLog('the client secret is wrong', 'MOP-CLI-002', form('/oauth/token', { ...code, client_id: secretive.client_id, client_secret: 'wrong' })),
    byLog('the client secret is missing', 'MOP-CLI-002', form('/oauth/token', { ...code, client_id: secretive.client_id })),
    byLog('the secret stands in header and body', 'MOP-CLI-003', form('/oauth/token', { ...code, client_id: secretive.client_id, client_secret: secretive.client_secret }, { authorization: `Basic ${btoa(`${secretive.client_id}:${secretive.client_secret}`)}` })),
    onPage('the redirect URI is another one', 'MOP-RED-002', { redirect_uri: 'http://127.0.0.1:8123/other' }),
    onPage('the redirect URI has a slash more', 'MOP-RED-002', { redirect_uri: `${redirectUri}/` }),
    onPage('the port of the redirect URI begins with a nought', 'MOP-RED-003', { redirect_uri: redirectUri.replace(':8123', ':08123') }),
    onPage('the redirect URI is missing, and two are registered', 'MOP-RED-001', { redirect_uri: undefined }, two),
    byLog('every redirect URI of a registration is dangerous', 'MOP-REG-003', registering({ redirect_uris: ['javascript:alert(1)'] })),
    byLog('a registration without redirect URIs', 'MOP-REG-002', registering({ redirect_uris: 'x' })),
    { world: 'registration is switched off', cause: 'MOP-REG-001', ask: async () => ({ 'the log': await logLine(closed, await fetch(`${closed.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ redirect_uris: [redirectUri] }) })) }) },
    asked('response_type is token', 'MOP-REQ-005', { response_type: 'token' }),
    asked('response_mode is fragment', 'MOP-REQ-006', { response_mode: 'fragment' }),
    asked('response_type is missing', 'MOP-REQ-001', { response_type: undefined }, { words: /response_type/ }),
    asked('no PKCE', 'MOP-PKC-001', { code_challenge: undefined, code_challenge_method: undefined }),
    asked('PKCE by plain', 'MOP-PKC-002', { code_challenge_method: 'plain' }),
    asked('PKCE without a method, which means plain', 'MOP-PKC-002', { code_challenge_method: undefined }),
    asked('PKCE by S512', 'MOP-PKC-003', { code_challenge_method: 'S512' }),
    asked('the challenge is padded', 'MOP-PKC-004', { code_challenge: `${'x'.repeat(42)}=` }),
    asked('a scope that nobody offers', 'MOP-SCP-003', { scope: 'everything' }),
    asked('the resource is not served here', 'MOP-AUD-002', { resource: 'https://other.example.com/mcp' }),
    asked('prompt=none, and nobody is signed in', 'MOP-LOG-003', { prompt: 'none' }),
    byLog('grant_type is password', 'MOP-REQ-007', form('/oauth/token', { grant_type: 'password', username: 'a', password: 'b', client_id: client.client_id })),
    byLog('a parameter stands twice', 'MOP-REQ-002', raw('/oauth/token', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `${new URLSearchParams(code)}&code=again` }), /code/),
    byLog('the token request is JSON', 'MOP-HTP-007', raw('/oauth/token', { headers: { 'content-type': 'application/json' }, body: JSON.stringify(code) })),
    byLog('the token request is a GET', 'MOP-HTP-005', () => fetch(`${gateway.origin}/oauth/token?${new URLSearchParams(code)}`)),
    byLog('a code that nobody gave', 'MOP-COD-001', form('/oauth/token', code)),
    byLog('a code that was used', 'MOP-COD-003', async () => {
      const { asked: mine, answer } = await coded();
      await redeem(gateway, client, mine, answer);
      return redeem(gateway, client, mine, answer);
    }),
    byLog('a code of another client', 'MOP-COD-004', async () => {
      const { asked: mine, answer } = await coded();
      return redeem(gateway, await register(gateway), mine, answer);
    }),
    byLog('the redirect URI of the token request is another', 'MOP-COD-004', async () => {
      const { asked: mine, answer } = await coded();
      return redeem(gateway, client, { ...mine, redirect_uri: `${redirectUri}/` }, answer);
    }),
    byLog('the verifier is of another sign-in', 'MOP-PKC-005', async () => {
      const { asked: mine, answer } = await coded();
      return redeem(gateway, client, { ...mine, verifier: 'v'.repeat(43) }, answer);
    }),
    byLog('a refresh token that nobody gave', 'MOP-REF-001', () => refresh(gateway, client, 'r'.repeat(43))),
    byLog('the client did not register for refresh tokens', 'MOP-CLI-004', () => refresh(gateway, codesOnly, 'r'.repeat(43))),
    byLog('a code longer than any', 'MOP-REQ-004', form('/oauth/token', { ...code, code: 'c'.repeat(9000) }), /code/),
    {
      world: 'the code is redeemed later than code_lifetime', cause: 'MOP-COD-002',
      ask: async (mine) => {
        const brief = await Gateway.start(mine, { mcp_server_url: upstream.url, code_lifetime: 1 });
        const its = await register(brief);
        const wanted = authorization(brief, its);
        const answer = await new Person({ password: await brief.firstPassword() }).approve(wanted.url, wanted.redirect_uri);
        const given = Date.now();
        await until('the end of the code', () => Date.now() > given + 1100);
        return { 'the log': await logLine(brief, await redeem(brief, its, wanted, answer)) };
      },
    },
    byLog('a refresh for more scopes', 'MOP-REF-004', async () => {
      const narrow = await coded({ scope: 'tools:read' });
      const { refresh_token: given } = await (await redeem(gateway, client, narrow.asked, narrow.answer)).json();
      return postForm(`${gateway.origin}/oauth/token`, { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: given, scope: 'tools:read tools:write' });
    }),
    {
      world: 'a refresh token that was used', cause: 'MOP-REF-003',
      ask: async (mine) => {
        const strict = await Gateway.start(mine, { mcp_server_url: upstream.url, refresh_grace_seconds: 0 });
        const given = await tokensFor(strict, new Person({ password: await strict.firstPassword() }));
        await refresh(strict, given.client, given.refresh_token);
        return { 'the log': await logLine(strict, await refresh(strict, given.client, given.refresh_token)) };
      },
    },
    byLog('revocation of a kind of token that is none', 'MOP-REQ-001', form('/oauth/revoke', { client_id: client.client_id }), /token/),
    { world: 'a callback that belongs to no sign-in', cause: 'MOP-STA-001', ask: async () => ({ 'the page': page(await new Browser().open(`${gateway.origin}/auth/callback?code=x&state=y`)) }) },
    {
      world: 'the sign-in took longer than session_timeout', cause: 'MOP-STA-002',
      ask: async () => {
        const browser = new Browser();
        const consent = await browser.open(authorization(hurried, await register(hurried)).url, { until: redirectUri });
        const late = await until('the end of its time', async () => {
          const next = await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
          return next.status >= 400 && next;
        });
        return { 'the page': page(late) };
      },
    },
    {
      world: 'the consent was sent by another browser', cause: 'MOP-STA-003',
      ask: async () => {
        const consent = await new Browser().open(authorization(gateway, client).url, { until: redirectUri });
        return { 'the page': page(await new Browser().submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text)) };
      },
    },
    {
      world: 'the consent is not what the page sent', cause: 'MOP-CON-001',
      ask: async () => {
        const browser = new Browser();
        const consent = await browser.open(authorization(gateway, client).url, { until: redirectUri });
        const forged = Object.fromEntries(consent.forms[0].fields.map(([name]) => [name, 'forged']));
        return { 'the page': page(await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text, forged)) };
      },
    },
    {
      world: 'a wrong password', cause: 'MOP-LOG-001',
      ask: async () => {
        const browser = new Browser();
        const name = 'forgetful';
        await gateway.addUser(name);
        let next = await browser.open(authorization(gateway, client).url, { until: redirectUri });
        next = await browser.submit(next, next.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
        await browser.submit(next, 'Sign in', { user: name, password: 'wrong' });
        const line = await gateway.logged('the password', (l) => l.symptom === 'MOP-LOG-001');
        return { 'the log': { id: line.symptom, text: JSON.stringify(line), certain: true } };
      },
    },
    {
      world: 'wrong passwords, one after the other', cause: 'MOP-LOG-002',
      ask: async () => {
        await gateway.addUser('guessed');
        const browser = new Browser();
        let next = await browser.open(authorization(gateway, client).url, { until: redirectUri });
        next = await browser.submit(next, next.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
        await until('the pause', async () => {
          next = await browser.submit(next, 'Sign in', { user: 'guessed', password: 'wrong' });
          return next.status === 429;
        });
        return { 'the log': await logLine(gateway, next) };
      },
    },
    {
      world: 'the new password is too short', cause: 'MOP-LOG-005',
      ask: async () => {
        const password = await gateway.addUser('terse');
        const browser = new Browser();
        let next = await browser.open(authorization(gateway, client).url, { until: redirectUri });
        next = await browser.submit(next, next.forms[0].buttons.find((b) => b.text.startsWith('Approve')).text);
        next = await browser.submit(next, 'Sign in', { user: 'terse', password });
        next = await browser.submit(next, 'Set password and sign in', { new_password: 'short', new_password_again: 'short' });
        return { 'the log': await logLine(gateway, next) };
      },
    },
    onPage('a client id document that is not there', 'MOP-CID-001', {}, { client_id: `${site}/none.json` }),
    onPage('a client id document that names another', 'MOP-CID-003', {}, { client_id: `${site}/other.json` }),
    onPage('a client id document over http', 'MOP-CLI-001', {}, { client_id: 'http://example.com/client.json' }),
    {
      world: 'a client id document at a private address', cause: 'MOP-CID-002',
      ask: async () => ({ 'the page': page(await new Browser().open(authorization(closed, { client_id: `${site}/none.json` }).url, { until: redirectUri })) }),
    },
    bytes('a header without a colon', 'MOP-HTP-001', 'GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n'),
    bytes('headers larger than allowed', 'MOP-HTP-002', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`),
    bytes('two lengths that disagree', 'MOP-HTP-003', 'POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'),
    bytes('the protocol is HTTP/3', 'MOP-HTP-004', 'GET / HTTP/3.0\r\nhost: x\r\n\r\n'),
    byLog('an escape in a form that is none', 'MOP-REQ-003', raw('/oauth/token', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'grant_type=%zz' })),
    {
      world: 'the person denies the request', cause: 'MOP-CON-002',
      ask: async () => {
        const denying = await register(gateway, { client_name: 'Denied' });
        const browser = new Browser();
        const consent = await browser.open(authorization(gateway, denying).url, { until: redirectUri });
        await browser.submit(consent, consent.forms[0].buttons.find((b) => b.text.startsWith('Deny')).text);
        return { 'the log': await logged(gateway, 'the answer', (l) => l.client_id === denying.client_id && l.symptom) };
      },
    },
    verdict('who asks for a verdict is no trusted proxy', 'MOP-VER-001', (of) => ({ 'x-original-url': of.mcp, 'x-original-method': 'POST' }), { trusted_proxies: [] }),
    verdict('the proxy does not say which request it means', 'MOP-VER-002', () => ({})),
    verdict('the proxy does not show the call', 'MOP-VER-004', (of) => ({ 'x-original-url': of.mcp, 'x-original-method': 'POST' })),
    verdict('the request names a person by itself', 'MOP-VER-003', (of) => ({ 'x-original-url': of.mcp, 'x-original-method': 'POST', 'x-forwarded-user': 'root' })),
    atMcp('the body is no JSON', 'MOP-MCP-005', { body: 'echo' }),
    atMcp('a member stands twice', 'MOP-MCP-002', { body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}' }),
    atMcp('a header contradicts the body', 'MOP-MCP-001', { headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list', 'mcp-name': 'echo' } }),
    atMcp('a batch in a revision without batches', 'MOP-MCP-003', { body: JSON.stringify([call('echo'), call('echo', {}, 2)]), headers: { 'mcp-protocol-version': '2026-07-28' } }),
    atMcp('a page of a foreign origin calls', 'MOP-ORG-001', { headers: { origin: 'https://evil.example' } }),
    atMcp('the token is in the query as well', 'MOP-TOK-003', { path: `?access_token=${own.access_token}` }),
    atMcp('PUT at the MCP endpoint', 'MOP-HTP-005', { method: 'PUT' }),
    {
      world: 'the client stops in the middle of its request', cause: 'MOP-HTP-008',
      ask: async (mine) => {
        const impatient = await Gateway.start(mine, { mcp_server_url: upstream.url, timeouts: { body: '300ms' } });
        const socket = connect(impatient.port, '127.0.0.1').on('error', () => {}).resume();
        mine.after(() => socket.destroy());
        socket.write('POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ngrant_type=');
        return { 'the log': await logged(impatient, 'the timeout', (l) => l.symptom) };
      },
    },
    {
      world: 'the client goes before the answer has come', cause: 'MOP-HTP-009',
      ask: async (mine) => {
        const busy = await Upstream.start(mine, { stateful: false });
        const before = await Gateway.start(mine, { mcp_server_url: busy.url });
        const given = await tokensFor(before, new Person({ password: await before.firstPassword() }));
        const leaving = new AbortController();
        const answer = post(before.mcp, call('slow'), given.access_token, {}, leaving.signal).catch(() => {});
        await until('the call', () => busy.waiting);
        leaving.abort();
        await answer;
        return { 'the log': await logged(before, 'the client', (l) => l.symptom) };
      },
    },
    byLog('a path that belongs to nothing', 'MOP-HTP-006', () => fetch(`${gateway.origin}/mpc`, { headers: { authorization: `Bearer ${own.access_token}` } })),
    {
      world: 'a session of another person', cause: 'MOP-SES-001',
      ask: async () => {
        const opened = await post(gateway.mcp, initialize(), own.access_token);
        const session = opened.headers.get('mcp-session-id');
        await opened.text();
        const other = await tokensFor(gateway, new Person({ user: 'neighbour', password: await gateway.addUser('neighbour') }));
        return { 'the log': await logLine(gateway, await post(gateway.mcp, call('echo', { text: 'x' }), other.access_token, { 'mcp-session-id': session })) };
      },
    },
    {
      world: 'more requests than the limit of an address', cause: 'MOP-LIM-002',
      ask: async (mine) => {
        const narrow = await Gateway.start(mine, { mcp_server_url: upstream.url, limits: { requests_per_minute: 3 } });
        const last = await until('the limit', async () => {
          const answer = await postForm(`${narrow.origin}/oauth/token`, code);
          return answer.status === 429 && answer;
        });
        return { 'the log': await logLine(narrow, last) };
      },
    },
    {
      world: 'a body larger than limits.body', cause: 'MOP-LIM-001',
      ask: async (mine) => {
        const narrow = await Gateway.start(mine, { mcp_server_url: upstream.url, limits: { body: 2048, admission: 1024 } });
        const given = await tokensFor(narrow, new Person({ password: await narrow.firstPassword() }));
        return { 'the log': await logLine(narrow, await post(narrow.mcp, call('echo', { text: 'x'.repeat(4096) }), given.access_token)) };
      },
    },
  ];
}
