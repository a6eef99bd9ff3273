#pragma once

// The door of an MCP server, inside that server:
//
//   mcp_oauth::options o;
//   o.server.issuer = "https://idp.example.com";
//   o.resource = "https://mcp.example.com/mcp";
//   o.tools = {{"echo", {"tools:read"}}, {"delete_*", {"tools:write"}}};
//   auto guard = mcp_oauth::guard::make(o);
//   if (!guard) return complain(guard.error().text());
//   auto serve = guard->mount(handler);  // handler: response(const request&, const call&)
//
// No exception leaves a function of the library. Every member of every class here may be called from many
// threads at once unless it says otherwise. No thread is started unless `start_background_refresh` is called.

#include "mcp_oauth/abi.h"
#include "mcp_oauth/config.h"
#include "mcp_oauth/http.h"
#include "mcp_oauth/log.h"
#include "mcp_oauth/outcome.h"
#include "mcp_oauth/status.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

MCP_OAUTH_BEGIN

// Who calls, out of a token that was verified. Immutable; copies share it. Views live as long as a copy does.
class MCP_OAUTH_API user final {
 public:
  std::string_view subject() const noexcept;    // `sub`; together with the issuer it says who it is
  std::string_view issuer() const noexcept;     // `iss`
  std::string_view email() const noexcept;      // "" when the token does not say
  std::string_view name() const noexcept;       // likewise
  std::string_view username() const noexcept;   // preferred_username, else email, else sub
  std::string_view client_id() const noexcept;  // "" when the token does not say
  std::span<const std::string> scopes() const noexcept;
  bool has_scope(std::string_view scope) const noexcept;  // exact, with its case (RFC 6749 §3.3)
  // Every claim of the token, or of the answer to its introspection: one JSON object as text, made when asked
  // for.
  std::string claims() const noexcept;
  std::chrono::system_clock::time_point expires() const noexcept;  // `exp`, in whole seconds

  // For the library. A copy only, no move: there is no user without anybody behind it.
  explicit user(std::shared_ptr<const void> verdict) noexcept : verdict_(std::move(verdict)) {}
  const void* inside() const noexcept { return verdict_.get(); }
  user(const user&) noexcept = default;
  user& operator=(const user&) noexcept = default;
  ~user() = default;

 private:
  std::shared_ptr<const void> verdict_;
};

// Takes out of an answer what its caller may not see, while the answer passes by in pieces of any size. Not
// for two threads at once.
class MCP_OAUTH_API answer_filter final {
 public:
  // Appends to `out` what may go on. A denial (list_unreadable) is for good: the rest must not go out, and
  // neither must the end of the answer.
  std::optional<denial> feed(std::string_view piece, std::string& out) noexcept;
  // Says that the answer ends here.
  std::optional<denial> finish(std::string& out) noexcept;

  // For the library.
  struct MCP_OAUTH_LOCAL parts;
  explicit answer_filter(std::unique_ptr<parts> made) noexcept;
  answer_filter(answer_filter&&) noexcept;
  answer_filter& operator=(answer_filter&&) noexcept;
  ~answer_filter();

 private:
  std::unique_ptr<parts> parts_;
};

// A call that was let in: whose it is, what it is, and what else its caller may do. Immutable; copies share
// it; keeps alive what it needs of its guard.
class MCP_OAUTH_API call final {
 public:
  const mcp_oauth::user& user() const noexcept;
  // The access token. It was issued for this server: never send it to another one (MCP, token passthrough).
  std::string_view token() const noexcept;
  std::string_view method() const noexcept;  // "tools/call"; "batch"; "stream" for GET and DELETE
  std::string_view name()
      const noexcept;  // of the tool or prompt, URI of the resource; "" when there is none

  // Whether this caller may call that tool. Nothing: yes.
  std::optional<denial> authorize_tool(std::string_view tool) const noexcept;

  // Whether the answer to this call may hold lists of which a part has to go. Where not, it may go out as it
  // comes.
  bool filters() const noexcept;
  // The answer of the MCP server without the tools, resources and prompts that this caller may not use; what
  // needs no filter comes back as it was. A list that is not strict JSON, of another type or compressed
  // becomes 502 (list_unreadable): what cannot be read cannot be filtered. Adds `answer_headers`.
  response filtered(response answer) const noexcept;
  // The same for the body of an answer that goes out in pieces, and is not compressed (Content-Encoding).
  answer_filter begin_filter(std::string_view content_type) const noexcept;
  // What the head of every answer to this call should have besides: the fields that let a web page of an
  // allowed origin read it (CORS), and the nonce of the next proof where nonces are demanded (RFC 9449 §8.2).
  // For answers that go out in pieces, and so not through `filtered`.
  std::vector<std::pair<std::string, std::string>> answer_headers() const noexcept;

