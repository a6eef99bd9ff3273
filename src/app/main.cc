#include "app/commands.h"
#include "app/version.h"

#include <cstdio>
#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>

namespace mcp_oauth {
namespace {

int run(int argc, char** argv) {
  CLI::App cli("mcp-oauth-proxy: OAuth 2.1 in front of any MCP server");
  cli.set_version_flag("--version", "mcp-oauth-proxy " + std::string(version));
  cli.require_subcommand(0, 1);
  cli.fallthrough();

  command_input in;
  std::string host, port, mcp_server_url;
  cli.add_option("--config", in.config_file, "The configuration file (also CONFIG_PATH; else ./config.yaml)");
  cli.add_option("--host", host, "Address to listen on");
  cli.add_option("--port", port, "Port to listen on; 0 takes a free one");
  cli.add_option("--mcp-server-url", mcp_server_url, "The MCP server to stand before");
  cli.add_flag("--debug,--verbose", in.debug, "Log more");

  exit_code ended = exit_code::ok;
  auto collect = [&] {
    if (!host.empty()) in.flags.emplace_back("host", host);
    if (!port.empty()) in.flags.emplace_back("port", port);
    if (!mcp_server_url.empty()) in.flags.emplace_back("mcp_server_url", mcp_server_url);
  };

  auto* demo = cli.add_subcommand("demo", "Run the gateway with a demo MCP server behind it, to try it");
  auto* demo_server = cli.add_subcommand("demo-server", "Run the demo MCP server alone, without any sign-in");
  std::uint16_t demo_port = 0;
  std::string demo_host = "127.0.0.1";
  demo_server->add_option("--listen-port", demo_port, "Port; 0 takes a free one");

  std::string file;
  auto* check = cli.add_subcommand("check-config", "Check a configuration and what it needs");
  check->add_option("FILE", file, "The configuration file");
  auto* validate = cli.add_subcommand("validate-config", "Check the syntax of a configuration");
  validate->add_option("FILE", file, "The configuration file");

  auto* users = cli.add_subcommand("users", "The built-in users");
  users->require_subcommand(1);
  std::string name;
  for (const char* what : {"add", "reset", "remove"}) {
    users->add_subcommand(what, std::string(what) + " a user")
        ->add_option("NAME", name, "The user")
        ->required();
  }
  users->add_subcommand("list", "List the users");

  std::string folder = "docs/reference";
  auto* docs = cli.add_subcommand("docs", "Write the generated reference");
  docs->add_option("--out", folder, "The folder");

  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    int shown = cli.exit(e);
    return shown == 0 ? 0 : static_cast<int>(exit_code::usage);
  }
  collect();
  if (!file.empty()) in.config_file = file;
  if (*demo) {
    ended = demo_command(in);
  } else if (*demo_server) {
    ended = demo_server_command(demo_host, demo_port);
  } else if (*check) {
    ended = check_config_command(in);
  } else if (*validate) {
    ended = validate_config_command(in);
  } else if (*users) {
    ended = users_command(in, users->get_subcommands().front()->get_name(), name);
  } else if (*docs) {
    ended = docs_command(folder);
  } else {
    ended = serve_command(in);
  }
  return static_cast<int>(ended);
}

}  // namespace
}  // namespace mcp_oauth

int main(int argc, char** argv) {
  try {
    return mcp_oauth::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mcp-oauth-proxy: a defect of this program: %s\n", e.what());
    return static_cast<int>(mcp_oauth::exit_code::crash);
  }
}
