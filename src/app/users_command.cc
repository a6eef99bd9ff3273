// `users add|reset|remove|list`: the built-in users, also while the gateway runs.

#include "app/commands.h"
#include "app/file_access.h"
#include "app/report.h"
#include "broker/users.h"
#include "jose/random.h"
#include "store/open.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace mcp_oauth {
namespace {

std::string bytes_at_random(std::size_t n) { return random_bytes(n); }

// Whether anything says which database is meant: a file, or a setting.
bool is_configured(const command_input& in, const settings& conf) {
  std::error_code ignored;
  return !in.config_file.empty() || std::getenv("CONFIG_PATH") != nullptr ||
         conf.database_url != settings().database_url || std::filesystem::exists("config.yaml", ignored);
}

exit_code no_database(const std::string& path, bool configured) {
  if (configured) {
    std::cerr << "users: there is no database at " << absolute_path(path)
              << " yet; the first start makes it, and so does users add\n";
  } else {
    std::cerr << "users: there is no " << path
              << " here; give --config, or run this where the gateway runs\n";
  }
  return exit_code::dependency;
}

exit_code list(record_store& store, const std::string& place, time_point now) {
  auto users = list_users(store, now);
  if (!users) return report(users.error());
  if (users->empty()) std::cout << "no users in " << place << "\n";
  if (!users->empty()) std::cout << "users in " << place << ":\n";
  for (const auto& u : *users) {
    std::cout << "  " << u.name << (u.must_change ? "  (has a one-time password)" : "") << "\n";
  }
  return exit_code::ok;
}

exit_code remove(record_store& store, const std::string& name, const std::string& place, time_point now) {
  auto removed = remove_user(store, name, now);
  if (!removed) return report(removed.error());
  if (!*removed) {
    std::cerr << "users remove: there is no " << name << " in " << place << "\n";
    return exit_code::usage;
  }
  std::cout << "user " << name << " removed from " << place << "\n";
  return exit_code::ok;
}

exit_code give_password(record_store& store, bool add, const std::string& name, const std::string& place,
                        time_point now) {
  auto known = find_user(store, name, now);
  if (!known) return report(known.error());
  if (add && *known) {
    std::cerr << "users add: " << name << " exists already in " << place << "; `users reset " << name
              << "` gives a new one-time password\n";
    return exit_code::usage;
  }
  if (!add && !*known) {
    std::cerr << "users reset: there is no " << name << " in " << place << "; `users add " << name
              << "` makes the user\n";
    return exit_code::usage;
  }
  auto password = add_user(store, name, bytes_at_random, {}, now);
  if (!password) return report(password.error());
  std::cout << "user " << name << (add ? " added to " : " reset in ") << place
            << ", one-time password: " << password->reveal() << "\n";
  return exit_code::ok;
}

}  // namespace

exit_code users_command(const command_input& in, const std::string& what, const std::string& name) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, true, why);
  if (!conf) return why;
  if (conf->is_guard()) {
    std::cerr << "users: mode native has none: people sign in at the issuer\n";
    return exit_code::usage;
  }
  std::string canonical;
  if (what != "list") {
    auto good = user_name(name);
    if (!good) {
      std::cerr << "users " << what << ": NAME: \"" << name << "\": 1 to 64 letters, digits or . _ - @ +\n";
      return exit_code::usage;
    }
    canonical = *good;
  }
  if (!is_postgres_url(conf->database_url)) {
    auto path = sqlite_path(conf->database_url);
    if (!path) return report(path.error());
    if (path->empty()) {
      std::cerr << "users: the database is kept in memory, where only the gateway itself reaches it\n";
      return exit_code::usage;
    }
    std::error_code ignored;
    bool configured = is_configured(in, *conf);
    if (!std::filesystem::exists(*path, ignored) && (what != "add" || !configured)) {
      return no_database(*path, configured);
    }
  }
  std::vector<std::string> warnings;
  store_options at_once;
  at_once.start_timeout = seconds(0);  // somebody waits for the answer
  auto store = open_store(conf->database_url, warnings, std::move(at_once));
  if (!store) return report(store.error());
  for (const auto& warning : warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  auto now = std::chrono::system_clock::now();
  auto place = database_place(conf->database_url);
  if (what == "list") return list(**store, place, now);
  if (what == "remove") return remove(**store, canonical, place, now);
  return give_password(**store, what == "add", canonical, place, now);
}

}  // namespace mcp_oauth
