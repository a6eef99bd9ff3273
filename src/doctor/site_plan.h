#pragma once

#include "doctor/site_evidence.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mcp_oauth {

// Where a look at an address is wanted (net/reach.h).
struct site_place {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
};

struct site_plan {
  std::vector<site_place> places;
  std::vector<site_errand> errands;
  bool empty() const { return places.empty() && errands.empty(); }
};

// What to find out next, from what is known; empty when nothing more can be. All of it may be done at the
// same time. Bounded: at most five redirects, three authorization servers, and each question once. What a
// server names is fetched by the bridge's rules: no inner address that a public server names (SSRF).
site_plan next_of_site(const site_evidence& evidence);

}  // namespace mcp_oauth
