#include "config/keys.h"

#include "base/form.h"
#include "base/text.h"
#include "config/config_error.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace mcp_oauth {
namespace {

// The address of a setting: a member, a member of a group, a member of an item.
template <auto Member>
auto& at(config_draft& d, std::size_t /*item*/) {
  return d.*Member;
}
template <auto Group, auto Member>
auto& in(config_draft& d, std::size_t /*item*/) {
  return d.*Group.*Member;
}
template <auto List, auto Group, auto Member>
auto& of_in(config_draft& d, std::size_t item) {
  return (d.*List)[item].*Group.*Member;
}
template <auto List, auto Member>
auto& of(config_draft& d, std::size_t item) {
  return (d.*List)[item].*Member;
}

rule_place tools_of_all(config_draft& d, std::size_t /*item*/) { return {d.tools, d.tools_given}; }
rule_place tools_of_one(config_draft& d, std::size_t item) {
  return {d.upstreams[item].tools, d.upstreams[item].tools_given};
}
template <auto Section>
rule_place section_of_all(config_draft& d, std::size_t /*item*/) {
  auto& set = d.access.*Section;
  return {set.rules, set.given};
}
template <auto Section>
rule_place section_of_one(config_draft& d, std::size_t item) {
  auto& set = d.upstreams[item].sections.*Section;
  return {set.rules, set.given};
}

using S = settings;
using A = policy_settings;
using N = section_settings;
using P = provider_settings;
using U = upstream_settings;
using C = client_settings;
using L = limit_settings;
using Q = rate_settings;
using X = transform_settings;
using T = timeout_settings;
using R = registration_settings;
using E = telemetry_settings;
using I = issuer_settings;
using M = token_cache_settings;
using B = binding_settings;
using D = config_draft;

constexpr std::int64_t a_minute = 60, an_hour = 3600, a_day = 24 * an_hour, a_year = 365 * a_day;
constexpr std::int64_t ms_hour = 3'600'000;
constexpr std::int64_t a_gib = 1024LL * 1024 * 1024;

// clang-format off
constexpr config_key table[] = {
  {.path = "mode", .slot = &at<&S::mode>, .doc = "gateway (or proxy) signs people in and issues tokens of its own; native is a guard for tokens that issuer gives. Unless given: native where the environment names an issuer and no client id, else gateway.", .environment = "OAUTH_MODE", .check = checks::mode},
  {.path = "host", .slot = &at<&S::host>, .doc = "Address to listen on; 0.0.0.0 or :: for every interface.", .environment = "HOST MCP_HOST", .check = checks::listen_host},
  {.path = "port", .slot = &at<&S::port>, .doc = "Port to listen on; 0 takes a free one.", .environment = "PORT MCP_PORT", .most = 65535},
  {.path = "workers", .slot = &at<&S::workers>, .doc = "Threads that serve; 0 is one for each core.", .most = 1024},
  {.path = "public_url", .slot = &at<&S::public_url>, .doc = "Origin under which clients reach the gateway, and its issuer. Taken from callback_url, else from resource, else from host and port.", .environment = "MCP_URL OAUTH_SERVER_URL", .check = checks::public_origin},
  {.path = "callback_url", .slot = &at<&S::callback_url>, .doc = "Where the identity provider sends people back to; register exactly this there. Taken from public_url unless given.", .environment = "CALLBACK_URL", .check = checks::callback},
  {.path = "danger_allow_http", .slot = &at<&S::danger_allow_http>, .doc = "Allow http for public_url and for issuers that are not on this machine. Everybody on the way can read the tokens."},
  {.path = "database_url", .slot = &at<&S::database_url>, .doc = "The database: sqlite://FILE, or postgresql://USER:PASSWORD@HOST:PORT/NAME, which several gateways may share, with the parameters of libpq such as ?sslmode=verify-full.", .environment = "DATABASE_URL", .check = checks::database},
  {.path = "database_connections", .slot = &at<&S::database_connections>, .doc = "Connections to PostgreSQL at a time; one more hears what other gateways announce.", .least = 1, .most = 1000},
  {.path = "database_start_timeout", .slot = &at<&S::database_start_timeout>, .doc = "How long a start tries again while PostgreSQL is away.", .most = an_hour},
  {.path = "mcp_server_url", .slot = &at<&config_draft::mcp_server_url>, .doc = "The MCP server behind /mcp. Several servers are written under upstreams instead.", .environment = "MCP_SERVER_URL", .check = checks::upstream_url},
  {.path = "resource", .slot = &at<&D::resource>, .doc = "Resource identifier (RFC 8707) of the MCP server at mcp_server_url; public_url and /mcp unless given.", .environment = "AUTHSEC_RESOURCE_URI AUTHSEC_RESOURCE", .check = checks::resource},
  {.path = "resource_name", .slot = &at<&D::resource_name>, .doc = "What its metadata calls it, for people; mcp unless given.", .environment = "AUTHSEC_RESOURCE_NAME"},
  {.path = "encryption_key", .slot = &at<&S::encryption_key>, .doc = "32 bytes in base64, base64url or hex that seal what the database keeps. Without it a key file is made beside an SQLite database; with PostgreSQL it must be given, the same for every gateway.", .environment = "ENCRYPTION_KEY", .check = checks::encryption_key},
  {.path = "trusted_proxies", .slot = &at<&S::trusted_proxies>, .doc = "Addresses or prefixes of reverse proxies whose word about the client's address is believed.", .check = checks::cidr},
  {.path = "trusted_proxy_header", .slot = &at<&S::trusted_proxy_header>, .doc = "The header in which they give that word; the other one is not looked at.", .choices = "X-Forwarded-For Forwarded"},
  {.path = "upstream_ca_file", .slot = &at<&S::upstream_ca_file>, .doc = "PEM file of further certificate authorities for MCP servers."},

  {.path = "session_timeout", .slot = &at<&S::session_timeout>, .doc = "Time for a whole sign-in, from the first page to the callback.", .least = 1, .most = a_day},
  {.path = "sign_in_lifetime", .slot = &at<&S::sign_in_lifetime>, .doc = "How long a browser stays signed in at the gateway.", .least = a_minute, .most = a_year},
  {.path = "code_lifetime", .slot = &at<&S::code_lifetime>, .doc = "Lifetime of an authorization code.", .least = 1, .most = 600},
  {.path = "access_token_lifetime", .slot = &at<&S::access_token_lifetime>, .doc = "Lifetime of an access token.", .least = 10, .most = a_day},
  {.path = "refresh_token_lifetime", .slot = &at<&S::refresh_token_lifetime>, .doc = "Lifetime of a refresh token; each use starts it again.", .least = a_minute, .most = 10 * a_year},
  {.path = "refresh_grace_seconds", .slot = &at<&S::refresh_grace>, .doc = "For this long a refresh token that was just used gets the same answer again.", .most = 600},
  {.path = "provider_refresh_margin", .slot = &at<&S::provider_refresh_margin>, .doc = "So long before its end, or a tenth of its lifetime if that is more, an identity provider's access token is renewed; half of its lifetime at most.", .most = an_hour},
  {.path = "signing_key_lifetime", .slot = &at<&S::signing_key_lifetime>, .doc = "After this long a new signing key takes over.", .least = an_hour, .most = 10 * a_year},
  {.path = "leeway", .slot = &at<&S::leeway>, .doc = "Difference of clocks that is tolerated in tokens of others.", .most = 600},
  {.path = "scopes_supported", .slot = &at<&S::scopes_supported>, .doc = "Scopes that clients may ask for. Unless given: mcp, and every scope named under tools and upstreams; of a guard only those.", .environment = "AUTHSEC_SUPPORTED_SCOPES", .check = checks::scope},

  {.path = "providers.*.type", .slot = &of<&S::providers, &P::type>, .doc = "google, microsoft (or azure), github, okta, auth0, keycloak, oidc, oauth2, local, or hmac for tests. May be left out when it is the provider's name.", .check = checks::provider_type},
  {.path = "providers.*.issuer", .slot = &of<&S::providers, &P::issuer>, .doc = "Issuer of the provider; its endpoints are discovered from it. Of type hmac: the iss of its tokens, public_url unless given.", .check = checks::issuer},
  {.path = "providers.*.tenant_id", .slot = &of<&S::providers, &P::tenant_id>, .doc = "Directory of a microsoft provider, in place of issuer: its id or domain, or common, organizations, consumers.", .environment = "*_TENANT_ID", .check = checks::tenant},
  {.path = "providers.*.client_id", .slot = &of<&S::providers, &P::client_id>, .doc = "What the provider calls the gateway.", .environment = "*_CLIENT_ID", .check = checks::visible_text},
  {.path = "providers.*.client_secret", .slot = &of<&S::providers, &P::client_secret>, .doc = "The gateway's secret at the provider; none makes it a public client.", .environment = "*_CLIENT_SECRET", .check = checks::provider_secret},
  {.path = "providers.*.secret", .slot = &of<&S::providers, &P::shared_secret>, .doc = "Of type hmac alone, which is for tests: the secret, 32 bytes or more, with which they sign access tokens (HS256). Whoever has it can call as anybody.", .check = checks::shared_secret},
  {.path = "providers.*.authorization_endpoint", .slot = &of<&S::providers, &P::authorization_endpoint>, .doc = "Where people sign in, of a provider of type oauth2; of others it is discovered.", .also = "providers.*.auth_url", .check = checks::endpoint_url},
  {.path = "providers.*.token_endpoint", .slot = &of<&S::providers, &P::token_endpoint>, .doc = "Where codes are redeemed, of a provider of type oauth2; of others it is discovered.", .also = "providers.*.token_url", .check = checks::endpoint_url},
  {.path = "providers.*.userinfo_endpoint", .slot = &of<&S::providers, &P::userinfo_endpoint>, .doc = "What says who signed in, of a provider of type oauth2; of others it is discovered.", .also = "providers.*.userinfo_url", .check = checks::endpoint_url},
  {.path = "providers.*.token_endpoint_auth_method", .slot = &of<&S::providers, &P::token_endpoint_auth_method>, .doc = "How the secret is sent; as discovered, else client_secret_basic.", .choices = "client_secret_basic client_secret_post"},
  {.path = "providers.*.callback_url", .slot = &of<&S::providers, &P::callback_url>, .doc = "Where this provider alone sends people back to, /auth/callback/NAME under public_url; callback_url unless given.", .check = checks::provider_callback},
  {.path = "providers.*.scopes", .slot = &of<&S::providers, &P::scopes>, .doc = "Scopes asked of the provider; openid email profile unless given, for github read:user user:email.", .check = checks::scope},
  {.path = "providers.*.audience", .slot = &of<&S::providers, &P::audience>, .doc = "The API that the provider's own access token is for. Sent as audience to auth0, as resource to oidc and oauth2; not to others, which take it from scopes.", .check = checks::visible_text},
  {.path = "providers.*.prompt", .slot = &of<&S::providers, &P::prompt>, .doc = "The prompt parameter: login, consent or select_account, as far as the provider knows them.", .check = checks::prompt},
  {.path = "providers.*.subject_field", .slot = &of<&S::providers, &P::subject_field>, .doc = "What of the userinfo answer names a person for ever, of a provider of type oauth2; sub unless given.", .check = checks::visible_text},
  {.path = "providers.*.email_field", .slot = &of<&S::providers, &P::email_field>, .doc = "The claim with the e-mail address; email unless given.", .check = checks::visible_text},
  {.path = "providers.*.email_verified_field", .slot = &of<&S::providers, &P::email_verified_field>, .doc = "The claim that says whether the address is verified; email_verified unless given, for microsoft xms_edov.", .check = checks::visible_text},
  {.path = "providers.*.name_field", .slot = &of<&S::providers, &P::name_field>, .doc = "The claim with the person's name; name unless given.", .check = checks::visible_text},
  {.path = "providers.*.groups_claim", .slot = &of<&S::providers, &P::groups_claim>, .doc = "The claim with the person's groups; groups unless given. A dot leads into an object: realm_access.roles.", .check = checks::visible_text},
  {.path = "providers.*.allowed_users", .slot = &of<&S::providers, &P::allowed_users>, .doc = "Who may sign in, by e-mail address or subject; everyone unless given.", .check = checks::visible_text},
  {.path = "providers.*.allowed_domains", .slot = &of<&S::providers, &P::allowed_domains>, .doc = "Who may sign in, by the domain of a verified e-mail address; everyone unless given.", .check = checks::domain},
  {.path = "providers.*.allowed_groups", .slot = &of<&S::providers, &P::allowed_groups>, .doc = "Who may sign in, by a group of the groups claim; everyone unless given.", .check = checks::visible_text},
  {.path = "providers.*.allowed_organizations", .slot = &of<&S::providers, &P::allowed_organizations>, .doc = "Who may sign in at github, by membership: ORGANIZATION or ORGANIZATION/TEAM; everyone unless given.", .check = checks::organization},
  {.path = "providers.*.pkce_enabled", .doc = "Only true: PKCE is always used.", .check = checks::pkce_enabled},
  {.path = "providers.*.code_challenge_method", .doc = "Only S256.", .check = checks::challenge_method},
  {.path = "providers.*.client_type", .slot = &of<&S::providers, &P::client_type>, .doc = "confidential has a client_secret, public has none. PKCE is used for both.", .choices = "public confidential"},
  {.path = "providers.*.refresh_strategy", .slot = &of<&S::providers, &P::refresh_strategy>, .doc = "What becomes of a sign-in when the provider's access token expires. auto renews it, and ends the sign-in when the provider refuses; none leaves it alone; reauthorize has people sign in again then. Unless given: auto where upstream_authorization is provider, else none.", .choices = "auto none reauthorize"},

  {.path = "provider", .slot = &at<&D::provider>, .doc = "The only identity provider, written at the top level: okta, google, azure or another type of providers, for a gateway together with issuer, client_id and client_secret; for a guard also hmac, with jwt_secret.", .environment = "OAUTH_PROVIDER", .check = checks::only_provider},
  {.path = "client_id", .slot = &at<&D::client_id>, .doc = "What that provider calls the gateway.", .environment = "OIDC_CLIENT_ID OAUTH_CLIENT_ID", .check = checks::visible_text},
  {.path = "client_secret", .slot = &at<&D::client_secret>, .doc = "The gateway's secret there; none makes it a public client.", .environment = "OIDC_CLIENT_SECRET OAUTH_CLIENT_SECRET", .check = checks::provider_secret},
  {.path = "scopes", .slot = &at<&D::scopes>, .doc = "Scopes asked of that provider.", .environment = "OIDC_SCOPES", .check = checks::scope},
  {.path = "redirect_uris", .slot = &at<&D::redirect_uris>, .doc = "Not used: each client registers redirect URIs of its own, and they are compared exactly.", .environment = "OAUTH_REDIRECT_URIS"},

  {.path = "issuers[].name", .slot = &of<&S::issuers, &I::name>, .doc = "Name of the issuer in variables of the environment.", .check = checks::item_name},
  {.path = "issuers[].issuer", .slot = &of<&S::issuers, &I::issuer>, .doc = "Authorization server whose tokens a guard accepts; its keys and endpoints are discovered from it, and iss must be the same, byte for byte. At the top level, with or without the keys below, it is the only one; of a gateway with client_id it is that of provider.", .also = "issuer", .environment = "OAUTH_ISSUER_URL OIDC_ISSUER OAUTH_ISSUER AUTHSEC_ISSUER", .check = checks::issuer},
  {.path = "issuers[].token_issuer", .slot = &of<&S::issuers, &I::token_issuer>, .doc = "What stands in iss, where the issuer is reached under another URL than the one that it names.", .also = "token_issuer", .environment = "OIDC_VALIDATOR_ISSUER", .check = checks::visible_text},
  {.path = "issuers[].audience", .slot = &of<&S::issuers, &I::audience>, .doc = "What aud has to hold, one of these, byte for byte; the resource that is called unless given.", .also = "audience", .environment = "OAUTH_AUDIENCE OIDC_AUDIENCE", .check = checks::visible_text},
  {.path = "issuers[].danger_any_audience", .slot = &of<&S::issuers, &I::danger_any_audience>, .doc = "Do not look at aud. A token for any other API of the issuer then opens these tools.", .also = "danger_any_audience", .environment = "OIDC_SKIP_AUDIENCE_CHECK"},
  {.path = "issuers[].jwks_url", .slot = &of<&S::issuers, &I::jwks_url>, .doc = "Its public keys; discovered unless given.", .also = "jwks_url", .environment = "AUTHSEC_JWKS_URL AUTHSEC_JWKS_URI", .check = checks::endpoint_url},
  {.path = "issuers[].keys_file", .slot = &of<&S::issuers, &I::keys_file>, .doc = "File with its public keys, a JWKS or PEM, in place of a URL; read again with the configuration.", .also = "keys_file"},
  {.path = "issuers[].jwt_secret", .slot = &of<&S::issuers, &I::jwt_secret>, .doc = "Secret of at least 32 bytes that its tokens are signed with (HS256, HS384, HS512), in place of public keys. Whoever checks tokens could then make them as well.", .also = "jwt_secret", .environment = "JWT_SECRET"},
  {.path = "issuers[].algorithms", .slot = &of<&S::issuers, &I::algorithms>, .doc = "Signature algorithms that are accepted; RS256, ES256, PS256, EdDSA and their longer kin unless given, with jwt_secret HS256, and HS384 and HS512 where it is long enough.", .also = "algorithms", .check = checks::signature_algorithm},
  {.path = "issuers[].validation", .slot = &of<&S::issuers, &I::validation>, .doc = "How a token is judged: jwt by its signature; introspection by asking the issuer (RFC 7662); jwt_and_introspection by both; either by its signature where it is a JWT, else by asking. Unless given: jwt, with introspection_url either, with jwks_url as well jwt_and_introspection.", .also = "validation", .environment = "AUTHSEC_VALIDATION_MODE", .check = checks::validation},
  {.path = "issuers[].introspection_url", .slot = &of<&S::issuers, &I::introspection_url>, .doc = "Where the issuer is asked about a token; discovered unless given.", .also = "introspection_url", .environment = "AUTHSEC_INTROSPECTION_URL AUTHSEC_INTROSPECTION_ENDPOINT", .check = checks::endpoint_url},
  {.path = "issuers[].introspection_client_id", .slot = &of<&S::issuers, &I::introspection_client_id>, .doc = "As whom it is asked.", .also = "introspection_client_id", .environment = "AUTHSEC_INTROSPECTION_CLIENT_ID AUTHSEC_INTROSPECTION_ID", .check = checks::visible_text},
  {.path = "issuers[].introspection_client_secret", .slot = &of<&S::issuers, &I::introspection_client_secret>, .doc = "The secret of that client.", .also = "introspection_client_secret", .environment = "AUTHSEC_INTROSPECTION_CLIENT_SECRET AUTHSEC_INTROSPECTION_SECRET", .check = checks::provider_secret},
  {.path = "issuers[].introspection_key_file", .slot = &of<&S::issuers, &I::introspection_key_file>, .doc = "PEM file of that client's private key, in place of a secret (private_key_jwt, RFC 7523).", .also = "introspection_key_file"},
  {.path = "issuers[].introspection_auth_method", .slot = &of<&S::issuers, &I::introspection_auth_method>, .doc = "How the secret is sent; client_secret_basic unless given.", .also = "introspection_auth_method", .choices = "client_secret_basic client_secret_post"},
  {.path = "issuers[].token_type", .slot = &of<&S::issuers, &I::token_type>, .doc = "at+jwt wants typ to say so (RFC 9068); any also takes access tokens without a type or with JWT. What looks like an id token is none.", .also = "token_type", .choices = "any at+jwt"},
  {.path = "issuers[].danger_id_tokens", .slot = &of<&S::issuers, &I::danger_id_tokens>, .doc = "With token_type any, also take what only looks like an id token. One says who signed in at some client, not what that client may do here.", .also = "danger_id_tokens"},
  {.path = "issuers[].max_age", .slot = &of<&S::issuers, &I::max_age>, .doc = "How long ago a token may have been issued (iat), whatever its exp says; 0 is any time.", .also = "max_age", .most = a_year},
  {.path = "issuers[].introspection_lifetime", .slot = &of<&S::issuers, &I::introspection_lifetime>, .doc = "How long an answer to introspection that has no exp is good for; 0 refuses such answers.", .also = "introspection_lifetime", .most = a_day},
  {.path = "issuers[].scope_claims", .slot = &of<&S::issuers, &I::scope_claims>, .doc = "Claims with scopes, as a text apart by blanks or as a list; a dot leads into an object. scope and scp unless given.", .also = "scope_claims", .check = checks::visible_text},
  {.path = "issuers[].required_claims", .slot = &of<&S::issuers, &I::required_claims>, .doc = "Claims that a token must have besides iss, sub, aud and exp: NAME, or NAME=VALUE; of several values for one name one is enough.", .also = "required_claims", .check = checks::required_claim},
  {.path = "issuers[].subject_claim", .slot = &of<&S::issuers, &I::subject_claim>, .doc = "The claim that says who it is; sub unless given.", .also = "subject_claim", .check = checks::visible_text},
  {.path = "issuers[].email_claim", .slot = &of<&S::issuers, &I::email_claim>, .doc = "The claim with the e-mail address; email unless given.", .also = "email_claim", .check = checks::visible_text},
  {.path = "issuers[].name_claim", .slot = &of<&S::issuers, &I::name_claim>, .doc = "The claim with the name; name, else preferred_username, unless given.", .also = "name_claim", .check = checks::visible_text},
  {.path = "dpop", .slot = &in<&S::binding, &B::dpop>, .doc = "Tokens that are bound to a key (RFC 9449): accept wants a proof with those, require refuses all others, off refuses bound ones.", .choices = "accept require off"},
  {.path = "dpop_nonces", .slot = &in<&S::binding, &B::dpop_nonces>, .doc = "Such a proof needs a nonce of ours, which costs each client a request now and then, and makes proofs worthless that were made in advance."},
  {.path = "certificate_binding", .slot = &in<&S::binding, &B::certificate>, .doc = "Tokens that are bound to a client certificate (RFC 8705): accept wants that certificate with those, require refuses all others; both have tls ask clients for one, which browsers show people. off refuses bound ones.", .choices = "off accept require"},
  {.path = "start_retry", .slot = &at<&S::start_retry>, .doc = "Start a guard although an issuer cannot be reached, and go on trying; until then its tokens get 503. Otherwise the start ends with the reason."},
  {.path = "token_cache.entries", .slot = &in<&S::token_cache, &M::entries>, .doc = "Tokens about which the verdict is remembered; of a gateway for each thread.", .least = 1, .most = 10'000'000},
  {.path = "token_cache.lifetime", .slot = &in<&S::token_cache, &M::lifetime>, .doc = "How long a guard remembers that a token is good; never beyond the token's own end.", .least = 1, .most = a_day},
  {.path = "token_cache.refusals", .slot = &in<&S::token_cache, &M::refusals>, .doc = "How long a guard remembers that a token is not; 0 judges it each time.", .most = an_hour},
  {.path = "token_cache.introspection", .slot = &in<&S::token_cache, &M::introspection>, .doc = "How long a guard believes what introspection said: so long a revocation may go unseen. 0 asks each time.", .most = an_hour},

  {.path = "upstreams[].name", .slot = &of<&S::upstreams, &U::name>, .doc = "Name in logs and metrics; needed where there are several.", .check = checks::item_name},
  {.path = "upstreams[].url", .slot = &of<&S::upstreams, &U::url>, .doc = "The MCP server.", .check = checks::upstream_url},
  {.path = "upstreams[].paths", .slot = &of<&S::upstreams, &U::paths>, .doc = "Public paths that lead to it, with everything below; /mcp unless given where it is the only one, needed otherwise.", .check = checks::public_path},
  {.path = "upstreams[].resource", .slot = &of<&S::upstreams, &U::resource>, .doc = "Resource identifier (RFC 8707); public_url and the first path unless given.", .check = checks::resource},
  {.path = "upstreams[].resource_name", .slot = &of<&S::upstreams, &U::resource_name>, .doc = "What its metadata calls it, for people; its name unless given."},
  {.path = "upstreams[].scopes", .slot = &of<&S::upstreams, &U::scopes>, .doc = "Scopes that every call to it needs.", .check = checks::scope},
  {.path = "upstreams[].hosts", .slot = &of<&S::upstreams, &U::hosts>, .doc = "Host names that lead to it, with the port where clients write one; any unless given.", .check = checks::host_name},
  {.path = "upstreams[].require_auth", .slot = &of<&S::upstreams, &U::require_auth>, .doc = "false lets anybody call it without a token; it learns of nobody who calls."},
  {.path = "upstreams[].tools", .slot = rule_table{&tools_of_one, true}, .doc = "Scopes for each of its tools, in place of those at the top level."},
  {.path = "upstreams[].policy.methods", .slot = rule_table{&section_of_one<&N::methods>}, .doc = "As policy.methods, for it alone."},
  {.path = "upstreams[].policy.resources", .slot = rule_table{&section_of_one<&N::resources>}, .doc = "As policy.resources, for it alone."},
  {.path = "upstreams[].policy.prompts", .slot = rule_table{&section_of_one<&N::prompts>, true}, .doc = "As policy.prompts, for it alone."},
  {.path = "upstreams[].forward_headers", .slot = &of_in<&S::upstreams, &U::headers, &header_settings::forward>, .doc = "As header_forwarding.forward_headers, for it alone.", .also = "upstreams[].header_forwarding.forward_headers", .check = checks::header_name},
  {.path = "upstreams[].blocked_headers", .slot = &of_in<&S::upstreams, &U::headers, &header_settings::blocked>, .doc = "As header_forwarding.blocked_headers, for it alone.", .also = "upstreams[].header_forwarding.blocked_headers", .check = checks::header_name},
  {.path = "upstreams[].response_transform.remove_headers", .slot = &of_in<&S::upstreams, &U::transform, &X::remove>, .doc = "As response_transform.remove_headers, for it alone. Of its own and of those at the top level only its own count.", .check = checks::removed_header},
  {.path = "upstreams[].response_transform.rename_headers", .slot = &of_in<&S::upstreams, &U::transform, &X::rename>, .doc = "As response_transform.rename_headers, for it alone.", .check = checks::answer_header},
  {.path = "upstreams[].response_transform.add_headers", .slot = &of_in<&S::upstreams, &U::transform, &X::add>, .doc = "As response_transform.add_headers, for it alone.", .check = checks::answer_header},
  {.path = "upstreams[].inject_headers", .slot = &of<&S::upstreams, &U::inject_headers>, .doc = "Sent to it beside X-User-*: X-Forwarded-User, X-Forwarded-Email, X-Forwarded-Name, and X-Forwarded-Token for the token of upstream_authorization.", .check = checks::injected_header},
  {.path = "upstreams[].upstream_authorization", .slot = &of<&S::upstreams, &U::authorization>, .doc = "As upstream_authorization, for it alone.", .choices = "none verified minted provider static"},
  {.path = "upstreams[].upstream_credential", .slot = &of<&S::upstreams, &U::credential>, .doc = "The Authorization header that it gets when that is static.", .check = checks::visible_text},
  {.path = "upstreams[].danger_trust_mcp_headers", .slot = &of<&S::upstreams, &U::trusts_mcp_headers>, .doc = "As danger_trust_mcp_headers, for it alone."},
  {.path = "upstreams[].connect_timeout", .slot = &of<&S::upstreams, &U::connect>, .doc = "As connect_timeout, for it alone; 0 is that.", .most = ms_hour},
  {.path = "upstreams[].request_timeout", .slot = &of<&S::upstreams, &U::request>, .doc = "As request_timeout, for it alone; 0 is that.", .most = 24 * ms_hour},

  {.path = "tools", .slot = rule_table{&tools_of_all, true}, .doc = "Scopes for each tool, by name or with *: a list is all of them, {any_of: [...]} one of them; {denied: true} is nobody, and when: {...} adds conditions. A tool that no line names is denied once this is given. In the environment a JSON object; the lists of AUTHSEC_TOOL_SCOPES_JSON are any_of.", .environment = "AUTHSEC_TOOL_SCOPES_JSON"},
  {.path = "policy.methods", .slot = rule_table{&section_of_all<&N::methods>}, .doc = "The same for methods of MCP, such as resources/*. What opens and keeps a conversation is open unless a line names it."},
  {.path = "policy.resources", .slot = rule_table{&section_of_all<&N::resources>}, .doc = "The same for URIs of resources, read, subscribed to or completed."},
  {.path = "policy.prompts", .slot = rule_table{&section_of_all<&N::prompts>, true}, .doc = "The same for prompts."},
  {.path = "policy.scope_hierarchy", .slot = scope_table{}, .doc = "Scopes that give others: {admin: [write], write: [read]}. Over any number of steps."},
  {.path = "policy.filter_lists", .slot = &in<&S::access, &A::filter_lists>, .doc = "Leave out of lists what the caller could not call. Where no section is given, nothing is left out."},
  {.path = "policy.url", .slot = &in<&S::access, &A::url>, .doc = "Where the policy is fetched, in place of tools and of the sections that it has. Of servers with sections of their own those stand.", .check = checks::endpoint_url},
  {.path = "policy.refresh", .slot = &in<&S::access, &A::refresh>, .doc = "How often.", .least = 1, .most = an_hour},
  {.path = "policy.max_age", .slot = &in<&S::access, &A::max_age>, .doc = "How long it counts while no newer one can be had; then nothing is allowed.", .least = 1, .most = a_day},
  {.path = "policy.token", .slot = &in<&S::access, &A::token>, .doc = "Sent there as Bearer token; with the name of another scheme before it, as that: Basic ....", .check = checks::visible_text},
  {.path = "policy.fallback", .slot = &in<&S::access, &A::fallback>, .doc = "What counts when the policy is too old: none allows nothing, local is what this file says. A policy that denies everything is not away.", .choices = "none local"},
  {.path = "policy.mode", .slot = &at<&D::policy_mode>, .doc = "What is meant, so that a start refuses what is not. remote (remote_required, enforce) wants a policy from elsewhere, remote_with_local_fallback tools to fall back to as well; local (local_only) wants tools; open (observe) wants no rules, and then every accepted token opens every tool. Unless given, it follows from the others.", .environment = "AUTHSEC_POLICY_MODE", .choices = "remote remote_required enforce remote_with_local_fallback local local_only open observe"},
  {.path = "policy.resource_server_id", .slot = &at<&D::resource_server_id>, .doc = "Of AuthSec: the id of this server there. policy.url is then its sdk-policy below issuer, asked with the credentials for introspection, unless policy.url and policy.token say otherwise.", .environment = "AUTHSEC_RESOURCE_SERVER_ID", .check = checks::item_name},

  {.path = "clients[].client_id", .slot = &of<&S::clients, &C::client_id>, .doc = "A client that need not register itself.", .check = checks::visible_text},
  {.path = "clients[].client_secret", .slot = &of<&S::clients, &C::client_secret>, .doc = "Its secret, at least 22 characters; none makes it a public client.", .check = checks::client_secret},
  {.path = "clients[].client_name", .slot = &of<&S::clients, &C::client_name>, .doc = "Its name on the consent page."},
  {.path = "clients[].redirect_uris", .slot = &of<&S::clients, &C::redirect_uris>, .doc = "Where answers may go; compared exactly, but for the port of a loopback address.", .check = checks::redirect_uri},
  {.path = "clients[].scopes", .slot = &of<&S::clients, &C::scopes>, .doc = "Scopes it may ask for; every supported one unless given.", .check = checks::scope},

  {.path = "registration.dynamic", .slot = &in<&S::registration, &R::dynamic>, .doc = "Let clients register themselves (RFC 7591)."},
  {.path = "registration.client_documents", .slot = &in<&S::registration, &R::client_documents>, .doc = "Let a client be named by the URL of its metadata document."},
  {.path = "registration.client_documents_from_private_addresses", .slot = &in<&S::registration, &R::client_documents_from_private_addresses>, .doc = "Fetch such documents from private addresses too; for tests and closed networks."},
  {.path = "registration.most_unused", .slot = &in<&S::registration, &R::most_unused>, .doc = "Registered clients with which nobody has signed in yet; beyond it the oldest of them are forgotten. 0 is any number.", .most = 10'000'000},
  {.path = "registration.unused_lifetime", .slot = &in<&S::registration, &R::unused_lifetime>, .doc = "How long such a client is remembered.", .least = a_minute, .most = a_year},
  {.path = "registration.private_use_schemes", .slot = &in<&S::registration, &R::private_use_schemes>, .doc = "Schemes of applications that redirect URIs may have, such as cursor.", .environment = "OAUTH_ALLOWED_CLIENT_REDIRECT_SCHEMES", .check = checks::uri_scheme},

  {.path = "header_forwarding.forward_headers", .slot = &in<&S::headers, &header_settings::forward>, .doc = "Request headers that reach the MCP server, with * as wildcard; every end-to-end header unless given.", .check = checks::header_name},
  {.path = "header_forwarding.blocked_headers", .slot = &in<&S::headers, &header_settings::blocked>, .doc = "Request headers that never do.", .also = "blocked_headers", .check = checks::header_name},
  {.path = "upstream_authorization", .slot = &at<&S::upstream_authorization>, .doc = "The Authorization header that MCP servers get: none; the verified token of the call; a short-lived one minted for that server; the identity provider's access token of whoever calls; or a fixed one. Listing Authorization in forward_headers means verified.", .choices = "none verified minted provider static"},
  {.path = "danger_trust_mcp_headers", .slot = &at<&S::danger_trust_mcp_headers>, .doc = "Let /auth/verify judge a call whose body it is not shown by the headers Mcp-Method and Mcp-Name. Whoever calls writes them: rules for tools hold only if the MCP server itself refuses every call whose headers differ from its body."},
  {.path = "response_transform.remove_headers", .slot = &in<&S::transform, &X::remove>, .doc = "Headers of an MCP server's answers that do not reach the client, with * as wildcard.", .check = checks::removed_header},
  {.path = "response_transform.rename_headers", .slot = &in<&S::transform, &X::rename>, .doc = "Headers that reach it under another name: OLD: NEW.", .check = checks::answer_header},
  {.path = "response_transform.add_headers", .slot = &in<&S::transform, &X::add>, .doc = "Headers that are added, in place of the server's own of that name: NAME: VALUE.", .check = checks::answer_header},

  {.path = "cors.enabled", .slot = &in<&S::cors, &cors_settings::enabled>, .doc = "Answer browsers of other origins."},
  {.path = "cors.origins", .slot = &in<&S::cors, &cors_settings::origins>, .doc = "Origins that may call; http://localhost:* takes any port, * any origin. Unless given: localhost on any port if public_url is on this machine, else none.", .check = checks::cors_origin},
  {.path = "cors.allow_credentials", .slot = &in<&S::cors, &cors_settings::allow_credentials>, .doc = "Let browsers send cookies."},
  {.path = "cors.allowed_headers", .slot = &in<&S::cors, &cors_settings::allowed_headers>, .doc = "Request headers that browsers may send beyond those that MCP needs.", .check = checks::header_name},

  {.path = "tls.cert_file", .slot = &in<&S::tls, &tls_settings::cert_file>, .doc = "PEM file of our certificate and its chain; with it the gateway speaks https itself.", .environment = "HTTPS_CERT_FILE"},
  {.path = "tls.key_file", .slot = &in<&S::tls, &tls_settings::key_file>, .doc = "PEM file of its private key.", .environment = "HTTPS_KEY_FILE"},

  {.path = "metrics.allow", .slot = &in<&S::metrics, &metrics_settings::allow>, .doc = "Addresses or prefixes that may read /metrics, besides this machine itself.", .check = checks::cidr},
  {.path = "metrics.token", .slot = &in<&S::metrics, &metrics_settings::token>, .doc = "Bearer token that opens /metrics from anywhere, at least 22 characters; once it is set, this machine needs it, too.", .check = checks::client_secret},

  {.path = "log_level", .slot = &in<&S::log, &log_settings::level>, .doc = "How much is logged.", .also = "logging.level", .environment = "LOG_LEVEL", .choices = "error warn info debug trace"},
  {.path = "logging.format", .slot = &in<&S::log, &log_settings::format>, .doc = "One JSON object a line, or a line to read.", .choices = "json text"},
  {.path = "logging.output", .slot = &in<&S::log, &log_settings::output>, .doc = "Where the log goes.", .choices = "file stdout stderr"},
  {.path = "logging.file", .slot = &in<&S::log, &log_settings::file>, .doc = "Log file, for the output file; - is the same as output stdout."},
  {.path = "logging.access", .slot = &in<&S::log, &log_settings::access>, .doc = "Log every request."},
  {.path = "logging.requests", .slot = &in<&S::log, &log_settings::requests>, .doc = "Log each call to an MCP server as it arrives; the same as watching proxy:request.", .environment = "LOG_REQUESTS"},
  {.path = "logging.responses", .slot = &in<&S::log, &log_settings::responses>, .doc = "Log the head of each answer of an MCP server; the same as watching proxy:response.", .environment = "LOG_RESPONSES"},
  {.path = "logging.debug", .slot = &in<&S::log, &log_settings::debug>, .doc = "What to watch in detail, such as oauth:*, proxy:headers or -mcp:*; see the guide.", .environment = "DEBUG"},
  {.path = "logging.fields", .slot = &in<&S::log, &log_settings::fields>, .doc = "Names and values that every line of the log has, such as service and environment.", .check = checks::field_name},

  {.path = "audit.file", .slot = &in<&S::audit, &audit_settings::file>, .doc = "File to which decisions about calls are written before they are answered, a JSON object a line. None unless given."},
  {.path = "audit.decisions", .slot = &in<&S::audit, &audit_settings::decisions>, .doc = "Which: what was denied, or all.", .choices = "denied all"},
  {.path = "audit.on_failure", .slot = &in<&S::audit, &audit_settings::on_failure>, .doc = "What becomes of a call whose decision cannot be written: refuse answers 503, so that nothing passes unrecorded; continue goes on, and counts what is lost.", .choices = "refuse continue"},

  {.path = "explain.most", .slot = &in<&S::explain, &explain_settings::most>, .doc = "How many failures are kept for the command explain, the newest of each client; 0 keeps none.", .most = 100'000},
  {.path = "explain.keep", .slot = &in<&S::explain, &explain_settings::keep>, .doc = "How long they are kept.", .least = a_minute, .most = a_year},
  {.path = "explain.most_bytes", .slot = &in<&S::explain, &explain_settings::most_bytes>, .doc = "How much room they take at most.", .least = 64 * 1024, .most = a_gib, .unit = config_unit::bytes},
  {.path = "explain.file", .slot = &in<&S::explain, &explain_settings::file>, .doc = "SQLite file to keep them in. Unless given: the database; of a guard, which has none, explain.db beside the log file, and nothing where the log goes to no file."},

  {.path = "telemetry.endpoint", .slot = &in<&S::telemetry, &E::endpoint>, .doc = "OpenTelemetry collector that traces are sent to, by OTLP over HTTP in JSON: http://localhost:4318. /v1/traces is added where it is missing. None are made unless given.", .environment = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_ENDPOINT", .check = checks::upstream_url},
  {.path = "telemetry.headers", .slot = &in<&S::telemetry, &E::headers>, .doc = "Header fields of those requests, such as an API key; as one text name=value, apart by commas and percent-encoded.", .environment = "OTEL_EXPORTER_OTLP_TRACES_HEADERS OTEL_EXPORTER_OTLP_HEADERS", .check = checks::field_token},
  {.path = "telemetry.service_name", .slot = &in<&S::telemetry, &E::service_name>, .doc = "What traces call the gateway (service.name).", .environment = "OTEL_SERVICE_NAME", .check = checks::visible_text},
  {.path = "telemetry.sample_percent", .slot = &in<&S::telemetry, &E::sample_percent>, .doc = "How much of what begins here is recorded, 0 to 100, with up to four decimals; a trusted proxy decides for what it has begun. Also from OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.", .check = checks::percentage},

  {.path = "connect_timeout", .slot = &in<&S::timeouts, &T::connect>, .doc = "Until the name of the MCP server is known, until it has taken the connection, and for TLS until both have agreed: each.", .also = "timeouts.connect", .least = 1, .most = ms_hour},
  {.path = "request_timeout", .slot = &in<&S::timeouts, &T::request>, .doc = "Until the first byte of the MCP server's answer.", .also = "timeouts.request", .least = 1, .most = 24 * ms_hour},
  {.path = "timeouts.header", .slot = &in<&S::timeouts, &T::header>, .doc = "Until a client has sent a request head.", .least = 1, .most = ms_hour},
  {.path = "timeouts.body", .slot = &in<&S::timeouts, &T::body>, .doc = "Between two pieces of a client's request body.", .least = 1, .most = ms_hour},
  {.path = "timeouts.keep_alive", .slot = &in<&S::timeouts, &T::keep_alive>, .doc = "An idle client connection is closed after this.", .least = 1, .most = ms_hour},
  {.path = "timeouts.idle", .slot = &in<&S::timeouts, &T::idle>, .doc = "Between two pieces of an answer that is no event stream.", .least = 1, .most = 24 * ms_hour},
  {.path = "timeouts.write", .slot = &in<&S::timeouts, &T::write>, .doc = "How long a client may leave an answer unread.", .least = 1, .most = ms_hour},
  {.path = "timeouts.stream_keep_alive", .slot = &in<&S::timeouts, &T::stream_keep_alive>, .doc = "A comment is sent on an event stream after this much silence.", .least = 100, .most = ms_hour},
  {.path = "timeouts.drain", .slot = &in<&S::timeouts, &T::drain>, .doc = "Time for open requests to finish after SIGTERM.", .most = ms_hour},

  {.path = "limits.head", .slot = &in<&S::limits, &L::head>, .doc = "Bytes of a request head.", .least = 1024, .most = 1024 * 1024, .unit = config_unit::bytes},
  {.path = "limits.body", .slot = &in<&S::limits, &L::body>, .doc = "Bytes of a request body to an MCP server.", .least = 1024, .most = 64 * a_gib, .unit = config_unit::bytes},
  {.path = "limits.admission", .slot = &in<&S::limits, &L::admission>, .doc = "Bytes of a body that may be held before the call is decided.", .least = 1024, .most = a_gib, .unit = config_unit::bytes},
  {.path = "limits.list", .slot = &in<&S::limits, &L::list>, .doc = "Bytes of an answer that may be held while a list in it is filtered.", .least = 1024, .most = a_gib, .unit = config_unit::bytes},
  {.path = "limits.connections", .slot = &in<&S::limits, &L::connections>, .doc = "Client connections at a time.", .least = 1, .most = 10'000'000},
  {.path = "limits.logins_in_flight", .slot = &in<&S::limits, &L::logins_in_flight>, .doc = "Sign-ins begun and not finished.", .least = 1, .most = 10'000'000},
  {.path = "limits.sign_in_attempts", .slot = &in<&S::limits, &L::sign_in_attempts>, .doc = "Wrong passwords before an account has to wait.", .least = 1, .most = 1000},

  {.path = "rate_limits.requests_per_minute", .slot = &in<&S::rates, &Q::requests_per_minute>, .doc = "Requests to the OAuth endpoints, for each client address; 0 is no limit.", .also = "limits.requests_per_minute", .most = 10'000'000},
  {.path = "rate_limits.sign_ins_per_minute", .slot = &in<&S::rates, &Q::sign_ins_per_minute>, .doc = "Passwords tried and returns from an identity provider, for each client address; 0 is no limit.", .most = 10'000'000},
  {.path = "rate_limits.registrations_per_hour", .slot = &in<&S::rates, &Q::registrations_per_hour>, .doc = "Clients that one address may register; 0 is no limit.", .also = "limits.registrations_per_hour", .most = 10'000'000},
  {.path = "rate_limits.client_requests_per_minute", .slot = &in<&S::rates, &Q::client_requests_per_minute>, .doc = "Tokens given to and revoked by one OAuth client; 0 is no limit.", .most = 10'000'000},
  {.path = "rate_limits.user_tokens_per_minute", .slot = &in<&S::rates, &Q::user_tokens_per_minute>, .doc = "Times that tokens are given out for one person; 0 is no limit.", .most = 10'000'000},
};
// clang-format on

template <class Integer>
std::optional<config_flaw> assign_number(const config_key& key, Integer& into, const std::string& text) {
  bool bytes = key.unit == config_unit::bytes;
  auto number = bytes ? parse_size(text) : parse_decimal(text);
  constexpr auto widest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  auto least = static_cast<std::uint64_t>(key.least), most = static_cast<std::uint64_t>(key.most);
  if (!number || *number < least || *number > most || *number > std::numeric_limits<Integer>::max()) {
    std::string rule = bytes ? "must be a number of bytes" : "must be a whole number";
    if (most != widest) rule += " from " + std::to_string(least) + " to " + std::to_string(most);
    return config_flaw{rule, bytes ? "65536, 64KiB, 16MiB" : ""};
  }
  into = static_cast<Integer>(*number);
  return std::nullopt;
}

template <class Duration>
std::optional<config_flaw> assign_duration(const config_key& key, Duration& into, const std::string& text) {
  constexpr bool whole_seconds = std::is_same_v<Duration, seconds>;
  auto length = parse_duration(text, milliseconds(Duration(1)));
  bool fits = length && Duration(key.least) <= *length && *length <= Duration(key.most) &&
              *length % milliseconds(Duration(1)) == milliseconds(0);
  if (!fits) {
    return config_flaw{std::string("must be ") + (whole_seconds ? "seconds" : "milliseconds") + " from " +
                           std::to_string(key.least) + " to " + std::to_string(key.most) +
                           ", or a number with a unit",
                       whole_seconds ? "600, 15m, 8h, 30d" : "30000, 500ms, 30s, 5m"};
  }
  into = std::chrono::duration_cast<Duration>(*length);
  return std::nullopt;
}

std::optional<config_flaw> check_text(const config_key& key, std::string& text) {
  if (auto bad = checks::clean_text(text)) return bad;
  if (!key.choices.empty()) {
    auto choices = split_words(key.choices);
    for (const auto& choice : choices) {
      if (equal_ignoring_case(text, choice)) text = choice;
    }
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return config_flaw{"must be one of " + join(choices, ", ")};
    }
  }
  return key.check ? key.check(text) : std::nullopt;
}

std::string in_capitals(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (c >= 'a' && c <= 'z') {
      name += static_cast<char>(c - ('a' - 'A'));
    } else {
      bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      name += plain ? c : '_';
    }
  }
  return name;
}

}  // namespace

