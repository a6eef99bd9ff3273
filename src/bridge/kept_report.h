#pragma once

#include "base/json.h"
#include "base/time.h"
#include "bridge/kept.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// One kept sign-in, as `bridge status` tells of it. No secret is in it, and none in what is made of it.
struct kept_report {
  std::string file;
  bool of_these_settings = false;  // a bridge that is started like this uses it
  kept_sign_in kept;
  struct failure {
    std::string id, why;  // of the catalogue; detail
    time_point at;
  };
  std::optional<failure> last_failure = {};

  // Whether there is a token by it without a person.
  bool is_usable(time_point now) const;
};

// Lines for people.
std::string to_text(const kept_report& report, time_point now);
// The member of `sign_ins` in docs/guide/bridge.md.
json::object to_json(const kept_report& report, time_point now);
// JSON in one line, in which what a terminal would act on is escaped: C0 as ever, and DEL and C1.
std::string to_line(const json::object& o);

}  // namespace mcp_oauth
