// Who may call what: lists that show it, the step up to more, rules for resources, prompts and arguments, and a policy
// that is fetched. With the official clients and servers.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { before, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

import { command, Gateway, startDemoServer } from './lib/gateway.mjs';
import { authorization, call, initialize, post, redeem, redirectUri, register } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { connect, connectAs, Keychain, redirectUri as sdkRedirectUri } from './lib/sdk_client.mjs';
import { fileScope, listenOnLoopback } from './lib/scope.mjs';
import { TokenIssuer } from './lib/token_issuer.mjs';
import { until } from './lib/until.mjs';
import { Upstream } from './lib/upstream.mjs';

const scope = fileScope();
let demo, streaming, gateway, person, client;

const resources = { 'demo://readme': ['docs:read'] };
const prompts = { greeting: ['prompts:read'] };

before(async () => {
  demo = await startDemoServer(scope);
  streaming = await Upstream.start(scope);
  gateway = await Gateway.start(scope, {
    upstreams: [
      { name: 'json', url: demo.url, paths: ['/mcp'], policy: { resources, prompts } },
      { name: 'events', url: streaming.url, paths: ['/events'] },
      { name: 'step', url: streaming.url, paths: ['/step'], scopes: ['tools:read'] },
    ],
    tools: {
      echo: ['tools:read'],
      'who*': { any_of: ['tools:write', 'tools:admin'] },
      progress: { all_of: ['tools:read'], when: { 'argument.steps': { one_of: [1, 2] } } },
      big: { denied: true },
    },
    policy: { scope_hierarchy: { 'tools:admin': ['tools:write'], 'tools:write': ['tools:read'] } },
    logging: { debug: ['policy:decision'] },
  });
  person = new Person({ password: await gateway.firstPassword() });
  client = await register(gateway);
});

const tokens = new Map();
async function tokenWith(scopes, path = '/mcp') {
  const key = `${scopes} ${path}`;
  if (!tokens.has(key)) {
    const asked = authorization(gateway, client, { scope: scopes, resource: `${gateway.origin}${path}` });
    const answer = await person.approve(asked.url, redirectUri);
    tokens.set(key, (await (await redeem(gateway, client, asked, answer)).json()).access_token);
  }
  return tokens.get(key);
}

// The official client with a token at hand.
async function officialClient(t, path, token, Transport = StreamableHTTPClientTransport) {
  const headers = { authorization: `Bearer ${token}` };
  const transport = new Transport(new URL(`${gateway.origin}${path}`), {
    requestInit: { headers },
    eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } }) },
  });
  const made = new Client({ name: 'policy', version: '1' });
  await made.connect(transport);
  t.after(() => made.close());
  return made;
}

const names = (list) => list.map((item) => item.name).sort();

const seen = {
  'tools:read': ['echo', 'progress'],
  'tools:write': ['echo', 'progress', 'whoami'],
  'tools:admin': ['echo', 'progress', 'whoami'],
};
for (const [server, path] of [['a server that answers in JSON', '/mcp'], ['a server that answers in events', '/events']]) {
  for (const [scopes, expected] of Object.entries(seen)) {
    test(`${server}, ${scopes}: the list holds what may be called, and nothing else may`, async (t) => {
      const token = await tokenWith(scopes, path);
      const official = await officialClient(t, path, token);
      const { tools } = await official.listTools();
      assert.deepEqual(names(tools), expected);
      assert.ok(tools.every((tool) => tool.inputSchema));
      for (const name of ['echo', 'whoami', 'slow', 'big', 'nowhere']) {
        const answer = await post(`${gateway.origin}${path}`, call(name, { text: 'x' }), token, sessionOf(official));
        await answer.text();
        assert.equal(answer.status === 403, !expected.includes(name), `${name}: ${answer.status}`);
      }
      assert.match((await official.callTool({ name: 'echo', arguments: { text: 'still here' } })).content[0].text, /still here/);
    });
  }
}

