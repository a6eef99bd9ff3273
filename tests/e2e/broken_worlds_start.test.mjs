// Broken worlds that a start meets, or a gateway that runs: configurations, files, databases, and what it leans on. The tables are in docs/broken-worlds.md.

import { test } from 'node:test';

import { fileScope } from './lib/scope.mjs';
import { configurations } from './worlds/configurations.mjs';
import { databases } from './worlds/databases.mjs';
import { running } from './worlds/running.mjs';
import { judgeAll } from './worlds/score.mjs';

judgeAll(test, fileScope(), { 'Configurations': configurations, 'Databases': databases, 'Running gateways': running });
