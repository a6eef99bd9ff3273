// The commands that run until a signal ends them.

#include "app/commands.h"
#include "app/config_watch.h"
#include "app/demo_service.h"
#include "app/descriptor_limit.h"
#include "app/file_access.h"
#include "app/gateway_app.h"
#include "app/guard_app.h"
#include "app/report.h"
#include "app/signals.h"
#include "jose/random.h"
#include "net/server.h"
#include "store/open.h"

#include <filesystem>
#include <iostream>
#include <thread>

namespace mcp_oauth {
namespace {

// A key file that is there already is news to nobody.
std::vector<std::string> worth_saying(const std::vector<std::string>& warnings, bool key_file_was_there) {
  std::vector<std::string> kept;
  for (const auto& warning : warnings) {
    if (!key_file_was_there || !warning.starts_with("encryption_key is not set")) kept.push_back(warning);
  }
  return kept;
}

bool has_key_file(const settings& conf) {
  auto database = sqlite_path(conf.database_url);
  std::error_code ignored;
  return database && std::filesystem::exists(*database + ".key", ignored);
}

// The program as it can be called from here.
std::string callable(const std::string& program) {
  bool on_path = program.find('/') == std::string::npos;
  return on_path ? program : absolute_path(program);
}

void reload(running_app& app, const settings_source& read) {
  auto became = app.reload(read);
  for (const auto& warning : became.warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  for (const auto& line : became.errors) std::cerr << line << "\n";
  if (became.failure) report(*became.failure);
  std::cerr << (became.adopted() ? "the configuration was read again and is in use\n"
                                 : "the configuration was not taken up; the one in use stays\n");
}

void run_until_signal(running_app& app, config_watch& watch, const settings_source& read) {
  for (;;) {
    auto woken = wait_for_signal(watch.descriptor());
    if (woken == wake::stop) break;
    if (woken == wake::readable) {
      if (watch.changed()) reload(app, read);
      continue;
    }
    auto opened = app.reopen_log();
    if (!opened) report(opened.error());
    if (woken == wake::reopen) continue;
    watch.remember();
    reload(app, read);
  }
  std::cerr << "stopping; requests under way may end\n";
  app.stop();
  std::cerr << "stopped\n";
}

// "./mcp-oauth-proxy --config FILE users reset admin"
std::string reset_command(const command_input& in) {
  return callable(in.program) + (in.config_file.empty() ? "" : " --config " + in.config_file) +
         " users reset admin";
}

void print_first_password(const gateway_app& app, const command_input& in) {
  if (app.first_sign_in_awaited()) {
    std::cout << "\n  Sign in as:         admin, with the one-time password that was printed before\n"
              << "                      (lost? " << reset_command(in) << ")\n";
  }
  if (app.first_password().empty()) return;
  std::cout << "\n  Sign in as:         admin\n  One-time password:  " << app.first_password()
            << "\n  (you choose your own at the first sign-in; this one is not shown again)\n";
}

void print_sign_in(const gateway_app& app, const command_input& in) {
  if (!app.first_password().empty() || app.first_sign_in_awaited()) return print_first_password(app, in);
  for (const auto& p : app.conf().providers) {
    if (p.type != "local") continue;
    std::cout << "\n  Sign in as:         admin, with the password you chose\n"
              << "                      (forgotten? " << reset_command(in) << ")\n";
  }
}

// The demo server on a free loopback port.
class demo_running {
 public:
  explicit demo_running(const std::string& host, std::uint16_t port)
      : what_([](std::size_t n) { return random_bytes(n); }) {
    options_.host = host;
    options_.port = port;
    options_.drain = milliseconds(500);
  }
  result<std::uint16_t> start() {
    auto open = net::reserve_port(options_);
    if (!open) return tl::unexpected<error>(open.error());
    server_ = std::make_unique<net::server>(
        options_, [this](net::worker& w) { return std::make_unique<demo_service>(w, what_); });
    auto started = server_->start(std::move(*open));
    if (!started) return tl::unexpected<error>(started.error());
    return server_->port();
  }
  void stop() { server_->stop(); }

 private:
  demo_server what_;
  net::server_options options_;
  std::unique_ptr<net::server> server_;
};

void print_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) std::cerr << "⚠ Warning: " << warning << "\n";
}

void print_listening(const settings& running) {
  std::cout << "mcp-oauth-proxy is listening on " << running.host << ":" << running.port << "\n";
  for (const auto& u : running.upstreams) std::cout << "  " << u.resource << "  ->  " << u.url << "\n";
}

exit_code serve_guard(settings conf, std::vector<std::string> warnings, config_watch& watch,
                      const settings_source& read) {
  auto app = guard_app::start(std::move(conf), warnings);
  print_warnings(warnings);
  if (!app) return report(app.error());
  print_listening((*app)->conf());
  for (const auto& line : accepted_tokens((*app)->conf())) std::cout << "  " << line << "\n";
  std::cout << std::flush;
  run_until_signal(**app, watch, read);
  return exit_code::ok;
}

}  // namespace