std::span<const config_key> config_keys() { return table; }

const config_key* find_config_key(std::string_view path) {
  for (const auto& key : table) {
    if (key.path == path) return &key;
    for (const auto& other : split_words(key.also)) {
      if (other == path) return &key;
    }
  }
  return nullptr;
}

std::string environment_name(std::string_view path) { return "MCP_OAUTH_" + in_capitals(path); }

std::string environment_name(std::string_view other, std::string_view item_name) {
  auto star = other.find('*');
  if (star == std::string_view::npos) return std::string(other);
  return std::string(other.substr(0, star)) + in_capitals(item_name) + std::string(other.substr(star + 1));
}

bool has_own_grammar(const config_key& key) {
  return std::holds_alternative<rule_table>(key.slot) || std::holds_alternative<scope_table>(key.slot);
}
bool is_list(const config_key& key) {
  return std::holds_alternative<config_place<std::vector<std::string>>>(key.slot);
}
bool is_map(const config_key& key) {
  return std::holds_alternative<config_place<text_map>>(key.slot) ||
         std::holds_alternative<config_place<secret_map>>(key.slot);
}
bool is_secret(const config_key& key) {
  return std::holds_alternative<config_place<secret>>(key.slot) ||
         std::holds_alternative<config_place<secret_map>>(key.slot);
}

