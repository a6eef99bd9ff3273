// What was acknowledged, and whether it still holds.

import assert from 'node:assert/strict';

import { call, post, postForm, refresh } from './oauth.mjs';

export class Ledger {
  clients = []; // registered
  families = []; // { client, access_token, refresh_token }: signed in, or refreshed; the newest of each
  revoked = []; // the same, of which the revocation was acknowledged
  counts = { calls: 0, streams: 0, refreshes: 0, logins: 0, registrations: 0, revocations: 0, retries: 0 };

  // Whether an access token opens the MCP server.
  static async opens(gateway, token) {
    const answer = await post(gateway.mcp, call('echo', {}, 'ledger'), token);
    await answer.arrayBuffer();
    return { 200: true, 401: false }[answer.status] ?? assert.fail(`status ${answer.status}`);
  }

  static async revoke(gateway, family) {
    return postForm(`${gateway.origin}/oauth/revoke`, { token: family.refresh_token, client_id: family.client.client_id });
  }

  // Everything, with nothing disturbed. Refresh tokens of families are used by that.
  async verify(gateway) {
    for (const family of this.families) {
      assert.ok(await Ledger.opens(gateway, family.access_token), 'an access token that was given opens no more');
      const answer = await refresh(gateway, family.client, family.refresh_token);
      const tokens = await answer.json();
      assert.equal(answer.status, 200, `a refresh token that was given: ${JSON.stringify(tokens)}`);
      Object.assign(family, { access_token: tokens.access_token, refresh_token: tokens.refresh_token });
    }
    for (const family of this.revoked) {
      assert.equal(await Ledger.opens(gateway, family.access_token), false, 'a revoked access token opens again');
      const answer = await refresh(gateway, family.client, family.refresh_token);
      assert.equal((await answer.json()).error, 'invalid_grant', 'a revoked refresh token');
    }
    for (const [n, client] of this.clients.entries()) {
      const answer = await refresh(gateway, client, 'never given');
      assert.equal((await answer.json()).error, 'invalid_grant', `client ${n} of ${this.clients.length} that registered is not known`);
    }
  }
}
