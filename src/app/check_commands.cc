// The commands that look and tell, and end.

#include "app/commands.h"
#include "app/gateway_app.h"
#include "broker/users.h"
#include "config/describe.h"
#include "jose/random.h"
#include "store/open.h"
#include "symptom/catalogue.h"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace mcp_oauth {
namespace {

std::string bytes_at_random(std::size_t n) { return random_bytes(n); }
time_point wall_clock() { return std::chrono::system_clock::now(); }

exit_code report_store(const error& why) {
  const auto& row = explain(why.code);
  std::cerr << "Error: " << row.description << ": " << why.detail << "\n  Fix: " << row.fix << "\n";
  return exit_code::dependency;
}

// One page per symptom would be many files; one table serves a reader and a search as well.
std::string symptoms_markdown() {
  std::string page =
      "# Errors\n\nGenerated from the catalogue in `src/symptom/catalogue.cc`. The code stands in log lines "
      "and on error pages.\n\n"
      "| code | name | status | OAuth error | words on the wire | likely cause | fix "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const auto& row : catalogue()) {
    page += "| <a id=\"" + std::string(row.id) + "\"></a>" + std::string(row.id) + " | `" +
            std::string(row.name) + "` | " + (row.status == 0 ? "-" : std::to_string(row.status)) + " | " +
            std::string(row.oauth_error) + " | " + std::string(row.description) + " | " +
            std::string(row.cause) + " | " + std::string(row.fix) + " |\n";
  }
  return page;
}

bool write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  return static_cast<bool>(file);
}

}  // namespace

exit_code validate_config_command(const command_input& in) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, false, why);
  if (!conf) return why;
  std::cout << "✓ Syntax valid\n";
  return exit_code::ok;
}

exit_code check_config_command(const command_input& in) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, false, why, true);
  if (!conf) return why;
  std::cout << "✓ Syntax valid\n✓ Required fields present\n✓ Provider credentials configured\n";
  std::vector<std::string> warnings;
  auto store = open_store(conf->database_url, warnings);
  if (!store) return report_store(store.error());
  auto checked = (*store)->check();
  if (!checked) return report_store(checked.error());
  std::cout << "✓ Database connection valid\n";
  auto key = master_key(*conf, warnings);
  if (!key) return report_store(key.error());
  for (const auto& warning : warnings) std::cout << "⚠ Warning: " << warning << "\n";
  // Once more, for the warnings of the configuration itself.
  load_settings(in, false, why);
  return exit_code::ok;
}

exit_code users_command(const command_input& in, const std::string& what, const std::string& name) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, true, why);
  if (!conf) return why;
  std::vector<std::string> warnings;
  auto store = open_store(conf->database_url, warnings);
  if (!store) return report_store(store.error());
  auto now = wall_clock();
  if (what == "list") {
    auto users = list_users(**store, now);
    if (!users) return report_store(users.error());
    for (const auto& u : *users) {
      std::cout << u.name << (u.must_change ? "  (has a one-time password)" : "") << "\n";
    }
    return exit_code::ok;
  }
  auto canonical = user_name(name);
  if (!canonical) {
    std::cerr << "users " << what << ": NAME: \"" << name << "\": 1 to 64 letters, digits or . _ - @ +\n";
    return exit_code::usage;
  }
  if (what == "remove") {
    auto removed = remove_user(**store, *canonical, now);
    if (!removed) return report_store(removed.error());
    std::cout << (*removed ? "removed " : "there is no ") << *canonical << "\n";
    return *removed ? exit_code::ok : exit_code::usage;
  }
  auto known = find_user(**store, *canonical, now);
  if (!known) return report_store(known.error());
  if (what == "add" && *known) {
    std::cerr << "users add: " << *canonical << " exists already; `users reset " << *canonical
              << "` gives a new one-time password\n";
    return exit_code::usage;
  }
  if (what == "reset" && !*known) {
    std::cerr << "users reset: there is no " << *canonical << "; `users add " << *canonical
              << "` makes the user\n";
    return exit_code::usage;
  }
  auto password = add_user(**store, *canonical, bytes_at_random, {}, now);
  if (!password) return report_store(password.error());
  std::cout << "user " << *canonical << ", one-time password: " << password->reveal() << "\n";
  return exit_code::ok;
}

exit_code docs_command(const std::string& folder) {
  std::error_code failed;
  std::filesystem::path out(folder);
  std::filesystem::create_directories(out, failed);
  bool written = write_file(out / "configuration.md", reference_markdown()) &&
                 write_file(out / "config.schema.json", json_schema()) &&
                 write_file(out / "errors.md", symptoms_markdown());
  if (!written) {
    std::cerr << "docs: cannot write to " << folder << "\n";
    return exit_code::dependency;
  }
  return exit_code::ok;
}

}  // namespace mcp_oauth
