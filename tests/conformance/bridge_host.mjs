// The host of a bridge, as the client scenarios of the suite start it: the server's URL is the last argument, what the
// scenario is and what it gives comes in the environment. Calls what the scenario wants to see called.
//
// BRIDGE_ERA=sessions: the host asks for a session also where the scenario is about a revision that has none. 30 of the 32
// pass then. request-metadata and http-standard-headers look at every request of a client, and the first one is the host's
// initialize, which the bridge sends up as it is before it knows what the server speaks (decision 29): without the
// headers and the _meta of 2026-07-28. All that follows it has both.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const url = process.argv.at(-1);
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const given = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const stateless = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === '2026-07-28' && process.env.BRIDGE_ERA !== 'sessions';

const home = await mkdtemp(join(tmpdir(), 'mop-bridge-host-'));
const flags = [];
const env = { PATH: process.env.PATH, HOME: home, BROWSER: `${process.execPath} ${join(import.meta.dirname, 'bridge_visit.mjs')}`, LOG_LEVEL: process.env.BRIDGE_LOG_LEVEL ?? 'info' };
if (scenario === 'auth/basic-cimd') flags.push('--client-metadata-url', 'https://conformance-test.local/client-metadata.json');
if (given.client_id) env.OAUTH2_CLIENT_ID = given.client_id;
if (given.client_secret) env.OAUTH2_CLIENT_SECRET = given.client_secret;
if (scenario.startsWith('auth/client-credentials')) env.OAUTH2_GRANT = 'client_credentials';
// What a deployment would hand over in files: a key, the id token of the identity provider, the token of a workload.
const inFile = async (name, text) => {
  await writeFile(join(home, name), text);
  return join(home, name);
};
if (given.private_key_pem) env.OAUTH2_PRIVATE_KEY_FILE = await inFile('key.pem', given.private_key_pem);
if (given.idp_id_token) {
  env.OAUTH2_GRANT = 'enterprise';
  env.OAUTH2_ASSERTION_FILE = await inFile('id_token', given.idp_id_token);
  env.OAUTH2_IDENTITY_PROVIDER_URL = given.idp_issuer;
  if (given.idp_token_endpoint) env.OAUTH2_IDENTITY_TOKEN_URL = given.idp_token_endpoint;
  env.OAUTH2_IDENTITY_CLIENT_ID = given.idp_client_id;
}
if (given.valid_jwt) {
  env.OAUTH2_GRANT = 'jwt_bearer';
  env.OAUTH2_ASSERTION_FILE = await inFile('workload.jwt', given.valid_jwt);
}

const asks = /elicitation|sep-2322/.test(scenario);
const client = new Client(
  { name: 'bridge-host', version: '1.0.0' },
  { capabilities: asks ? { elicitation: { form: { applyDefaults: true } } } : {}, ...(stateless && { versionNegotiation: { mode: 'auto' } }) },
);
if (asks) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: scenario.includes('sep-2322') ? { confirmed: true } : {} }));
const call = (name, args = {}) => client.callTool({ name, arguments: args });
const forgiving = (promise) => promise.catch((error) => console.error(`host: ${error.message}`));

async function converse() {
  const { tools } = await client.listTools();
  if (scenario === 'tools_call') return call('add_numbers', { a: 5, b: 3 });
  if (scenario === 'sse-retry') return call('test_reconnection');
  if (scenario.startsWith('elicitation')) return call('test_client_elicitation_defaults');
  if (scenario.startsWith('auth/')) return call('test-tool');
  if (scenario === 'json-schema-2020-12-preservation')
    return call('json_schema_echo', { schema: tools.find((tool) => tool.name === 'json_schema_2020_12_tool').inputSchema });
  if (scenario === 'http-custom-headers') for (const one of given.toolCalls) await client.callTool(one);
  if (scenario === 'http-invalid-tool-headers') for (const { name } of tools) await forgiving(call(name, { region: 'us-west1' }));
  if (scenario === 'http-standard-headers') {
    await call(tools[0].name);
    for (const { uri } of (await client.listResources()).resources.slice(0, 1)) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts.slice(0, 1)) await client.getPrompt({ name, arguments: {} });
  }
  if (scenario === 'sep-2322-client-request-state')
    for (const name of ['echo_state', 'no_state', 'unrelated', 'no_result_type']) await forgiving(call(`test_mrtr_${name}`));
}

let code = 0;
try {
  const transport = new StdioClientTransport({ command: process.env.BRIDGE_BINARY, args: ['bridge', url, ...flags], env, stderr: 'inherit' });
  await client.connect(transport, { timeout: 20_000 });
  await converse();
} catch (error) {
  console.error(`host: ${error.message}`);
  code = 1;
}
await client.close().catch(() => {});
await rm(home, { recursive: true, force: true });
process.exit(code);
