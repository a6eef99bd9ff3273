#include "broker/endpoint.h"

#include "config/check.h"

#include <array>

namespace mcp_oauth {
namespace {

struct route {
  std::string_view path;
  endpoint at;
};

// The bare names at the root are where clients of the first MCP revision look without asking the metadata.
constexpr auto routes = std::to_array<route>({
    {paths::authorize, endpoint::authorize},
    {"/authorize", endpoint::authorize},
    {"/auth/login", endpoint::authorize},
    {paths::consent, endpoint::consent},
    {paths::sign_in, endpoint::sign_in},
    {paths::callback, endpoint::callback},
    {"/oauth/callback", endpoint::callback},
    {"/callback", endpoint::callback},
    {paths::token, endpoint::token},
    {"/token", endpoint::token},
    {"/auth/token", endpoint::token},
    {paths::refresh, endpoint::refresh},
    {paths::register_client, endpoint::register_client},
    {"/register", endpoint::register_client},
    {paths::revoke, endpoint::revoke},
    {"/revoke", endpoint::revoke},
    {paths::introspect, endpoint::introspect},
    {"/introspect", endpoint::introspect},
    {paths::sign_out, endpoint::sign_out},
    {paths::jwks, endpoint::jwks},
});

}  // namespace

std::optional<endpoint> endpoint_of(std::string_view path) {
  for (const auto& r : routes) {
    if (r.path == path) return r.at;
  }
  // A provider's own; the callback says which there are.
  if (path.starts_with(provider_callback_path) && path.size() > provider_callback_path.size()) {
    return endpoint::callback;
  }
  return std::nullopt;
}

std::string_view to_name(endpoint e) {
  switch (e) {
    case endpoint::authorize: return "authorize";
    case endpoint::consent: return "consent";
    case endpoint::sign_in: return "sign_in";
    case endpoint::callback: return "callback";
    case endpoint::token: return "token";
    case endpoint::refresh: return "refresh";
    case endpoint::register_client: return "register";
    case endpoint::revoke: return "revoke";
    case endpoint::introspect: return "introspect";
    case endpoint::sign_out: return "sign_out";
    case endpoint::jwks: return "jwks";
  }
  return "";
}

bool is_for_scripts(endpoint e) {
  switch (e) {
    case endpoint::token:
    case endpoint::refresh:
    case endpoint::register_client:
    case endpoint::revoke:
    case endpoint::introspect:
    case endpoint::jwks: return true;
    case endpoint::authorize:
    case endpoint::consent:
    case endpoint::sign_in:
    case endpoint::callback:
    case endpoint::sign_out: return false;
  }
  return false;
}

}  // namespace mcp_oauth
