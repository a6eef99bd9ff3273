#include "policy/near_miss.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_compared = 64, most_compared = 64, most_shown = 3, longest_shown = 128;

}  // namespace

std::string printable(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, longest_shown)) out += c >= 0x20 && c < 0x7F && c != '"' ? c : '?';
  return out;
}

std::string case_hints(std::span<const std::string> missing, std::span<const std::string> held) {
  std::string hints;
  for (const auto& scope : missing) {
    auto same = std::find_if(held.begin(), held.end(),
                             [&](const auto& other) { return equal_ignoring_case(scope, other); });
    if (same == held.end()) continue;
    hints += "; the token has " + printable(*same) + ", which differs from " + scope + " in case only";
  }
  return hints;
}

std::string near_names(std::string_view name, std::span<const std::string_view> known) {
  if (name.empty() || name.size() > longest_compared) return "";
  struct candidate {
    std::size_t distance;
    std::string_view name;
  };
  std::vector<candidate> near;
  std::size_t compared = 0;
  auto least = std::max<std::size_t>(2, name.size() / 4);
  for (auto other : known) {
    if (equal_ignoring_case(name, other)) {
      near.push_back({0, other});
      continue;
    }
    bool alike = other.size() <= name.size() + least && name.size() <= other.size() + least &&
                 other.size() <= longest_compared;
    if (!alike || ++compared > most_compared) continue;
    auto distance = edit_distance(name, other);
    if (distance <= least && distance < name.size()) near.push_back({distance, other});
  }
  if (near.empty()) return "";
  std::sort(near.begin(), near.end(), [](const auto& a, const auto& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.name < b.name;
  });
  std::string text = "; near: ";
  for (std::size_t i = 0; i < near.size() && i < most_shown; ++i) {
    text += (i > 0 ? ", " : "") + printable(near[i].name);
    if (near[i].distance == 0) text += " (differs in case only)";
  }
  return text;
}

}  // namespace mcp_oauth
