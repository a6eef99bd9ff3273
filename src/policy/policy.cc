#include "policy/policy.h"

#include "base/text.h"

#include <algorithm>
#include <optional>

namespace mcp_oauth {
namespace {

bool contains(std::span<const std::string> scopes, std::string_view scope) {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

// What one operation needs, gathered before it is judged: a challenge names all of it at once.
class needs {
 public:
  explicit needs(const caller& who) : who_(who) {}

  void all_of(const std::vector<std::string>& scopes) {
    for (const auto& scope : scopes) add(scope, contains(who_.scopes, scope));
  }
  // Of alternatives the one that the caller has, or else the first: the configuration names the mildest
  // first.
  void any_of(const std::vector<std::string>& scopes) {
    if (scopes.empty()) return;
    auto held =
        std::find_if(scopes.begin(), scopes.end(), [&](const auto& s) { return contains(who_.scopes, s); });
    add(held != scopes.end() ? *held : scopes.front(), held != scopes.end());
  }

  bool satisfied() const { return missing_.empty(); }
  refusal unsatisfied() {
    return {errc::scope_insufficient, std::move(needed_), "missing: " + join(missing_, " ")};
  }

 private:
  void add(const std::string& scope, bool held) {
    if (!contains(needed_, scope)) needed_.push_back(scope);
    if (!held && !contains(missing_, scope)) missing_.push_back(scope);
  }

  const caller& who_;
  std::vector<std::string> needed_, missing_;
};

// For a log line: a name comes from outside.
std::string in_quotes(std::string_view name) {
  std::string out = "\"";
  for (char c : name.substr(0, 128)) out += c >= 0x20 && c < 0x7F && c != '"' ? c : '?';
  return out + '"';
}

// What the message needs beyond the base scopes; a refusal when nothing would do.
std::optional<refusal> gather(const policy& rules, const envelope& message, needs& out) {
  using kind = enum envelope::kind;
  if (message.kind != kind::response && message.method.empty()) {
    return refusal{errc::body_malformed, {}, "no method is known"};
  }
  if (!message.complete && !message.has_name && name_of(message.method) != name_member::none) {
    return refusal{errc::body_malformed, {}, "the name of the call is not known yet"};
  }
  if (message.method != "tools/call" || !rules.tools_given()) return std::nullopt;
  if (!message.has_name) return refusal{errc::policy_denied, {}, "tools/call without a name"};
  bool matched = false;
  for (const auto& rule : rules.tools()) {
    if (!matches_wildcard(rule.pattern, message.name)) continue;
    matched = true;
    if (rule.needed == scopes_needed::all) {
      out.all_of(rule.scopes);
    } else {
      out.any_of(rule.scopes);
    }
  }
  if (!matched) return refusal{errc::policy_denied, {}, "no rule matches tool " + in_quotes(message.name)};
  return std::nullopt;
}

}  // namespace

tl::expected<permit, refusal> authorize(const policy& rules, const caller& who, const envelope& message) {
  needs needed(who);
  needed.all_of(rules.base_scopes());
  bool batch = message.kind == envelope::kind::batch;
  if (batch && !message.complete) {
    return tl::unexpected<refusal>(refusal{errc::body_malformed, {}, "the batch is not read to its end"});
  }
  if (batch) {
    for (const auto& item : message.items) {
      if (auto refused = gather(rules, item, needed)) return tl::unexpected<refusal>(std::move(*refused));
    }
  } else if (auto refused = gather(rules, message, needed)) {
    return tl::unexpected<refusal>(std::move(*refused));
  }
  if (!needed.satisfied()) return tl::unexpected<refusal>(needed.unsatisfied());
  return permit(who, batch ? std::string_view("batch") : std::string_view(message.method), message.name);
}

tl::expected<permit, refusal> authorize_stream(const policy& rules, const caller& who) {
  needs needed(who);
  needed.all_of(rules.base_scopes());
  if (!needed.satisfied()) return tl::unexpected<refusal>(needed.unsatisfied());
  return permit(who, "stream", "");
}

}  // namespace mcp_oauth
