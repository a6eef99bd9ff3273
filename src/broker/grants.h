#pragma once

#include "broker/client_directory.h"
#include "broker/pending_login.h"
#include "broker/person.h"
#include "broker/signing_keys.h"
#include "broker/world.h"
#include "oauth/token_request.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// Codes, grants, access tokens and refresh tokens; how one becomes the other, and how all of them end. Of
// everything that is used once, one commit decides who was first.

// A code before it is written: the record has only its digest.
struct minted_code {
  secret code;
  record row;
};
minted_code mint_code(const broker_world& world, const approved_access& access, const person& who,
                      time_point now);

struct issued_tokens {
  secret access_token;
  secret refresh_token;  // empty: the client did not register for the grant
  seconds expires_in{};
  std::vector<std::string> scopes;
  std::string grant;
  person who;
  std::string event;  // for the log: "code", "refresh", "refresh_again"
};

// RFC 6749 §4.1.3. The client is authenticated; whether it may use the grant type is checked by the caller.
// A code that was used before ends what it gave, if the request is otherwise right (OAuth 2.1 §7.5.2).
// `request_id` becomes the last step of the sign-in.
// Errors: code_invalid, code_client_mismatch, code_expired, code_replayed, pkce_mismatch, pkce_malformed,
// resource_unknown, those of the store.
result<issued_tokens> redeem_code(const broker_world& world, const signing_key& key,
                                  const known_client& client, const code_grant& grant, time_point now,
                                  std::string_view request_id);

// RFC 6749 §6 with rotation. A token that was rotated less than refresh_grace ago gets the same successor
// again: the client asked twice, from two processes or after a lost answer. Later it is taken for theft, and
// the grant ends. Errors: refresh_invalid, refresh_expired, refresh_replayed, refresh_scope_exceeded,
// resource_unknown, those of the store.
result<issued_tokens> redeem_refresh(const broker_world& world, const signing_key& key,
                                     const known_client& client, const refresh_grant& grant, time_point now);

// Ends the grant with all its tokens; a second time is no failure.
result<void> revoke_grant(const broker_world& world, const std::string& grant, time_point now);

// The grants that ended and of which access tokens may still be about, with the time when the last of them
// expires. For the start of a validator. At most 100,000, the newest.
result<std::vector<std::pair<std::string, time_point>>> revoked_grants(record_store& store, time_point now);

// What introspection and revocation see of a refresh token.
struct refresh_facts {
  std::string grant;
  std::string client_id;
  std::vector<std::string> scopes;
  std::string resource;
  bool active = false;  // not rotated, not expired
  time_point expires;
};
result<std::optional<refresh_facts>> look_at_refresh(const broker_world& world, std::string_view token,
                                                     time_point now);
// Whether the grant has not ended.
result<bool> is_live_grant(const broker_world& world, std::string_view grant, time_point now);

}  // namespace mcp_oauth