function sessionOf(official) {
  const id = official.transport.sessionId;
  return { ...(id && { 'mcp-session-id': id }), 'mcp-protocol-version': '2025-11-25' };
}

test('2024-11-05: the list comes over the stream, filtered', async (t) => {
  const official = await officialClient(t, '/mcp/sse', await tokenWith('tools:read'), SSEClientTransport);
  assert.deepEqual(names((await official.listTools()).tools), ['echo', 'progress']);
  await assert.rejects(official.callTool({ name: 'whoami', arguments: {} }), /403/);
  assert.match((await official.callTool({ name: 'echo', arguments: { text: 'over two' } })).content[0].text, /over two/);
});

for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
  test(`${version}: the list is filtered, alone and in a batch`, async () => {
    const token = await tokenWith('tools:read');
    const opened = await post(gateway.mcp, initialize(version), token);
    await opened.text();
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
    if (version >= '2025-06-18') headers['mcp-protocol-version'] = version;
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
    const alone = await post(gateway.mcp, list, token, { ...headers, 'accept-encoding': 'gzip, br' });
    const length = Number(alone.headers.get('content-length'));
    const text = await alone.text();
    assert.equal(length, Buffer.byteLength(text));
    assert.deepEqual(names(JSON.parse(text).result.tools), ['echo', 'progress']);
    if (version !== '2025-03-26') return;
    const batch = await post(gateway.mcp, [{ jsonrpc: '2.0', id: 2, method: 'ping' }, list], token, headers);
    const answers = await batch.json();
    assert.deepEqual(names(answers.find((a) => a.id === 1).result.tools), ['echo', 'progress']);
    assert.ok(answers.find((a) => a.id === 2));
  });
}

test('2026-07-28: the list is filtered, and so are resources and prompts', async () => {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const ask = async (token, method, params = {}) => {
    const body = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } };
    const name = params.name ?? params.uri;
    return post(gateway.mcp, body, token, { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name && { 'mcp-name': name }) });
  };
  const reader = await tokenWith('tools:read');
  const scholar = await tokenWith('docs:read prompts:read');
  const listed = async (token, method, member) => names((await (await ask(token, method)).json()).result[member]);
  assert.equal((await (await ask(reader, 'tools/list')).json()).result.cacheScope, 'private');
  assert.deepEqual(await listed(reader, 'tools/list', 'tools'), ['echo', 'progress']);
  assert.deepEqual(await listed(scholar, 'tools/list', 'tools'), []);
  assert.deepEqual(await listed(reader, 'resources/list', 'resources'), []);
  assert.deepEqual(await listed(scholar, 'resources/list', 'resources'), ['readme']);
  assert.deepEqual(await listed(reader, 'prompts/list', 'prompts'), []);
  assert.deepEqual(await listed(scholar, 'prompts/list', 'prompts'), ['greeting']);
  for (const [token, status] of [[reader, 403], [scholar, 200]]) {
    assert.equal((await ask(token, 'resources/read', { uri: 'demo://readme' })).status, status);
    assert.equal((await ask(token, 'prompts/get', { name: 'greeting', arguments: { name: 'Ada' } })).status, status);
    assert.equal((await ask(token, 'resources/read', { uri: 'demo://other' })).status, 403);
    assert.equal((await ask(token, 'resources/read', { uri: 'demo://x/../readme' })).status, 403);
  }
  const listen = (uris) => ask(reader, 'subscriptions/listen', { notifications: { resourceSubscriptions: uris } });
  assert.equal((await listen(['demo://readme'])).status, 403);
});

test('a refusal names every scope that the call needs, in the words of the guide', async () => {
  const answer = await post(gateway.mcp, call('whoami'), await tokenWith('tools:read'));
  assert.equal(answer.status, 403);
  const challenge = answer.headers.get('www-authenticate');
  assert.match(challenge, /error="insufficient_scope"/);
  assert.match(challenge, /scope="tools:write"/);
  const body = await answer.json();
  assert.equal(body.error, 'insufficient_scope');
  assert.deepEqual(body.required_scopes, ['tools:write']);
  assert.ok(body.error_description);
});

