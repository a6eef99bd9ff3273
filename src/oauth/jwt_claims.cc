#include "oauth/jwt_claims.h"

#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

tl::unexpected<error> missing(std::string_view name) {
  return fail(errc::token_claim_missing, "no " + std::string(name));
}
tl::unexpected<error> wrong_type(std::string_view name) {
  return fail(errc::token_malformed, std::string(name) + " has the wrong type");
}

}  // namespace

result<std::string> required_text(const json::object& claims, std::string_view name) {
  std::string value;
  auto found = read(claims, name, value);
  if (found == member::wrong_type) return wrong_type(name);
  if (found == member::absent || value.empty()) return missing(name);
  return value;
}

result<std::optional<time_point>> optional_time(const json::object& claims, std::string_view name) {
  constexpr std::int64_t latest = 9'000'000'000;
  std::int64_t value = 0;
  auto found = read(claims, name, value);
  if (found == member::wrong_type) return wrong_type(name);
  if (found == member::absent) return std::nullopt;
  return from_unix(std::clamp<std::int64_t>(value, 0, latest));
}

result<time_point> required_time(const json::object& claims, std::string_view name) {
  auto value = optional_time(claims, name);
  if (!value) return tl::unexpected(value.error());
  if (!*value) return missing(name);
  return **value;
}

result<std::vector<std::string>> required_audience(const json::object& claims) {
  std::string one;
  std::vector<std::string> several;
  switch (read(claims, "aud", one)) {
    case member::present: return std::vector{one};
    case member::absent: return missing("aud");
    case member::wrong_type: break;
  }
  if (read(claims, "aud", several) != member::present) return wrong_type("aud");
  return several;
}

result<time_point> check_times(const json::object& claims, seconds leeway, time_point now) {
  auto at = [](time_point t) { return to_iso8601(t); };
  auto expires = required_time(claims, "exp");
  if (!expires) return expires;
  if (*expires + leeway <= now) {
    return fail(errc::token_expired, "exp is " + at(*expires) + " (" + how_long_from(now, *expires) +
                                         "), now is " + at(now) + ", leeway " +
                                         std::to_string(leeway.count()) + " s");
  }
  auto not_before = optional_time(claims, "nbf");
  if (!not_before) return tl::unexpected(not_before.error());
  if (*not_before && **not_before > now + leeway) {
    return fail(errc::token_not_yet_valid, "nbf is " + at(**not_before) + " (" +
                                               how_long_from(now, **not_before) + "), now is " + at(now) +
                                               ", leeway " + std::to_string(leeway.count()) + " s");
  }
  return expires;
}

std::string seen_and_expected(std::string_view name, std::string_view seen, std::string_view expected) {
  return std::string(name) + " is '" + std::string(seen) + "', expected '" + std::string(expected) + "'";
}

}  // namespace mcp_oauth
