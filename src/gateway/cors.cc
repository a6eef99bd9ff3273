#include "gateway/cors.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view always_allowed_headers =
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, "
    "Last-Event-ID, "
    "X-Request-Id";
constexpr std::string_view exposed_headers =
    "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id, Retry-After, Location";

}  // namespace

cors_rules::cors_rules(const cors_settings& conf, std::string own_origin)
    : conf_(conf), own_origin_(std::move(own_origin)), allowed_headers_(always_allowed_headers) {
  for (const auto& name : conf_.allowed_headers) {
    auto known = split_words(always_allowed_headers, ',');
    bool is_known = std::any_of(known.begin(), known.end(),
                                [&](const auto& k) { return equal_ignoring_case(trim(k), name); });
    if (!is_known) allowed_headers_ += ", " + name;
  }
}

bool cors_rules::listed(std::string_view origin) const {
  if (!conf_.enabled) return false;
  return std::any_of(conf_.origins.begin(), conf_.origins.end(), [&](const auto& o) {
    if (o == "*" || o == origin) return true;
    if (o.size() < 2 || o.substr(o.size() - 2) != ":*") return false;
    // "http://localhost:*": the origin itself, or with digits for the star. Nothing else may follow.
    auto base = std::string_view(o).substr(0, o.size() - 2);
    if (origin == base) return true;
    if (origin.substr(0, base.size()) != base || origin.size() < base.size() + 2 ||
        origin[base.size()] != ':')
      return false;
    return parse_decimal(origin.substr(base.size() + 1)).has_value();
  });
}

bool cors_rules::may_call_mcp(std::string_view origin) const {
  return origin == own_origin_ || listed(origin);
}

http_fields cors_rules::fields_for(std::string_view origin, bool open) const {
  http_fields fields;
  if (origin.empty()) return fields;
  fields.add("Vary", "Origin");
  bool known = may_call_mcp(origin);
  if (!known && !open) return fields;
  // An endpoint open to all names no origin that it does not know: no page gets more than any other would.
  fields.add("Access-Control-Allow-Origin", known ? std::string(origin) : "*");
  if (known && conf_.allow_credentials) fields.add("Access-Control-Allow-Credentials", "true");
  fields.add("Access-Control-Expose-Headers", std::string(exposed_headers));
  return fields;
}

http_fields cors_rules::preflight_for(std::string_view origin, bool open, std::string_view methods) const {
  http_fields fields = fields_for(origin, open);
  if (fields.count("Access-Control-Allow-Origin") == 0) return fields;
  fields.erase("Access-Control-Expose-Headers");
  fields.add("Access-Control-Allow-Methods", std::string(methods));
  fields.add("Access-Control-Allow-Headers", allowed_headers_);
  fields.add("Access-Control-Max-Age", "600");
  return fields;
}

}  // namespace mcp_oauth