  // For the library.
  struct MCP_OAUTH_LOCAL parts;
  explicit call(std::shared_ptr<const parts> made) noexcept : parts_(std::move(made)) {}
  call(const call&) noexcept = default;
  call& operator=(const call&) noexcept = default;
  ~call() = default;

 private:
  std::shared_ptr<const parts> parts_;
};

// The call that this thread serves within a handler of `wrap` or `mount`, for code that is not given it; null
// elsewhere.
MCP_OAUTH_API const call* current_call() noexcept;

// Makes a call the current one of this thread while it lives; not for coroutines that change their thread.
// `wrap` and `mount` do it by themselves.
class MCP_OAUTH_API serving final {
 public:
  explicit serving(const call& now) noexcept;
  ~serving();
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;

 private:
  const call* before_;
};

// What becomes of a request: a call to serve, or an answer to send.
class admission final {
  template <class O>
  static auto& there(O& side) noexcept {
    if (!side) std::abort();
    return *side;
  }

 public:
  bool allowed() const noexcept { return call_.has_value(); }
  // The call that was allowed, or the answer to send; reading the other one ends the program (std::abort).
  const mcp_oauth::call& call() const noexcept { return there(call_); }
  const response& answer() const noexcept { return there(answer_); }
  // Why not, where it was refused; nothing for a preflight, which is answered and no refusal.
  const std::optional<denial>& refused() const noexcept { return refused_; }

  // For the library.
  explicit admission(const mcp_oauth::call& let_in) noexcept : call_(let_in) {}
  admission(response answer, std::optional<denial> why) noexcept
      : answer_(std::move(answer)), refused_(std::move(why)) {}

 private:
  std::optional<mcp_oauth::call> call_;
  std::optional<response> answer_;
  std::optional<denial> refused_;
};

struct MCP_OAUTH_LOCAL pending_parts;

// For hosts that fetch by themselves, without blocking. One object is not for two threads at once, but may
// move between them.
//
//   auto check = guard.begin_validate(token);
//   for (; check.next() != step::done;)
//     if (check.next() == step::fetch) check.give(co_await my_fetch(check.wanted()));
//     else { co_await a_moment(); check.proceed(); }
//   auto user = check.result();
enum class step {
  fetch,  // fetch what `wanted` says and `give` what came of it
  wait,   // another check fetches the same: call `proceed` when `when_ready` calls, or now and then
  done,   // take the result
};

class MCP_OAUTH_API pending_check {
 public:
  step next() const noexcept;
  // What to fetch; std::abort unless next() is fetch.
  const fetch_request& wanted() const noexcept;
  void give(fetch_answer answer) noexcept;
  // Called once, when waiting is over: by the thread that ended it, or at once. Should only hand on the news.
  void when_ready(std::function<void()> wake) noexcept;
  // Goes on if it can. What waits too long (15 seconds) is done, with a denial of status 503.
  void proceed() noexcept;

  pending_check(pending_check&&) noexcept;
  pending_check& operator=(pending_check&&) noexcept;
  pending_check(const pending_check&) = delete;
  pending_check& operator=(const pending_check&) = delete;

 protected:
  explicit pending_check(std::unique_ptr<pending_parts> made) noexcept;
  ~pending_check();
  std::unique_ptr<pending_parts> parts_;
};

class MCP_OAUTH_API pending_user final : public pending_check {
 public:
  // Whose token it is. Before next() is done: a denial with status 503.
  outcome<user> result() const noexcept;
  explicit pending_user(std::unique_ptr<pending_parts> made) noexcept;  // for the library
};

// A whole request, which has to live until the result was taken.
class MCP_OAUTH_API pending_admission final : public pending_check {
 public:
  admission result() const noexcept;
  explicit pending_admission(std::unique_ptr<pending_parts> made) noexcept;  // for the library
};

// The guard. Copies share everything, among it what is remembered of tokens and keys: make one for a server.
class MCP_OAUTH_API guard final {
 public:
  // Fetches nothing; `prepare()` does.
  static outcome<guard, config_problems> make(options from) noexcept;
  static outcome<guard, config_problems> make(const config& from) noexcept;
  // By the names of the environment (docs/library/configuration.md). `callbacks` gives fetch, log and clock.
  static outcome<guard, config_problems> from_environment(options callbacks = {}) noexcept;

  // --- one call that mounts, one that wraps, one that validates
  // ------------------------------------------------------

