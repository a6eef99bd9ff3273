#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace mcp_oauth {

// Everything that can go wrong, one code each, named by what was seen.
// The order is free; `symptom/` holds one row per code (a missing row does not compile) with its
// stable public id, HTTP status, OAuth error code and the words for the wire.
enum class errc {
  // bearer credentials at the resource (RFC 6750)
  token_missing,
  authorization_scheme_unsupported,
  credentials_repeated,
  token_malformed,
  token_type_wrong,
  token_algorithm_refused,
  token_key_unknown,
  token_signature_invalid,
  token_issuer_mismatch,
  token_audience_mismatch,
  token_expired,
  token_not_yet_valid,
  token_claim_missing,
  token_revoked,
  token_opaque,
  token_inactive,
  token_subject_mismatch,
  token_audience_absent,
  token_binding_missing,
  token_unbound,
  token_certificate_missing,
  dpop_proof_invalid,
  dpop_proof_replayed,
  dpop_nonce_needed,
  certificate_mismatch,
  scope_insufficient,
  policy_denied,
  policy_unavailable,
  policy_incomplete,
  policy_document_invalid,
  audit_unwritable,
  policy_changed,
  list_unreadable,

  // a reverse proxy that asks for a verdict
  verify_peer_refused,
  original_request_unclear,
  identity_claimed,
  call_unseen,
  call_headers_missing,

  // who issued the token, where that is somebody else
  issuer_unreachable,
  issuer_metadata_invalid,
  issuer_keys_unavailable,
  introspection_failed,

  // the MCP request itself
  origin_refused,
  header_mismatch,
  body_not_json,
  body_malformed,
  body_too_large,
  batch_refused,
  session_foreign,
  protocol_version_unsupported,

  // the wire (RFC 9110, RFC 9112)
  http_malformed,
  http_head_too_large,
  http_framing_ambiguous,
  http_version_unsupported,
  http_method_refused,
  http_not_found,
  http_media_type_unsupported,
  http_timeout,
  too_many_requests,
  too_many_connections,
  overloaded,
  client_gone,

  // the server behind us
  upstream_refused,
  upstream_unreachable,
  upstream_timeout,
  upstream_closed,
  upstream_malformed,
  upstream_not_mcp,
  upstream_tls_failed,
  upstream_loop,

  // the server behind a bridge, as its client hears of it
  upstream_status,
  upstream_throttled,
  upstream_redirect_refused,
  upstream_no_answer,
  upstream_session_lost,
  upstream_proxy_refused,
  upstream_answer_too_large,
  bridge_ending,
  bridge_not_translatable,
  sign_in_pending,

  // authorization endpoint, token endpoint, registration (RFC 6749, 7591, 7636, 8707)
  parameter_missing,
  parameter_repeated,
  parameter_malformed,
  parameter_too_long,
  client_unknown,
  client_authentication_failed,
  client_authentication_repeated,
  client_not_allowed,
  redirect_uri_missing,
  redirect_uri_mismatch,
  redirect_uri_refused,
  response_type_unsupported,
  response_mode_unsupported,
  grant_type_unsupported,
  pkce_missing,
  pkce_method_plain,
  pkce_method_unsupported,
  pkce_malformed,
  pkce_mismatch,
  scope_unknown,
  resource_unknown,
  code_invalid,
  code_expired,
  code_replayed,
  code_client_mismatch,
  refresh_invalid,
  refresh_expired,
  refresh_replayed,
  refresh_scope_exceeded,
  refresh_ended_by_provider,
  refresh_token_missing,
  registration_disabled,
  registration_malformed,
  registration_redirect_refused,
  token_type_hint_unsupported,

  // the login that a person goes through
  state_invalid,
  state_expired,
  state_foreign_browser,
  consent_forged,
  consent_denied,
  login_failed,
  login_throttled,
  login_required,
  user_not_allowed,
  password_unacceptable,

  // identity providers and documents fetched from others
  provider_unreachable,
  provider_metadata_invalid,
  provider_refused,
  provider_code_lost,
  provider_redirect_uri_mismatch,
  provider_client_refused,
  provider_setup_incomplete,
  provider_consent_missing,
  provider_account_refused,
  provider_sign_in_needed,
  provider_session_ended,
  provider_token_absent,
  provider_refresh_failed,
  provider_token_invalid,
  provider_issuer_mismatch,
  provider_nonce_mismatch,
  client_document_unreachable,
  client_document_refused,
  client_document_invalid,
  address_refused,
  fetch_failed,
  fetch_too_large,
  fetch_timeout,

  // the bridge signs in for a local client
  sign_in_metadata_missing,
  sign_in_metadata_invalid,
  sign_in_resource_mismatch,
  sign_in_issuer_mismatch,
  sign_in_pkce_unsupported,
  sign_in_url_refused,
  sign_in_client_unknown,
  sign_in_registration_refused,
  sign_in_person_needed,
  sign_in_timeout,
  sign_in_refused,
  sign_in_token_refused,
  sign_in_token_unreachable,
  sign_in_token_invalid,
  sign_in_grant_ended,
  sign_in_tokens_in_vain,
  sign_in_given_refused,
  sign_in_scope_in_vain,
  sign_in_callback_unusable,
  sign_in_cache_unusable,

  // keys and sealed data
  key_malformed,
  key_weak,
  seal_broken,
  jwt_malformed,

  // our own ground
  store_unavailable,
  store_busy,
  store_corrupt,
  store_not_a_database,
  store_schema_newer,
  store_unreachable,
  store_login_refused,
  store_database_unknown,
  store_connections_used_up,
  store_starting,
  store_tables_missing,
  store_permission_denied,
  store_read_only,
  store_full,
  store_unclear,
  config_not_found,
  config_malformed,
  config_invalid,
  listen_in_use,
  listen_denied,
  file_unreadable,
  file_unwritable,
  telemetry_unreachable,
  tls_certificate_invalid,
  tls_certificate_out_of_date,
  ca_file_invalid,
  json_malformed,
  url_malformed,
  internal,
  count_  // not a code: how many there are
};

// `detail` is for our log and for `explain`; it never reaches a client. It must not hold a secret.
struct error {
  errc code = errc::internal;
  std::string detail;
};

template <class T>
using result = tl::expected<T, error>;

[[nodiscard]] inline tl::unexpected<error> fail(errc code, std::string detail = {}) {
  return tl::unexpected<error>(error{code, std::move(detail)});
}

}  // namespace mcp_oauth
