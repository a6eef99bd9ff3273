#include "symptom/catalogue.h"

#include "symptom/at_home.h"
#include "symptom/at_others.h"
#include "symptom/at_the_authorization_server.h"
#include "symptom/at_the_bridge.h"
#include "symptom/at_the_proxy.h"
#include "symptom/at_the_resource.h"
#include "symptom/behind_the_bridge.h"
#include "symptom/seen_from_outside.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr auto rows = [] {
  std::array<symptom, resource_rows.size() + proxy_rows.size() + authorization_rows.size() +
                          others_rows.size() + bridge_rows.size() + wire_rows.size() + own_rows.size() +
                          outside_rows.size()>
      all{};
  auto end = all.begin();
  for (auto part : {std::span<const symptom>(resource_rows), std::span<const symptom>(proxy_rows),
                    std::span<const symptom>(authorization_rows), std::span<const symptom>(others_rows),
                    std::span<const symptom>(bridge_rows), std::span<const symptom>(wire_rows),
                    std::span<const symptom>(own_rows), std::span<const symptom>(outside_rows)}) {
    end = std::copy(part.begin(), part.end(), end);
  }
  return all;
}();

constexpr std::size_t codes = static_cast<std::size_t>(errc::count_);

// Where each code's row is; a code without a row, or with two, makes the constant ill-formed.
constexpr auto index = [] {
  std::array<std::size_t, codes> place{};
  std::array<bool, codes> seen{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto code = static_cast<std::size_t>(rows[i].code);
    if (seen[code]) throw "a code has two rows";
    seen[code] = true;
    place[code] = i;
  }
  for (bool s : seen) {
    if (!s) throw "a code has no row";
  }
  return place;
}();

}  // namespace

const symptom& explain(errc code) { return rows[index[static_cast<std::size_t>(code)]]; }
std::span<const symptom> catalogue() { return rows; }

}  // namespace mcp_oauth
