// Broken worlds as others meet them: the bridge, and doctor before servers that it knows nothing of. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { bridges } from './worlds/bridges.mjs';
import { outside } from './worlds/outside.mjs';
import { judgeAll } from './worlds/score.mjs';

judgeAll(test, fileScope(), { 'Bridges': bridges, 'Seen from outside': outside });
