#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Readers of JWT claims that say which claim was wrong, and how. Errors of all: token_claim_missing,
// token_malformed for a wrong type.

// A string that is not empty.
result<std::string> required_text(const json::object& claims, std::string_view name);

// A NumericDate (RFC 7519 §2), rounded down to seconds and held within the years 1970 to 2255, which a
// time_point can say: a far future stays one.
result<time_point> required_time(const json::object& claims, std::string_view name);
result<std::optional<time_point>> optional_time(const json::object& claims, std::string_view name);

// `aud`: one string or a list of them (RFC 7519 §4.1.3); the list may be empty.
result<std::vector<std::string>> required_audience(const json::object& claims);

// Whether `exp` and `nbf` leave `now` valid, with so much tolerance; gives `exp`, which must be there.
// Errors besides: token_expired, token_not_yet_valid.
result<time_point> check_times(const json::object& claims, seconds leeway, time_point now);

// "iss is 'a', expected 'b'": what a mismatch says to our log.
std::string seen_and_expected(std::string_view name, std::string_view seen, std::string_view expected);

}  // namespace mcp_oauth
