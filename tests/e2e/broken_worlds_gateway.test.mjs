// Broken worlds around a gateway: its identity provider, and the MCP server that it stands before. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { judgeAll } from './worlds/score.mjs';
import { signIns } from './worlds/sign_ins.mjs';
import { upstreams } from './worlds/upstreams.mjs';

judgeAll(test, fileScope(), { 'Sign-ins at an identity provider': signIns, 'Calls and MCP servers': upstreams });
