// Every parameter of every endpoint: missing, repeated, empty, too long, of the wrong type or encoding. The answer is an
// error of OAuth in clear words, and nothing else happens.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { Browser } from './lib/browser.mjs';
import { Gateway, startDemoServer } from './lib/gateway.mjs';
import { authorization, redirectUri, register, tokensFor } from './lib/oauth.mjs';
import { Person } from './lib/person.mjs';
import { fileScope } from './lib/scope.mjs';

const scope = fileScope();
let gateway, person, tokens, confidential;

before(async () => {
  const demo = await startDemoServer(scope);
  gateway = await Gateway.start(scope, {
    mcp_server_url: demo.url,
    limits: { requests_per_minute: 1_000_000, registrations_per_hour: 1_000_000 },
  });
  person = new Person({ password: await gateway.firstPassword() });
  tokens = await tokensFor(gateway, person);
  confidential = await register(gateway, { token_endpoint_auth_method: 'client_secret_post' });
});

const long = 'x'.repeat(20_000);
const encode = (pairs) => pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');

// Each way to spoil one parameter of a form that would be right.
function spoiled(form, name, tooLong = long) {
  const others = Object.entries(form).filter(([n]) => n !== name);
  const with_ = (raw) => [encode(others), raw].join('&');
  return {
    missing: encode(others),
    empty: with_(`${name}=`),
    'without a value': with_(name),
    repeated: with_(`${name}=${encodeURIComponent(form[name])}&${name}=${encodeURIComponent(form[name])}`),
    'repeated with another value': with_(`${name}=${encodeURIComponent(form[name])}&${name}=other`),
    'too long': with_(`${name}=${tooLong}`),
    'broken percent encoding': with_(`${name}=%`),
    'broken hex digits': with_(`${name}=%zz`),
    'broken UTF-8': with_(`${name}=%ff%fe`),
    'a zero byte': with_(`${name}=a%00b`),
    'a line feed': with_(`${name}=a%0d%0aSet-Cookie:%20a=b`),
    'markup': with_(`${name}=${encodeURIComponent('<script>alert(1)</script>')}`),
    'an array as PHP has it': with_(`${name}%5B%5D=${encodeURIComponent(form[name])}`),
  };
}

