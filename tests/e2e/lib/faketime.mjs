// Another time for a program, by libfaketime: environments to start it with.

import { existsSync } from 'node:fs';

const places = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`);

// Without it a program would run at the right time, and the test say something else.
function preloaded() {
  const library = places.find(existsSync);
  if (!library) throw new Error(`libfaketime is not installed: none of ${places.join(', ')}`);
  return { LD_PRELOAD: library };
}

const dateAlone = { FAKETIME_DONT_FAKE_MONOTONIC: '1' };

// Off by as much: '+2h', '-60d'.
export const clockOff = (offset) => ({ ...preloaded(), ...dateAlone, FAKETIME: offset });
// Off by what stands in the file at that moment.
export const clockIn = (file) => ({ ...preloaded(), ...dateAlone, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' });
// So many times as fast, waiting included.
export const clockTimes = (factor) => ({ ...preloaded(), FAKETIME: `+0 x${factor}` });
