#pragma once

#include "base/secret.h"
#include "broker/exchange.h"
#include "broker/person.h"
#include "broker/world.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// What a person approved, and an authorization code stands for.
struct approved_access {
  std::string client_id;
  std::string client_name;
  std::string redirect_uri;
  bool redirect_uri_sent = false;
  std::string state;
  std::string code_challenge;
  std::vector<std::string> scopes;
  std::string resource;
  std::vector<login_step> steps = {};  // of the sign-in so far; nothing depends on them
};

json::object to_json(const approved_access& a);
result<approved_access> access_from(const json::object& o);

// A login between approval and its end: record of kind "login", named by the digest of a random state. It
// comes into being by an approval only, and is bound to the browser that approved.
struct pending_login {
  approved_access access;
  std::string provider;
  std::string browser;  // digest
  std::string login_hint;
  // Who approved it at an earlier time (`approver_of`); "" when it was approved on our page just now.
  std::string approver;
  secret nonce;          // for an OpenID provider
  secret code_verifier;  // likewise
  time_point expires;
  bool finished = false;  // a tombstone: lets a second arrival be told apart from an unknown one
  std::string id;
  std::uint64_t version = 0;
};

// Writes it under a fresh state and returns that. Errors: too_many_requests when limits.logins_in_flight are.
result<std::string> begin_login(const broker_world& world, pending_login login, time_point now);

// The login that a state names, for the browser that began it; stays as it is.
// Errors: state_invalid (unknown or finished), state_expired, state_foreign_browser, those of the store.
// `log` hears which sign-in it is, also of one that is refused.
result<pending_login> find_login(const broker_world& world, std::string_view state, std::string_view browser,
                                 time_point now, broker_log* log = nullptr);

// What makes the login a finished one, to be committed with what it led to: of several arrivals one succeeds.
void finish_login(change& c, const pending_login& login, time_point now);

}  // namespace mcp_oauth
