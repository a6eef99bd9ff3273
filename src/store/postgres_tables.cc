#include "store/postgres_tables.h"

#include <algorithm>
#include <vector>

namespace mcp_oauth {
namespace {

struct row {
  std::string_view kind;  // "": every kind without a row of its own
  std::string_view table;
  std::string_view id;  // the column of the record's id
};

// As for SQLite: the kinds that operators look at have a table of their own; see migrations/.
constexpr row rows[] = {
    {"login", "sessions", "id"},
    {"refresh", "tokens", "refresh_token"},
    {"user", "users", "id"},
    {"", "records", "id"},
};

// Numbers the parameters `?` from 1.
std::string numbered(std::string_view sql) {
  std::string text;
  int next = 1;
  for (char c : sql) {
    if (c == '?') {
      text += '$' + std::to_string(next++);
    } else {
      text += c;
    }
  }
  return text;
}

postgres_table_sql sql_for(const row& r) {
  bool shared = r.kind.empty();
  std::string table(r.table);
  std::string id(r.id);
  std::string of_kind = shared ? "kind = ? AND " : "";
  std::string this_one = of_kind + id + " = ?";
  // What others wrote with fractions of a second is rounded down, as we do.
  auto in_seconds = [](std::string_view column) {
    return "floor(extract(epoch FROM " + std::string(column) + "))::bigint";
  };
  std::string columns = id + ", grant_id, user_id, provider, data, " + in_seconds("created_at") + ", " +
                        in_seconds("expires_at") + ", version";
  std::string live = " AND expires_at > to_timestamp(?::bigint)";
  std::string newest = " ORDER BY created_at DESC, " + id + " COLLATE \"C\" LIMIT ";

  postgres_table_sql sql;
  sql.kind = r.kind;
  sql.get = numbered("SELECT " + columns + " FROM " + table + " WHERE " + this_one + live);
  sql.take = numbered("DELETE FROM " + table + " WHERE " + this_one + live + " RETURNING " + columns);
  sql.version = numbered("SELECT version FROM " + table + " WHERE " + this_one + live);
  // Whether an earlier statement of the transaction found that somebody else was first is kept where the
  // server keeps settings, so that the statements behind it need no answer in between to know that they do
  // nothing.
  std::string not_lost = "current_setting('mcp_oauth.lost', true) IS DISTINCT FROM 'yes'";
  sql.hold =
      numbered("SELECT set_config('mcp_oauth.lost', 'yes', true) WHERE coalesce((SELECT version FROM " +
               table + " WHERE " + this_one + live + " FOR UPDATE), 0) <> ?::bigint");
  sql.put = numbered("INSERT INTO " + table + " (" + (shared ? "kind, " : "") + id +
                     ", grant_id, user_id, provider, data, created_at, expires_at, version) SELECT " +
                     (shared ? "?::text, " : "") +
                     "?::text, ?::text, ?::text, ?::text, ?::bytea, to_timestamp(?::bigint),"
                     " to_timestamp(?::bigint), ?::bigint WHERE " +
                     not_lost + " ON CONFLICT (" + (shared ? "kind, " : "") + id +
                     ") DO UPDATE SET grant_id = excluded.grant_id, user_id = excluded.user_id,"
                     " provider = excluded.provider, data = excluded.data,"
                     " created_at = excluded.created_at, expires_at = excluded.expires_at,"
                     " version = excluded.version");
  sql.erase = numbered("DELETE FROM " + table + " WHERE " + this_one + " AND " + not_lost);
  sql.erase_grant = numbered("DELETE FROM " + table + " WHERE grant_id = ?");
  sql.list = numbered("SELECT " + columns + " FROM " + table + " WHERE " + of_kind +
                      "expires_at > to_timestamp(?::bigint)" + newest + "?::bigint");
  sql.list_of_user = numbered("SELECT " + columns + " FROM " + table + " WHERE " + of_kind +
                              "expires_at > to_timestamp(?::bigint) AND user_id = ?" + newest + "?::bigint");
  sql.count = numbered("SELECT count(*) FROM " + table + " WHERE " + of_kind +
                       "expires_at > to_timestamp(?::bigint)");
  // Two replicas that sweep at once take different rows, and neither waits.
  sql.sweep = numbered("DELETE FROM " + table + " WHERE ctid = ANY (ARRAY (SELECT ctid FROM " + table +
                       " WHERE " + (shared ? "kind IN (SELECT * FROM kinds_of_records) AND " : "") +
                       "expires_at <= to_timestamp(?::bigint) LIMIT ?::bigint FOR UPDATE SKIP LOCKED))");
  if (shared) {
    // One step into the index (kind, expires_at) per kind, however many records a kind has.
    sql.sweep =
        "WITH RECURSIVE kinds_of_records AS ((SELECT min(kind) AS kind FROM records) UNION ALL"
        " SELECT (SELECT min(r.kind) FROM records r WHERE r.kind > k.kind) FROM kinds_of_records k"
        " WHERE k.kind IS NOT NULL) " +
        sql.sweep;
  }
  return sql;
}

}  // namespace

std::span<const postgres_table_sql> all_postgres_tables() {
  static const std::vector<postgres_table_sql> tables = [] {
    std::vector<postgres_table_sql> made;
    for (const auto& r : rows) made.push_back(sql_for(r));
    return made;
  }();
  return tables;
}

const postgres_table_sql& postgres_table_of(std::string_view kind) {
  auto tables = all_postgres_tables();
  auto own = std::find_if(tables.begin(), tables.end(),
                          [&](const postgres_table_sql& t) { return !t.kind.empty() && t.kind == kind; });
  return own == tables.end() ? tables.back() : *own;
}

}  // namespace mcp_oauth
