// Worlds in which two things are wrong: what has to be mended first comes first. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { pairs } from './worlds/pairs.mjs';
import { judgeAll } from './worlds/score.mjs';

judgeAll(test, fileScope(), { 'Two faults at once': pairs });
