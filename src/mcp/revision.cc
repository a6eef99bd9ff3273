#include "mcp/revision.h"

#include <array>

namespace mcp_oauth {
namespace {

constexpr std::array<std::string_view, 5> names = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25",
                                                   "2026-07-28"};

}  // namespace

std::optional<revision> parse_revision(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<revision>(i);
  }
  return std::nullopt;
}

std::string_view name(revision r) { return names[static_cast<std::size_t>(r)]; }

}  // namespace mcp_oauth
