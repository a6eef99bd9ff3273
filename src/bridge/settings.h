#pragma once

#include "base/secret.h"
#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

// Everything a bridge is told: one MCP server, one sign-in, one client on standard input.

// Where the callback of mcp-oauth2-proxy listens unless it is told otherwise.
inline constexpr std::uint16_t port_of_the_guide = 53682;

enum class bridge_log_level { fatal, error, warn, info, debug, trace };

// How an access token is come by.
enum class bridge_grant {
  authorization_code,
  client_credentials,
  device_code,  // RFC 8628
  jwt_bearer,   // RFC 7523 §2.1, with an assertion that a file or a command has
  enterprise,   // an identity assertion of the identity provider, exchanged there and then here (ID-JAG)
  given,        // a token that the environment or a command gives
};

// The methods by which a client says who it is at the token endpoint.
enum class bridge_client_auth { none, body, header, private_key_jwt };

// Where the key of the token cache is: beside it, or with the desktop's secret service.
enum class bridge_key_place { automatic, file, secret_service };

// Which transport of MCP is tried first, and whether another is.
enum class bridge_transport { http_first, sse_first, http_only, sse_only };

// Whether a server is asked for the revision without sessions.
enum class bridge_protocol { automatic, legacy };

struct bridge_upstream_settings {
  std::string url;  // http(s), without fragment and user information
  milliseconds timeout{300'000};
  bool open_server_stream = true;
  std::string protocol_version;  // "": what was negotiated
  // On every request to the MCP server and to nobody else; never Authorization unless `grant` is `given`.
  std::vector<std::pair<std::string, secret>> headers;
  bridge_transport transport = bridge_transport::http_first;
  bridge_protocol protocol = bridge_protocol::automatic;
  milliseconds connect_timeout{10'000};
  milliseconds body_timeout{0};            // between two pieces of an answer; 0: no bound but `timeout`
  std::vector<std::string> ignored_tools;  // wildcards
  milliseconds ping_interval{0};           // 0: no ping of our own
  bool cookies = true;                     // what the server sets comes back to it
  bool ipv4_only = false;
};

struct bridge_tls_settings {
  std::string ca_file;  // authorities besides the system's
  std::string certificate_file, key_file;
};

struct bridge_sign_in_settings {
  bridge_grant grant = bridge_grant::authorization_code;
  bool discovery = true;
  std::string token_url, authorization_url, device_authorization_url;  // "": from discovery
  std::string issuer;     // the only one that is shown anything; "": whom the server names
  std::string client_id;  // "": registered by ourselves
  secret client_secret;
  std::string client_metadata_url;  // of a client id metadata document; "": none
  std::string client_metadata;      // JSON, over what a registration says of us
  std::string private_key_file;     // PEM, for private_key_jwt
  std::string private_key_id;
  std::optional<bridge_client_auth> client_auth;  // nothing: what the server offers
  std::optional<std::string> scope;               // nothing: from challenge and metadata
  std::optional<std::string> resource;            // nothing: from metadata
  bool send_resource = true;
  std::string audience;
  seconds refresh_skew{30};
  std::vector<std::pair<std::string, std::string>> extra_params;      // authorize URL and token requests
  std::vector<std::pair<std::string, std::string>> authorize_params;  // authorize URL alone
  secret authorization_code, code_verifier;                           // one that somebody fetched by hand
  secret refresh_token;
  std::string redirect_uri;  // "": made from host, port and path
  bool interactive = true;
  std::string callback_host = "127.0.0.1";
  std::optional<std::uint16_t> callback_port;  // nothing: any free one
  std::string callback_path = "/callback";
  std::string success_url;  // where the browser goes after the exchange; "": a page of ours
  seconds callback_timeout{300};
  bridge_key_place key_place = bridge_key_place::automatic;
  std::string token_cache_dir;         // "": by the platform
  secret access_token;                 // for `given`
  std::string access_token_command;    // for `given`: run by a shell of the user, its output is the token
  std::string assertion_file;          // for jwt_bearer and enterprise
  std::string assertion_command;       // the same, from a command's output
  std::string identity_provider_url;   // enterprise: issuer of the identity provider
  std::string identity_token_url;      // enterprise: its token endpoint; "": from discovery there
  std::string identity_client_id;      // enterprise: at the identity provider
  secret identity_client_secret;       //
  bool use_id_token = false;           // sends the id token in place of the access token
  bool allow_inner_addresses = false;  // of hosts that a public server names
  std::optional<bool> dpop;            // nothing: where the server wants it
};

struct bridge_settings {
  bridge_upstream_settings upstream;
  bridge_sign_in_settings sign_in;
  bridge_tls_settings tls;
  bool danger_allow_insecure_http = false;  // cleartext to other machines
  bridge_log_level log_level = bridge_log_level::info;
  bool use_proxy = true;  // HTTPS_PROXY, HTTP_PROXY and NO_PROXY count
  bool drop_in = false;   // called as mcp-oauth2-proxy: its defaults, texts and exit codes
  // How all of this was given, for people: the arguments besides URL and verb with secrets as ***, and the
  // names of the variables that were set.
  std::vector<std::string> shown_arguments, named_variables;
};

}  // namespace mcp_oauth
