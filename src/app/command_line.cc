#include "app/command_line.h"

#include "app/bridge_command.h"
#include "app/bridge_store.h"
#include "app/commands.h"
#include "app/version.h"
#include "app/wire_bridge.h"

#include <algorithm>
#include <iostream>
#include <string_view>

#include <CLI/CLI.hpp>

namespace mcp_oauth {
namespace {

constexpr auto examples =
    "Examples:\n"
    "  mcp-oauth-proxy demo --port 8081          try it: a gateway, a user and an MCP server to call\n"
    "  mcp-oauth-proxy check-config config.yaml  name every mistake, then start without arguments\n"
    "\n"
    "Every setting can also come from the environment (MCP_OAUTH_PORT for port), and from a file named by "
    "that\n"
    "variable with _FILE; DEBUG names what --debug shows.\n"
    "Exit codes: 0 done or ended by a signal, 1 a defect, 2 the command line, 3 the configuration, 4 "
    "something\n"
    "that it needs (port, database, file), 5 and 6 of explain-token and doctor, 6 of explain.\n"
    "\n"
    "Documentation: README.md and docs/guide/ of the source; `docs` writes the reference of every setting\n"
    "and error.";
constexpr auto inherited =
    "Takes --port PORT (8080 unless given), --host ADDRESS, --config FILE and --debug as well.";

// What can be typed, and where it is put.
struct command_line {
  command_line();

