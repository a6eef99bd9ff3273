// Waiting without sleeping for a guess: ask again until it holds, or say what never came true.

import { setTimeout as pause } from 'node:timers/promises';

// The first value of `probe` that is truthy. A probe that throws counts as not yet.
export async function until(what, probe, milliseconds = 15_000) {
  const deadline = performance.now() + milliseconds;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${milliseconds} ms${last ? ` (${last.message})` : ''}`);
    }
    await pause(5);
  }
}

// `promise`, or an error that says what did not come.
export async function within(what, promise, milliseconds = 15_000) {
  const late = new AbortController();
  const alarm = pause(milliseconds, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what}: not within ${milliseconds} ms`);
  });
  try {
    return await Promise.race([promise, alarm]);
  } finally {
    late.abort();
    alarm.catch(() => {});
  }
}

// A promise that somebody else settles.
export function deferred() {
  let resolve, reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
