// Addresses that a browser reads differently than a careless server does: building blocks, multiplied out. What each of
// them is, only the URL parser of the platform says.

const foreign = ['evil.example', 'evil。example', 'ｅvil.example', 'evil%E3%80%82example', '3232235777', '0xc0.0xa8.1.1', '[::ffff:192.168.1.1]',
  'xn--vil-qla.example', 'evil.example.'];

// What stands before a foreign host.
const openings = ['//', '///', '////', '/\\', '\\\\', '\\/', '/\t/', '/\n/', '/\r/', '\t//', ' //', '\x01//', '\x00//', '/%09/', '/%0a/', '/%2f', '/%5c', '%2f%2f',
  '%252f%252f', '/./', '/.//', '/..//', '/%2e%2e//', '/;//', '/?//', '/ /', '/\u00a0/', '/\u3000/', '/\u200b/', '／／', '/／', '\\t//', '//;@',
  'https:', 'https:/', 'https://', 'https:///', 'https:\\\\', 'hTTps://', 'http://', 'http:\\\\', 'http:', 'https:\t//', 'ht\ntps://', ' https://',
  'https://client.example@', 'https://client.example:443@', 'https://client.example\\@', 'https://client.example%5c@', 'https://client.example%2f@',
  'https://client.example#@', 'https://client.example?@', 'https://client.example;@', 'https://client.example%40', 'https://client.example.',
  'https://client.example\t.', 'https://client.example%00.', 'https://client.example/callback@', 'https://client.example:80#@',
  'view-source:https://', 'feed:https://', 'jar:https://', 'blob:https://', 'ws://', 'wss://', 'ftp://', 'file://'];

const endings = ['', '/callback', '/..', '?client.example', '#client.example', '\\.client.example', '@client.example'];

const scripts = ['javascript', 'JaVaScRiPt', 'java\tscript', 'java\nscript', '\x01javascript', ' javascript', 'java%0ascript', 'javascript%3a', 'vbscript', 'data',
  'DATA', 'blob', 'about', 'filesystem', 'intent', 'livescript', 'mhtml'];
const bodies = [':alert(1)', '://client.example/%0aalert(1)', ':/*https://client.example/callback*/alert(1)', ':text/html,<script>alert(1)</script>',
  '://client.example/callback', ':https://client.example/callback'];

// Changes of what is registered.
const registered = ['https://client.example/callback', 'http://127.0.0.1/callback'];
const tails = ['/', '/..', '/../evil', '/..;/evil', '/%2e%2e/evil', '%2f..%2fevil', '.evil.example', '%00', '%20', ' ', '\t', '\n', '\r\nLocation: https://evil.example', '?',
  '?next=//evil.example', '#', '#@evil.example', '@evil.example', ':80@evil.example', '\\', '\\..\\evil', '*', '?code=x', '&x', ';x', '\u202e'];

export const payloads = [...new Set([
  ...openings.flatMap((opening) => foreign.flatMap((host, i) => endings.filter((_, j) => (i + j) % 3 === 0).map((ending) => opening + host + ending))),
  ...scripts.flatMap((scheme) => bodies.map((body) => scheme + body)),
  ...registered.flatMap((uri) => [...tails.map((tail) => uri + tail), ...['x', '/', '//', ' ', 'url=', 'https://evil.example/?'].map((head) => head + uri)]),
  ...['127.0.0.1.evil.example', '127.1', '2130706433', '0177.0.0.1', '[::ffff:127.0.0.1]', '127.0.0.1@evil.example', 'localhost.evil.example', '①②⑦.0.0.1']
    .map((host) => `http://${host}/callback`),
])];
