// `migrate up|down|version`: the schema, for SQLite and for PostgreSQL.

#include "app/commands.h"
#include "app/report.h"
#include "store/open.h"

#include <iostream>

namespace mcp_oauth {

exit_code migrate_command(const command_input& in, const std::string& what) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, true, why);
  if (!conf) return why;
  const auto& url = conf->database_url;
  auto state = what == "up"     ? apply_migrations(url)
               : what == "down" ? undo_migrations(url)
                                : read_schema_state(url);
  if (!state) return report(state.error());
  if (what == "version") {
    std::cout << state->version << "\n";
    return exit_code::ok;
  }
  std::cout << database_place(url)
            << (state->version == 0 ? ": nothing is left of the schema, nor of what it held"
                                    : " is at version " + std::to_string(state->version))
            << "\n";
  return exit_code::ok;
}

}  // namespace mcp_oauth
