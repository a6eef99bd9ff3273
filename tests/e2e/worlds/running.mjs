// What breaks while a gateway runs: too much comes at once, or what it reports to is away.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';

import { Gateway, startDemoServer } from '../lib/gateway.mjs';
import { call, post } from '../lib/oauth.mjs';
import { listenOnLoopback, portOfNobody } from '../lib/scope.mjs';
import { TokenIssuer } from '../lib/token_issuer.mjs';
import { logged, logLine } from './judges.mjs';

export async function running(scope) {
  const demo = await startDemoServer(scope);
  const base = { mcp_server_url: demo.url };

  return [
    {
      world: 'more connections than are allowed', cause: 'MOP-LIM-003',
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, workers: 1, limits: { connections: 4 } });
        const others = Array.from({ length: 8 }, () => connect(gateway.port, '127.0.0.1').on('error', () => {}));
        mine.after(() => others.forEach((one) => one.destroy()));
        await Promise.all(others.map((one) => once(one, 'connect')));
        return { 'the log': await logged(gateway, 'the refusal', (line) => line.decision === 'refused') };
      },
    },
    {
      world: 'the issuer answers more slowly than requests come', cause: 'MOP-LIM-004',
      ask: async (mine) => {
        const issuer = await TokenIssuer.start(mine);
        const guard = await Gateway.start(mine, { ...base, mode: 'native', issuers: [{ issuer: issuer.issuer, introspection_url: `${issuer.issuer}/introspect`,
          introspection_client_id: 'rs', introspection_client_secret: 'of the resource server', validation: 'introspection' }] });
        issuer.answers['/introspect'] = { body: '{"active":false}' };
        const release = issuer.hold();
        const all = Array.from({ length: 120 }, (_, i) => post(guard.mcp, call('whoami'), `an-opaque-token-of-some-length-${i}`));
        try {
          return { 'the log': await logLine(guard, await Promise.race(all)) };
        } finally {
          release();
          await Promise.all(all.map(async (one) => (await one).arrayBuffer().catch(() => {})));
        }
      },
    },
    {
      world: 'nothing listens where traces go', cause: 'MOP-TEL-001', words: /refused|ECONNREFUSED/,
      ask: async (mine) => {
        const gateway = await Gateway.start(mine, { ...base, telemetry: { endpoint: `http://127.0.0.1:${await portOfNobody()}` } });
        await (await post(gateway.mcp, call('whoami'))).text();
        return { 'the log': await logged(gateway, 'the outage', (line) => line.symptom?.startsWith('MOP-TEL')) };
      },
    },
    {
      world: 'the collector of traces wants credentials', cause: 'MOP-TEL-001', words: /401/,
      ask: async (mine) => {
        const port = await listenOnLoopback(mine, createServer((_, answer) => answer.writeHead(401).end()));
        const gateway = await Gateway.start(mine, { ...base, telemetry: { endpoint: `http://127.0.0.1:${port}` } });
        await (await post(gateway.mcp, call('whoami'))).text();
        return { 'the log': await logged(gateway, 'the refusal', (line) => line.symptom?.startsWith('MOP-TEL')) };
      },
    },
  ];
}
