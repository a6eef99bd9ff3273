// A browser without a screen: cookies, redirects and forms, and the headers with which browsers say where a
// request comes from. Like a real one it shares cookies between the ports of a host.

const longestWalk = 25;

export class Browser {
  cookies = new Map(); // host -> name -> { value, path }
  trace = []; // what was asked and answered

  // Goes there as if the address was typed, or as if a page of `site` linked to it. Ends at a page, or where an
  // address begins with `until`.
  open(url, { until, site = 'none' } = {}) {
    return this.#walk({ method: 'GET', url: new URL(url), site, until });
  }

  // Sends a form of a page, with that button.
  submit(page, button, fields = {}) {
    const form = page.forms.find((f) => f.buttons.some((b) => b.text === button)) ?? page.forms[0];
    if (!form) throw new Error(`no form on ${page.url}: ${page.text}`);
    const pressed = form.buttons.find((b) => b.text === button);
    if (!pressed) throw new Error(`no button "${button}", but ${form.buttons.map((b) => b.text)}`);
    const values = new URLSearchParams(form.fields);
    for (const [name, value] of Object.entries(fields)) values.set(name, value);
    if (pressed.name) values.set(pressed.name, pressed.value);
    const url = new URL(form.action, page.url);
    const site = url.origin === new URL(page.url).origin ? 'same-origin' : 'cross-site';
    return this.#walk({
      method: form.method,
      url,
      site,
      until: page.until,
      body: values.toString(),
      origin: 'null', // our pages say `Referrer-Policy: no-referrer`
    });
  }

  async #walk({ method, url, site, until, body, origin }) {
    for (let step = 0; step < longestWalk; ++step) {
      const answer = await fetch(url, { method, body, redirect: 'manual', headers: this.#headers(url, site, body, origin) });
      this.#keep(url, answer);
      this.trace.push(`${method} ${url.href.split('?')[0]} ${answer.status}`);
      const location = answer.headers.get('location');
      if (!location) return page(url, answer, await answer.text(), until);
      await answer.body?.cancel();
      const next = new URL(location, url);
      if (until && next.href.startsWith(until)) return { left: next, answer };
      if (next.origin !== url.origin) site = 'cross-site';
      url = next;
      if (answer.status !== 307 && answer.status !== 308) {
        method = 'GET';
        body = origin = undefined;
      }
    }
    throw new Error(`redirects without end: ${this.trace.slice(-4)}`);
  }

  #headers(url, site, body, origin) {
    const headers = {
      accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      'sec-fetch-site': site,
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    if (body !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded';
    if (origin) headers.origin = origin;
    const kept = [...(this.cookies.get(url.hostname) ?? [])].filter(([, c]) => url.pathname.startsWith(c.path));
    if (kept.length) headers.cookie = kept.map(([name, c]) => `${name}=${c.value}`).join('; ');
    return headers;
  }

  #keep(url, answer) {
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(/;\s*/);
      const name = pair.slice(0, pair.indexOf('='));
      const attribute = (key) => attributes.find((a) => a.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1);
      const jar = this.cookies.get(url.hostname) ?? new Map();
      this.cookies.set(url.hostname, jar);
      const expires = attribute('expires');
      const gone = attribute('max-age') === '0' || (expires && Date.parse(expires) <= Date.now());
      if (gone) jar.delete(name);
      else jar.set(name, { value: pair.slice(name.length + 1), path: attribute('path') ?? '/' });
    }
  }
}

function page(url, answer, html, until) {
  return {
    url: url.href,
    status: answer.status,
    headers: answer.headers,
    html,
    until,
    title: unescape(/<h1[^>]*>([\s\S]*?)<\/h1>/i.exec(html)?.[1] ?? ''),
    text: unescape(html.replace(/<(style|title)[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim(),
    forms: [...html.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, attributes, content]) => form(attributes, content)),
  };
}

function form(attributes, content) {
  const fields = [...content.matchAll(/<input([^>]*)>/gi)].map(([, a]) => [value(a, 'name'), value(a, 'value') ?? '']);
  const buttons = [...content.matchAll(/<button([^>]*)>([\s\S]*?)<\/button>/gi)];
  return {
    action: value(attributes, 'action') ?? '',
    method: (value(attributes, 'method') ?? 'get').toUpperCase(),
    fields: fields.filter(([name]) => name),
    buttons: buttons.map(([, a, text]) => ({ name: value(a, 'name'), value: value(a, 'value') ?? '', text: unescape(text).trim() })),
  };
}

function value(attributes, name) {
  const found = new RegExp(`\\s${name}="([^"]*)"`, 'i').exec(attributes);
  return found && unescape(found[1]);
}

function unescape(text) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) =>
    hex || decimal ? String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)) : (named[name] ?? whole));
}
