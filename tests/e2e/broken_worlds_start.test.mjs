// Broken worlds that a start meets: configurations, files and databases. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { configurations } from './worlds/configurations.mjs';
import { databases } from './worlds/databases.mjs';
import { judgeAll } from './worlds/score.mjs';

judgeAll(test, fileScope(), { 'Configurations': configurations, 'Databases': databases });
