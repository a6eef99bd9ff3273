// An issuer that signs whatever a test wants, and publishes whatever a test wants.

import { createServer } from 'node:http';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

import { listenOnLoopback, stopListening } from './scope.mjs';
import { deferred } from './until.mjs';

const encoded = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const jwtOf = (header, claims, signature) => `${encoded(header)}.${encoded(claims)}.${signature}`;

export function hmacToken(secret, claims) {
  const input = `${encoded({ alg: 'HS256' })}.${encoded(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export class TokenIssuer {
  requests = [];
  headers = {}; // of the latest request, by path
  keys = [];
  answers = {}; // by path: { status, type, body, headers } in place of the right one

  static async start(scope, { path = '' } = {}) {
    const issuer = new TokenIssuer();
    Object.assign(issuer, { scope, path });
    await issuer.comeBack();
    issuer.newKey();
    return issuer;
  }

  async goAway() {
    await stopListening(this.server);
  }
  async comeBack() {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.port = await listenOnLoopback(this.scope, this.server, this.port ?? 0);
    this.issuer = `http://127.0.0.1:${this.port}${this.path}`;
    this.stated ??= this.issuer;
  }

  // Signs from now on, and alone is published.
  newKey() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.signing = { privateKey, kid: randomUUID() };
    this.keys = [{ ...publicKey.export({ format: 'jwk' }), kid: this.signing.kid, use: 'sig', alg: 'ES256' }];
  }

  token(claims = {}, header = {}) {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.stated, sub: 'john', iat: now, exp: now + 600, client_id: 'a-client', ...claims };
    for (const [name, value] of Object.entries(all)) if (value === undefined) delete all[name];
    const input = `${encoded({ alg: 'ES256', typ: 'at+jwt', kid: this.signing.kid, ...header })}.${encoded(all)}`;
    return `${input}.${sign('sha256', Buffer.from(input), { key: this.signing.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }

  get metadata() {
    return {
      issuer: this.stated, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`,
      registration_endpoint: `${this.issuer}/register`, jwks_uri: `${this.issuer}/keys`, response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
    };
  }

  // Nothing is answered until the test lets it.
  hold() {
    this.gate = deferred();
    return () => this.gate.resolve();
  }

  asked(path) {
    return this.requests.filter((one) => one.endsWith(` ${this.path}${path}`)).length;
  }

  async #serve(request, response) {
    this.requests.push(`${request.method} ${request.url}`);
    this.headers[request.url] = request.headers;
    if (this.gate) await this.gate.promise;
    const path = request.url.startsWith(this.path) ? request.url.slice(this.path.length) : request.url;
    const right = { '/.well-known/openid-configuration': () => this.metadata, '/keys': () => ({ keys: this.keys }) };
    const other = this.answers[path];
    if (other) return response.writeHead(other.status ?? 200, { 'content-type': other.type ?? 'application/json', ...other.headers }).end(other.body);
    if (!right[path]) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(right[path]()));
  }
}
