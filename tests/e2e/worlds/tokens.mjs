// A guard, an issuer and an MCP server that are right, and a token that is not; and guards whose issuer is not.

import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';

import { makeCertificates } from '../lib/certificates.mjs';
import { clockOff } from '../lib/faketime.mjs';
import { Gateway } from '../lib/gateway.mjs';
import { call, post, postForm, refresh, tokensFor } from '../lib/oauth.mjs';
import { Person } from '../lib/person.mjs';
import { hmacToken, TokenIssuer } from '../lib/token_issuer.mjs';
import { Upstream } from '../lib/upstream.mjs';
import { explainToken, logged, logLine } from './judges.mjs';

const rules = { echo: ['tools:read'], whoami: [], 'delete_*': ['tools:write'] };
const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

// A proof of RFC 9449 for a call of the guard.
function proofOf(key, url, token, more = {}) {
  const { kty, crv, x, y } = key.publicKey.export({ format: 'jwk' });
  const input = `${base64({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${base64({
    htm: 'POST', htu: url, iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ath: createHash('sha256').update(token).digest('base64url'), ...more,
  })}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
function thumbprint(key) {
  const { crv, kty, x, y } = key.publicKey.export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

export async function tokens(scope) {
  const upstream = await Upstream.start(scope, { stateful: false });
  const [issuer, stranger] = [await TokenIssuer.start(scope), await TokenIssuer.start(scope)];
  const guard = await Gateway.start(scope, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, tools: rules });
  const gateway = await Gateway.start(scope, { mcp_server_url: upstream.url, tools: rules });
  const person = new Person({ password: await gateway.firstPassword() });
  const own = await tokensFor(gateway, person);
  const now = Math.floor(Date.now() / 1000);
  const token = (claims = {}, header = {}) => issuer.token({ aud: guard.mcp, scope: 'tools:read', ...claims }, header);

  const asked = (of, given, tool = 'echo') => post(of.mcp, call(tool, { text: 'x' }), given);
  // The command that explains tokens, and the log of the call that was made with it.
  const both = (world, cause, given, { of = guard, words } = {}) => ({
    world, cause, words,
    ask: async (mine) => ({ 'explain-token': await explainToken(mine, of, given()), 'the log': await logLine(of, await asked(of, given())) }),
  });
  const request = (world, cause, init, { of = guard, words } = {}) => ({
    world, cause, words,
    ask: async () => ({ 'the log': await logLine(of, await fetch(of.mcp, { method: 'POST', body: JSON.stringify(call('echo', { text: 'x' })), ...init(), headers: { 'content-type': 'application/json', ...init().headers } })) }),
  });
  // A guard of its own, whose issuer or settings are wrong.
  const guarded = (world, cause, change, { settings = {}, given = (my) => my.issuer.token({ aud: my.guard.mcp, scope: 'tools:read' }), words, args, by = 'both' } = {}) => ({
    world, cause, words,
    ask: async (mine) => {
      const my = { issuer: await TokenIssuer.start(mine) };
      await change(my, mine);
      my.guard = await Gateway.start(mine, { mode: 'native', issuer: my.issuer.issuer, start_retry: true, mcp_server_url: upstream.url, ...(typeof settings === 'function' ? settings(my) : settings) });
      const shown = await given(my);
      const verdicts = {};
      if (by !== 'the log') verdicts['explain-token'] = await explainToken(mine, my.guard, shown, { args });
      verdicts['the log'] = await logLine(my.guard, await asked(my.guard, shown));
      return verdicts;
    },
  });
  const html = { type: 'text/html', body: '<!doctype html><title>Sign in</title>' };
  const introspected = (says, validation) => ({
    settings: (my) => ({ issuer: undefined, issuers: [{ issuer: my.issuer.issuer, introspection_url: `${my.issuer.issuer}/introspect`, introspection_client_id: 'rs', introspection_client_secret: 'of the resource server', validation }] }),
    change: (my) => { my.issuer.answers['/introspect'] = says(my); },
    given: () => 'an-opaque-token-of-some-length',
    args: ['--introspect'],
  });
  const asking = (world, cause, says, { validation = 'introspection', ...more } = {}) => {
    const { change, ...rest } = introspected(says, validation);
    return guarded(world, cause, change, { ...rest, ...more });
  };

  return [
    request('no token at all', 'MOP-TOK-001', () => ({})),
    request('the token stands without the word Bearer', 'MOP-TOK-004', () => ({ headers: { authorization: token() } })),
    request('user and password in place of a token', 'MOP-TOK-002', () => ({ headers: { authorization: `Basic ${btoa('a:b')}` } })),
    both('the word Bearer stands twice', 'MOP-TOK-004', () => `Bearer ${token()}`, { words: { 'explain-token': /Bearer/ } }),
    both('quotes around the token', 'MOP-TOK-004', () => `"${token()}"`, { words: { 'explain-token': /quote/ } }),
    both('a blank in the middle of the token', 'MOP-TOK-004', () => token().replace('.', '. ')),
    both('a column of 512 characters cut the token off', 'MOP-TOK-004', () => token({ name: 'x'.repeat(600) }).slice(0, 512), { words: { 'explain-token': /512/ } }),
    both('the end of the token is missing', 'MOP-TOK-004', () => token().slice(0, -40)),
    both('the token is encoded for a URL', 'MOP-TOK-004', () => token().replaceAll('.', '%2E')),
    both('an opaque token where JWTs are given', 'MOP-TOK-012', () => 'an-opaque-token-of-some-length'),
    both('an id token', 'MOP-TOK-005', () => token({ nonce: 'n', scope: undefined, client_id: undefined }, { typ: 'JWT' }), { words: /id token/ }),
    both('a token without a signature', 'MOP-TOK-006', () => token({}, { alg: 'none' })),
    both('a token by a shared secret, signed with a public key', 'MOP-TOK-006', () => hmacToken('a secret', { iss: issuer.issuer, aud: guard.mcp, sub: 'john', exp: now + 60 })),
    both('the key was rotated, and this token is of the old one', 'MOP-SIG-001', () => token({}, { kid: 'the-old-one' }), { words: /the-old-one/ }),
    both('a byte of the claims was changed', 'MOP-SIG-002', () => { const [h, , s] = token().split('.'); return `${h}.${token({ sub: 'mallory' }).split('.')[1]}.${s}`; }),
    both('a token of another issuer', 'MOP-ISS-001', () => stranger.token({ aud: guard.mcp })),
    both('iss has a slash at its end', 'MOP-ISS-001', () => token({ iss: `${issuer.issuer}/` }), { words: /slash/ }),
    both('iss is https and the configured one http', 'MOP-ISS-001', () => token({ iss: issuer.issuer.replace('http:', 'https:') }), { words: /http/ }),
    both('iss has the name of a host inside', 'MOP-ISS-001', () => token({ iss: issuer.issuer.replace('127.0.0.1', 'keycloak') })),
    both('aud is another server', 'MOP-AUD-001', () => token({ aud: 'https://other.example.com/mcp' })),
    both('aud has a slash at its end', 'MOP-AUD-001', () => token({ aud: `${guard.mcp}/` }), { words: /slash/ }),
    both('aud differs in upper and lower case', 'MOP-AUD-001', () => token({ aud: guard.mcp.replace('/mcp', '/MCP') }), { words: /case/ }),
    both('aud is the client id', 'MOP-AUD-001', () => token({ aud: 'a-client' }), { words: /client/ }),
    both('aud is the origin alone', 'MOP-AUD-001', () => token({ aud: guard.origin })),
    both('aud is https, as behind a proxy that ends TLS', 'MOP-AUD-001', () => token({ aud: guard.mcp.replace('http:', 'https:') }), { words: /http/ }),
    both('aud is Microsoft Graph', 'MOP-AUD-001', () => token({ aud: '00000003-0000-0000-c000-000000000000' }), { words: /Graph|00000003/ }),
    both('no aud', 'MOP-AUD-003', () => token({ aud: undefined })),
    both('expired an hour ago', 'MOP-TIM-001', () => token({ iat: now - 7200, exp: now - 3600 }), { words: /60 min|1 h/ }),
    both('valid only in an hour', 'MOP-TIM-002', () => token({ nbf: now + 3600 })),
    both('no sub', 'MOP-TOK-007', () => token({ sub: undefined }), { words: /sub/ }),
    both('no exp', 'MOP-TOK-007', () => token({ exp: undefined }), { words: /exp/ }),
    both('bound to a key, and no proof of it', 'MOP-DPO-001', () => token({ cnf: { jkt: 'x'.repeat(43) } })),
    both('bound to a client certificate, and none is shown', 'MOP-DPO-007', () => token({ cnf: { 'x5t#S256': 'x'.repeat(43) } })),
    { world: 'the scope of the tool differs in case', cause: 'MOP-SCP-001', words: /case/, ask: async () => ({ 'the log': await logLine(guard, await asked(guard, token({ scope: 'tools:Read' }))) }) },
    { world: 'the token lacks the scope of the tool', cause: 'MOP-SCP-001', words: /tools:write/, ask: async () => ({ 'the log': await logLine(guard, await asked(guard, token(), 'delete_all')) }) },
    { world: 'the tool is named otherwise in the rules', cause: 'MOP-SCP-002', words: /echo/, ask: async () => ({ 'the log': await logLine(guard, await asked(guard, token(), 'ecko')) }) },

    both('our own refresh token in place of the access token', 'MOP-TOK-004', () => own.refresh_token, { of: gateway }),
    both('a GitHub token', 'MOP-TOK-004', () => 'gho_16C7e42F292c6912E7710c838347Ae178B4a', { of: gateway }),
    both('a token of the provider in place of ours', 'MOP-SIG-001', () => stranger.token({ aud: gateway.mcp }), { of: gateway, words: { 'explain-token': /another authorization server gave it/ } }),
    {
      world: 'a token of another deployment of the gateway', cause: 'MOP-SIG-001', words: /signing key|another deployment|kid/,
      ask: async (mine) => {
        const other = await Gateway.start(mine, { mcp_server_url: upstream.url });
        const { access_token: theirs } = await tokensFor(other, new Person({ password: await other.firstPassword() }));
        return { 'explain-token': await explainToken(mine, gateway, theirs), 'the log': await logLine(gateway, await asked(gateway, theirs)) };
      },
    },
    {
      world: 'the grant behind the token was revoked', cause: 'MOP-TOK-008',
      ask: async (mine) => {
        const again = await tokensFor(gateway, new Person({ user: 'revoked', password: await gateway.addUser('revoked') }));
        await postForm(`${gateway.origin}/oauth/revoke`, { token: again.refresh_token, client_id: again.client.client_id });
        return { 'explain-token': await explainToken(mine, gateway, again.access_token), 'the log': await logLine(gateway, await asked(gateway, again.access_token)) };
      },
    },
    {
      world: 'the HMAC secret of the test is another', cause: 'MOP-SIG-002', words: /secret|signature/,
      ask: async (mine) => {
        const secret = randomBytes(32).toString('base64');
        const testing = await Gateway.start(mine, { mcp_server_url: upstream.url, providers: { test: { type: 'hmac', secret } } });
        const given = hmacToken(`${secret}\n`, { iss: testing.origin, aud: testing.mcp, sub: 'alice', exp: now + 60 });
        return { 'explain-token': await explainToken(mine, testing, given), 'the log': await logLine(testing, await asked(testing, given)) };
      },
    },

    guarded('the issuer is away', 'MOP-ISS-002', (my) => my.issuer.goAway()),
    guarded('discovery answers with a page', 'MOP-ISS-003', (my) => { my.issuer.answers['/.well-known/openid-configuration'] = html; }, { words: /HTML|page|JSON/ }),
    guarded('the issuer has a slash, and the configuration has none', 'MOP-ISS-001', (my) => { my.issuer.stated = `${my.issuer.issuer}/`; }, { words: /slash.*configure/ }),
    guarded('discovery answers 503', 'MOP-ISS-002', (my) => { my.issuer.answers['/.well-known/openid-configuration'] = { status: 503, body: '{}' }; }),
    guarded('discovery lacks jwks_uri', 'MOP-ISS-003', (my) => { my.issuer.answers['/.well-known/openid-configuration'] = { body: JSON.stringify({ issuer: my.issuer.issuer }) }; }, { words: /jwks_uri/ }),
    guarded('the keys are a page', 'MOP-ISS-004', (my) => { my.issuer.answers['/keys'] = html; }),
    guarded('the keys answer 404', 'MOP-ISS-004', (my) => { my.issuer.answers['/keys'] = { status: 404, body: '' }; }, { words: /404/ }),
    guarded('the key set is empty', 'MOP-ISS-004', (my) => { my.issuer.answers['/keys'] = { body: '{"keys":[]}' }; }),
    guarded('bound tokens are demanded, and this one is not', 'MOP-DPO-006', () => {}, { settings: { dpop: 'require' } }),
    {
      world: 'the proof is for another URL', cause: 'MOP-DPO-002', words: /htu/,
      ask: async (mine) => {
        const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const bound = token({ cnf: { jkt: thumbprint(key) } });
        const dpop = proofOf(key, guard.mcp.replace('http:', 'https:'), bound);
        return { 'the log': await logLine(guard, await post(guard.mcp, call('whoami'), undefined, { authorization: `DPoP ${bound}`, dpop })) };
      },
    },
    {
      world: 'the proof was used before', cause: 'MOP-DPO-003',
      ask: async () => {
        const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const bound = token({ cnf: { jkt: thumbprint(key) } });
        const dpop = proofOf(key, guard.mcp, bound);
        const shown = () => post(guard.mcp, call('whoami'), undefined, { authorization: `DPoP ${bound}`, dpop });
        await (await shown()).text();
        return { 'the log': await logLine(guard, await shown()) };
      },
    },
    {
      world: 'the proof lacks the nonce that the guard gives', cause: 'MOP-DPO-004',
      ask: async (mine) => {
        const strict = await Gateway.start(mine, { mode: 'native', issuer: issuer.issuer, mcp_server_url: upstream.url, dpop: 'require', dpop_nonces: true });
        const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const bound = token({ aud: strict.mcp, cnf: { jkt: thumbprint(key) } });
        const shown = { authorization: `DPoP ${bound}`, dpop: proofOf(key, strict.mcp, bound) };
        return { 'the log': await logLine(strict, await post(strict.mcp, call('whoami'), undefined, shown)) };
      },
    },
    {
      world: 'the client certificate was renewed, and the token is of the old one', cause: 'MOP-DPO-005',
      ask: async (mine) => {
        const [ours, old, renewed] = await Promise.all([['127.0.0.1'], ['client'], ['client']].map((names) => makeCertificates(mine, names)));
        const secured = await Gateway.start(mine, {
          mode: 'native', issuer: issuer.issuer, audience: 'api://mcp', mcp_server_url: upstream.url, certificate_binding: 'accept',
          tls: { cert_file: ours.certFile, key_file: ours.keyFile },
        });
        const bound = token({ aud: 'api://mcp', cnf: { 'x5t#S256': createHash('sha256').update(new X509Certificate(old.cert).raw).digest('base64url') } });
        const sent = httpsRequest({
          host: '127.0.0.1', port: secured.port, path: '/mcp', method: 'POST', ca: ours.ca, cert: renewed.cert, key: renewed.key, agent: false,
          headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${bound}` },
        });
        sent.end(JSON.stringify(call('whoami')));
        const [answer] = await once(sent, 'response');
        answer.resume();
        const id = answer.headers['x-request-id'];
        return { 'the log': await logged(secured, id, (l) => l.request_id === id && l.status) };
      },
    },
    {
      world: 'a client comes back after two months', cause: 'MOP-REF-002',
      ask: async (mine) => {
        const aging = await Gateway.start(mine, { mcp_server_url: upstream.url });
        const theirs = await tokensFor(aging, new Person({ password: await aging.firstPassword() }));
        await aging.stop();
        aging.environment = clockOff('+60d');
        await aging.restart();
        return { 'the log': await logLine(aging, await refresh(aging, theirs.client, theirs.refresh_token)) };
      },
    },
    asking('the token was revoked at the issuer', 'MOP-TOK-010', () => ({ body: '{"active":false}' })),
    asking('the introspection secret is wrong', 'MOP-ISS-005', () => ({ status: 401, body: '{"error":"invalid_client"}' })),
    asking('introspection answers with a page', 'MOP-ISS-005', () => html),
    asking('introspection names another audience', 'MOP-AUD-001', (my) => ({ body: JSON.stringify({ active: true, iss: my.issuer.issuer, aud: 'https://other.example.com', sub: 'john', exp: now + 600 }) })),
    asking('introspection names another person than the token', 'MOP-TOK-011',
      (my) => ({ body: JSON.stringify({ active: true, iss: my.issuer.issuer, sub: 'eve', exp: now + 600 }) }),
      { validation: 'jwt_and_introspection', given: (my) => my.issuer.token({ aud: my.guard.mcp }), words: /eve/ }),
    guarded('the policy cannot be fetched', 'MOP-POL-001', (my) => { my.issuer.answers['/policy'] = { status: 500, body: '' }; }, { settings: (my) => ({ policy: { url: `${my.issuer.issuer}/policy` } }), by: 'the log' }),
    guarded('the policy is not finished', 'MOP-POL-002', (my) => { my.issuer.answers['/policy'] = { body: JSON.stringify({ state: 'needs_setup', policy_complete: false, tool_policy: [] }) }; }, { settings: (my) => ({ policy: { url: `${my.issuer.issuer}/policy` } }), by: 'the log', words: /needs_setup/ }),
  ];
}
