#include "base/trace.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

// By topic: its name, then others that it has as well.
constexpr std::array<std::string_view, static_cast<std::size_t>(topic::count_)> names = {
    "oauth:authorize oauth:trace",
    "oauth:callback oauth:trace",
    "oauth:token oauth:trace token:issue token:refresh token:trace",
    "oauth:state oauth:trace session:state",
    "oauth:pkce oauth:trace pkce:challenge pkce:verifier",
    "token:validate token:expire token:trace",
    "proxy:headers",
    "proxy:request",
    "proxy:response",
    "mcp:message",
    "policy:decision",
    "db:query",
    "db:transaction"};

bool means(std::string_view pattern, std::string_view of) {
  for (const auto& name : split_words(of)) {
    if (matches_wildcard(pattern, name)) return true;
    if (name.starts_with(pattern) && name.size() > pattern.size() && name[pattern.size()] == ':') return true;
  }
  return false;
}

}  // namespace

std::string_view to_name(topic t) {
  auto all = names[static_cast<std::size_t>(t)];
  return all.substr(0, all.find(' '));
}

topics topics::of(std::span<const std::string> patterns, std::vector<std::string>* unknown) {
  std::uint32_t with = 0, without = 0;
  for (const auto& given : patterns) {
    auto pattern = to_lower(given);
    bool off = pattern.starts_with('-');
    if (off) pattern.erase(0, 1);
    if (pattern == "true" || pattern == "1") pattern = "*";
    if (pattern.empty() || pattern == "false" || pattern == "0") continue;
    std::uint32_t meant = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (means(pattern, names[i])) meant |= 1U << i;
    }
    if (meant == 0 && unknown != nullptr) unknown->push_back(given);
    (off ? without : with) |= meant;
  }
  return topics(with & ~without);
}

std::vector<std::string> topic_names() {
  std::vector<std::string> all;
  for (auto row : names) {
    for (auto& name : split_words(row)) {
      if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(std::move(name));
    }
  }
  return all;
}

}  // namespace mcp_oauth
