#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The SQL of one table. Parameters are numbered alike everywhere: ?1 kind, ?2 id, ?3 now; the rest as noted.
// Rows come as id, grant_id, user_id, provider, data, created_at, expires_at, version.
struct table_sql {
  std::string kind;  // the kind that has this table for itself; "" for the table of all others
  std::string get;
  std::string take;
  std::string version;
  std::string put;  // ?3 grant, ?4 user, ?5 provider, ?6 data, ?7 created, ?8 expires
  std::string erase;
  std::string erase_grant;   // ?1 grant
  std::string list;          // ?4 most
  std::string list_of_user;  // ?4 most, ?5 user
  std::string count;
  std::string sweep;      // ?4 most
  std::string next_kind;  // ?1 the kind before; one row, NULL at the end. "" where the table has one kind
};

// Where records of that kind are kept.
const table_sql& table_of(std::string_view kind);
std::span<const table_sql> all_tables();

}  // namespace mcp_oauth
