#ifndef MCP_OAUTH_C_H
#define MCP_OAUTH_C_H

/* clang-format off */
/*
 * The guard of an MCP server for every language that can call C. What it does stands in mcp_oauth/guard.h; how to
 * use it from C, Python and Node in docs/library/c-abi.md.
 *
 *  1. Handles are opaque. What a function with _new, _begin_ or "gives" in its comment returns is yours until you
 *     hand it to the _free of its type. A `const` handle is borrowed from the one that it was asked of. NULL may be
 *     freed.
 *  2. Text that you give is UTF-8 with a length, and copied. Text that you get is a mcp_oauth_text: borrowed from the
 *     handle that it was asked of, with a NUL behind its end that its size does not count; never NULL.
 *  3. What can fail says so by its result (NULL, or 0 for an int32_t that means "done") and, where `error` is not
 *     NULL, puts a mcp_oauth_error there, which is yours. Where nothing failed, NULL is put there.
 *  4. A struct of yours begins with its size; of a struct that is shorter than ours the rest counts as 0. Values of
 *     enums and reasons are never used again for something else.
 *  5. A guard, a status, a user, an admission, an answer and an error may be used by many threads at once, but for their _free.
 *     A request, a check, a fetch and a filter are for one thread at a time.
 *  6. Callbacks are called on the thread that called us (or on that of mcp_oauth_guard_start_background_refresh),
 *     from many threads at once. They must return: no longjmp, and no exception of any language may leave them.
 *     Where one does leave a C++ callback, it is caught. They and their data have to live as long as the guard and
 *     everything that was obtained from it: admissions, checks and filters call them after its _free, too.
 *  7. No function has a variable number of arguments, and none touches the locale. NULL for a handle is answered as
 *     an empty one would be.
 *  8. mcp_oauth_abi() of the library has to be the MCP_OAUTH_ABI of the header that you were built with. Functions
 *     may be added under the same number; nothing is removed or changed.
 */
/* clang-format on */

#include "mcp_oauth/abi.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mcp_oauth_text {
  const char* data;
  size_t size;
} mcp_oauth_text;

typedef struct mcp_oauth_error mcp_oauth_error;
typedef struct mcp_oauth_guard mcp_oauth_guard;
typedef struct mcp_oauth_user mcp_oauth_user;
typedef struct mcp_oauth_request mcp_oauth_request;
typedef struct mcp_oauth_answer mcp_oauth_answer;
typedef struct mcp_oauth_admission mcp_oauth_admission;
typedef struct mcp_oauth_check mcp_oauth_check;
typedef struct mcp_oauth_fetch mcp_oauth_fetch;
typedef struct mcp_oauth_filter mcp_oauth_filter;
typedef struct mcp_oauth_status mcp_oauth_status;

/* "0.1.0", and the number of the interface. */
MCP_OAUTH_API const char* mcp_oauth_version(void);
MCP_OAUTH_API int32_t mcp_oauth_abi(void);

/* --- errors
 * ----------------------------------------------------------------------------------------------------------
 */

