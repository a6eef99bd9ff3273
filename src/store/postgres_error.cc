#include "store/postgres_error.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mcp_oauth {
namespace {

struct meaning {
  std::string_view sqlstate;  // five characters, or the two of a class
  errc code;
};

constexpr auto meanings = std::to_array<meaning>({
    {"28P01", errc::store_login_refused},  // invalid_password
    {"28000", errc::store_login_refused},  // invalid_authorization_specification: pg_hba.conf, no such role
    {"3D000", errc::store_database_unknown},     // invalid_catalog_name
    {"53300", errc::store_connections_used_up},  // too_many_connections
    {"57P01", errc::store_starting},             // admin_shutdown
    {"57P02", errc::store_starting},             // crash_shutdown
    {"57P03", errc::store_starting},             // cannot_connect_now
    {"57P05", errc::store_unreachable},          // idle_session_timeout
    {"25P03", errc::store_unreachable},          // idle_in_transaction_session_timeout
    {"42P01", errc::store_tables_missing},       // undefined_table
    {"3F000", errc::store_tables_missing},       // invalid_schema_name: search_path names none that is there
    {"42501", errc::store_permission_denied},    // insufficient_privilege
    {"25006", errc::store_read_only},            // read_only_sql_transaction
    {"53100", errc::store_full},                 // disk_full
    {"40001", errc::store_busy},                 // serialization_failure
    {"40P01", errc::store_busy},                 // deadlock_detected
    {"55P03", errc::store_busy},                 // lock_not_available
    {"57014", errc::store_busy},                 // query_canceled: statement_timeout
    {"XX001", errc::store_corrupt},              // data_corrupted
    {"XX002", errc::store_corrupt},              // index_corrupted
    {"08", errc::store_unreachable},
    {"53", errc::store_unavailable},
    {"57", errc::store_starting},
    {"58", errc::store_unavailable},  // I/O errors
    {"F0", errc::store_unavailable},
});

struct reason {
  std::string_view says;
  std::string_view name;
};

// strerror(3) and libpq, in the names that system calls have.
constexpr auto reasons = std::to_array<reason>({
    {"Connection refused", "ECONNREFUSED"},
    {"Connection reset by peer", "ECONNRESET"},
    {"timeout expired", "ETIMEDOUT"},
    {"Connection timed out", "ETIMEDOUT"},
    {"No route to host", "EHOSTUNREACH"},
    {"Network is unreachable", "ENETUNREACH"},
    {"No such file or directory", "ENOENT"},
    {"Permission denied", "EACCES"},
    {"server closed the connection unexpectedly", "ECONNRESET"},
});

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  auto from = text.find(before);
  if (from == std::string_view::npos) return {};
  text.remove_prefix(from + before.size());
  return text.substr(0, text.find(after));
}

// "connection to server at "localhost" (127.0.0.1), port 5432 failed: …" gives 127.0.0.1:5432
std::string place_of(std::string_view line) {
  if (auto path = between(line, "on socket \"", "\""); !path.empty()) return std::string(path);
  auto host = between(line, "server at \"", "\"");
  if (host.empty()) return {};
  if (auto address = between(line, "\" (", "), port"); !address.empty() && address.size() < 64)
    host = address;
  auto port = between(line, "port ", " ");
  std::string shown =
      host.find(':') == std::string_view::npos ? std::string(host) : "[" + std::string(host) + "]";
  return shown + ":" + std::string(port);
}

// "FATAL:  28P01: password authentication failed for user "u"": the state, or "".
std::string_view sqlstate_in(std::string_view line, std::string_view& words) {
  auto at = line.find(":  ");
  if (at == std::string_view::npos || line.size() < at + 10) return {};
  auto state = line.substr(at + 3, 5);
  bool fits = line[at + 8] == ':' && std::all_of(state.begin(), state.end(), [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
              });
  if (!fits) return {};
  words = trim(line.substr(at + 9));
  return state;
}

}  // namespace

errc meaning_of_sqlstate(std::string_view sqlstate) {
  for (const auto& m : meanings) {
    if (sqlstate.starts_with(m.sqlstate)) return m.code;
  }
  return errc::internal;
}

bool is_passing(errc code) {
  switch (code) {
    case errc::store_unreachable:
    case errc::store_connections_used_up:
    case errc::store_starting:
    case errc::store_read_only:  // the other server may be the primary by now
    case errc::store_busy: return true;
    default: return false;
  }
}

error connection_failure(std::string_view message) {
  error found{errc::store_unreachable, {}};
  for (const auto& line : split_words(message, '\n')) {
    std::string_view words;
    if (auto state = sqlstate_in(line, words); !state.empty()) {
      auto code = meaning_of_sqlstate(state);
      found = {code == errc::internal ? errc::store_unavailable : code,
               std::string(state) + " " + std::string(words)};
      continue;
    }
    auto place = place_of(line);
    if (place.empty() && line.find("translate host name") != std::string::npos) {
      found = {errc::store_unreachable, "ENOTFOUND " + std::string(between(line, "host name \"", "\""))};
      continue;
    }
    auto why = std::find_if(reasons.begin(), reasons.end(),
                            [&](const reason& r) { return line.find(r.says) != std::string::npos; });
    if (why != reasons.end()) {
      if (!place.empty() || found.detail.empty())
        found = {errc::store_unreachable, std::string(why->name) + (place.empty() ? "" : " " + place)};
    } else if (!place.empty()) {
      // TLS, certificates, target_session_attrs: in libpq's words, which quote nothing of the URL.
      auto failed = line.find("failed: ");
      found = {errc::store_unreachable,
               place + (failed == std::string::npos ? "" : ": " + line.substr(failed + 8))};
    } else if (found.detail.empty() && line.find("://") == std::string::npos) {
      found.detail = std::string(trim(line));
    }
  }
  return found;
}

std::string redacted_postgres_url(std::string_view url) {
  std::string shown(url);
  auto start = shown.find("://");
  if (start == std::string::npos) return "***";
  start += 3;
  auto query = shown.find('?', start);
  if (auto at = shown.rfind('@', query); at != std::string::npos && at > start) {
    auto colon = shown.find(':', start);
    if (colon < at) shown.replace(colon + 1, at - colon - 1, "***");
  }
  // Some parameters are secrets, and one that is misspelt looks like none.
  query = shown.find('?', start);
  if (query != std::string::npos) shown.resize(query);
  return shown;
}

}  // namespace mcp_oauth
