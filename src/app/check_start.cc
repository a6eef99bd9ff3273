#include "app/check_start.h"

#include "app/certificate_doubts.h"
#include "app/clock_watch.h"
#include "app/file_access.h"
#include "app/key_file.h"
#include "app/story_keeper.h"
#include "broker/signing_keys.h"
#include "net/listen.h"
#include "net/tls.h"
#include "store/migrate.h"
#include "store/open.h"
#include "symptom/catalogue.h"

#include <filesystem>

namespace mcp_oauth {
namespace {

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// That it is a database, and none that only a newer program can read.
result<void> check_database_file(const std::string& path) {
  auto writable = check_writable(path);
  if (!writable) return writable;
  auto db = sqlite::open(path, milliseconds(2000));
  if (!db) return tl::unexpected(db.error());
  auto at = schema_version(*db);
  if (!at) return tl::unexpected(at.error());
  auto steps = sqlite_migrations();
  if (!steps.empty() && *at > steps.back().version) {
    return fail(errc::store_schema_newer, path + " is at version " + std::to_string(*at));
  }
  return {};
}

bool holds_sealed(const std::string& database_url) {
  auto newest = look_at_kind(database_url, "signing_key", std::chrono::system_clock::now(), 1);
  return newest && !newest->empty();
}

// Whether the key opens what the database holds. `where` says where the key came from.
void check_key(const settings& conf, const secret& key, const std::string& where, start_findings& into) {
  auto newest = look_at_kind(conf.database_url, "signing_key", std::chrono::system_clock::now(), 1);
  if (!newest) return into.failures.push_back(newest.error());
  if (newest->empty()) return;
  auto seal = sealer::of({key});
  auto opens = seal ? check_opens(newest->front(), *seal) : tl::unexpected<error>(seal.error());
  if (opens) return into.good.push_back("Encryption key opens what the database holds");
  if (opens.error().code != errc::seal_broken) return into.failures.push_back(opens.error());
  into.failures.push_back({errc::seal_broken, where + " is not the key with which signing key " +
                                                  newest->front().id + " in " +
                                                  database_place(conf.database_url) +
                                                  " was sealed: give that one, which every gateway of this "
                                                  "database has, or begin with a new database"});
}

// What a server says to one connection.
void check_database_server(const settings& conf, start_findings& into) {
  auto state = read_schema_state(conf.database_url);
  if (!state) return into.failures.push_back(state.error());
  if (state->version > state->latest) {
    return into.failures.push_back(
        {errc::store_schema_newer, "the database is at version " + std::to_string(state->version) +
                                       ", this program knows up to " + std::to_string(state->latest)});
  }
  into.good.emplace_back("Database connection valid");
  if (state->clock) {
    auto apart = clock_difference("the database", *state->clock, std::chrono::system_clock::now());
    if (apart) into.warnings.push_back(*apart + code_in_words(errc::clocks_differ));
  }
  if (state->lacking) return into.failures.push_back(*state->lacking);
  if (state->version > 0) check_key(conf, conf.encryption_key, "encryption_key", into);
  if (state->version < state->latest && !state->may_create) {
    return into.failures.push_back(
        {errc::store_permission_denied, state->role + " may not make tables in schema " + state->schema +
                                            ": GRANT CREATE ON SCHEMA " + state->schema + " TO " +
                                            state->role + ", or let somebody who may run `migrate up`"});
  }
  if (state->version < state->latest) {
    into.notes.push_back("Database: " + database_place(conf.database_url) +
                         " will be migrated from version " + std::to_string(state->version) + " to " +
                         std::to_string(state->latest));
  }
}

void check_database(const settings& conf, start_findings& into) {
  if (is_postgres_url(conf.database_url)) return check_database_server(conf, into);
  auto path = sqlite_path(conf.database_url);
  if (!path) return into.failures.push_back(path.error());
  if (path->empty()) {
    into.good.emplace_back("Database connection valid");
    return;
  }

  const bool exists = is_there(*path);
  // A start makes the database, and not the folders above it.
  auto folder = std::filesystem::path(absolute_path(*path)).parent_path().string();
  result<void> usable = !exists && !is_there(folder)
                            ? fail(errc::file_unwritable, *path + ": there is no folder " + folder)
                        : exists ? check_database_file(*path)
                                 : check_writable(*path);
  if (!usable) return into.failures.push_back(usable.error());
  into.good.emplace_back("Database connection valid");
  if (!exists) into.notes.push_back("Database: " + absolute_path(*path) + " will be created");

  if (!conf.encryption_key.empty()) return check_key(conf, conf.encryption_key, "encryption_key", into);
  const std::string key = *path + ".key";
  if (is_there(key)) {
    auto good = read_key_file(key);
    if (!good) return into.failures.push_back(good.error());
    check_key(conf, *good, absolute_path(key), into);
  } else if (exists && holds_sealed(conf.database_url)) {
    into.failures.push_back({errc::seal_broken, "encryption_key is not set and there is no " +
                                                    absolute_path(key) + ", with which " +
                                                    database_place(conf.database_url) + " was sealed"});
  } else if (exists) {
    into.warnings.push_back(
        "encryption_key is not set and there is no " + absolute_path(key) +
        ": a start makes a new key, or refuses when the database holds what another has sealed");
  } else {
    into.notes.push_back("Key: " + absolute_path(key) + " will be created, as encryption_key is not set");
  }
}

void check_tls(const settings& conf, start_findings& into) {
  if (conf.tls.enabled()) {
    auto ours = net::tls_context::server(conf.tls.cert_file, conf.tls.key_file);
    if (ours) {
      auto doubts = doubts_about_certificate(conf, **ours, std::chrono::system_clock::now());
      if (!doubts.out_of_date) into.good.emplace_back("TLS certificate and key valid");
      if (doubts.out_of_date) into.failures.push_back(std::move(*doubts.out_of_date));
      into.warnings.insert(into.warnings.end(), doubts.warnings.begin(), doubts.warnings.end());
    } else {
      into.failures.push_back(ours.error());
    }
  }
  if (!conf.upstream_ca_file.empty()) {
    auto theirs = net::tls_context::client(conf.upstream_ca_file);
    if (theirs) {
      into.good.emplace_back("upstream_ca_file valid");
    } else {
      into.failures.push_back(theirs.error());
    }
  }
}

void check_log(const settings& conf, start_findings& into) {
  if (conf.audit.enabled()) {
    auto audited = check_writable(conf.audit.file);
    if (!audited) into.failures.push_back({audited.error().code, "audit.file " + audited.error().detail});
  }
  // Of failures a file of their own; where they are in the database, that is looked at by itself.
  if (conf.explain.enabled() && (conf.is_guard() || !conf.explain.file.empty())) {
    auto path = sqlite_path(stories_place(conf));
    auto kept = path && !path->empty() ? check_writable(*path) : result<void>();
    if (!kept) {
      into.warnings.push_back("failures cannot be kept for explain: " + kept.error().detail +
                              code_in_words(kept.error().code));
    }
  }
  if (conf.log.file.empty() || conf.log.file == "-") return;
  auto writable = check_writable(conf.log.file);
  if (!writable) into.failures.push_back({writable.error().code, "logging.file " + writable.error().detail});
}

// The port may be taken by the very gateway whose next configuration this is, and a service may have rights
// that whoever checks does not have.
void check_port(const settings& conf, start_findings& into) {
  if (conf.port == 0) return;
  std::uint16_t port = conf.port;
  auto held = net::open_listeners(conf.host, port, 0, milliseconds(0));
  if (held) return;
  const auto& why = held.error();
  if (why.code == errc::listen_in_use) {
    into.warnings.push_back("port " + std::to_string(conf.port) + " is taken: " + why.detail +
                            code_in_words(why.code));
  } else if (why.code == errc::listen_denied) {
    into.warnings.push_back("this user may not listen on port " + std::to_string(conf.port) + ": " +
                            why.detail + "; a start by this user ends with 4" + code_in_words(why.code));
  } else {
    into.failures.push_back(why);
  }
}

}  // namespace

std::string code_in_words(errc code) { return " (" + std::string(explain(code).id) + ")"; }

start_findings check_start(const settings& conf) {
  start_findings found;
  if (!conf.is_guard()) check_database(conf, found);
  check_tls(conf, found);
  check_log(conf, found);
  check_port(conf, found);
  return found;
}

}  // namespace mcp_oauth
