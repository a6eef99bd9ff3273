#include "gateway/response_transform.h"

#include "base/text.h"
#include "config/check.h"

#include <algorithm>

namespace mcp_oauth {

response_transform::response_transform(const transform_settings& conf) : empty_(conf.empty()) {
  for (const auto& pattern : conf.remove) removed_.push_back(to_lower(pattern));
  for (const auto& [from, to] : conf.rename) renamed_.emplace_back(to_lower(from), to);
  for (const auto& [name, value] : conf.add) {
    replaced_.push_back(to_lower(name));
    added_ += name + ": " + value + "\r\n";
  }
}

std::string_view response_transform::name_for(std::string_view name) const {
  auto lower = to_lower(name);
  if (!why_kept(lower).empty()) return name;
  bool removed = std::any_of(removed_.begin(), removed_.end(),
                             [&](const auto& pattern) { return matches_wildcard(pattern, lower); });
  if (removed) return {};
  auto renamed =
      std::find_if(renamed_.begin(), renamed_.end(), [&](const auto& pair) { return pair.first == lower; });
  if (renamed != renamed_.end()) {
    name = renamed->second;
    lower = to_lower(name);
  }
  bool replaced = std::find(replaced_.begin(), replaced_.end(), lower) != replaced_.end();
  return replaced ? std::string_view() : name;
}

}  // namespace mcp_oauth