test('a tool that no rule names is refused without a scope that nobody defined', async () => {
  const answer = await post(gateway.mcp, call('Echo', { text: 'x' }), await tokenWith('tools:admin'));
  assert.equal(answer.status, 403);
  assert.doesNotMatch(answer.headers.get('www-authenticate'), /[ ,]scope=/);
  const body = await answer.json();
  assert.equal(body.error, 'insufficient_scope');
  assert.equal(body.required_scopes, undefined);
  const line = await gateway.logged('the refusal', (l) => l.mcp_name === 'Echo' && l.decision === 'refused');
  assert.match(line.detail, /near: echo \(differs in case only\)/);
});

test('a rule may look at the arguments of a call', async () => {
  const token = await tokenWith('tools:read');
  const opened = await post(gateway.mcp, initialize(), token);
  await opened.text();
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
  for (const [given, status] of [[{ steps: 1 }, 200], [{ steps: 2, interval_ms: 1 }, 200], [{ steps: 3 }, 403], [{}, 403], [{ steps: 1, Steps: 9 }, 403]]) {
    const answer = await post(gateway.mcp, call('progress', given), token, session);
    await answer.text();
    assert.equal(answer.status, status, JSON.stringify(given));
  }
  const twice = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"progress","arguments":{"steps":1,"steps":9}}}';
  const answer = await post(gateway.mcp, twice, token, session);
  await answer.text();
  assert.equal(answer.status, 400);
});

test('the official client steps up to the scope that it is told of', async () => {
  const keychain = new Keychain();
  // This client tries a refresh first where it can, and a refresh never gives more scopes.
  const { tokens: all } = Keychain.prototype;
  keychain.tokens = () => all.call(keychain) && { ...all.call(keychain), refresh_token: undefined };
  const url = `${gateway.origin}/step`;
  const first = await connectAs(person, url, keychain);
  assert.deepEqual(names((await first.client.listTools()).tools), ['echo', 'progress']);
  await assert.rejects(first.client.callTool({ name: 'whoami', arguments: {} }), UnauthorizedError);
  assert.equal(keychain.authorizationUrl.searchParams.get('scope'), 'tools:read tools:write');
  const answer = await person.approve(keychain.authorizationUrl, sdkRedirectUri);
  await first.transport.finishAuth(answer.searchParams.get('code'));
  await first.client.close();
  const second = await connect(url, keychain);
  assert.deepEqual(names((await second.client.listTools()).tools), ['echo', 'progress', 'whoami']);
  assert.ok((await second.client.callTool({ name: 'whoami', arguments: {} })).content);
  await second.client.close();
});

test('the log counts what was listed, and DEBUG shows which rules decided', async () => {
  const token = await tokenWith('tools:read');
  const opened = await post(gateway.mcp, initialize(), token);
  await opened.text();
  const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
  await (await post(gateway.mcp, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, token, headers)).text();
  const line = await gateway.logged('the list', (l) => l.mcp_method === 'tools/list' && l.listed);
  assert.match(line.listed, /^\d+ tools, 2 visible$/);
  await (await post(gateway.mcp, call('whoami'), token, headers)).text();
  const rule = await gateway.logged('the rule', (l) => l.rule === 'tools.who*');
  assert.match(rule.missing_scopes, /tools:write tools:admin/);
  await gateway.logged('what would have allowed it', (l) => /tools:write/.test(l.would_allow ?? ''));
});

