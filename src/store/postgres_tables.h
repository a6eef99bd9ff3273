#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The SQL of one table. Rows come as id, grant_id, user_id, provider, data, created_at, expires_at, version,
// the times in seconds since 1970. $1 is the kind, but where the table has one kind alone: there the numbers
// begin with the next parameter.
struct postgres_table_sql {
  std::string kind;     // the kind that has this table for itself; "" for the table of all others
  std::string get;      // kind, id, now
  std::string take;     // kind, id, now
  std::string version;  // kind, id, now
  // kind, id, now, version: no row, and nobody else changes the record until the transaction ends; or a row,
  // the record has another version, and no `put` and `erase` of the transaction does anything any more.
  std::string hold;
  std::string put;           // kind, id, grant, user, provider, data, created, expires, version
  std::string erase;         // kind, id
  std::string erase_grant;   // grant
  std::string list;          // kind, now, most
  std::string list_of_user;  // kind, now, user, most
  std::string count;         // kind, now
  std::string sweep;         // now, most
};

// Where records of that kind are kept.
const postgres_table_sql& postgres_table_of(std::string_view kind);
std::span<const postgres_table_sql> all_postgres_tables();

}  // namespace mcp_oauth
