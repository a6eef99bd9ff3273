#pragma once

#include "base/error.h"
#include "mcp/envelope.h"
#include "policy/tool_rule.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// Who calls: out of a token that was verified. Borrowed from it.
struct caller {
  std::string_view subject;
  std::string_view client_id;
  std::span<const std::string> scopes;  // granted
};

// What the configuration says about who may call what. Immutable.
class policy {
 public:
  // `base_scopes` are needed for everything. Once `tools_given`, a tool that no rule names is denied.
  policy(std::vector<tool_rule> tools, bool tools_given, std::vector<std::string> base_scopes)
      : tools_(std::move(tools)), tools_given_(tools_given), base_scopes_(std::move(base_scopes)) {}

  const std::vector<tool_rule>& tools() const { return tools_; }
  bool tools_given() const { return tools_given_; }
  const std::vector<std::string>& base_scopes() const { return base_scopes_; }
  // Whether what a message says can change the answer of `authorize`; where not, `authorize_stream` says the
  // same.
  bool depends_on_message() const { return tools_given_; }

 private:
  std::vector<tool_rule> tools_;
  bool tools_given_;
  std::vector<std::string> base_scopes_;
};

// Why not. `scopes` are all that the operation needs, for the challenge (RFC 6750 §3.1); empty when no scope
// would help. `detail` is for our log.
struct refusal {
  errc code = errc::internal;
  std::vector<std::string> scopes;
  std::string detail;
};

class permit;

// Whether `who` may send the message. The message has to be decided (`envelope_scanner::decided`); one that
// is not is refused (body_malformed).
// - Everything needs the base scopes.
// - `tools/call`, once rules are given: every rule whose pattern matches the name (with its case) has to be
// satisfied;
//   if none matches, or there is no name, nobody may (policy_denied).
// - A batch needs what each of its messages needs, and is denied as a whole.
// Errors: policy_denied before scope_insufficient, for new scopes would not help.
// Not checked: the token, its audience, the session.
tl::expected<permit, refusal> authorize(const policy& rules, const caller& who, const envelope& message);

// Whether `who` may open a stream or end a session: a request without a message (GET, DELETE).
tl::expected<permit, refusal> authorize_stream(const policy& rules, const caller& who);

// Proof that the check was made, and what for. Only `authorize` and `authorize_stream` make one. Borrows from
// the token and the message that they looked at.
class permit {
 public:
  std::string_view subject() const { return subject_; }
  std::string_view client_id() const { return client_id_; }
  // What was permitted, for the log: the method ("batch", "stream") and the tool, prompt or resource, if any.
  std::string_view method() const { return method_; }
  std::string_view name() const { return name_; }

 private:
  permit(const caller& who, std::string_view method, std::string_view name)
      : subject_(who.subject), client_id_(who.client_id), method_(method), name_(name) {}
  friend tl::expected<permit, refusal> authorize(const policy&, const caller&, const envelope&);
  friend tl::expected<permit, refusal> authorize_stream(const policy&, const caller&);

  std::string_view subject_, client_id_, method_, name_;
};

}  // namespace mcp_oauth