test('a policy that is fetched is followed, and nothing is allowed when it is too old', async (t) => {
  let says = { status: 200, body: { tools: { echo: [] } } };
  const asked = [];
  const source = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(says.status, { 'content-type': 'application/json' }).end(JSON.stringify(says.body));
  });
  const port = await listenOnLoopback(t, source);
  const own = await Gateway.start(t, {
    mcp_server_url: `${demo.url}/mcp`,
    policy: { url: `http://127.0.0.1:${port}/policy`, refresh: 1, max_age: 3, token: 'of the gateway'.replaceAll(' ', '-') },
  });
  const ada = new Person({ password: await own.firstPassword() });
  const known = await register(own);
  const grant = authorization(own, known);
  const { access_token: token } = await (await redeem(own, known, grant, await ada.approve(grant.url, redirectUri))).json();
  const opened = await post(own.mcp, initialize(), token);
  await opened.text();
  const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
  const ask = async (name) => {
    const answer = await post(own.mcp, call(name, { text: 'x' }), token, session);
    return { status: answer.status, retry: answer.headers.get('retry-after'), body: await answer.json() };
  };
  const becomes = (name, status) => until(`${name} is ${status}`, async () => ((await ask(name)).status === status ? true : undefined));

  assert.equal(asked[0], 'Bearer of-the-gateway');
  assert.equal((await ask('echo')).status, 200);
  assert.equal((await ask('whoami')).status, 403);
  says = { status: 200, body: { policy_complete: true, tool_policy: [{ name: 'whoami', is_public: true }] } };
  await becomes('whoami', 200);
  assert.equal((await ask('echo')).status, 403);
  says = { status: 200, body: { policy_complete: false, state: 'needs_setup' } };
  await becomes('whoami', 403);
  says = { status: 200, body: { tools: { echo: [] } } };
  await becomes('echo', 200);
  says = { status: 500, body: {} };
  await becomes('echo', 503);
  const away = await ask('echo');
  assert.ok(away.retry);
  assert.equal(away.body.error, 'temporarily_unavailable');
  const ready = await fetch(`${own.origin}/ready`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /policy_unavailable/);
  says = { status: 200, body: { tools: { echo: [] } } };
  await becomes('echo', 200);
});

test('scopes that only a fetched policy names: a guard announces them, a gateway says that nobody can get them', async (t) => {
  const issuer = await TokenIssuer.start(t);
  const says = (scope) => (issuer.answers['/policy'] = { body: JSON.stringify({ tools: { echo: [scope], whoami: ['tools:known'] }, scope_hierarchy: { 'tools:all': [scope] } }) });
  says('tools:first');
  const policy = { url: `${issuer.issuer}/policy`, refresh: 1 };
  const guard = await Gateway.start(t, { mode: 'native', issuer: issuer.issuer, mcp_server_url: demo.url, scopes_supported: ['tools:known'], policy });
  const announced = async () => (await (await fetch(`${guard.origin}/.well-known/oauth-protected-resource/mcp`)).json()).scopes_supported;
  const challenged = async () => / scope="([^"]*)"/.exec((await post(guard.mcp, initialize())).headers.get('www-authenticate'))[1].split(' ');
  assert.deepEqual(await announced(), ['tools:known', 'tools:first', 'tools:all']);
  assert.deepEqual(await challenged(), ['tools:known', 'tools:first', 'tools:all']);
  says('tools:second');
  await until('the new policy is announced', async () => (await announced()).includes('tools:second'));
  assert.deepEqual(await announced(), ['tools:known', 'tools:second', 'tools:all']);
  assert.deepEqual(await challenged(), ['tools:known', 'tools:second', 'tools:all']);

  const settings = { mcp_server_url: demo.url, scopes_supported: ['tools:known'], policy };
  const lacking = /policy\.url asks for scopes that nobody can get, as scopes_supported lacks them: tools:second, tools:all/;
  const checked = await command(t, ['check-config', '--config', 'config.yaml'], { settings });
  assert.match(checked.err + checked.out, lacking);
  const own = await Gateway.start(t, settings);
  await own.logged('what nobody can get', (l) => l.level === 'warn' && lacking.test(l.message));
  const metadata = await (await fetch(`${own.origin}/.well-known/oauth-authorization-server`)).json();
  assert.ok(!metadata.scopes_supported.includes('tools:second'), 'a document from elsewhere gives nobody a scope');
  issuer.answers['/policy'] = { status: 500, body: '' };
  const away = await command(t, ['check-config', '--config', 'config.yaml'], { settings });
  assert.match(away.err + away.out, /policy\.url gives no policy: .*status 500/);
});