std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const std::string& given) {
  std::string text = given;
  return std::visit(
      [&](auto slot) -> std::optional<config_flaw> {
        using slot_type = decltype(slot);
        if constexpr (std::is_same_v<slot_type, rule_table> || std::is_same_v<slot_type, scope_table>) {
          return config_flaw{"must be a map with scopes"};
        } else if constexpr (std::is_same_v<slot_type, checked_only>) {
          return check_text(key, text);
        } else if constexpr (std::is_same_v<slot_type, config_place<std::string>>) {
          if (auto bad = check_text(key, text)) return bad;
          slot(draft, item) = text;
          return std::nullopt;
        } else if constexpr (std::is_same_v<slot_type, config_place<secret>>) {
          if (auto bad = check_text(key, text)) return bad;
          slot(draft, item) = secret(text);
          return std::nullopt;
        } else if constexpr (std::is_same_v<slot_type, config_place<bool>>) {
          auto value = parse_bool(text);
          if (!value) return config_flaw{"must be true or false"};
          slot(draft, item) = *value;
          return std::nullopt;
        } else if constexpr (std::is_same_v<slot_type, config_place<std::vector<std::string>>>) {
          auto words = parse_words(text);
          // A variable that is empty must open nothing in silence.
          if (key.path == "upstreams[].scopes" && is_without_words(text))
            return config_flaw{"names no scope", "write [] to ask for none"};
          return assign(key, draft, item, words);
        } else if constexpr (std::is_same_v<slot_type, config_place<text_map>>) {
          text_map map;
          for (const auto& word : parse_words(text)) {
            auto equals = word.find('=');
            if (equals == std::string::npos) return config_flaw{"must be name=value, apart by commas"};
            map.emplace_back(word.substr(0, equals), word.substr(equals + 1));
          }
          return assign(key, draft, item, map);
        } else if constexpr (std::is_same_v<slot_type, config_place<secret_map>>) {
          // As OTEL_EXPORTER_OTLP_HEADERS has them, in the form of W3C Baggage.
          text_map map;
          for (const auto& word : split_words(text, ',')) {
            auto pair = trim(word);
            if (pair.empty()) continue;
            auto equals = pair.find('=');
            auto value = equals == std::string_view::npos ? std::nullopt
                                                          : percent_decode(trim(pair.substr(equals + 1)));
            if (!value) return config_flaw{"must be name=value, apart by commas and percent-encoded"};
            map.emplace_back(trim(pair.substr(0, equals)), std::move(*value));
          }
          return assign(key, draft, item, map);
        } else if constexpr (std::is_same_v<slot_type, config_place<seconds>> ||
                             std::is_same_v<slot_type, config_place<milliseconds>>) {
          return assign_duration(key, slot(draft, item), text);
        } else {
          return assign_number(key, slot(draft, item), text);
        }
      },
      key.slot);
}

