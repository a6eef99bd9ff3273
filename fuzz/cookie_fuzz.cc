// rooms: oauth
#include "oauth/cookies.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string header(reinterpret_cast<const char*>(data), size);
  auto pairs = parse_cookies(header);
  require(pairs.size() <= 128);
  http_fields fields{{"Cookie", header}};
  for (auto [name, value] : pairs) {
    require(!name.empty());
    for (char c : name) require(c > 0x20 && c < 0x7F && c != ';' && c != '=');
    for (char c : value) require(c > 0x20 && c < 0x7F && c != ';' && c != ',');
    auto found = find_cookie(fields, name, origin_scheme::http);
    for (auto [other, its] : pairs) require(other != name || !found || *found == its);

    // What was read can be set, and is read back.
    auto set = set_cookie(name, value, origin_scheme::http);
    if (!set) {
      require(name.size() + value.size() >= 4096);
      continue;
    }
    auto back = parse_cookies(std::string_view(*set).substr(0, set->find(';')));
    require(back.size() == 1 && back.front().first == name && back.front().second == value);
  }
  return 0;
}
