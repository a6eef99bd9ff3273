// What BROWSER names in the tests of the bridge: a person without a screen. Its address is the only argument.
// BRIDGE_BROWSER_LOG: a file that gets a line for each page that was opened.

import { appendFileSync } from 'node:fs';

import { Browser } from './browser.mjs';
import { Person } from './person.mjs';

const address = new URL(process.argv[2]);
appendFileSync(process.env.BRIDGE_BROWSER_LOG, `${address.href}\n`);
const secrets = Object.keys(process.env).filter((name) => name.startsWith('OAUTH2_'));
if (secrets.length) appendFileSync(process.env.BRIDGE_BROWSER_LOG, `ended: with ${secrets}\n`);
process.on('uncaughtException', (why) => {
  appendFileSync(process.env.BRIDGE_BROWSER_LOG, `ended: ${why.stack} ${why.cause ?? ''}\n`);
  process.exit(1);
});
const user = process.env.BRIDGE_USER ?? 'alice';

if (process.env.BRIDGE_PERSON === 'away') process.exit(0);
const back = address.searchParams.get('redirect_uri');
if (back) {
  const person = new Person({ user, password: process.env.BRIDGE_PASSWORD });
  let page, next = address;
  // The bridge may send the browser on, to be asked once more in another way.
  for (let round = 0; round < 3 && next; ++round) {
    page = await fetch(await person.approve(next, back), { redirect: 'manual' });
    next = page.status === 303 ? page.headers.get('location') : undefined;
  }
  appendFileSync(process.env.BRIDGE_BROWSER_LOG, `ended: ${page.status} ${(await page.text()).replace(/<[^>]*>|\s+/g, ' ')}\n`);
} else {
  // A device code.
  const browser = new Browser();
  let page = await browser.open(address);
  for (let step = 0; step < 8 && page.title !== 'Go back to your device'; ++step)
    page = await browser.submit(page, page.forms[0].buttons[0]?.text, page.title === 'Sign in at the provider' ? { login: user } : {});
  appendFileSync(process.env.BRIDGE_BROWSER_LOG, `ended: ${page.title}\n`);
}
