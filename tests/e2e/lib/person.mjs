// A person with a browser, who answers the pages of the gateway and of the identity provider as they come.

import { Browser } from './browser.mjs';

const mostPages = 8;

export class Person {
  browser = new Browser();
  pages = []; // the titles of the pages seen

  // `password` may be a one-time password; then `chosen` follows it.
  constructor({ user = 'admin', password, chosen = 'correct horse battery' } = {}) {
    Object.assign(this, { user, password, chosen });
  }

  // From the address that a client opens to the one with which it gets its answer.
  async approve(authorizeUrl, redirectUri, choice = 'Approve') {
    let page = await this.browser.open(authorizeUrl, { until: redirectUri });
    for (let seen = 0; seen < mostPages && !page.left; ++seen) page = await this.#answer(page, choice);
    if (!page.left) throw new Error(`the sign-in never ended: ${this.pages}`);
    return page.left;
  }

  #answer(page, choice) {
    this.pages.push(page.title);
    const { browser } = this;
    switch (page.title) {
      case 'Allow access?':
        return browser.submit(page, page.forms[0].buttons.find((b) => b.text.startsWith(choice))?.text);
      case 'Sign in':
        return browser.submit(page, 'Sign in', { user: this.user, password: this.password });
      case 'Choose a password':
        this.password = this.chosen;
        return browser.submit(page, 'Set password and sign in', {
          new_password: this.chosen,
          new_password_again: this.chosen,
        });
      case 'Sign in at the provider':
        return browser.submit(page, 'Sign in', { login: this.user });
      default:
        throw new Error(`an unexpected page, ${page.status}: ${page.text}`);
    }
  }
}
