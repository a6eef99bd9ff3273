#pragma once

#include "base/error.h"
#include "mcp/envelope.h"
#include "mcp/list_filter.h"
#include "policy/condition.h"
#include "policy/rule.h"

#include <memory>
#include <optional>
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
  claims_view claims = {};
};

// The rules as they are written. A section that is not given restricts nothing.
struct policy_rules {
  rule_set tools = {};                        // names of tools/call
  rule_set methods = {};                      // of every message that a client sends
  rule_set resources = {};                    // URIs that are read, subscribed to or completed
  rule_set prompts = {};                      // names of prompts/get, and of completions for them
  std::vector<std::string> base_scopes = {};  // for everything
  scope_hierarchy hierarchy = {};
  bool filter_lists = true;

  friend bool operator==(const policy_rules&, const policy_rules&) = default;
};

struct rule_trace;

// What the configuration says about who may call what. Immutable, and cheap to copy.
class policy {
 public:
  explicit policy(policy_rules rules);
  policy(std::vector<access_rule> tools, bool tools_given, std::vector<std::string> base_scopes);
  // Refuses everything with that error.
  static policy closed(errc code, std::string detail);

  // Whether what a message says can change the answer of `authorize`; where not, `authorize_stream` says the
  // same.
  bool depends_on_message() const;
  // Whether answers to lists have to be filtered for callers of this policy.
  bool filters_lists() const;
  // Whether the decision about a message needs its whole text: for rules that look at arguments, and for
  // methods whose resources stand deeper than the envelope reaches.
  bool wants_text(const envelope& message) const;

 private:
  struct compiled;
  class judge;
  explicit policy(std::shared_ptr<const compiled> is) : is_(std::move(is)) {}
  friend tl::expected<class permit, struct refusal> authorize(const policy&, const caller&, const envelope&,
                                                              std::string_view);
  friend tl::expected<class permit, struct refusal> authorize_stream(const policy&, const caller&);
  friend bool may_list(const policy&, const caller&, listed, std::string_view);
  friend std::vector<rule_trace> rules_for_others(const policy&, std::string_view, std::string_view,
                                                  std::size_t);

  std::shared_ptr<const compiled> is_;
};

// A rule that was looked at because its pattern fits, and what it says. No value that was seen is in it.
struct rule_trace {
  std::string_view section;  // "tools"
  std::string pattern;
  bool denied = false;
  std::vector<std::string> missing_scopes = {};
  std::vector<std::string> unmet = {};  // conditions, as `describe` has them

  bool allows() const { return !denied && missing_scopes.empty() && unmet.empty(); }
};

// Why not. `scopes` are all that the operation needs, for the challenge (RFC 6750 §3.1); empty when no scope
// would help. The rest is for our log and for people who may read it.
struct refusal {
  errc code = errc::internal;
  std::vector<std::string> scopes;
  std::string detail;
  std::vector<rule_trace> trace = {};  // rules in the order of their sections, at most 64
  std::string would_allow = {};        // "the scopes a b"; "" when nothing that a client could bring
};

class permit;

// Whether `who` may send the message. The message has to be decided (`envelope_scanner::decided`); one that
// is not is refused (body_malformed), and so is one whose `text` is missing though `wants_text`. Where that
// is false, `text` is not looked at.
// - Everything needs the base scopes.
// - In each section that is given, every rule whose pattern matches (with its case) has to be satisfied; if
//   none matches, or there is no name, nobody may (policy_denied). A rule is satisfied by its scopes, or
//   those above them, and its conditions.
// - What opens and keeps a conversation (initialize, server/discover, ping, the client's notifications) needs
//   no rule in `methods`.
// - Of resources the URI and its other forms (`other_forms`) are judged; one that is not plain
//   (`is_plain_uri`) needs a rule without `*`.
// - A batch needs what each of its messages needs, and is denied as a whole.
// Errors: policy_denied before scope_insufficient, for new scopes would not help; body_malformed before both.
// Not checked: the token, its audience, the session.
tl::expected<permit, refusal> authorize(const policy& rules, const caller& who, const envelope& message,
                                        std::string_view text = {});

// Whether `who` may open a stream or end a session: a request without a message (GET, DELETE).
tl::expected<permit, refusal> authorize_stream(const policy& rules, const caller& who);

// The rules that decide nothing about a call of that method and name, as their patterns are for others: of
// the sections that the call is judged by, in their order, at most `most`. For people who look for the line
// that they meant.
std::vector<rule_trace> rules_for_others(const policy& rules, std::string_view method, std::string_view name,
                                         std::size_t most);

// Whether an item of a list is for `who`: whether `authorize` would permit some call of it, arguments aside.
bool may_list(const policy& rules, const caller& who, listed what, std::string_view name);

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
  friend tl::expected<permit, refusal> authorize(const policy&, const caller&, const envelope&,
                                                 std::string_view);
  friend tl::expected<permit, refusal> authorize_stream(const policy&, const caller&);

  std::string_view subject_, client_id_, method_, name_;
};

}  // namespace mcp_oauth