  CLI::App cli{
      "mcp-oauth-proxy: OAuth 2.1 in front of any MCP server. Without a command it runs the gateway."};
  CLI::App *demo = nullptr, *demo_server = nullptr, *check = nullptr, *validate = nullptr, *users = nullptr,
           *migrate = nullptr, *docs = nullptr, *explain = nullptr, *explain_token = nullptr,
           *doctor = nullptr;
  command_input in;
  explain_input explained;
  token_input token;
  doctor_input examined;
  std::string host, port, mcp_server_url, file, user;
  std::string folder = "docs/reference";
  std::uint16_t demo_port = 0;
};

command_line::command_line() {
  cli.set_version_flag("--version", "mcp-oauth-proxy " + std::string(version));
  cli.require_subcommand(0, 1);
  cli.fallthrough();
  cli.footer(examples);
  cli.add_option("--config", in.config_file, "The configuration file (also CONFIG_PATH; else ./config.yaml)")
      ->type_name("FILE");
  cli.add_option("--host", host, "Address to listen on")->type_name("ADDRESS");
  cli.add_option("--port", port, "Port to listen on; 0 takes a free one")->type_name("PORT");
  cli.add_option("--mcp-server-url", mcp_server_url, "The MCP server to stand before")->type_name("URL");
  cli.add_flag("--debug", in.debug,
               "Show what DEBUG names, such as oauth:* or proxy:headers; else everything");
  cli.add_flag("--verbose", in.verbose, "Log at the most detailed level");

  demo = cli.add_subcommand("demo", "Run the gateway with a demo MCP server behind it, to try it");
  demo->footer(std::string(inherited) + "\n./config.yaml is not read unless --config names it.");
  demo_server = cli.add_subcommand("demo-server", "Run the demo MCP server alone, without any sign-in");
  demo_server->add_option("--port,--listen-port", demo_port, "Port; 0 takes a free one")->type_name("PORT");

  check = cli.add_subcommand("check-config", "Check a configuration and what a start with it needs");
  check->add_option("FILE", file, "The configuration file")->type_name("");
  validate = cli.add_subcommand("validate-config", "Check a configuration alone, and nothing that it names");
  validate->add_option("FILE", file, "The configuration file")->type_name("");

  explain = cli.add_subcommand("explain",
                               "Say why a request or a sign-in failed, or what a code or a message means");
  explain
      ->add_option("WHAT", explained.words,
                   "An X-Request-Id, a code such as MOP-AUD-001, or a text; - reads standard input")
      ->type_name("");
  explain->add_option("--last", explained.last, "List the newest failures, 10 unless a number is given")
      ->expected(0, 1)
      ->type_name("N");
  explain->add_flag("--json", explained.as_json, "For programs");
  explain->footer(
      "The text may be of a log, a page, a browser, an identity provider or a guide. For an id it reads the\n"
      "database of the configuration (--config FILE as well), and changes nothing.\n"
      "Exit codes: 0 told, 2 the command line, 3 the configuration, 4 the database is away, 6 nothing is\n"
      "known of it. Read docs/guide/troubleshooting.md.");

  explain_token = cli.add_subcommand("explain-token", "Say whether a token opens a server, and why not");
  explain_token
      ->add_option("TOKEN", token.token, "The token; - reads standard input; without it, it is asked for")
      ->type_name("");
  explain_token->add_option("--upstream", token.upstream, "The server, by its name")->type_name("NAME");
  explain_token->add_option("--resource", token.resource, "The server, by its resource")->type_name("URL");
  explain_token->add_option("--at", token.at, "Judge it as of this time")->type_name("TIME");
  explain_token->add_flag("--json", token.as_json, "For programs");
  explain_token->add_flag("--introspect", token.introspect,
                          "Ask its issuer about it, which sends the token there");
  explain_token->footer(
      "Takes --config FILE as well. Changes nothing and never prints the token.\n"
      "Exit codes: 0 it opens the server, 5 it is refused, 6 not to be told without asking more, 4 "
      "something\n"
      "that would tell (database, issuer) is away. Read docs/guide/troubleshooting.md.");

  doctor = cli.add_subcommand("doctor", "Say what is wrong with a deployment, and what to put right first");
  doctor
      ->add_option("TARGET", examined.target, "The URL of an MCP server, anybody's, or a configuration file")
      ->type_name("");
  doctor->add_option("--client", examined.client, "Only this client")->type_name("NAME");
  doctor->add_option("--ca", examined.ca_file, "Authorities to trust besides the system's")
      ->type_name("FILE");
  doctor->add_flag("--login", examined.login, "Walk a whole sign-in, and tell of each step");
  doctor->add_flag("--fix", examined.fix, "Show what would be changed in the configuration");
  doctor->add_flag("--yes", examined.yes, "With --fix: change it");
  doctor->add_flag("--json", examined.as_json, "For programs");
  doctor->footer(
      "Takes --config FILE as well. Sends no token of anybody, and changes as good as nothing but with "
      "--login or --yes.\n"
      "Exit codes: 0 nothing wrong, 2 command line, 3 configuration, 4 nothing could be reached, 5 "
      "something\n"
      "is wrong, 6 not to be told. Read docs/guide/troubleshooting.md.");

  users = cli.add_subcommand("users", "The built-in users");
  users->require_subcommand(0, 1);
  users->footer("Takes --config FILE as well; without it, run this in the folder where the gateway runs.");
  struct row {
    const char *name, *does;
  };
  for (auto [name, does] : {row{"add", "Make a user, and print a one-time password"},
                            row{"reset", "Give a user a new one-time password, and end what the user had"},
                            row{"remove", "Remove a user, and end what the user had"}}) {
    users->add_subcommand(name, does)->add_option("NAME", user, "The user")->required()->type_name("");
  }
  users->add_subcommand("list", "List the users");

  migrate = cli.add_subcommand("migrate", "The schema of the database");
  migrate->require_subcommand(0, 1);
  migrate->footer("Takes --config FILE as well. A start migrates by itself.");
  for (auto [name, does] :
       {row{"up", "Bring it up to date"}, row{"down", "Drop it, and all that the database holds"},
        row{"version", "Print the version that it is at; 0 is none"}}) {
    migrate->add_subcommand(name, does);
  }

  // Read apart (bridge/read_settings.h): its flags are those of other programs.
  cli.add_subcommand("bridge", "A local MCP server that is the one at URL, signed in; --help says more");

  docs = cli.add_subcommand("docs", "Write the reference of every setting and error, and print its files");
  docs->add_option("--out", folder, "The folder")->type_name("FOLDER")->capture_default_str();
}

std::string names_of(const CLI::App& of) {
  std::string names;
  for (const auto* one : of.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + one->get_name();
  }
  return names;
}

int usage(const std::string& message) {
  std::cerr << message << "\nRun with --help for more information.\n";
  return static_cast<int>(exit_code::usage);
}

int refuse(command_line& line, const CLI::ParseError& why) {
  auto left = line.cli.remaining();
  if (why.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) && !left.empty() &&
      !left.front().starts_with('-')) {
    if (*line.users && line.users->get_subcommands().empty()) {
      return usage("there is no command users " + left.front() + " (" + names_of(*line.users) + ")");
    }
    if (*line.migrate && line.migrate->get_subcommands().empty()) {
      return usage("there is no command migrate " + left.front() + " (" + names_of(*line.migrate) + ")");
    }
    if (line.cli.get_subcommands().empty()) {
      return usage("there is no command " + left.front() + " (" + names_of(line.cli) + ")");
    }
  }
  return line.cli.exit(why) == 0 ? 0 : static_cast<int>(exit_code::usage);
}

exit_code run(command_line& line) {
  auto& in = line.in;
  if (!line.host.empty()) in.flags.emplace_back("host", line.host);
  if (!line.port.empty()) in.flags.emplace_back("port", line.port);
  if (!line.mcp_server_url.empty()) in.flags.emplace_back("mcp_server_url", line.mcp_server_url);
  if (!line.file.empty() && !in.config_file.empty() && line.file != in.config_file) {
    usage("two configuration files are named: --config " + in.config_file + " and " + line.file);
    return exit_code::usage;
  }
  if (!line.file.empty()) in.config_file = line.file;
  if (*line.demo) return demo_command(in);
  if (*line.demo_server) return demo_server_command("127.0.0.1", line.demo_port);
  if (*line.check) return check_config_command(in);
  if (*line.validate) return validate_config_command(in);
  if (*line.explain) {
    line.explained.lists = line.explain->count("--last") > 0;
    return explain_command(in, line.explained);
  }
  if (*line.explain_token) return explain_token_command(in, line.token);
  if (*line.doctor) return doctor_command(in, line.examined);
  if (*line.docs) return docs_command(line.folder);
  if (*line.migrate) {
    auto asked = line.migrate->get_subcommands();
    if (!asked.empty()) return migrate_command(in, asked.front()->get_name());
    usage("migrate needs one of: " + names_of(*line.migrate));
    return exit_code::usage;
  }
  if (!*line.users) return serve_command(in);
  auto chosen = line.users->get_subcommands();
  if (chosen.empty()) {
    usage("users needs one of: " + names_of(*line.users));
    return exit_code::usage;
  }
  return users_command(in, chosen.front()->get_name(), line.user);
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  std::string program = argc > 0 ? argv[0] : "";
  bool drop_in = is_drop_in_name(program);
  if (drop_in || (argc > 1 && std::string_view(argv[1]) == "bridge")) {
    auto first = argv + std::min(argc, drop_in ? 1 : 2);
    std::vector<std::string> arguments(first, argv + argc);
    return run_bridge_command(arguments, drop_in, [](const bridge_settings& settings, bridge_log& log) {
      return static_cast<int>(serve_bridge(settings, log, process_environment));
    });
  }
  command_line line;
  if (argc > 0) line.in.program = argv[0];
  try {
    line.cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return refuse(line, e);
  }
  return static_cast<int>(run(line));
}

std::vector<std::string> command_names() {
  command_line line;
  auto every = [](const CLI::App*) { return true; };
  const CLI::App& cli = line.cli;
  std::vector<std::string> names;
  for (const auto* one : cli.get_subcommands(every)) {
    names.push_back(one->get_name());
    for (const auto* two : one->get_subcommands(every))
      names.push_back(one->get_name() + " " + two->get_name());
  }
  return names;
}

}  // namespace mcp_oauth
