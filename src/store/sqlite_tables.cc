#include "store/sqlite_tables.h"

#include <algorithm>
#include <vector>

namespace mcp_oauth {
namespace {

struct row {
  std::string_view kind;  // "": every kind without a row of its own
  std::string_view table;
  std::string_view id;  // the column of the record's id
};

// The kinds that operators look at have a table of their own; see migrations/.
constexpr row rows[] = {
    {"login", "sessions", "id"},
    {"refresh", "tokens", "refresh_token"},
    {"user", "users", "id"},
    {"", "records", "id"},
};

table_sql sql_for(const row& r) {
  bool shared = r.kind.empty();
  std::string table(r.table);
  std::string id(r.id);
  std::string of_kind = shared ? "kind = ?1 AND " : "";
  std::string this_one = of_kind + id + " = ?2";
  std::string columns = id + ", grant_id, user_id, provider, data, created_at, expires_at, version";
  std::string live = " AND expires_at > ?3";
  std::string newest = " ORDER BY created_at DESC, " + id + " LIMIT ?4";
  // Never 0, which means "absent"; never one that an erased record of the same name had.
  std::string fresh_version = "max(1, random() & 9223372036854775807)";

  table_sql sql;
  sql.kind = r.kind;
  sql.get = "SELECT " + columns + " FROM " + table + " WHERE " + this_one + live;
  sql.take = "DELETE FROM " + table + " WHERE " + this_one + live + " RETURNING " + columns;
  sql.version = "SELECT version FROM " + table + " WHERE " + this_one + live;
  sql.put = "INSERT INTO " + table + " (" + (shared ? "kind, " : "") + id +
            ", grant_id, user_id, provider, data, created_at, expires_at, version) VALUES (" +
            (shared ? "?1, " : "") + "?2, ?3, ?4, ?5, ?6, ?7, ?8, " + fresh_version + ") ON CONFLICT (" +
            (shared ? "kind, " : "") + id +
            ") DO UPDATE SET grant_id = excluded.grant_id, user_id = excluded.user_id,"
            " provider = excluded.provider, data = excluded.data, created_at = excluded.created_at,"
            " expires_at = excluded.expires_at, version = excluded.version";
  sql.erase = "DELETE FROM " + table + " WHERE " + this_one;
  sql.erase_grant = "DELETE FROM " + table + " WHERE grant_id = ?1";
  sql.list = "SELECT " + columns + " FROM " + table + " WHERE " + of_kind + "expires_at > ?3" + newest;
  sql.list_of_user =
      "SELECT " + columns + " FROM " + table + " WHERE " + of_kind + "user_id = ?5" + live + newest;
  sql.count = "SELECT count(*) FROM " + table + " WHERE " + of_kind + "expires_at > ?3";
  sql.sweep = "DELETE FROM " + table + " WHERE rowid IN (SELECT rowid FROM " + table + " WHERE " + of_kind +
              "expires_at <= ?3 LIMIT ?4)";
  if (shared) sql.next_kind = "SELECT min(kind) FROM " + table + " WHERE kind > ?1";
  return sql;
}

}  // namespace

std::span<const table_sql> all_tables() {
  static const std::vector<table_sql> tables = [] {
    std::vector<table_sql> made;
    for (const auto& r : rows) made.push_back(sql_for(r));
    return made;
  }();
  return tables;
}

const table_sql& table_of(std::string_view kind) {
  auto tables = all_tables();
  auto own = std::find_if(tables.begin(), tables.end(),
                          [&](const table_sql& t) { return !t.kind.empty() && t.kind == kind; });
  return own == tables.end() ? tables.back() : *own;
}

}  // namespace mcp_oauth