/* "invalid config: …" with every problem and its fix, or "reason: detail". For a log, not for a client. */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_text(const mcp_oauth_error* error);
/* Of a token or call that was refused; 0 and "" for a configuration. See mcp_oauth::denial. */
MCP_OAUTH_API int32_t mcp_oauth_error_status(const mcp_oauth_error* error);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_code(const mcp_oauth_error* error); /* "invalid_token" */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_description(const mcp_oauth_error* error);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_symptom(const mcp_oauth_error* error); /* "MOP-AUD-001" */
MCP_OAUTH_API mcp_oauth_text
mcp_oauth_error_reason(const mcp_oauth_error* error); /* "token_audience_mismatch" */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_detail(const mcp_oauth_error* error); /* never for a client */
MCP_OAUTH_API size_t mcp_oauth_error_scope_count(const mcp_oauth_error* error);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_scope(const mcp_oauth_error* error, size_t index);
/* Of a configuration. */
MCP_OAUTH_API size_t mcp_oauth_error_problem_count(const mcp_oauth_error* error);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_problem_field(const mcp_oauth_error* error, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_problem_message(const mcp_oauth_error* error, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_error_problem_fix(const mcp_oauth_error* error, size_t index);
MCP_OAUTH_API void mcp_oauth_error_free(mcp_oauth_error* error);

/* --- callbacks
 * ------------------------------------------------------------------------------------------------------- */

/* One document to fetch, and the place for its answer. Redirects must not be followed, certificates must be
 * verified. */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_fetch_method(const mcp_oauth_fetch* fetch); /* "GET", "POST" */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_fetch_url(const mcp_oauth_fetch* fetch);
MCP_OAUTH_API size_t mcp_oauth_fetch_header_count(const mcp_oauth_fetch* fetch);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_fetch_header_name(const mcp_oauth_fetch* fetch, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_fetch_header_value(const mcp_oauth_fetch* fetch,
                                                          size_t index);         /* may be secret */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_fetch_body(const mcp_oauth_fetch* fetch); /* likewise */
MCP_OAUTH_API size_t
mcp_oauth_fetch_most_bytes(const mcp_oauth_fetch* fetch); /* more of an answer is refused */
MCP_OAUTH_API uint32_t mcp_oauth_fetch_timeout_seconds(const mcp_oauth_fetch* fetch);
/* What came of it; without an answer it counts as failed. Content-Type, Cache-Control, Retry-After are looked
 * at. */
MCP_OAUTH_API void mcp_oauth_fetch_answer(mcp_oauth_fetch* fetch, int32_t status, const char* body,
                                          size_t body_size);
MCP_OAUTH_API void mcp_oauth_fetch_answer_header(mcp_oauth_fetch* fetch, const char* name, size_t name_size,
                                                 const char* value, size_t value_size);
MCP_OAUTH_API void mcp_oauth_fetch_fail(mcp_oauth_fetch* fetch, const char* why, size_t why_size);

typedef void (*mcp_oauth_fetch_fn)(void* data, mcp_oauth_fetch* fetch);

enum { MCP_OAUTH_DEBUG = 0, MCP_OAUTH_INFO = 1, MCP_OAUTH_WARNING = 2, MCP_OAUTH_ERROR = 3 };
/* `fields` is one JSON object of texts. Nothing in it is a secret. */
typedef void (*mcp_oauth_log_fn)(void* data, int32_t level, const char* message, size_t message_size,
                                 const char* fields, size_t fields_size);

/* Milliseconds since 1970, for tests. */
typedef int64_t (*mcp_oauth_clock_fn)(void* data);

typedef struct mcp_oauth_callbacks {
  size_t size;              /* sizeof(mcp_oauth_callbacks) */
  mcp_oauth_fetch_fn fetch; /* NULL: libcurl.so.4 of this machine, loaded when it is first needed */
  void* fetch_data;
  mcp_oauth_log_fn log; /* NULL: nothing is logged */
  void* log_data;
  mcp_oauth_clock_fn clock; /* NULL: the system's */
  void* clock_data;
} mcp_oauth_callbacks;

/* --- the guard
 * ------------------------------------------------------------------------------------------------------- */

/* Gives a guard for a configuration in JSON (docs/library/configuration.md), or NULL and every problem of it.
 * `callbacks` may be NULL; what they point at has to live as long as the guard and all that is obtained from
 * it. Fetches nothing. */
MCP_OAUTH_API mcp_oauth_guard* mcp_oauth_guard_new(const char* config_json, size_t config_json_size,
                                                   const mcp_oauth_callbacks* callbacks,
                                                   mcp_oauth_error** error);
MCP_OAUTH_API mcp_oauth_guard* mcp_oauth_guard_new_from_environment(const mcp_oauth_callbacks* callbacks,
                                                                    mcp_oauth_error** error);
MCP_OAUTH_API void mcp_oauth_guard_free(mcp_oauth_guard* guard);

/* Fetches the keys of every issuer now, and the policy where it comes from a URL. Blocks. 1: all are there.
 */
MCP_OAUTH_API int32_t mcp_oauth_guard_prepare(const mcp_oauth_guard* guard, mcp_oauth_error** error);
/* One thread that renews keys and policy before they are old. 1: it runs. _free ends it as well. */
MCP_OAUTH_API int32_t mcp_oauth_guard_start_background_refresh(const mcp_oauth_guard* guard);
MCP_OAUTH_API void mcp_oauth_guard_stop_background_refresh(const mcp_oauth_guard* guard);
MCP_OAUTH_API void mcp_oauth_guard_forget(const mcp_oauth_guard* guard, const char* token, size_t token_size);

/* Gives what is known now of issuers and policy; fetches nothing. Ages are in seconds, -1 where there is
 * none. See mcp_oauth/status.h. */
MCP_OAUTH_API mcp_oauth_status* mcp_oauth_guard_status(const mcp_oauth_guard* guard);
MCP_OAUTH_API int32_t mcp_oauth_status_ready(const mcp_oauth_status* status); /* 1: issuers and policy are */
MCP_OAUTH_API size_t mcp_oauth_status_issuer_count(const mcp_oauth_status* status);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_status_issuer(const mcp_oauth_status* status, size_t index);
MCP_OAUTH_API int32_t mcp_oauth_status_issuer_ready(const mcp_oauth_status* status, size_t index);
MCP_OAUTH_API size_t mcp_oauth_status_issuer_keys(const mcp_oauth_status* status, size_t index);
MCP_OAUTH_API int64_t mcp_oauth_status_issuer_keys_age(const mcp_oauth_status* status, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_status_issuer_failure(const mcp_oauth_status* status,
                                                             size_t index); /* of the last one that failed */
MCP_OAUTH_API int32_t
mcp_oauth_status_policy_from_url(const mcp_oauth_status* status); /* 0: your configuration */
MCP_OAUTH_API int32_t mcp_oauth_status_policy_ready(const mcp_oauth_status* status);
MCP_OAUTH_API int64_t mcp_oauth_status_policy_age(const mcp_oauth_status* status);
MCP_OAUTH_API int64_t mcp_oauth_status_policy_good_for(const mcp_oauth_status* status);
MCP_OAUTH_API mcp_oauth_text
mcp_oauth_status_policy_failure(const mcp_oauth_status* status); /* "": the last question was answered */
MCP_OAUTH_API mcp_oauth_text
mcp_oauth_status_json(const mcp_oauth_status* status); /* all of it, for health */
MCP_OAUTH_API void mcp_oauth_status_free(mcp_oauth_status* status);

MCP_OAUTH_API mcp_oauth_text mcp_oauth_guard_metadata_url(const mcp_oauth_guard* guard);
MCP_OAUTH_API size_t mcp_oauth_guard_metadata_path_count(const mcp_oauth_guard* guard);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_guard_metadata_path(const mcp_oauth_guard* guard, size_t index);

/* Gives whose token that is (without "Bearer "), or NULL. May fetch, and then blocks. */
MCP_OAUTH_API mcp_oauth_user* mcp_oauth_validate(const mcp_oauth_guard* guard, const char* token,
                                                 size_t token_size, mcp_oauth_error** error);
/* 1: that user may call that tool. */
MCP_OAUTH_API int32_t mcp_oauth_authorize_tool(const mcp_oauth_guard* guard, const mcp_oauth_user* user,
                                               const char* tool, size_t tool_size, mcp_oauth_error** error);
/* Gives the answer of an MCP server to a list request without what that user may not use (its body alone
 * counts), or NULL when it cannot be read. `content_type` is "application/json" or "text/event-stream". */
MCP_OAUTH_API mcp_oauth_answer* mcp_oauth_filter_list(const mcp_oauth_guard* guard,
                                                      const mcp_oauth_user* user, const char* body,
                                                      size_t body_size, const char* content_type,
                                                      size_t content_type_size, mcp_oauth_error** error);
/* Gives the HTTP answer that tells a client of an error of validate, authorize_tool or filter_list. */
MCP_OAUTH_API mcp_oauth_answer* mcp_oauth_refuse(const mcp_oauth_guard* guard, const mcp_oauth_error* error);

/* --- who calls
 * ------------------------------------------------------------------------------------------------------- */

MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_subject(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_issuer(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_email(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_name(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_username(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_client_id(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text
mcp_oauth_user_claims(const mcp_oauth_user* user); /* every claim, one JSON object */
MCP_OAUTH_API size_t mcp_oauth_user_scope_count(const mcp_oauth_user* user);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_user_scope(const mcp_oauth_user* user, size_t index);
MCP_OAUTH_API int64_t mcp_oauth_user_expires(const mcp_oauth_user* user); /* seconds since 1970 */
MCP_OAUTH_API void mcp_oauth_user_free(mcp_oauth_user* user);

/* --- requests and answers
 * -------------------------------------------------------------------------------------------- */

/* Gives a request as your server received it; `target` is path and query. */
MCP_OAUTH_API mcp_oauth_request* mcp_oauth_request_new(const char* method, size_t method_size,
                                                       const char* target, size_t target_size);
MCP_OAUTH_API void mcp_oauth_request_add_header(mcp_oauth_request* request, const char* name,
                                                size_t name_size, const char* value, size_t value_size);
MCP_OAUTH_API void mcp_oauth_request_set_body(mcp_oauth_request* request, const char* body, size_t body_size);
/* The client's certificate on this connection, DER (RFC 8705). */
MCP_OAUTH_API void mcp_oauth_request_set_client_certificate(mcp_oauth_request* request, const char* der,
                                                            size_t der_size);
MCP_OAUTH_API void mcp_oauth_request_free(mcp_oauth_request* request);

MCP_OAUTH_API int32_t mcp_oauth_answer_status(const mcp_oauth_answer* answer);
MCP_OAUTH_API size_t mcp_oauth_answer_header_count(const mcp_oauth_answer* answer);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_answer_header_name(const mcp_oauth_answer* answer, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_answer_header_value(const mcp_oauth_answer* answer, size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_answer_body(const mcp_oauth_answer* answer);
MCP_OAUTH_API void mcp_oauth_answer_free(mcp_oauth_answer* answer);

/* Gives the resource metadata (RFC 9728) when the request asks for it, else NULL. */
MCP_OAUTH_API mcp_oauth_answer* mcp_oauth_metadata(const mcp_oauth_guard* guard,
                                                   const mcp_oauth_request* request);

/* Gives what becomes of a request to the MCP endpoint; never NULL but for want of memory. May fetch, and then
 * blocks. */
MCP_OAUTH_API mcp_oauth_admission* mcp_oauth_admit(const mcp_oauth_guard* guard,
                                                   const mcp_oauth_request* request);
/* 1: serve it. 0: send mcp_oauth_admission_answer. */
MCP_OAUTH_API int32_t mcp_oauth_admission_allowed(const mcp_oauth_admission* admission);
MCP_OAUTH_API const mcp_oauth_answer* mcp_oauth_admission_answer(
    const mcp_oauth_admission* admission); /* NULL: allowed */
MCP_OAUTH_API const mcp_oauth_error* mcp_oauth_admission_refused(
    const mcp_oauth_admission* admission); /* NULL: not */
MCP_OAUTH_API const mcp_oauth_user* mcp_oauth_admission_user(const mcp_oauth_admission* admission);
MCP_OAUTH_API mcp_oauth_text
mcp_oauth_admission_token(const mcp_oauth_admission* admission); /* never for another server */
MCP_OAUTH_API mcp_oauth_text mcp_oauth_admission_method(const mcp_oauth_admission* admission);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_admission_name(const mcp_oauth_admission* admission);
MCP_OAUTH_API int32_t mcp_oauth_admission_authorize_tool(const mcp_oauth_admission* admission,
                                                         const char* tool, size_t tool_size,
                                                         mcp_oauth_error** error);
/* Gives your answer as it may go out: lists without what the caller may not use, and with the fields of CORS.
 */
MCP_OAUTH_API mcp_oauth_answer* mcp_oauth_admission_filtered(const mcp_oauth_admission* admission,
                                                             int32_t status, const char* content_type,
                                                             size_t content_type_size, const char* body,
                                                             size_t body_size);
/* What the head of every answer to this call should have besides (CORS, DPoP-Nonce): _filtered adds it; this
 * is for answers that go out in pieces. As of when the call was admitted. */
MCP_OAUTH_API size_t mcp_oauth_admission_answer_header_count(const mcp_oauth_admission* admission);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_admission_answer_header_name(const mcp_oauth_admission* admission,
                                                                    size_t index);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_admission_answer_header_value(const mcp_oauth_admission* admission,
                                                                     size_t index);
/* 0: the answer to this call holds nothing to take out, and may go out as it comes. */
MCP_OAUTH_API int32_t mcp_oauth_admission_filters(const mcp_oauth_admission* admission);
/* Gives a filter for an answer that goes out in pieces; for one thread at a time. */
MCP_OAUTH_API mcp_oauth_filter* mcp_oauth_admission_begin_filter(const mcp_oauth_admission* admission,
                                                                 const char* content_type,
                                                                 size_t content_type_size);
/* 1: _output has what may go out of this piece. 0: nothing of the rest may, nor the end of the answer. */
MCP_OAUTH_API int32_t mcp_oauth_filter_feed(mcp_oauth_filter* filter, const char* piece, size_t piece_size,
                                            mcp_oauth_error** error);
/* The same, for the end of the answer. */
MCP_OAUTH_API int32_t mcp_oauth_filter_finish(mcp_oauth_filter* filter, mcp_oauth_error** error);
MCP_OAUTH_API mcp_oauth_text mcp_oauth_filter_output(const mcp_oauth_filter* filter);
MCP_OAUTH_API void mcp_oauth_filter_free(mcp_oauth_filter* filter);
MCP_OAUTH_API void mcp_oauth_admission_free(mcp_oauth_admission* admission);

/* --- the same without blocking
 * --------------------------------------------------------------------------------------- */

enum { MCP_OAUTH_FETCH = 0, MCP_OAUTH_WAIT = 1, MCP_OAUTH_DONE = 2 };

/* Give a check. While _next is FETCH: fetch what _wanted says, answer it, and call _give. While it is WAIT
 * (another check fetches the same): call _proceed now and then. Then take the result. The request may be
 * freed at once. */
MCP_OAUTH_API mcp_oauth_check* mcp_oauth_begin_validate(const mcp_oauth_guard* guard, const char* token,
                                                        size_t token_size);
MCP_OAUTH_API mcp_oauth_check* mcp_oauth_begin_admit(const mcp_oauth_guard* guard,
                                                     const mcp_oauth_request* request);
MCP_OAUTH_API int32_t mcp_oauth_check_next(const mcp_oauth_check* check);
MCP_OAUTH_API mcp_oauth_fetch* mcp_oauth_check_wanted(
    mcp_oauth_check* check); /* borrowed; NULL unless FETCH */
MCP_OAUTH_API void mcp_oauth_check_give(mcp_oauth_check* check);
MCP_OAUTH_API void mcp_oauth_check_proceed(mcp_oauth_check* check);
/* Give the result of begin_validate, and of begin_admit; NULL for the other one. */
MCP_OAUTH_API mcp_oauth_user* mcp_oauth_check_user(const mcp_oauth_check* check, mcp_oauth_error** error);
MCP_OAUTH_API mcp_oauth_admission* mcp_oauth_check_admission(const mcp_oauth_check* check);
MCP_OAUTH_API void mcp_oauth_check_free(mcp_oauth_check* check);

#ifdef __cplusplus
}
#endif

#endif
