#include "oauth/endpoint_url.h"

#include "base/ip_address.h"
#include "base/url.h"

namespace mcp_oauth {
namespace {

// In any spelling.
bool names_inner_address(const url& u) {
  if (u.is_loopback() || is_disguised_address(u.host)) return true;
  auto address = ip_address::parse(u.host);
  return address && !is_public(*address);
}

// The host of an issuer counts, also where a path segment is no URL yet ("{tenantid}").
result<url> origin_of(std::string_view issuer) {
  auto scheme = issuer.find("://");
  if (scheme == std::string_view::npos) return url::parse(issuer);
  return url::parse(issuer.substr(0, issuer.find('/', scheme + 3)));
}

}  // namespace

bool is_usable_endpoint(std::string_view issuer, std::string_view text) {
  auto parsed = url::parse(text), from = origin_of(issuer);
  if (!parsed || !from || parsed->has_fragment) return false;
  if (names_inner_address(*parsed) && !names_inner_address(*from)) return false;
  return parsed->scheme == "https" || (parsed->scheme == "http" && parsed->is_loopback());
}

}  // namespace mcp_oauth
