// Somebody else's authorization server: oidc-provider in this process, with registration, resource indicators,
// introspection and DPoP, whose access tokens are JWTs or opaque.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider, { interactionPolicy } from 'oidc-provider';

import { listenOnLoopback, stopListening } from './scope.mjs';

const scopes = ['openid', 'email', 'profile', 'offline_access', 'tools:read', 'tools:write'];

export class AuthorizationServer {
  introspector = { client_id: 'guard', client_secret: 'a secret of the guard, of some length' };
  requests = []; // method and path of everything asked
  format = 'jwt'; // or 'opaque', of tokens from now on
  refuse = undefined; // (request, response, path) => true: answers in place of the provider

  // Whoever signs in consents; with `consent` a client may ask for that by itself (prompt=consent), as it must for
  // a refresh token.
  static async start(scope, { alg = 'RS256', consent = false } = {}) {
    const server = new AuthorizationServer();
    Object.assign(server, { scope, alg, consent });
    await server.comeBack();
    server.rotateKeys();
    return server;
  }

  async goAway() {
    await stopListening(this.server);
  }

  async comeBack() {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.port = await listenOnLoopback(this.scope, this.server, this.port ?? 0);
    this.issuer = `http://127.0.0.1:${this.port}`;
  }

  // From now on another key signs; with `keep` the ones before stay published.
  rotateKeys({ keep = false } = {}) {
    const pair = this.alg === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const fresh = { ...pair.privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: this.alg };
    this.keys = keep ? [fresh, ...this.keys] : [fresh];
    this.#rebuild();
  }

  asked(path) {
    return this.requests.filter((one) => one.endsWith(` ${path}`)).length;
  }

  #rebuild() {
    const policy = interactionPolicy.base();
    if (this.consent) policy.get('consent').checks.clear();
    else policy.remove('consent');
    this.provider = new Provider(this.issuer, {
      clients: [{
        ...this.introspector, redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'client_secret_basic',
      }],
      scopes,
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, RefreshToken: 600, IdToken: 600, AuthorizationCode: 60, ClientCredentials: 600 },
      jwks: { keys: this.keys },
      cookies: { keys: ['a key that signs cookies'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
      clientDefaults: { id_token_signed_response_alg: this.alg },
      enabledJWA: { idTokenSigningAlgValues: [this.alg, 'RS256'] },
      features: {
        devInteractions: { enabled: false },
        registration: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true },
        clientCredentials: { enabled: true },
        dPoP: { enabled: true },
        deviceFlow: {
          enabled: true,
          userCodeInputSource: (context, form) => this.#page(context, 'Enter the code', form),
          userCodeConfirmSource: (context, form) => this.#page(context, 'Is this your device?', form),
          successSource: (context) => this.#page(context, 'Go back to your device', ''),
        },
        resourceIndicators: {
          enabled: true,
          defaultResource: (_, __, oneOf) => oneOf,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => ({
            scope: 'tools:read tools:write', audience: resource, accessTokenFormat: this.format,
            jwt: { sign: { alg: this.alg } },
          }),
        },
      },
      extraTokenClaims: (_, token) => (token.accountId ? { email: `${token.accountId}@as.example` } : undefined),
      interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
      pkce: { required: () => true },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@as.example`, email_verified: true }) }),
      loadExistingGrant: async (context) => {
        const { client, session, params } = context.oidc;
        const grant = new this.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid email profile offline_access');
        // What people may do here hangs on who they are.
        const may = session.accountId === 'reader' ? 'tools:read' : 'tools:read tools:write';
        for (const resource of [params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, may);
        await grant.save();
        return grant;
      },
    });
    this.provider.on('server_error', (_, error) => console.error('the authorization server failed:', error));
  }

  #page(context, title, form) {
    context.body = `<!doctype html><title>${title}</title><h1>${title}</h1>${form.replace('</form>', '<button>Continue</button></form>')}`;
  }

  async #serve(request, response) {
    const url = new URL(request.url, this.issuer);
    this.requests.push(`${request.method} ${url.pathname}`);
    if (this.refuse?.(request, response, url.pathname)) return undefined;
    if (!url.pathname.startsWith('/interaction/')) return this.provider.callback()(request, response);
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return response.end(`<!doctype html><title>Sign in</title><h1>Sign in at the provider</h1>
        <form method="post" action="${url.pathname}"><input name="login"><button>Sign in</button></form>`);
    }
    let body = '';
    for await (const piece of request) body += piece;
    const login = new URLSearchParams(body).get('login');
    return this.provider.interactionFinished(request, response, { login: { accountId: login }, consent: {} });
  }
}
