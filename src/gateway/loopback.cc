#include "gateway/loopback.h"

#include "base/url.h"

namespace mcp_oauth {

std::string origin_as_reached(std::string_view public_url, std::string_view host) {
  auto ours = url::parse(public_url);
  if (!ours || !ours->is_loopback()) return std::string(public_url);
  auto asked = url::parse(ours->scheme + "://" + std::string(host));
  bool same = asked && asked->is_loopback() && asked->effective_port() == ours->effective_port() &&
              asked->path.empty() && !asked->has_query && !asked->has_fragment;
  return same ? asked->origin() : std::string(public_url);
}

}  // namespace mcp_oauth