  // A function response(const request&) that is all a server needs: it serves the resource metadata (RFC
  // 9728) on each path that clients try, and lets to `handler` what `wrap` would. Every path that is no
  // metadata counts as the MCP endpoint. What `handler` throws reaches the caller of the function.
  template <class Handler>
  auto mount(Handler handler) const {
    return [self = *this, guarded = wrap(std::move(handler))](const request& asked) mutable -> response {
      if (auto document = self.metadata(asked)) return std::move(*document);
      return guarded(asked);
    };
  }

  // A function response(const request&) that calls `handler`, response(const request&, const call&), for the
  // requests that are allowed, takes out of lists what the caller may not use, and answers the rest itself.
  template <class Handler>
  auto wrap(Handler handler) const {
    return [self = *this, handler = std::move(handler)](const request& asked) mutable -> response {
      auto let_in = self.admit(asked);
      if (!let_in.allowed()) return let_in.answer();
      const serving now(let_in.call());
      return let_in.call().filtered(handler(asked, let_in.call()));
    };
  }

  // Whose token that is: the token alone, without "Bearer ". Signature, issuer, audience, times, and
  // introspection where that is configured; not the scopes of a call. A token that is bound to a key or
  // certificate is refused (token_binding_missing, token_certificate_missing), since its proof is in a
  // request: see `admit`. A token that was verified before costs a hash and a look-up, and no allocation. May
  // fetch, and then blocks. Errors: docs/library/contexts.md has all.
  outcome<user> validate(std::string_view token) const noexcept;

  // --- the pieces
  // ----------------------------------------------------------------------------------------------------

  // What becomes of a request to the MCP endpoint, in this order: preflight and Origin (403 for web pages of
  // others), credentials and token (401), proof of possession (RFC 9449, RFC 8705), the body as one JSON-RPC
  // message or batch (400) that its Mcp- headers do not contradict, and the rules for what it calls (403).
  // The answer of a refusal has its challenge (RFC 6750 §3, RFC 9728 §5.1). May fetch, and then blocks.
  admission admit(const request& asked) const noexcept;

  // The resource metadata, when that is what the request asks for; else nothing.
  std::optional<response> metadata(const request& asked) const noexcept;
  // Its URL, as challenges name it, and the paths under which it is served (to register with a router).
  std::string_view metadata_url() const noexcept;
  const std::vector<std::string>& metadata_paths() const noexcept;

  // Whether that caller may call that tool. Nothing: yes. Fetches nothing: a policy that comes from a URL is
  // fetched by `validate`, `admit`, `prepare` and the background.
  std::optional<denial> authorize_tool(const user& who, std::string_view tool) const noexcept;
  // The answer to a list request (a JSON-RPC message) without what that caller may not use, as
  // `call::filtered`; for hosts that have no request. Errors: list_unreadable.
  outcome<std::string> filter_list(const user& who, std::string_view answer,
                                   std::string_view content_type = "application/json") const noexcept;

  // The answer that tells a client of a denial, with its challenge.
  response refuse(const denial& why) const noexcept;

  // --- keys and policy
  // -----------------------------------------------------------------------------------------------

  // Fetches metadata and keys of every issuer now, and the policy where it comes from a URL, so that the
  // first call need not wait and a wrong issuer shows at the start. Nothing: all are there. Errors:
  // issuer_unreachable, issuer_metadata_invalid, issuer_keys_unavailable, policy_unavailable.
  std::optional<denial> prepare() const noexcept;

  // What is known now of issuers and policy, and how old it is. Fetches nothing.
  guard_status status() const noexcept;

  // Starts one thread that renews keys and policy before they are old; the second call changes nothing. It
  // ends with `stop_background_refresh`, or with the last copy of the guard, and is waited for. False when no
  // thread can be made.
  bool start_background_refresh() const noexcept;
  void stop_background_refresh() const noexcept;

  // Forgets what was decided about a token, as when you learn that it was revoked: the next request judges it
  // anew.
  void forget(std::string_view token) const noexcept;

  // --- the same without blocking
  // -------------------------------------------------------------------------------------

  pending_user begin_validate(std::string_view token) const noexcept;
  pending_admission begin_admit(const request& asked) const noexcept;

  // For the library.
  struct MCP_OAUTH_LOCAL parts;
  explicit guard(std::shared_ptr<parts> made) noexcept : parts_(std::move(made)) {}
  guard(const guard&) noexcept = default;
  guard& operator=(const guard&) noexcept = default;
  ~guard() = default;

 private:
  std::shared_ptr<parts> parts_;
};

MCP_OAUTH_END
