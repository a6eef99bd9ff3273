#pragma once

#include <optional>
#include <string_view>

namespace mcp_oauth {

// What our authorization server answers to.
enum class endpoint {
  authorize,
  consent,
  sign_in,
  callback,
  token,
  refresh,
  register_client,
  revoke,
  introspect,
  sign_out,
  jwks,
};

// The paths that our own pages and redirects use. `endpoint_of` knows the others, too.
namespace paths {
inline constexpr std::string_view authorize = "/oauth/authorize";
inline constexpr std::string_view consent = "/oauth/consent";
inline constexpr std::string_view token = "/oauth/token";
inline constexpr std::string_view refresh = "/auth/refresh";
inline constexpr std::string_view register_client = "/oauth/register";
inline constexpr std::string_view revoke = "/oauth/revoke";
inline constexpr std::string_view introspect = "/oauth/introspect";
inline constexpr std::string_view sign_in = "/auth/signin";
inline constexpr std::string_view sign_out = "/auth/logout";
inline constexpr std::string_view callback = "/auth/callback";
inline constexpr std::string_view jwks = "/.well-known/jwks.json";
}  // namespace paths

// The endpoint at a path, under every name that clients look for it; nothing for all other paths.
std::optional<endpoint> endpoint_of(std::string_view path);

// "authorize": for logs and metrics.
std::string_view to_name(endpoint e);

// Whether browser scripts of other origins may call it (CORS). False where a person's browser is sent to
// instead: OAuth 2.1 §3.1 forbids it for the authorization endpoint.
bool is_for_scripts(endpoint e);

}  // namespace mcp_oauth
