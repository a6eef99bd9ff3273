#include "bridge/options.h"

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "bridge/option_values.h"
#include "bridge/sign_in.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

using namespace option_values;
using kind = bridge_option::kind;
using S = bridge_settings;
using V = std::string_view;

constexpr choice<bridge_grant> grants[] = {{"authorization_code", bridge_grant::authorization_code},
                                           {"client_credentials", bridge_grant::client_credentials},
                                           {"device_code", bridge_grant::device_code},
                                           {"jwt_bearer", bridge_grant::jwt_bearer},
                                           {"enterprise", bridge_grant::enterprise},
                                           {"token", bridge_grant::given}};
constexpr choice<bridge_client_auth> auth_styles[] = {{"header", bridge_client_auth::header},
                                                      {"body", bridge_client_auth::body}};
constexpr choice<bridge_log_level> levels[] = {
    {"trace", bridge_log_level::trace}, {"debug", bridge_log_level::debug},
    {"info", bridge_log_level::info},   {"warn", bridge_log_level::warn},
    {"error", bridge_log_level::error}, {"fatal", bridge_log_level::fatal}};
constexpr choice<bridge_transport> transports[] = {{"http-first", bridge_transport::http_first},
                                                   {"sse-first", bridge_transport::sse_first},
                                                   {"http-only", bridge_transport::http_only},
                                                   {"sse-only", bridge_transport::sse_only}};
constexpr choice<bridge_protocol> protocols[] = {{"auto", bridge_protocol::automatic},
                                                 {"legacy", bridge_protocol::legacy}};
constexpr choice<bridge_key_place> key_places[] = {{"auto", bridge_key_place::automatic},
                                                   {"file", bridge_key_place::file},
                                                   {"secret-service", bridge_key_place::secret_service}};

flaw take_extra(pairs& into, V value) {
  pairs made;
  if (auto wrong = put(made, value)) return wrong;
  for (const auto& [name, unused] : made) {
    if (is_reserved_parameter(name)) return ": " + name + " is a parameter of the sign-in itself";
  }
  into.insert(into.end(), made.begin(), made.end());
  return std::nullopt;
}

flaw take_headers(S& s, V value) {
  pairs made;
  if (auto wrong = put(made, value)) return wrong;
  for (const auto& [name, text] : made) {
    if (auto wrong = take_header(s, name + ": " + text)) return wrong;
  }
  return std::nullopt;
}

flaw take_port(std::optional<std::uint16_t>& into, V value) {
  std::int64_t port = 0;
  if (auto wrong = number(value, 0, 65535, 0, port)) return wrong;
  if (port == 0) {
    into.reset();  // any free one
  } else {
    into = static_cast<std::uint16_t>(port);
  }
  return std::nullopt;
}

flaw take_path(S& s, V value) {
  if (!value.starts_with('/') || value.find_first_of("?#% \\\"<>") != V::npos)
    return ": a plain path that begins with /";
  s.sign_in.callback_path = std::string(value);
  return std::nullopt;
}

template <class T>
flaw put_optional(std::optional<T>& into, V value) {
  T made{};
  if (auto wrong = put(made, value)) return wrong;
  into = std::move(made);
  return std::nullopt;
}

flaw take_client_metadata(S& s, V value) {
  auto o = parse_json_object(value);
  if (!o) return " is not valid JSON: " + o.error().detail;
  s.sign_in.client_metadata = std::string(value);
  if (auto scope = text_member(*o, "scope"); !scope.empty()) s.sign_in.scope = scope;
  return std::nullopt;
}

flaw take_client_info(S& s, V value) {
  auto o = parse_json_object(value);
  if (!o) return " is not valid JSON: " + o.error().detail;
  s.sign_in.client_id = text_member(*o, "client_id");
  if (s.sign_in.client_id.empty()) return ": it has no client_id";
  s.sign_in.client_secret = secret(text_member(*o, "client_secret"));
  auto method = text_member(*o, "token_endpoint_auth_method");
  if (method == "client_secret_basic") s.sign_in.client_auth = bridge_client_auth::header;
  if (method == "client_secret_post") s.sign_in.client_auth = bridge_client_auth::body;
  return std::nullopt;
}

