#include "symptom/known_words.h"

#include <array>

namespace mcp_oauth {
namespace {

using enum guide;

// clang-format off
constexpr auto words = std::to_array<known_words>({
    // at the resource
    {errc::token_missing, go_library, "Authentication required: missing OAuth token"},
    {errc::authorization_scheme_unsupported, go_library, "Authorization: eyJhbGc... (missing \"Bearer \")"},
    {errc::token_expired, go_library, "Authentication failed: invalid token"},
    {errc::token_issuer_mismatch, go_library, "Authentication failed: invalid token"},
    {errc::token_audience_mismatch, go_library, "Authentication failed: invalid token"},
    {errc::token_signature_invalid, go_library, "Authentication failed: invalid token"},
    {errc::token_signature_invalid, proxy, "Invalid token signature. Error: invalid_signature Token signature verification failed"},
    {errc::token_malformed, proxy, "Malformed token. Error: malformed_token Token does not match expected format"},
    {errc::token_opaque, setup, "Token is not a valid JWT format"},
    {errc::token_issuer_mismatch, setup, "Token validation failed: issuer mismatch"},
    {errc::token_audience_mismatch, setup, "Token validation failed: audience mismatch"},
    {errc::token_expired, setup, "Token expired"},
    {errc::token_issuer_mismatch, token_checks, "401 invalid_token with no further detail"},
    {errc::token_audience_mismatch, token_checks, "401 invalid_token with \"audience mismatch\""},
    {errc::token_audience_mismatch, token_checks, "Bearer error=\"invalid_token\", error_description=\"audience mismatch\""},
    {errc::token_audience_absent, token_checks, "Token has no aud at all"},
    {errc::token_expired, token_checks, "401 invalid_token with \"expired\""},
    {errc::token_expired, token_checks, "exp in the past"},
    {errc::token_not_yet_valid, token_checks, "nbf (not-before) in the future"},
    {errc::token_inactive, token_checks, "active = false from introspection"},
    {errc::token_claim_missing, token_checks, "sub is wrong"},
    {errc::scope_insufficient, token_checks, "403 insufficient_scope"},
    {errc::scope_insufficient, token_checks, "{\"error\": \"insufficient_scope\", \"required_scopes\": [\"tools:write\"]}"},
    {errc::policy_denied, token_checks, "403 insufficient_scope even with the right token: the tool is unmapped"},
    {errc::policy_unavailable, token_checks, "Service Unavailable: policy backend unavailable"},
    {errc::http_not_found, go_library, "OAuth proxy disabled in native mode"},
    {errc::http_not_found, go_library, "JWKS endpoint disabled in native mode"},
    {errc::origin_refused, proxy, "Access to fetch at 'http://localhost:8080' from origin 'http://localhost:3000' has been blocked by CORS policy"},
    {errc::origin_refused, proxy, "CORS errors in browser"},
    {errc::origin_refused, none, "No 'Access-Control-Allow-Origin' header is present on the requested resource"},

    // the MCP server
    {errc::upstream_refused, proxy, "Error: connect ECONNREFUSED 127.0.0.1:3000 Failed to proxy request to MCP server"},
    {errc::upstream_refused, proxy, "MCP server unreachable"},
    {errc::upstream_timeout, proxy, "Error: timeout of 30000ms exceeded MCP server did not respond in time"},
    {errc::upstream_not_mcp, proxy, "Invalid MCP protocol response. Error: invalid_protocol MCP server response does not match expected format"},
    {errc::upstream_not_mcp, proxy, "MCP server returns 401 Unauthorized But OAuth flow completed successfully"},
    {errc::upstream_not_mcp, proxy, "Authorization header not forwarded to MCP server"},

    // issuers
    {errc::issuer_metadata_invalid, setup, "Failed to fetch OIDC discovery document"},
    {errc::issuer_unreachable, setup, "Failed to fetch OIDC discovery document"},
    {errc::issuer_metadata_invalid, go_library, "Failed to initialize OIDC provider"},
    {errc::issuer_unreachable, go_library, "Failed to initialize OIDC provider"},
    {errc::issuer_keys_unavailable, setup, "Failed to fetch JWKS"},

    // the authorization server
    {errc::redirect_uri_refused, go_library, "Invalid redirect URI"},
    {errc::state_invalid, proxy, "Invalid state parameter. Error: invalid_state State parameter mismatch or missing"},
    {errc::pkce_mismatch, proxy, "PKCE code_verifier validation failed. Error: invalid_grant code_verifier does not match code_challenge"},
    {errc::pkce_missing, proxy, "PKCE required but not provided. Error: invalid_request PKCE is required for this client"},
    {errc::pkce_method_plain, proxy, "Code challenge method not supported. Error: invalid_request code_challenge_method 'plain' is not supported"},
    {errc::code_invalid, go_library, "Token exchange failed"},
    {errc::pkce_mismatch, go_library, "Token exchange failed"},
    {errc::redirect_uri_mismatch, go_library, "Token exchange failed"},
    {errc::provider_client_refused, go_library, "Token exchange failed"},
    {errc::refresh_expired, proxy, "Error: token_expired Access token has expired and refresh failed"},
    {errc::refresh_token_missing, proxy, "No refresh tokens from GitHub. Error: refresh_token missing GitHub did not provide a refresh token"},

    // identity providers
    {errc::provider_redirect_uri_mismatch, proxy, "OAuth redirect URI mismatch. Error: redirect_uri_mismatch The redirect URI in the request does not match the one registered"},
    {errc::provider_redirect_uri_mismatch, go_library, "redirect_uri_mismatch"},
    {errc::redirect_uri_mismatch, none, "redirect_uri_mismatch"},
    {errc::provider_redirect_uri_mismatch, proxy, "AADSTS50011: Reply URL mismatch"},
    {errc::provider_redirect_uri_mismatch, proxy, "AADSTS50011: The reply URL specified in the request does not match"},
    {errc::provider_redirect_uri_mismatch, proxy, "Redirect URI not allowed. The redirect_uri MUST match the registered callback URL"},
    {errc::provider_setup_incomplete, proxy, "Error 403: access_not_configured The API is not enabled for your project"},
    {errc::provider_consent_missing, proxy, "AADSTS65001: User consent required"},
    {errc::provider_client_refused, none, "AADSTS7000215: Invalid client secret provided"},
    {errc::provider_client_refused, none, "AADSTS700016: Application was not found in the directory"},

    // our own ground
    {errc::store_unreachable, proxy, "Database connection failed. Error: ECONNREFUSED 127.0.0.1:5432 Could not connect to PostgreSQL database"},
    {errc::store_busy, proxy, "Error: SQLITE_BUSY: database is locked"},
    {errc::store_tables_missing, proxy, "Table does not exist. Error: relation \"tokens\" does not exist"},
    {errc::store_tables_missing, proxy, "Error: no such table: sessions"},
    {errc::config_not_found, proxy, "Config file not found"},
    {errc::listen_denied, proxy, "Permission denied when starting proxy"},
    {errc::file_unwritable, proxy, "Permission denied when starting proxy"},
    {errc::listen_in_use, none, "EADDRINUSE: address already in use"},
    {errc::config_invalid, go_library, "invalid config: provider is required"},
    {errc::config_invalid, go_library, "invalid config: JWTSecret is required for HMAC provider"},
    {errc::config_invalid, go_library, "invalid config: Issuer is required for OIDC provider"},
    {errc::config_invalid, go_library, "invalid config: proxy mode requires ClientID"},
    {errc::config_invalid, go_library, "must be 'native' or 'proxy', got: both"},
    {errc::config_invalid, go_library, "Issuer URL must be HTTPS"},
    {errc::internal, go_library, "invalid memory address or nil pointer dereference"},

    // the bridge
    {errc::sign_in_metadata_missing, bridge, "OAuth2 token endpoint is not set; provide tokenUrl or enable discovery"},
    {errc::sign_in_metadata_missing, bridge, "Confirm the upstream serves /.well-known/oauth-protected-resource"},
    {errc::sign_in_client_unknown, bridge, "clientId is missing"},
    {errc::sign_in_token_refused, bridge, "failed to acquire initial oauth2 token"},
    {errc::sign_in_url_refused, bridge, "upstream.url uses cleartext http to a non-loopback host (mcp.example.com)"},
    {errc::sign_in_url_refused, bridge, "oauth2.tokenUrl uses cleartext http to a non-loopback host (idp.example.com)"},
    {errc::sign_in_url_refused, bridge, "A non-loopback http:// URL was supplied or discovered"},
    {errc::sign_in_person_needed, bridge, "The browser does not open: copy the authorize URL and open it manually"},
    {errc::sign_in_timeout, bridge, "The interactive flow waits callbackTimeoutSeconds for you to finish: interactive auth timed out"},
    {errc::sign_in_callback_unusable, bridge, "The redirect URI the proxy uses http://127.0.0.1:53682/callback must be registered exactly with your IdP"},
    {errc::sign_in_tokens_in_vain, bridge, "Persistent 401: wrong scope/audience, an expired or revoked grant, or a client not authorized for the resource"},
    {errc::upstream_timeout, bridge, "upstream timed out: 300000 ms"},
    {errc::upstream_status, bridge, "upstream returned 500"},
    {errc::sign_in_cache_unusable, bridge, "Delete the encrypted cache file in the token cache directory"},
    {errc::config_invalid, bridge, "UPSTREAM_TIMEOUT_MS must be an integer, got \"abc\""},
    {errc::config_invalid, bridge, "OAUTH2_EXTRA_PARAMS is not valid JSON"},
});
// clang-format on

}  // namespace

std::string_view title_of(guide which) {
  switch (which) {
    case none: return "";
    case go_library: return "\"Troubleshooting Guide\" of oauth-mcp-proxy";
    case proxy: return "\"MCP OAuth Proxy Troubleshooting Guide\"";
    case bridge: return "\"Troubleshooting\" of mcp-oauth2-proxy";
    case setup: return "\"OAuth Setup Guide\" of servers made with --oauth";
    case token_checks: return "\"Troubleshoot OAuth tokens on MCP servers\"";
  }
  return "";
}

std::span<const known_words> all_known_words() { return words; }

}  // namespace mcp_oauth
