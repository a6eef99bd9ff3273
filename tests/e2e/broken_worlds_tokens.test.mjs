// Broken worlds of tokens and requests: explain-token, the log and pages have to name what is wrong. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { requests } from './worlds/requests.mjs';
import { judgeAll } from './worlds/score.mjs';
import { tokens } from './worlds/tokens.mjs';

judgeAll(test, fileScope(), { 'Tokens': tokens, 'Requests to the authorization server': requests });