std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const std::vector<std::string>& list) {
  auto place = std::get_if<config_place<std::vector<std::string>>>(&key.slot);
  if (!place) return config_flaw{"must be a single value, not a list"};
  auto checked = list;
  config_flaw flaws;
  for (auto& element : checked) {
    auto bad = check_text(key, element);
    if (!bad) continue;
    if (!flaws.rule.empty()) flaws.rule += "; ";
    // The only element stands in the message as the value already.
    flaws.rule += checked.size() == 1 ? bad->rule : "\"" + displayed(element) + "\" " + bad->rule;
    if (flaws.hint.empty()) flaws.hint = bad->hint;
  }
  if (!flaws.rule.empty()) return flaws;
  (*place)(draft, item) = std::move(checked);
  return std::nullopt;
}

std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const text_map& map) {
  auto place = std::get_if<config_place<text_map>>(&key.slot);
  auto sealed = std::get_if<config_place<secret_map>>(&key.slot);
  if (!place && !sealed) return config_flaw{"must be a single value, not a map"};
  for (const auto& [name, value] : map) {
    auto bad = key.check ? key.check(name) : std::nullopt;
    if (!bad) bad = checks::clean_text(value);
    if (bad) return config_flaw{"\"" + displayed(name) + "\" " + bad->rule, bad->hint};
    auto same = [&n = name](const auto& other) { return other.first == n; };
    if (std::count_if(map.begin(), map.end(), same) > 1)
      return config_flaw{"has \"" + displayed(name) + "\" twice"};
  }
  if (place) {
    (*place)(draft, item) = map;
    return std::nullopt;
  }
  auto& kept = (*sealed)(draft, item);
  kept.clear();
  for (const auto& [name, value] : map) kept.emplace_back(name, secret(value));
  return std::nullopt;
}

}  // namespace mcp_oauth
