// Causes of the catalogue that no world shows, since they cannot be had from outside of real parts: what proves their rows instead.
// `tests` are named as in docs/symptoms.md: `room_test: Suite.Name`, `file.test.mjs › title`.

export const without = [
  {
    cause: 'MOP-INT-001', why: 'A defect of the program: whoever knew how to cause one would have mended it.',
    tests: ['net_test: Server.SurvivesAnExceptionInARequest'],
  },
];
