#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"
#include "bridge/settings.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Who we are at one authorization server.
struct kept_client {
  std::string issuer;
  std::string client_id;
  secret client_secret;  // empty: none
  bridge_client_auth auth = bridge_client_auth::none;
  std::string redirect_uri;  // as registered; "" where any does
  bool registered = false;   // by ourselves: may be thrown away
  time_point since{};
  std::optional<time_point> until;  // of the secret
};

// What an authorization server gave for the MCP server of this bridge.
struct kept_tokens {
  std::string issuer;  // "": not known, endpoints are configured
  std::string client_id;
  std::string resource;  // as sent; "": none was
  std::string token_endpoint, revocation_endpoint;
  std::string scope;    // as asked for; "": none was
  std::string granted;  // as the server said; "": what was asked for
  secret access_token;
  bool dpop = false;
  secret dpop_key;  // PEM; also without `dpop`, where a refresh token might be bound to it
  secret id_token;
  secret refresh_token;
  time_point obtained{};
  std::optional<seconds> lifetime;  // nothing: not told
};

// Everything that is kept of one sign-in.
struct kept_sign_in {
  std::string server;    // the URL of the MCP server
  std::string settings;  // what it was got with, in words (`kept_settings`); "" where that is not known
  std::vector<kept_client> clients;  // one an issuer
  std::optional<kept_tokens> tokens;

  const kept_client* client_of(std::string_view issuer) const;
  void keep(kept_client client);
  void forget_client(std::string_view issuer);
};

// What is kept apart from each other: server, client and everything configured that says whose token it is,
// such as assertion, parameters and headers. 32 hexadecimal digits, the name of a file. The issuer is within,
// as it is not known before it is asked for.
std::string kept_name(const bridge_settings& settings);

// The sealed form, and back. The name is authenticated with it: files cannot be exchanged. Errors of reading:
// seal_broken (another key, damage, another name), sign_in_cache_unusable (opened, and not understood).
std::string seal_kept(const kept_sign_in& kept, std::string_view name, std::string_view key32,
                      const std::function<std::string(std::size_t)>& random);
result<kept_sign_in> open_kept(std::string_view sealed, std::string_view name, std::string_view key32);

// Whether the access token can be sent at that time: it has not ended, nor will it within `skew` (but never
// more than a quarter of its life). A clock that went back before the token was obtained says nothing: the
// token is tried. One whose lifetime was not told is good until it is refused.
bool is_fresh(const kept_tokens& tokens, seconds skew, time_point now);
// Whether it has not ended, at least.
bool is_alive(const kept_tokens& tokens, time_point now);

}  // namespace mcp_oauth
