// The Chromium of this machine, without a window.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

import { temporaryFolder } from './scope.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

export function chromiumPath() {
  const candidates = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((n) => join(folder, n)));
  return process.env.CHROMIUM || candidates.find(existsSync);
}

// A browser that knows nothing yet. `hosts` maps names to ports of this machine.
export async function startChromium(scope, { hosts = {} } = {}) {
  const executablePath = chromiumPath();
  if (!executablePath) throw new Error('there is no chromium: ./dev setup --tests installs it, or name it in CHROMIUM');
  const profile = await temporaryFolder(scope, 'chromium');
  const rules = Object.entries(hosts).map(([name, port]) => `MAP ${name} 127.0.0.1:${port}`).join(',');
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    ignoreHTTPSErrors: true,
    chromiumSandbox: false,
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--no-proxy-server', ...(rules ? [`--host-resolver-rules=${rules}`] : [])],
  });
  browser.setDefaultTimeout(20_000);
  scope.after(() => browser.close());
  return browser;
}
