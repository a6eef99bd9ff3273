#include "oauth/scope.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

// OpenID Connect Core §5.4, §11: clients send them out of habit; they say nothing about a resource.
constexpr std::array<std::string_view, 6> openid_scopes = {"openid",  "profile", "email",
                                                           "address", "phone",   "offline_access"};

std::vector<std::string> known_of(const std::vector<std::string>& scopes,
                                  const std::vector<std::string>& known) {
  std::vector<std::string> both;
  for (const auto& scope : scopes) {
    if (holds(known, scope) && !holds(both, scope)) both.push_back(scope);
  }
  return both;
}

}  // namespace

bool is_scope_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > 0x20 && c < 0x7F && c != '"' && c != '\\'; });
}

result<std::vector<std::string>> parse_scope(std::string_view value) {
  if (value.size() > longest_scope) return fail(errc::parameter_too_long, "scope");
  std::vector<std::string> scopes;
  for (auto& token : split_words(value)) {
    if (!is_scope_token(token)) return fail(errc::scope_unknown, "a scope holds what no scope may hold");
    if (!holds(scopes, token)) scopes.push_back(std::move(token));
  }
  return scopes;
}

result<std::vector<std::string>> narrow_scopes(const std::vector<std::string>& asked,
                                               const std::vector<std::string>& known,
                                               const std::vector<std::string>& otherwise) {
  if (known.empty()) return std::vector<std::string>{};
  auto narrowed = known_of(asked, known);
  if (!narrowed.empty()) return narrowed;
  bool asked_for_nothing_here = std::all_of(asked.begin(), asked.end(), [](const std::string& scope) {
    return std::find(openid_scopes.begin(), openid_scopes.end(), scope) != openid_scopes.end();
  });
  if (!asked_for_nothing_here)
    return fail(errc::scope_unknown, "none of " + std::to_string(asked.size()) + " is known");
  return known_of(otherwise, known);
}

result<std::vector<std::string>> refresh_scopes(const std::optional<std::vector<std::string>>& asked,
                                                const std::vector<std::string>& granted) {
  if (!asked || asked->empty()) return granted;
  for (const auto& scope : *asked) {
    if (!holds(granted, scope)) return fail(errc::refresh_scope_exceeded, scope + " was not granted");
  }
  return *asked;
}

bool holds_every_scope(const std::vector<std::string>& granted, const std::vector<std::string>& needed) {
  return std::all_of(needed.begin(), needed.end(),
                     [&](const std::string& scope) { return holds(granted, scope); });
}

}  // namespace mcp_oauth
