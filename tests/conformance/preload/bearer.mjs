// For `node --import`: every request to the origin in BEARER_ORIGIN that has no Authorization carries the token in
// BEARER_TOKEN. The suite cannot be told a token; this way it needs no change, and neither does what it tests.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import http from 'node:http';

// The suite's own undici, which shares its global dispatcher with the fetch of node.
const { Agent, setGlobalDispatcher } = createRequire(process.argv[1])('undici');

const origin = new URL(process.env.BEARER_ORIGIN).origin;
const bearer = `Bearer ${process.env.BEARER_TOKEN}`;

const isAuthorization = (name) => String(name).toLowerCase() === 'authorization';

// Headers come as a flat list, as pairs or as an object.
function authorized(headers) {
  if (Array.isArray(headers)) {
    return headers.some((name, i) => i % 2 === 0 && isAuthorization(name)) ? headers : [...headers, 'authorization', bearer];
  }
  const pairs = headers?.[Symbol.iterator] ? [...headers] : Object.entries(headers ?? {});
  if (pairs.some(([name]) => isAuthorization(name))) return headers;
  return headers?.[Symbol.iterator] ? [...pairs, ['authorization', bearer]] : { ...headers, authorization: bearer };
}

const isOurs = (url) => new URL(String(url)).origin === origin;

setGlobalDispatcher(new Agent().compose((dispatch) => (options, handler) =>
  dispatch(isOurs(options.origin) ? { ...options, headers: authorized(options.headers) } : options, handler)));

const request = http.request;
http.request = (first, ...rest) => {
  const options = first !== null && typeof first === 'object' && !(first instanceof URL);
  if (!options || !isOurs(`http://${first.hostname ?? first.host}:${first.port}`)) return request(first, ...rest);
  return request({ ...first, headers: authorized(first.headers) }, ...rest);
};
syncBuiltinESMExports();
