#include "gateway/cors.h"

#include "base/text.h"
#include "base/url.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view always_allowed_headers =
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, "
    "Last-Event-ID, X-Request-Id, traceparent, tracestate, DPoP";
constexpr std::string_view form_needs = "Authorization, Content-Type";
constexpr std::string_view exposed_headers =
    "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id, Retry-After, Location, DPoP-Nonce";
constexpr std::size_t longest_question = 4096;
constexpr int most_mirrored = 64;

bool is_token(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

}  // namespace

cors_rules::cors_rules(const cors_settings& conf, std::string own_origin)
    : conf_(conf),
      own_origin_(std::move(own_origin)),
      allowed_headers_(always_allowed_headers),
      form_headers_(form_needs) {
  for (const auto& name : conf_.allowed_headers) {
    for (auto* list : {&allowed_headers_, &form_headers_}) {
      auto known = split_words(*list, ',');
      bool is_known = std::any_of(known.begin(), known.end(),
                                  [&](const auto& k) { return equal_ignoring_case(trim(k), name); });
      if (!is_known) *list += ", " + name;
    }
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

std::string cors_rules::near_miss(std::string_view origin) const {
  if (!conf_.enabled) return "cors.enabled is false";
  auto asked = url::parse(origin);
  if (!asked) return "it is no origin of http or https";
  for (const auto& o : conf_.origins) {
    bool any_port = o.ends_with(":*");
    auto known = url::parse(any_port ? std::string_view(o).substr(0, o.size() - 2) : std::string_view(o));
    if (!known) continue;
    bool same_host = known->host == asked->host;
    bool own_subdomain = asked->host.ends_with("." + known->host) || known->host.ends_with("." + asked->host);
    if (!same_host && !own_subdomain) continue;
    std::string_view differs = !same_host ? "host" : known->scheme != asked->scheme ? "scheme" : "port";
    return o + " is configured, with another " + std::string(differs);
  }
  return "it is not in cors.origins";
}

bool cors_rules::may_call_mcp(std::string_view origin) const {
  return origin == own_origin_ || listed(origin);
}

http_fields cors_rules::fields_for(std::string_view origin, bool open) const {
  http_fields fields;
  // Also without an Origin: a cache must not hand that answer to a page.
  fields.add("Vary", "Origin");
  if (origin.empty()) return fields;
  bool known = may_call_mcp(origin);
  if (!known && !open) return fields;
  // An endpoint open to all names no origin that it does not know: no page gets more than any other would.
  fields.add("Access-Control-Allow-Origin", known ? std::string(origin) : "*");
  if (known && conf_.allow_credentials) fields.add("Access-Control-Allow-Credentials", "true");
  fields.add("Access-Control-Expose-Headers", std::string(exposed_headers));
  return fields;
}

http_fields cors_rules::preflight_for(std::string_view origin, bool open, std::string_view methods,
                                      std::string_view asked) const {
  return preflight(origin, open, methods, asked, allowed_headers_);
}

http_fields cors_rules::preflight_of_forms(std::string_view origin, bool open, std::string_view asked) const {
  return preflight(origin, open, "GET, POST, OPTIONS", asked, form_headers_);
}

http_fields cors_rules::preflight(std::string_view origin, bool open, std::string_view methods,
                                  std::string_view asked, std::string names) const {
  http_fields fields = fields_for(origin, open);
  if (fields.count("Access-Control-Allow-Origin") == 0) return fields;
  fields.erase("Access-Control-Expose-Headers");
  fields.add("Access-Control-Allow-Methods", std::string(methods));
  fields.add("Vary", "Access-Control-Request-Headers");
  int added = 0;
  for (const auto& word : split_words(asked.substr(0, longest_question), ',')) {
    auto name = trim(word);
    if (!starts_with_ignoring_case(name, "mcp-") || !is_token(name) || ++added > most_mirrored) continue;
    names.append(", ").append(name);
  }
  fields.add("Access-Control-Allow-Headers", names);
  fields.add("Access-Control-Max-Age", "600");
  return fields;
}

}  // namespace mcp_oauth
