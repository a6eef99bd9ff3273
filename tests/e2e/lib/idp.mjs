// An OpenID provider: oidc-provider in this process, at http on a loopback port, with one page that asks who you are.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

import { listenOnLoopback, stopListening } from './scope.mjs';
import { deferred } from './until.mjs';

export class Idp {
  clientId = 'mcp-gateway';
  clientSecret = 'a secret of the gateway, of some length';
  grants = new Map();
  requests = []; // method and path of everything asked
  claimsIn = 'id token'; // or 'userinfo', as OpenID Connect Core 1.0 §5.4 has it for codes
  accessTtl = 600; // seconds that access tokens live from now on
  refreshes = []; // what came of each refresh: 'ok' or the error

  static async start(scope) {
    const idp = new Idp();
    idp.scope = scope;
    await idp.comeBack();
    idp.rotateKeys();
    return idp;
  }

  get settings() {
    return { type: 'oidc', issuer: this.issuer, client_id: this.clientId, client_secret: this.clientSecret };
  }

  // The gateway knows its callback only once it listens.
  allow(callback) {
    this.callback = callback;
    this.#rebuild();
  }

  // From now on the address and the name stand there.
  putClaimsIn(place) {
    this.claimsIn = place;
    this.#rebuild();
  }

  // The next request to the token endpoint waits; with what it returns that request goes on, or is cut off.
  holdTokenRequest() {
    this.held = deferred();
    this.goOn = deferred();
    return this.held.promise.then(() => ({ goOn: () => this.goOn.resolve(true), cut: () => this.goOn.resolve(false) }));
  }

  // Nothing that was granted to the account is good any more.
  async endAll(account) {
    for (const [id, grant] of this.grants) {
      if (grant.accountId !== account) continue;
      await this.provider.RefreshToken.revokeByGrantId(id);
      await this.provider.AccessToken.revokeByGrantId(id);
    }
  }

  // Whose the access token is, while it lives.
  async accountOf(accessToken) {
    const found = await this.provider.AccessToken.find(accessToken);
    return found && !found.isExpired ? found.accountId : undefined;
  }

  // From now on another key signs, and only that one is published.
  rotateKeys() {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.keys = [{ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }];
    this.#rebuild();
  }

  async goAway() {
    await stopListening(this.server);
  }

  async comeBack() {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.port = await listenOnLoopback(this.scope, this.server, this.port ?? 0);
    this.issuer = `http://127.0.0.1:${this.port}`;
  }

  #rebuild() {
    this.provider = new Provider(this.issuer, {
      clients: [{
        client_id: this.clientId,
        client_secret: this.clientSecret,
        redirect_uris: [this.callback ?? `${this.issuer}/not-yet-known`],
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token'],
      }],
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: () => this.accessTtl, RefreshToken: 600, IdToken: 600, AuthorizationCode: 60 },
      rotateRefreshToken: true,
      jwks: { keys: this.keys },
      cookies: { keys: ['a key that signs cookies'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
      conformIdTokenClaims: this.claimsIn === 'userinfo',
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, email: `${id}@idp.example`, email_verified: true, name: `${id} of the provider`, preferred_username: id }),
      }),
      // The gateway asks for consent itself.
      loadExistingGrant: async (context) => {
        const grant = new this.provider.Grant({
          clientId: context.oidc.client.clientId,
          accountId: context.oidc.session.accountId,
        });
        grant.addOIDCScope('openid email profile offline_access');
        this.grants.set(await grant.save(), grant);
        return grant;
      },
    });
    for (const [event, outcome] of [['grant.success', () => 'ok'], ['grant.error', (error) => error.error]]) {
      this.provider.on(event, (context, error) => {
        if (context.oidc?.params?.grant_type === 'refresh_token') this.refreshes.push(outcome(error));
      });
    }
    this.provider.on('server_error', (_, error) => console.error('the identity provider failed:', error));
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.issuer);
    this.requests.push(`${request.method} ${url.pathname}`);
    if (url.pathname === '/token' && this.held) {
      this.held.resolve();
      this.held = undefined;
      if (!(await this.goOn.promise)) return request.destroy();
    }
    if (!url.pathname.startsWith('/interaction/')) return this.provider.callback()(request, response);
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return response.end(`<!doctype html><title>Sign in</title><h1>Sign in at the provider</h1>
        <form method="post" action="${url.pathname}"><input name="login"><button>Sign in</button></form>`);
    }
    let body = '';
    for await (const piece of request) body += piece;
    const login = new URLSearchParams(body).get('login');
    const decided = login === 'nobody' ? { error: 'access_denied' } : { login: { accountId: login }, consent: {} };
    await this.provider.interactionFinished(request, response, decided);
  }
}