async function assertOAuthError(answer, what) {
  const text = await answer.text();
  assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status} ${text}`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/, what);
  const body = JSON.parse(text);
  assert.match(body.error, /^[a-z_]+$/, what);
  assert.ok(body.error_description.length > 3 && !/\n|<|::|\.cc\b/.test(body.error_description), `${what}: ${text}`);
  assert.equal(answer.headers.getSetCookie().length, 0, what);
  return body;
}

const sendForm = (path, body) =>
  fetch(gateway.origin + path, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });

const forms = {
  '/oauth/token (code)': () => ({ grant_type: 'authorization_code', client_id: tokens.client.client_id, code: 'c'.repeat(43), code_verifier: 'v'.repeat(43), redirect_uri: redirectUri }),
  '/oauth/token (refresh)': () => ({ grant_type: 'refresh_token', client_id: tokens.client.client_id, refresh_token: 'r'.repeat(43) }),
};
for (const [endpoint, make] of Object.entries(forms)) {
  test(`${endpoint}: a spoiled parameter is an error of OAuth`, async () => {
    for (const name of Object.keys(make())) {
      for (const [how, body] of Object.entries(spoiled(make(), name))) {
        await assertOAuthError(await sendForm('/oauth/token', body), `${name} ${how}`);
      }
    }
  });
}

test('/oauth/token: other methods, media types and bodies', async () => {
  const url = `${gateway.origin}/oauth/token`;
  const right = encode(Object.entries(forms['/oauth/token (refresh)']()));
  assert.equal((await fetch(`${url}?${right}`)).status, 405);
  const cases = {
    'no body': { method: 'POST' },
    json: { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ grant_type: 'refresh_token' }) },
    'no type': { method: 'POST', headers: { 'content-type': '' }, body: right },
    multipart: { method: 'POST', body: new FormData() },
    huge: { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `a=${'x'.repeat(200_000)}` },
    'parameters in the query': { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '' },
    'a broken Basic header': { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: 'Basic %%%' }, body: right },
    'a Basic header without a colon': { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${btoa('nocolon')}` }, body: right },
    'two ways to authenticate': { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${btoa('a:b')}` }, body: `${right}&client_secret=x` },
  };
  for (const [what, init] of Object.entries(cases)) await assertOAuthError(await fetch(url, init), what);
});

test('/oauth/revoke and /oauth/introspect: a spoiled request is an error, a foreign token is none of theirs', async () => {
  const revoke = { token: 'unknown', client_id: tokens.client.client_id };
  for (const how of ['missing', 'empty', 'repeated', 'broken UTF-8', 'too long']) {
    await assertOAuthError(await sendForm('/oauth/revoke', spoiled(revoke, 'token')[how]), how);
  }
  assert.equal((await sendForm('/oauth/revoke', encode(Object.entries(revoke)))).status, 200);
  // A token of another client is not revoked.
  const other = await register(gateway);
  await sendForm('/oauth/revoke', encode([['token', tokens.refresh_token], ['client_id', other.client_id]]));
  const asks = { token: tokens.access_token, client_id: confidential.client_id, client_secret: confidential.client_secret };
  for (const how of ['missing', 'empty', 'repeated']) {
    await assertOAuthError(await sendForm('/oauth/introspect', spoiled(asks, 'token')[how]), how);
  }
  // What is unknown, and what is another client's, are the same to who asks.
  for (const token of ['unknown', tokens.access_token, tokens.refresh_token]) {
    const answer = await sendForm('/oauth/introspect', encode(Object.entries({ ...asks, token })));
    assert.deepEqual(await answer.json(), { active: false });
  }
});

const metadata = {
  'no object': '[]', 'a string': '"x"', nothing: '', 'broken JSON': '{"redirect_uris":', 'two values': '{}{}',
  'no redirect': '{}', 'an empty list': '{"redirect_uris":[]}', 'a string for a list': '{"redirect_uris":"https://a.example/"}',
  numbers: '{"redirect_uris":[1]}', null: '{"redirect_uris":null}',
  'only bad redirects': JSON.stringify({ redirect_uris: ['javascript:alert(1)', 'data:text/html,x', 'http://a.example/', 'file:///etc/passwd', 'https://a.example/#f', '//a.example', 'https://u:p@a.example/'] }),
  'too many': JSON.stringify({ redirect_uris: Array.from({ length: 500 }, (_, i) => `https://a.example/${i}`) }),
  'a name of the wrong type': JSON.stringify({ redirect_uris: [redirectUri], client_name: { a: 1 } }),
  'an unknown way to authenticate': JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'private_key_jwt' }),
  'a grant that is not offered': JSON.stringify({ redirect_uris: [redirectUri], grant_types: ['password'] }),
  'a repeated member': `{"redirect_uris":["${redirectUri}"],"redirect_uris":["https://a.example/"]}`,
  deep: `{"redirect_uris":${'['.repeat(5000)}${']'.repeat(5000)}}`,
  'broken UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  huge: JSON.stringify({ redirect_uris: [redirectUri], client_name: 'x'.repeat(300_000) }),
};
for (const [what, body] of Object.entries(metadata)) {
  test(`/oauth/register refuses ${what}`, async () => {
    const answer = await fetch(`${gateway.origin}/oauth/register`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    await assertOAuthError(answer, what);
  });
}

test('/oauth/authorize: a spoiled parameter ends at a page with a code, or at the client with an error; never elsewhere', async () => {
  const { url } = authorization(gateway, tokens.client, { scope: 'mcp' });
  const right = Object.fromEntries(url.searchParams);
  // Left out or unknown, these are right; empty is left out (RFC 6749 §3.1).
  const harmless = {
    state: ['missing', 'empty', 'without a value', 'markup', 'an array as PHP has it'],
    scope: ['missing', 'empty', 'without a value', 'an array as PHP has it'],
    resource: ['missing', 'empty', 'without a value', 'an array as PHP has it', 'repeated'], // RFC 8707 §2 allows several
    redirect_uri: ['missing', 'empty', 'without a value', 'an array as PHP has it'],
  };
  for (const name of Object.keys(right)) {
    for (const [how, query] of Object.entries(spoiled(right, name, 'x'.repeat(9000)))) {
      const what = `${name} ${how}`;
      const browser = new Browser();
      const page = await browser.open(`${gateway.origin}/oauth/authorize?${query}`, { until: redirectUri });
      if (page.left) {
        assert.match(page.left.searchParams.get('error'), /^[a-z_]+$/, what);
        assert.equal(page.left.searchParams.get('iss'), gateway.origin, what);
        assert.equal(page.left.searchParams.get('code'), null, what);
        continue;
      }
      assert.doesNotMatch(page.html, /<script/i, what);
      if (harmless[name]?.includes(how) && page.title === 'Allow access?') continue;
      assert.ok(page.status >= 400 && page.status < 500, `${what}: ${page.status} ${page.text}`);
      assert.match(page.text, /MOP-[A-Z]+-\d+/, what);
    }
  }
});

test('the forms of our pages: spoiled, foreign or replayed, they do nothing', async () => {
  const browser = new Browser();
  const consent = await browser.open(authorization(gateway, tokens.client).url, { until: redirectUri });
  const request = consent.forms[0].fields.find(([name]) => name === 'request')[1];
  const cookie = [...browser.cookies.get('127.0.0.1')].map(([n, c]) => `${n}=${c.value}`).join('; ');
  const send = (path, body, headers = { cookie }) => fetch(gateway.origin + path, {
    method: 'POST', redirect: 'manual', body,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html', 'sec-fetch-site': 'same-origin', ...headers },
  });
  const good = { request, approve: 'local' };
  const bad = ['missing', 'empty', 'repeated', 'too long', 'broken UTF-8', 'markup', 'a zero byte'];
  for (const name of Object.keys(good)) {
    for (const how of bad) {
      const answer = await send('/oauth/consent', spoiled(good, name)[how]);
      assert.ok(answer.status >= 400 && answer.status < 500, `${name} ${how}: ${answer.status}`);
      assert.equal(answer.headers.get('location'), null);
    }
  }
  const right = encode(Object.entries(good));
  const foreign = { 'another browser': {}, 'another site': { cookie, 'sec-fetch-site': 'cross-site' }, 'another origin': { cookie, 'sec-fetch-site': '', origin: 'https://evil.example' } };
  for (const [what, headers] of Object.entries(foreign)) {
    const answer = await send('/oauth/consent', right, headers);
    assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status}`);
  }
  assert.equal((await send('/oauth/consent', right)).status, 303);
  for (const body of ['', 'login=x', 'login=x&form=y&user=admin&password=z', `login=${long}`]) {
    const answer = await send('/auth/signin', body);
    assert.ok(answer.status >= 400 && answer.status < 500, `${body.slice(0, 20)}: ${answer.status}`);
  }
});

test('/auth/callback: states and codes that nobody gave', async () => {
  for (const query of ['', 'state=', 'code=x', 'state=x&code=y', 'state=x&state=y&code=z', 'state=%ff', `state=${'x'.repeat(9000)}`, 'state=x&error=<script>', 'error=access_denied']) {
    const page = await new Browser().open(`${gateway.origin}/auth/callback?${query}`);
    assert.ok(page.status >= 400 && page.status < 500, `${query.slice(0, 30)}: ${page.status}`);
    assert.match(page.text, /MOP-[A-Z]+-\d+/);
    assert.doesNotMatch(page.html, /<script/i);
  }
});

test('too many wrong passwords make the account wait, and the right one too', async () => {
  const user = 'eve';
  const password = await gateway.addUser(user);
  const browser = new Browser();
  let page = await browser.open(authorization(gateway, tokens.client).url, { until: redirectUri });
  page = await browser.submit(page, 'Approve');
  const statuses = [];
  for (let i = 0; i < 7; ++i) {
    page = await browser.submit(page, 'Sign in', { user, password: `wrong ${i}` });
    statuses.push(page.status);
  }
  assert.deepEqual(statuses.slice(0, 5), [401, 401, 401, 401, 401]);
  assert.equal(statuses.at(-1), 429);
  assert.ok(Number(page.headers.get('retry-after')) > 0);
  page = await browser.submit(page, 'Sign in', { user, password });
  assert.equal(page.status, 429);
});

test('an address that is too long for any request is refused as such', async () => {
  assert.equal((await fetch(`${gateway.origin}/oauth/authorize?state=${long}`)).status, 431);
});

test('after all of this what was given before still works, and nothing was an error of ours', async () => {
  const answer = await sendForm('/oauth/token', encode([['grant_type', 'refresh_token'], ['client_id', tokens.client.client_id], ['refresh_token', tokens.refresh_token]]));
  assert.equal(answer.status, 200, await answer.text());
  const id = answer.headers.get('x-request-id');
  await gateway.logged('of it', (l) => l.request_id === id);
  assert.deepEqual((await gateway.log()).filter((l) => l.status >= 500 || l.level === 'error'), []);
});