exit_code serve_command(const command_input& in) {
  take_signals();
  exit_code why = exit_code::ok;
  // Before the file is read: what comes after is a change.
  config_watch watch(config_file_of(in));
  auto conf = load_settings(in, false, why);
  if (!conf) return why;
  auto read = [&in](const config_flags& more) { return read_settings(in, false, more); };
  std::vector<std::string> warnings;
  if (auto warning = descriptor_warning(raise_descriptor_limit(), conf->limits.connections))
    warnings.push_back(std::move(*warning));
  if (conf->is_guard()) return serve_guard(std::move(*conf), std::move(warnings), watch, read);
  bool key_file_was_there = has_key_file(*conf);
  auto app = gateway_app::start(std::move(*conf), warnings);
  print_warnings(worth_saying(warnings, key_file_was_there));
  if (!app) return report(app.error());
  print_listening((*app)->conf());
  print_first_password(**app, in);
  std::cout << std::flush;
  run_until_signal(**app, watch, read);
  return exit_code::ok;
}

exit_code demo_command(const command_input& in) {
  take_signals();
  demo_running demo("127.0.0.1", 0);
  auto demo_port = demo.start();
  if (!demo_port) return report(demo_port.error());

  command_input with_demo = in;
  with_demo.default_file = false;
  with_demo.flags.emplace_back("mode", "gateway");
  with_demo.flags.emplace_back("mcp_server_url", "http://127.0.0.1:" + std::to_string(*demo_port));
  exit_code why = exit_code::ok;
  config_watch watch(config_file_of(with_demo));
  auto conf = load_settings(with_demo, true, why);
  if (!conf) return why;
  std::vector<std::string> warnings;
  raise_descriptor_limit();
  auto app = gateway_app::start(std::move(*conf), warnings);
  if (!app) return report(app.error());
  const auto& running = (*app)->conf();
  auto url = running.upstreams.front().resource;
  std::cout << "\nThe gateway is running, with a demo MCP server behind it.\n\n  MCP endpoint:       " << url
            << "\n";
  print_sign_in(**app, in);
  std::cout << "\nPaste into your MCP client's configuration:\n\n"
            << "  {\"mcpServers\": {\"demo\": {\"type\": \"http\", \"url\": \"" << url << "\"}}}\n\n"
            << "Or try one of these:\n\n"
            << "  claude mcp add --transport http demo " << url << "\n"
            << "  npx @modelcontextprotocol/inspector\n"
            << "  " << callable(in.program) << " bridge " << url << "        (for clients that speak stdio)\n"
            << "  curl -i -X POST " << url << "        (401, and where to sign in)\n\n"
            << "Tools to call: echo, whoami, progress, slow, fail, big.\n"
            << "Next: put it before your own server: README.md, \"Before your own MCP server\".\n"
            << "This program: " << callable(in.program) << "\n"
            << "Log: " << (running.log.file == "-" ? "standard output" : absolute_path(running.log.file))
            << "   Stop: Ctrl-C\n"
            << std::flush;
  run_until_signal(**app, watch,
                   [&](const config_flags& more) { return read_settings(with_demo, true, more); });
  demo.stop();
  return exit_code::ok;
}

exit_code demo_server_command(const std::string& host, std::uint16_t port) {
  take_signals();
  demo_running demo(host, port);
  auto started = demo.start();
  if (!started) return report(started.error());
  std::cout << "demo MCP server, without any sign-in: http://" << host << ":" << *started << "/mcp\n"
            << std::flush;
  while (wait_for_signal() != wake::stop) {
  }
  demo.stop();
  return exit_code::ok;
}

}  // namespace mcp_oauth
