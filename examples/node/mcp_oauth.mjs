// libmcp_oauth for Node, by koffi (an npm package with a prebuilt binary). Copy it beside your server.
//
//   const guard = new Guard({ issuer: 'https://idp.example.com', resource: 'https://mcp.example.com/mcp' });
//   const call = await guard.admit('POST', '/mcp', headers, body);
//   if (call.answer) send(call.answer);  // { status, headers, body }
//   else send(call.filtered(200, 'application/json', myServer(body, call.user.subject)));
//
// What the library wants to know of the issuer is fetched by Node's own `fetch`, without blocking: the library says what,
// and goes on when it is given the answer. MCP_OAUTH_LIBRARY names the library where the linker does not find it.

import koffi from 'koffi';

const ABI = 1;
const lib = koffi.load(process.env.MCP_OAUTH_LIBRARY ?? 'libmcp_oauth.so.1');
koffi.struct('mcp_oauth_text', { data: 'void *', size: 'size_t' });

const c = {};
for (const declaration of [
  'int32_t mcp_oauth_abi()',
  'const char *mcp_oauth_version()',
  'void *mcp_oauth_guard_new(const char *config, size_t size, void *callbacks, _Out_ void **error)',
  'void mcp_oauth_guard_free(void *guard)',
  'void *mcp_oauth_guard_status(void *guard)',
  'mcp_oauth_text mcp_oauth_status_json(void *status)',
  'void mcp_oauth_status_free(void *status)',
  'void *mcp_oauth_request_new(const char *method, size_t method_size, const char *target, size_t target_size)',
  'void mcp_oauth_request_add_header(void *request, const char *name, size_t name_size, const char *value, size_t size)',
  'void mcp_oauth_request_set_body(void *request, const uint8_t *body, size_t size)',
  'void mcp_oauth_request_free(void *request)',
  'void *mcp_oauth_metadata(void *guard, void *request)',
  'void *mcp_oauth_begin_admit(void *guard, void *request)',
  'void *mcp_oauth_begin_validate(void *guard, const char *token, size_t size)',
  'int32_t mcp_oauth_check_next(void *check)',
  'void *mcp_oauth_check_wanted(void *check)',
  'void mcp_oauth_check_give(void *check)',
  'void mcp_oauth_check_proceed(void *check)',
  'void *mcp_oauth_check_user(void *check, _Out_ void **error)',
  'void *mcp_oauth_check_admission(void *check)',
  'void mcp_oauth_check_free(void *check)',
  'mcp_oauth_text mcp_oauth_fetch_method(void *fetch)',
  'mcp_oauth_text mcp_oauth_fetch_url(void *fetch)',
  'mcp_oauth_text mcp_oauth_fetch_body(void *fetch)',
  'size_t mcp_oauth_fetch_header_count(void *fetch)',
  'mcp_oauth_text mcp_oauth_fetch_header_name(void *fetch, size_t index)',
  'mcp_oauth_text mcp_oauth_fetch_header_value(void *fetch, size_t index)',
  'size_t mcp_oauth_fetch_most_bytes(void *fetch)',
  'uint32_t mcp_oauth_fetch_timeout_seconds(void *fetch)',
  'void mcp_oauth_fetch_answer(void *fetch, int32_t status, const uint8_t *body, size_t size)',
  'void mcp_oauth_fetch_answer_header(void *fetch, const char *name, size_t name_size, const char *value, size_t size)',
  'void mcp_oauth_fetch_fail(void *fetch, const char *why, size_t size)',
  'void *mcp_oauth_admission_answer(void *admission)',
  'void *mcp_oauth_admission_user(void *admission)',
  'mcp_oauth_text mcp_oauth_admission_method(void *admission)',
  'mcp_oauth_text mcp_oauth_admission_name(void *admission)',
  'void *mcp_oauth_admission_filtered(void *admission, int32_t status, const char *type, size_t type_size, const uint8_t *body, size_t size)',
  'size_t mcp_oauth_admission_answer_header_count(void *admission)',
  'mcp_oauth_text mcp_oauth_admission_answer_header_name(void *admission, size_t index)',
  'mcp_oauth_text mcp_oauth_admission_answer_header_value(void *admission, size_t index)',
  'void mcp_oauth_admission_free(void *admission)',
  'int32_t mcp_oauth_answer_status(void *answer)',
  'size_t mcp_oauth_answer_header_count(void *answer)',
  'mcp_oauth_text mcp_oauth_answer_header_name(void *answer, size_t index)',
  'mcp_oauth_text mcp_oauth_answer_header_value(void *answer, size_t index)',
  'mcp_oauth_text mcp_oauth_answer_body(void *answer)',
  'void mcp_oauth_answer_free(void *answer)',
  'mcp_oauth_text mcp_oauth_user_subject(void *user)',
  'mcp_oauth_text mcp_oauth_user_email(void *user)',
  'mcp_oauth_text mcp_oauth_user_client_id(void *user)',
  'mcp_oauth_text mcp_oauth_user_claims(void *user)',
  'size_t mcp_oauth_user_scope_count(void *user)',
  'mcp_oauth_text mcp_oauth_user_scope(void *user, size_t index)',
  'void mcp_oauth_user_free(void *user)',
  'mcp_oauth_text mcp_oauth_error_text(void *error)',
  'mcp_oauth_text mcp_oauth_error_reason(void *error)',
  'int32_t mcp_oauth_error_status(void *error)',
  'void mcp_oauth_error_free(void *error)',
]) {
  c[/mcp_oauth_(\w+)\(/.exec(declaration)[1]] = lib.func(declaration);
}
if (c.abi() !== ABI) throw new Error(`libmcp_oauth has interface ${c.abi()}, this file is for ${ABI}`);

const bytes = ({ data, size }) => (size ? Buffer.from(koffi.decode(data, 'uint8_t', Number(size))) : Buffer.alloc(0));
const text = (of) => bytes(of).toString('utf8');
const given = (value) => {
  const string = String(value);
  return [string, Buffer.byteLength(string)];
};
const pairs = (count, name, value, handle) =>
  Array.from({ length: Number(count(handle)) }, (_, i) => [text(name(handle, i)), text(value(handle, i))]);

/** Why not. The text is for a log, not for a client. */
export class Refused extends Error {
  constructor(handle) {
    super(text(c.error_text(handle)));
    this.status = c.error_status(handle);
    this.reason = text(c.error_reason(handle));
    c.error_free(handle);
  }
}

const answerOf = (handle) => ({
  status: c.answer_status(handle),
  headers: pairs(c.answer_header_count, c.answer_header_name, c.answer_header_value, handle),
  body: bytes(c.answer_body(handle)),
});
const taken = (handle) => {
  try {
    return answerOf(handle);
  } finally {
    c.answer_free(handle);
  }
};
const userOf = (handle) => ({
  subject: text(c.user_subject(handle)),
  email: text(c.user_email(handle)),
  clientId: text(c.user_client_id(handle)),
  claims: JSON.parse(text(c.user_claims(handle))),
  scopes: Array.from({ length: Number(c.user_scope_count(handle)) }, (_, i) => text(c.user_scope(handle, i))),
});

const admissions = new FinalizationRegistry((handle) => c.admission_free(handle));

/** What becomes of a request: `answer` to send, or a call of `user` to serve. */
class Call {
  #handle;
  constructor(handle) {
    this.#handle = handle;
    admissions.register(this, handle);
    const answer = c.admission_answer(handle);
    const user = c.admission_user(handle);
    this.answer = answer && answerOf(answer);
    this.user = user && userOf(user);
    this.method = text(c.admission_method(handle));
    this.name = text(c.admission_name(handle));
  }
  /** The answer of the MCP server as it may go out. */
  filtered(status, contentType, body) {
    const data = Buffer.from(body);
    return taken(c.admission_filtered(this.#handle, status, ...given(contentType), data, data.length));
  }
  /** For answers that go out in pieces: `filtered` has them already. */
  answerHeaders() {
    return pairs(c.admission_answer_header_count, c.admission_answer_header_name, c.admission_answer_header_value, this.#handle);
  }
}

/** Fetches what a check wants by Node's own means; a failure is an answer, too. */
async function fetchFor(wanted) {
  try {
    const body = bytes(c.fetch_body(wanted));
    const answer = await fetch(text(c.fetch_url(wanted)), {
      method: text(c.fetch_method(wanted)),
      headers: pairs(c.fetch_header_count, c.fetch_header_name, c.fetch_header_value, wanted),
      body: body.length ? body : undefined,
      redirect: 'manual',
      signal: AbortSignal.timeout(c.fetch_timeout_seconds(wanted) * 1000),
    });
    const got = Buffer.from(await answer.arrayBuffer());
    for (const [name, value] of answer.headers) c.fetch_answer_header(wanted, ...given(name), ...given(value));
    c.fetch_answer(wanted, answer.status, got, got.length);
  } catch (why) {
    c.fetch_fail(wanted, ...given(why.cause?.message ?? why.message));
  }
}

const FETCH = 0;
const DONE = 2;

export class Guard {
  #handle;
  constructor(config) {
    const error = [null];
    this.#handle = c.guard_new(...given(JSON.stringify(config)), null, error);
    if (!this.#handle) throw new Refused(error[0]);
  }

  metadata(method, target) {
    return this.#with(method, target, [], '', (request) => {
      const answer = c.metadata(this.#handle, request);
      return answer && taken(answer);
    });
  }

  /** Which keys and which policy are there, how old they are, and what failed last. */
  status() {
    const handle = c.guard_status(this.#handle);
    try {
      return JSON.parse(text(c.status_json(handle)));
    } finally {
      c.status_free(handle);
    }
  }

  /** `headers`: pairs of name and value, all of them; `body`: a Buffer or text. */
  async admit(method, target, headers, body) {
    const check = this.#with(method, target, headers, body, (request) => c.begin_admit(this.#handle, request));
    try {
      await this.#drive(check);
      return new Call(c.check_admission(check));
    } finally {
      c.check_free(check);
    }
  }

  async validate(token) {
    const check = c.begin_validate(this.#handle, ...given(token));
    try {
      await this.#drive(check);
      const error = [null];
      const user = c.check_user(check, error);
      if (!user) throw new Refused(error[0]);
      const found = userOf(user);
      c.user_free(user);
      return found;
    } finally {
      c.check_free(check);
    }
  }

  async #drive(check) {
    for (let next; (next = c.check_next(check)) !== DONE; ) {
      if (next === FETCH) {
        await fetchFor(c.check_wanted(check));
        c.check_give(check);
      } else {
        await new Promise((resolve) => setTimeout(resolve, 5));
        c.check_proceed(check);
      }
    }
  }

  #with(method, target, headers, body, use) {
    const request = c.request_new(...given(method), ...given(target));
    try {
      for (const [name, value] of headers) c.request_add_header(request, ...given(name), ...given(value));
      const data = Buffer.from(body);
      c.request_set_body(request, data, data.length);
      return use(request);
    } finally {
      c.request_free(request);
    }
  }
}

export const version = c.version();
