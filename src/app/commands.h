#pragma once

#include "app/reload.h"
#include "config/settings.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

// How a command ended, for the shell (docs/guide/operations.md).
enum class exit_code : int {
  ok = 0,
  crash = 1,          // a defect of ours
  usage = 2,          // the command line
  configuration = 3,  // the configuration cannot work as it is
  dependency = 4,     // something we need is not there: port, database, file
  refused = 5,        // what was examined does not hold
  unclear = 6,        // whether it holds cannot be told from here
};

struct command_input {
  std::string program = "mcp-oauth-proxy";  // as it was called, to be shown
  std::string config_file;                  // "" : CONFIG_PATH, else ./config.yaml
  bool default_file = true;                 // ./config.yaml counts when no file is named
  std::vector<std::pair<std::string, std::string>> flags;
  bool debug = false;    // watch what DEBUG names, else everything
  bool verbose = false;  // the most detailed level
};

// `mcp-oauth-proxy`: runs until SIGTERM or SIGINT.
exit_code serve_command(const command_input& in);
// `demo`: the gateway on its embedded defaults before a demo MCP server of ours.
exit_code demo_command(const command_input& in);
// `demo-server`: the demo MCP server alone, without any sign-in.
exit_code demo_server_command(const std::string& host, std::uint16_t port);
// `check-config FILE`: the configuration, and all that a start with it needs; makes and changes nothing.
// `validate-config FILE`: the configuration alone.
exit_code check_config_command(const command_input& in);
exit_code validate_config_command(const command_input& in);
// `users add|reset|remove|list [NAME]`: only `add` makes a database, and only where a configuration says
// which.
exit_code users_command(const command_input& in, const std::string& what, const std::string& name);
// `migrate up|down|version`: the schema of the database; `version` prints its number alone.
exit_code migrate_command(const command_input& in, const std::string& what);
// `explain-token [TOKEN]`: whether the token opens a server of this configuration, and why not. Asks the
// issuers for their keys and reads the database; changes nothing, and never prints the token.
struct token_input {
  std::string token;  // "-": of standard input; "": asked for, or of standard input where that is no terminal
  std::string upstream, resource;  // which server, where there are several
  std::string at;                  // the time to judge it by; "": now
  bool as_json = false;
  bool introspect = false;  // its issuer is asked, which sees the token then
};
exit_code explain_token_command(const command_input& in, const token_input& about);
// `doctor [TARGET]`: what is wrong with a deployment, what must be put right first, and which clients get in.
struct doctor_input {
  std::string target;   // a URL or a configuration file; "": what the configuration describes
  std::string client;   // only this one; "": all that are known
  std::string ca_file;  // authorities besides the system's
  bool login = false;   // a whole sign-in is walked
  bool fix = false, yes = false;
  bool as_json = false;
};
exit_code doctor_command(const command_input& in, const doctor_input& about);
// `explain [WHAT]`: the story of a request or sign-in that failed, by an id of it; or the rows of the
// catalogue for a code or a text that was met. `--last [N]` lists the newest stories. Changes nothing.
struct explain_input {
  std::vector<std::string> words;  // what is asked for; "-": of standard input
  bool lists = false;
  std::string last;  // how many; "": 10
  bool as_json = false;
};
exit_code explain_command(const command_input& in, const explain_input& about);
// `docs --out DIR`: the generated reference; prints the files written.
exit_code docs_command(const std::string& folder);

// Loads and checks the configuration; prints every error of it to standard error, and so every warning,
// unless `warnings` takes them.
std::optional<settings> load_settings(const command_input& in, bool standalone_ok, exit_code& why,
                                      std::vector<std::string>* warnings = nullptr);
// The same without printing: the settings with their warnings, or every error, a line each, and into `codes`
// what they are, each once. `more` are flags behind those of the command line.
tl::expected<loaded, std::vector<std::string>> read_settings(const command_input& in, bool standalone_ok,
                                                             const config_flags& more = {},
                                                             std::vector<errc>* codes = nullptr);
// The file that `read_settings` reads, whether it exists or not; "" when it reads none.
std::string config_file_of(const command_input& in);

}  // namespace mcp_oauth