// clang-format off
constexpr auto options = std::to_array<bridge_option>({
    {"upstream.url", "UPSTREAM_URL", "", kind::text, "required", "The MCP server", false,
     [](S& s, V v) { return put_url(s.upstream.url, v); }},
    {"upstream.timeoutMs", "UPSTREAM_TIMEOUT_MS", "--timeout-ms", kind::number, "300000", "How long a call may take without a sign of life", false,
     [](S& s, V v) { return put(s.upstream.timeout, v, 1); }},
    {"upstream.openServerStream", "UPSTREAM_OPEN_SERVER_STREAM", "", kind::boolean, "true", "Ask for the stream of notifications", false,
     [](S& s, V v) { return put(s.upstream.open_server_stream, v); }},
    {"upstream.protocolVersion", "UPSTREAM_PROTOCOL_VERSION", "--protocol-version", kind::text, "negotiated", "MCP-Protocol-Version of every request", false,
     [](S& s, V v) { return put(s.upstream.protocol_version, v); }},
    {"oauth2.grant", "OAUTH2_GRANT", "--grant", kind::text, "authorization_code", "authorization_code, client_credentials, device_code, jwt_bearer, enterprise or token", false,
     [](S& s, V v) { return put(s.sign_in.grant, v, grants); }},
    {"oauth2.tokenUrl", "OAUTH2_TOKEN_URL", "--token-endpoint", kind::text, "discovered", "The token endpoint", false,
     [](S& s, V v) { return put_url(s.sign_in.token_url, v); }},
    {"oauth2.issuer", "OAUTH2_ISSUER", "--issuer", kind::text, "whom the server names", "The issuer of the authorization server, to the letter: no other is shown anything", false,
     [](S& s, V v) { return put_url(s.sign_in.issuer, v); }},
    {"oauth2.clientId", "OAUTH2_CLIENT_ID", "--client-id", kind::text, "registered by itself", "The client id at the authorization server", false,
     [](S& s, V v) { return put(s.sign_in.client_id, v); }},
    {"oauth2.clientSecret", "OAUTH2_CLIENT_SECRET", "--client-secret", kind::text, "none", "Its secret; better from the environment or a file", true,
     [](S& s, V v) { return put(s.sign_in.client_secret, v); }},
    {"oauth2.scope", "OAUTH2_SCOPE", "--scope", kind::text, "what the server asks for", "The scopes to ask for, apart by blanks", false,
     [](S& s, V v) { return put_optional(s.sign_in.scope, v); }},
    {"oauth2.resource", "OAUTH2_RESOURCE", "", kind::text, "discovered", "The resource parameter (RFC 8707)", false,
     [](S& s, V v) { return put_optional(s.sign_in.resource, v); }},
    {"oauth2.audience", "OAUTH2_AUDIENCE", "--audience", kind::text, "none", "The audience parameter that Auth0 and others want; with every grant", false,
     [](S& s, V v) { return put(s.sign_in.audience, v); }},
    {"oauth2.authStyle", "OAUTH2_AUTH_STYLE", "--auth-style", kind::text, "what the server offers", "Where the client secret goes: header or body", false,
     [](S& s, V v) -> flaw { bridge_client_auth a{}; if (auto wrong = put(a, v, auth_styles)) return wrong; s.sign_in.client_auth = a; return {}; }},
    {"oauth2.refreshSkewSeconds", "OAUTH2_REFRESH_SKEW_SECONDS", "", kind::number, "30", "How long before its end a token is renewed", false,
     [](S& s, V v) { return put(s.sign_in.refresh_skew, v, 0); }},
    {"oauth2.extraParams", "OAUTH2_EXTRA_PARAMS", "", kind::map, "none", "More parameters for the authorize URL and the token requests: JSON, or k=v,k=v", true,
     [](S& s, V v) { return take_extra(s.sign_in.extra_params, v); }},
    {"oauth2.authorizationCode", "OAUTH2_AUTHORIZATION_CODE", "", kind::text, "none", "A code that was fetched by hand, for one use", true,
     [](S& s, V v) { return put(s.sign_in.authorization_code, v); }},
    {"oauth2.codeVerifier", "OAUTH2_CODE_VERIFIER", "", kind::text, "none", "The verifier for that code", true,
     [](S& s, V v) { return put(s.sign_in.code_verifier, v); }},
    {"oauth2.authorizationUrl", "OAUTH2_AUTHORIZATION_URL", "", kind::text, "discovered", "The authorization endpoint", false,
     [](S& s, V v) { return put_url(s.sign_in.authorization_url, v); }},
    {"oauth2.redirectUri", "OAUTH2_REDIRECT_URI", "--redirect-uri", kind::text, "http://{host}:{port}/callback", "The redirect URI; on loopback it also says where to listen", false,
     [](S& s, V v) { return put_url(s.sign_in.redirect_uri, v); }},
    {"oauth2.refreshToken", "OAUTH2_REFRESH_TOKEN", "", kind::text, "from the cache", "A refresh token to begin with", true,
     [](S& s, V v) { return put(s.sign_in.refresh_token, v); }},
    {"oauth2.interactive", "OAUTH2_INTERACTIVE", "--interactive", kind::boolean, "true", "Whether a person may be asked to sign in", false,
     [](S& s, V v) { return put(s.sign_in.interactive, v); }},
    {"oauth2.callbackHost", "OAUTH2_CALLBACK_HOST", "--host", kind::text, "127.0.0.1", "The host of the redirect URI", false,
     [](S& s, V v) { return put(s.sign_in.callback_host, v); }},
    {"oauth2.callbackPort", "OAUTH2_CALLBACK_PORT", "--callback-port", kind::number, "any free one (53682 under the name mcp-oauth2-proxy)", "The port of the redirect URI; 0 for any free one", false,
     [](S& s, V v) { return take_port(s.sign_in.callback_port, v); }},
    {"oauth2.callbackTimeoutSeconds", "OAUTH2_CALLBACK_TIMEOUT_SECONDS", "--auth-timeout", kind::number, "300", "How long a person may take", false,
     [](S& s, V v) { return put(s.sign_in.callback_timeout, v, 1); }},
    {"oauth2.tokenCacheDir", "OAUTH2_TOKEN_CACHE_DIR", "--token-cache-dir", kind::text, "~/.config/mcp-oauth2-proxy", "Where sign-ins are kept", false,
     [](S& s, V v) { return put(s.sign_in.token_cache_dir, v); }},
    {"discovery.enabled", "DISCOVERY_ENABLED", "", kind::boolean, "true", "Find the authorization server by the server's metadata", false,
     [](S& s, V v) { return put(s.sign_in.discovery, v); }},
    {"log.level", "LOG_LEVEL", "--log-level", kind::text, "info", "trace, debug, info, warn, error or fatal", false,
     [](S& s, V v) { return put(s.log_level, v, levels); }},
    {"allowInsecureHttp", "ALLOW_INSECURE_HTTP", "", kind::boolean, "false", "Dangerous: cleartext http to other machines", false,
     [](S& s, V v) { return put(s.danger_allow_insecure_http, v); }},

    {"upstream.headers", "UPSTREAM_HEADERS", "", kind::map, "none", "More headers for the MCP server: JSON, or k=v,k=v", true,
     [](S& s, V v) { return take_headers(s, v); }},
    {"upstream.transport", "UPSTREAM_TRANSPORT", "--transport", kind::text, "http-first", "http-first, sse-first, http-only or sse-only", false,
     [](S& s, V v) { return put(s.upstream.transport, v, transports); }},
    {"upstream.protocol", "UPSTREAM_PROTOCOL", "--protocol", kind::text, "auto", "auto, or legacy: the revisions with sessions alone", false,
     [](S& s, V v) { return put(s.upstream.protocol, v, protocols); }},
    {"upstream.connectTimeoutMs", "UPSTREAM_CONNECT_TIMEOUT_MS", "", kind::number, "10000", "How long connecting may take", false,
     [](S& s, V v) { return put(s.upstream.connect_timeout, v, 1); }},
    {"upstream.ignoredTools", "UPSTREAM_IGNORED_TOOLS", "", kind::list, "none", "Tools that are hidden and refused, with * as wildcard", false,
     [](S& s, V v) { return put(s.upstream.ignored_tools, v); }},
    {"tls.caFile", "TLS_CA_FILE", "--ca-file", kind::text, "the system's (and NODE_EXTRA_CA_CERTS)", "Authorities besides the system's", false,
     [](S& s, V v) { return put(s.tls.ca_file, v); }},
    {"tls.certificateFile", "TLS_CERTIFICATE_FILE", "--certificate-file", kind::text, "none", "A client certificate", false,
     [](S& s, V v) { return put(s.tls.certificate_file, v); }},
    {"tls.keyFile", "TLS_KEY_FILE", "--key-file", kind::text, "none", "Its key", false,
     [](S& s, V v) { return put(s.tls.key_file, v); }},
    {"oauth2.deviceAuthorizationUrl", "OAUTH2_DEVICE_AUTHORIZATION_URL", "", kind::text, "discovered", "The device authorization endpoint", false,
     [](S& s, V v) { return put_url(s.sign_in.device_authorization_url, v); }},
    {"oauth2.clientMetadataUrl", "OAUTH2_CLIENT_METADATA_URL", "--client-metadata-url", kind::text, "none", "The URL of a client id metadata document", false,
     [](S& s, V v) { return put_url(s.sign_in.client_metadata_url, v); }},
    {"oauth2.privateKeyFile", "OAUTH2_PRIVATE_KEY_FILE", "--private-key-file", kind::text, "none", "A key (PEM) with which the client proves itself (private_key_jwt)", false,
     [](S& s, V v) { return put(s.sign_in.private_key_file, v); }},
    {"oauth2.privateKeyId", "OAUTH2_PRIVATE_KEY_ID", "--private-key-id", kind::text, "none", "Its key id", false,
     [](S& s, V v) { return put(s.sign_in.private_key_id, v); }},
    {"oauth2.sendResource", "OAUTH2_SEND_RESOURCE", "", kind::boolean, "true", "Whether the resource parameter is sent", false,
     [](S& s, V v) { return put(s.sign_in.send_resource, v); }},
    {"oauth2.authorizeParams", "OAUTH2_AUTHORIZE_PARAMS", "", kind::map, "none", "More parameters for the authorize URL alone", true,
     [](S& s, V v) { return take_extra(s.sign_in.authorize_params, v); }},
    {"oauth2.callbackPath", "OAUTH2_CALLBACK_PATH", "--callback-path", kind::text, "/callback", "The path of the redirect URI", false,
     [](S& s, V v) { return take_path(s, v); }},
    {"oauth2.successUrl", "OAUTH2_SUCCESS_URL", "--auth-success-url", kind::text, "a page of ours", "Where the browser goes after the sign-in", false,
     [](S& s, V v) { return put_url(s.sign_in.success_url, v); }},
    {"oauth2.tokenCacheKey", "OAUTH2_TOKEN_CACHE_KEY", "--token-cache-key", kind::text, "auto", "Where the key of the cache is: file, secret-service, or auto", false,
     [](S& s, V v) { return put(s.sign_in.key_place, v, key_places); }},
    {"oauth2.accessToken", "OAUTH2_ACCESS_TOKEN", "", kind::text, "none", "An access token, with oauth2.grant token", true,
     [](S& s, V v) { return put(s.sign_in.access_token, v); }},
    {"oauth2.accessTokenCommand", "OAUTH2_ACCESS_TOKEN_COMMAND", "--access-token-command", kind::text, "none", "A command that prints one", false,
     [](S& s, V v) { return put(s.sign_in.access_token_command, v); }},
    {"oauth2.assertionFile", "OAUTH2_ASSERTION_FILE", "--assertion-file", kind::text, "none", "With jwt_bearer and enterprise: a file with the assertion or id token", false,
     [](S& s, V v) { return put(s.sign_in.assertion_file, v); }},
    {"oauth2.assertionCommand", "OAUTH2_ASSERTION_COMMAND", "--assertion-command", kind::text, "none", "A command that prints it", false,
     [](S& s, V v) { return put(s.sign_in.assertion_command, v); }},
    {"oauth2.identityProviderUrl", "OAUTH2_IDENTITY_PROVIDER_URL", "--identity-provider-url", kind::text, "none", "With enterprise: the issuer of the identity provider", false,
     [](S& s, V v) { return put_url(s.sign_in.identity_provider_url, v); }},
    {"oauth2.identityTokenUrl", "OAUTH2_IDENTITY_TOKEN_URL", "--identity-token-url", kind::text, "discovered", "With enterprise: its token endpoint", false,
     [](S& s, V v) { return put_url(s.sign_in.identity_token_url, v); }},
    {"oauth2.identityClientId", "OAUTH2_IDENTITY_CLIENT_ID", "--identity-client-id", kind::text, "none", "With enterprise: the client id there", false,
     [](S& s, V v) { return put(s.sign_in.identity_client_id, v); }},
    {"oauth2.identityClientSecret", "OAUTH2_IDENTITY_CLIENT_SECRET", "--identity-client-secret", kind::text, "none", "With enterprise: its secret", true,
     [](S& s, V v) { return put(s.sign_in.identity_client_secret, v); }},
    {"oauth2.useIdToken", "OAUTH2_USE_ID_TOKEN", "", kind::boolean, "false", "Send the id token in place of the access token", false,
     [](S& s, V v) { return put(s.sign_in.use_id_token, v); }},
    {"oauth2.dpop", "OAUTH2_DPOP", "--dpop", kind::boolean, "where the server wants it", "Bind tokens to a key of this machine (RFC 9449)", false,
     [](S& s, V v) { return put_optional(s.sign_in.dpop, v); }},
    {"oauth2.allowInnerAddresses", "OAUTH2_ALLOW_INNER_ADDRESSES", "", kind::boolean, "false", "Let a public server send us to inner addresses", false,
     [](S& s, V v) { return put(s.sign_in.allow_inner_addresses, v); }},
    {"useProxy", "USE_PROXY", "", kind::boolean, "true", "Whether HTTPS_PROXY, HTTP_PROXY and NO_PROXY count", false,
     [](S& s, V v) { return put(s.use_proxy, v); }},
});

