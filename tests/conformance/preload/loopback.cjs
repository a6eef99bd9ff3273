// For `node --require`: a server that says nothing of where to listen listens on loopback, not on every interface.

const { Server } = require('node:net');

const listen = Server.prototype.listen;
const everywhere = (host) => host === undefined || host === '0.0.0.0' || host === '::';

Server.prototype.listen = function (...given) {
  const [first, second] = given;
  if (first !== null && typeof first === 'object') {
    if (first.port !== undefined && everywhere(first.host)) given[0] = { ...first, host: '127.0.0.1' };
  } else if (first === undefined || /^\d+$/.test(first)) {
    if (typeof second !== 'string') given.splice(1, 0, '127.0.0.1');
    else if (everywhere(second)) given[1] = '127.0.0.1';
    given[0] ??= 0;
  }
  return listen.apply(this, given);
};
