#pragma once

#include "broker/pending_login.h"
#include "broker/person.h"
#include "broker/world.h"

#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// For grants*.cc only: the records that a grant consists of.

// Kind "grant", named by its random id: that somebody gave a client access. Without it nothing of the grant
// is good.
struct grant_record {
  std::string id;
  std::string client_id;
  std::vector<std::string> scopes;
  std::string resource;
  person who;
  time_point created;
  time_point access_until =
      {};  // no access token of it lives longer, whatever lifetime is configured by then
  std::uint64_t version = 0;
};
// It is kept at least as long as its access tokens.
record to_record(const grant_record& g, time_point expires);
result<std::optional<grant_record>> find_grant(record_store& store, std::string_view id, time_point now);

// Kind "code", named by the digest of the code; becomes a tombstone when it is used.
struct code_record {
  std::string id;
  std::string grant;
  approved_access access;
  person who;
  time_point expires;
  bool used = false;
  std::uint64_t version = 0;
};
record to_record(const code_record& c, time_point created, time_point forgotten);
result<std::optional<code_record>> find_code(record_store& store, std::string_view id, time_point now);

// Kind "refresh", named by the digest of the token; knows its successor once it is rotated, sealed with a key
// that only the holder of the token can derive.
struct refresh_record {
  std::string id;
  std::string grant;
  std::string client_id;
  std::vector<std::string> scopes;
  std::string resource;
  std::string user;
  std::string provider;
  time_point expires;
  std::optional<time_point> rotated;
  std::string successor;  // sealed bytes
  std::uint64_t version = 0;
};
record to_record(const refresh_record& r, time_point created, time_point forgotten);
result<std::optional<refresh_record>> find_refresh(record_store& store, std::string_view id, time_point now);

}  // namespace mcp_oauth
