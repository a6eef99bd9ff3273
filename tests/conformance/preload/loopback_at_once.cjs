// As loopback.cjs, for programs that ask for their port in the line behind `listen`: with the name of an address Node
// listens a moment later, so the socket is bound here.

const net = require('node:net');
const { TCP, constants } = process.binding('tcp_wrap');

const listen = net.Server.prototype.listen;

// The port of a call that names no host, or every one; undefined for all other calls.
function openPort([first, second]) {
  const everyHost = (host) => host === undefined || host === '::' || host === '0.0.0.0' || typeof host === 'function';
  if (first === undefined || first === null || typeof first === 'function') return 0;
  if (typeof first === 'object') return first.port !== undefined && everyHost(first.host) ? Number(first.port) : undefined;
  return /^\d+$/.test(String(first)) && (typeof second === 'number' || everyHost(second)) ? Number(first) : undefined;
}

net.Server.prototype.listen = function (...given) {
  const port = openPort(given);
  if (port === undefined) return listen.apply(this, given);
  const socket = new TCP(constants.SERVER);
  if (socket.bind('127.0.0.1', port) !== 0) {
    socket.close();
    return listen.call(this, { port, host: '127.0.0.1' }, ...given.filter((one) => typeof one === 'function'));
  }
  return listen.call(this, socket, ...given.filter((one) => typeof one === 'function'));
};
