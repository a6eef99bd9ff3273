#pragma once

#include "config/value.h"

#include <optional>
#include <string_view>

namespace mcp_oauth {

// The rules for one value on its own, named for the table in keys.cc. Each
// returns what is wrong, or nothing. None looks at another key: that is
// derive.cc's part.
using config_check = std::optional<config_flaw> (*)(std::string_view value);

namespace checks {

std::optional<config_flaw> clean_text(
    std::string_view value);  // UTF-8 without control characters; for every key
std::optional<config_flaw> listen_host(std::string_view value);    // an IP address or a host name
std::optional<config_flaw> public_origin(std::string_view value);  // scheme://host[:port] and nothing more
std::optional<config_flaw> callback(
    std::string_view value);  // http(s), one of the three paths, nothing after it
std::optional<config_flaw> database(std::string_view value);         // sqlite://PATH, postgresql://…
std::optional<config_flaw> encryption_key(std::string_view value);   // 32 bytes, as if drawn by lot
std::optional<config_flaw> provider_secret(std::string_view value);  // no word of an example
std::optional<config_flaw> shared_secret(std::string_view value);
std::optional<config_flaw> client_secret(std::string_view value);  // that, and 128 bits long
std::optional<config_flaw> upstream_url(
    std::string_view value);  // http(s), no query, fragment or user information
std::optional<config_flaw> resource(std::string_view value);     // RFC 8707 §2: absolute, no fragment
std::optional<config_flaw> issuer(std::string_view value);       // RFC 8414 §2: https, no query, no fragment
std::optional<config_flaw> cors_origin(std::string_view value);  // RFC 6454 §6.2, "*", or "http://host:*"
std::optional<config_flaw> cidr(std::string_view value);   // an address, or a prefix as RFC 4632 writes it
std::optional<config_flaw> scope(std::string_view value);  // RFC 6749 §3.3, scope-token
std::optional<config_flaw> header_name(std::string_view value);  // RFC 9110 §5.1, `*` as wildcard
std::optional<config_flaw> public_path(
    std::string_view value);                                   // "/mcp": absolute, plain, not one of our own
std::optional<config_flaw> item_name(std::string_view value);  // letters, digits, '-', '_'; at most 64
std::optional<config_flaw> visible_text(std::string_view value);  // RFC 6749 A.1: VSCHAR, not empty
std::optional<config_flaw> redirect_uri(std::string_view value);  // RFC 9700 §2.1, RFC 8252 §7
std::optional<config_flaw> uri_scheme(std::string_view value);    // RFC 8252 §7.1, without "://"
std::optional<config_flaw> domain(std::string_view value);        // "example.com"
std::optional<config_flaw> prompt(std::string_view value);        // OpenID Connect Core §3.1.2.1
std::optional<config_flaw> provider_type(std::string_view value);
std::optional<config_flaw> tenant(std::string_view value);        // an Entra directory: id, domain, or a word
std::optional<config_flaw> endpoint_url(std::string_view value);  // http or https; may have a query
std::optional<config_flaw> provider_callback(std::string_view value);  // under provider_callback_path
std::optional<config_flaw> organization(std::string_view value);       // "org" or "org/team"
std::optional<config_flaw> pkce_enabled(std::string_view value);       // only true
std::optional<config_flaw> challenge_method(std::string_view value);   // only S256
std::optional<config_flaw> host_name(std::string_view value);          // "mail.example.com", "localhost:8080"
std::optional<config_flaw> injected_header(std::string_view value);    // one of `injected_headers`
std::optional<config_flaw> field_token(std::string_view value);        // RFC 9110 §5.1, of a request of ours
std::optional<config_flaw> percentage(std::string_view value);         // "12.5"
std::optional<config_flaw> field_name(std::string_view value);         // of a log line, and none of our own
std::optional<config_flaw> answer_header(std::string_view value);      // that a transform may name
std::optional<config_flaw> mode(std::string_view value);               // gateway, native or proxy
std::optional<config_flaw> only_provider(std::string_view value);      // a type of providers, or hmac
std::optional<config_flaw> signature_algorithm(std::string_view value);  // RFC 7518 §3.1, EdDSA
std::optional<config_flaw> validation(std::string_view value);           // how tokens are judged
std::optional<config_flaw> required_claim(std::string_view value);       // NAME or NAME=VALUE
std::optional<config_flaw> removed_header(std::string_view value);       // the same, `*` as wildcard

}  // namespace checks

// Why no transform of an MCP server's answers may touch that header: what frames or describes the content,
// what MCP and CORS need, and what the gateway says itself. "" for every other.
std::string_view why_kept(std::string_view header);

// The paths under which the provider's answer is taken (`callback_url`); the
// first is the default.
inline constexpr std::string_view callback_paths[] = {"/auth/callback", "/oauth/callback", "/callback"};
// Before the name of a provider that has a callback of its own.
inline constexpr std::string_view provider_callback_path = "/auth/callback/";

}  // namespace mcp_oauth
