// Causes of the catalogue that no world shows, since they cannot be had from outside of real parts: what proves their rows instead.
// `tests` are named as in docs/symptoms.md: `room_test: Suite.Name`, `file.test.mjs › title`.

export const without = [
  {
    cause: 'MOP-INT-001', why: 'A defect of the program: whoever knew how to cause one would have mended it.',
    tests: ['net_test: Server.SurvivesAnExceptionInARequest'],
  },
  {
    cause: 'MOP-MCP-004', why: 'Which revisions there are is for the MCP server to say, and its refusal passes as it came.',
    tests: ['rules_intermediary.test.mjs › every answer of the server is the client\'s answer: status, type and bytes'],
  },
  {
    cause: 'MOP-NET-001', why: 'Whoever fetches tells for what, with these words in it: MOP-CID-002 of a client\'s document, MOP-ISS-002 of an issuer.',
    tests: ['net_test: HttpClient.JudgesTheAddressItConnectsTo'],
  },
  {
    cause: 'MOP-REQ-008', why: 'A hint is a hint (RFC 7009 §2.1): a token is looked for whatever stands there.',
    tests: ['oauth_test: RevocationRequest.TakesAnyHintForWhatItIs'],
  },
  {
    cause: 'MOP-REQ-009', why: 'Whoever reads JSON tells what of: MOP-REG-002 of a registration, MOP-MCP-005 of a call, MOP-CID-003 of a client\'s document.',
    tests: ['oauth_test: Registration.RefusesWhatIsNoJsonObject'],
  },
  {
    cause: 'MOP-REQ-010', why: 'Whoever reads a URL tells which: MOP-RED-002 and MOP-RED-003 of a redirect URI, MOP-CFG-003 of a setting.',
    tests: ['oauth_test: RedirectUri.OfWrongFormIsRefused'],
  },
  {
    cause: 'MOP-TOK-009', why: 'Of an access token that cannot be read MOP-TOK-004 and MOP-TOK-012 say more.',
    tests: ['oauth_test: AccessToken.IsRefusedWhenItIsNotAJwt'],
  },
];