constexpr auto flags = std::to_array<bridge_flag>({
    {"--header", true, true, "NAME: VALUE for the MCP server; ${VARIABLE} is replaced", [](S& s, V v) { return take_header(s, v); }},
    {"--allow-http", false, false, "Dangerous: cleartext http to other machines", [](S& s, V) -> flaw { s.danger_allow_insecure_http = true; return {}; }},
    {"--static-oauth-client-info", true, false, "JSON or @FILE with client_id and client_secret", [](S& s, V v) { return take_client_info(s, v); }},
    {"--static-oauth-client-metadata", true, false, "JSON or @FILE, laid over what a registration says of us", [](S& s, V v) { return take_client_metadata(s, v); }},
    {"--client-credentials", false, false, "Sign in as a program, by client id and secret", [](S& s, V) -> flaw { s.sign_in.grant = bridge_grant::client_credentials; return {}; }},
    {"--device-code", false, false, "Sign in on another device", [](S& s, V) -> flaw { s.sign_in.grant = bridge_grant::device_code; return {}; }},
    {"--use-id-token", false, false, "Send the id token in place of the access token", [](S& s, V) -> flaw { s.sign_in.use_id_token = true; return {}; }},
    {"--resource", true, false, "The resource parameter (RFC 8707); \"\" sends none", [](S& s, V v) -> flaw {
       if (v.empty()) { s.sign_in.send_resource = false; return {}; }
       auto parsed = url::parse(v);
       if (!parsed || parsed->has_fragment) return ": an absolute URI without fragment";
       s.sign_in.resource = std::string(v);
       return {}; }},
    {"--disable-resource-parameter", false, false, "Send no resource parameter", [](S& s, V) -> flaw { s.sign_in.send_resource = false; return {}; }},
    {"--authorize-param", true, true, "NAME=VALUE for the authorize URL", [](S& s, V v) { return take_extra(s.sign_in.authorize_params, v); }},
    {"--ignore-tool", true, true, "A tool that is hidden and refused, with * as wildcard", [](S& s, V v) -> flaw { s.upstream.ignored_tools.emplace_back(v); return {}; }},
    {"--keep-alive", false, false, "Ping the server", [](S& s, V) -> flaw { if (s.upstream.ping_interval.count() == 0) s.upstream.ping_interval = seconds(30); return {}; }},
    {"--ping-interval", true, false, "Seconds between two pings", [](S& s, V v) { return put_seconds(s.upstream.ping_interval, v, 1); }},
    {"--connect-timeout", true, false, "Seconds that connecting may take", [](S& s, V v) { return put_seconds(s.upstream.connect_timeout, v, 1); }},
    {"--headers-timeout", true, false, "Seconds until an answer begins", [](S& s, V v) -> flaw {
       milliseconds time{0};
       if (auto wrong = put_seconds(time, v, 0)) return wrong;
       s.upstream.timeout = time.count() == 0 ? milliseconds(most) : time;
       return {}; }},
    {"--body-timeout", true, false, "Seconds between two pieces of an answer; 0 for no bound", [](S& s, V v) { return put_seconds(s.upstream.body_timeout, v, 0); }},
    {"--ipv4", false, false, "Connect by IPv4 alone", [](S& s, V) -> flaw { s.upstream.ipv4_only = true; return {}; }},
    {"--enable-proxy", false, false, "HTTPS_PROXY and NO_PROXY count (they do anyway)", [](S& s, V) -> flaw { s.use_proxy = true; return {}; }},
    {"--disable-cookies", false, false, "Send no cookies back", [](S& s, V) -> flaw { s.upstream.cookies = false; return {}; }},
    {"--debug", false, false, "Log at level debug", [](S& s, V) -> flaw { s.log_level = bridge_log_level::debug; return {}; }},
    {"--silent", false, false, "Log fatal errors alone", [](S& s, V) -> flaw { s.log_level = bridge_log_level::fatal; return {}; }},
});
// clang-format on

}  // namespace

std::span<const bridge_option> bridge_options() { return options; }
std::span<const bridge_flag> bridge_flags() { return flags; }

std::optional<std::string> take_header(bridge_settings& into, std::string_view line) {
  auto colon = line.find(':');
  auto name = trim(line.substr(0, colon));
  auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '_';
  };
  if (colon == std::string_view::npos || name.empty() || !std::all_of(name.begin(), name.end(), plain))
    return ": a header is NAME: VALUE";
  auto value = trim(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(),
                  [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F; }))
    return ": a header holds no control characters";
  constexpr auto ours = std::to_array<std::string_view>(
      {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect",
       "content-type", "accept", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name",
       "last-event-id", "dpop"});
  if (std::find(ours.begin(), ours.end(), to_lower(name)) != ours.end())
    return ": the bridge sets " + std::string(name) + " itself";
  into.upstream.headers.emplace_back(std::string(name), secret(std::string(value)));
  return std::nullopt;
}

}  // namespace mcp_oauth
