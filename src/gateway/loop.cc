#include "gateway/loop.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

// One member of the list: [protocol-name "/"] protocol-version, received-by, and a comment maybe.
bool is_of(std::string_view member, std::string_view pseudonym) {
  auto by = trim(member);
  by.remove_prefix(std::min(by.find_first_of(" \t"), by.size()));
  by = trim(by);
  return by.substr(0, by.find_first_of(" \t")) == pseudonym;
}

}  // namespace

bool came_through(std::string_view pseudonym, std::span<const field> fields) {
  for (const auto& f : fields) {
    if (f.name.size() != 3 || !equal_ignoring_case(f.name, "via")) continue;
    for (auto rest = f.value; !rest.empty();) {
      auto end = std::min(rest.find(','), rest.size());
      if (is_of(rest.substr(0, end), pseudonym)) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return false;
}

}  // namespace mcp_oauth
