// The commands that run until a signal ends them.

#include "app/commands.h"
#include "app/demo_service.h"
#include "app/descriptor_limit.h"
#include "app/gateway_app.h"
#include "app/signals.h"
#include "jose/random.h"
#include "net/server.h"
#include "symptom/catalogue.h"

#include <filesystem>
#include <iostream>
#include <thread>

namespace mcp_oauth {
namespace {

exit_code exit_code_of(errc code) {
  switch (code) {
    case errc::config_invalid:
    case errc::config_malformed:
    case errc::config_not_found:
    case errc::tls_certificate_invalid:
    case errc::seal_broken: return exit_code::configuration;
    case errc::internal: return exit_code::crash;
    default: return exit_code::dependency;
  }
}

exit_code report(const error& why) {
  const auto& row = explain(why.code);
  std::cerr << "Error: " << row.description;
  if (row.description.empty()) std::cerr << row.cause;
  if (!why.detail.empty()) std::cerr << ": " << why.detail;
  std::cerr << "\n  Likely cause: " << row.cause << "\n  Fix: " << row.fix << "\n  (" << row.id << ")\n";
  return exit_code_of(why.code);
}

void run_until_signal(gateway_app& app) {
  for (;;) {
    if (wait_for_signal() == wake::stop) break;
    auto opened = app.reopen_log();
    if (!opened) report(opened.error());
    auto reloaded = app.reload_certificate();
    if (!reloaded) report(reloaded.error());
  }
  app.stop();
}

void print_first_password(const gateway_app& app) {
  if (app.first_password().empty()) return;
  std::cout << "\n  Sign in as:         admin\n  One-time password:  " << app.first_password()
            << "\n  (you choose your own at the first sign-in; this one is not shown again)\n";
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

}  // namespace

exit_code serve_command(const command_input& in) {
  take_signals();
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, false, why);
  if (!conf) return why;
  std::vector<std::string> warnings;
  if (auto warning = descriptor_warning(raise_descriptor_limit(), conf->limits.connections))
    warnings.push_back(std::move(*warning));
  auto app = gateway_app::start(std::move(*conf), warnings);
  for (const auto& warning : warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  if (!app) return report(app.error());
  const auto& running = (*app)->conf();
  std::cout << "mcp-oauth-proxy is listening on " << running.host << ":" << running.port << "\n";
  for (const auto& u : running.upstreams) std::cout << "  " << u.resource << "  ->  " << u.url << "\n";
  print_first_password(**app);
  std::cout << std::flush;
  run_until_signal(**app);
  return exit_code::ok;
}

exit_code demo_command(const command_input& in) {
  take_signals();
  demo_running demo("127.0.0.1", 0);
  auto demo_port = demo.start();
  if (!demo_port) return report(demo_port.error());

  command_input with_demo = in;
  with_demo.flags.emplace_back("mcp_server_url", "http://127.0.0.1:" + std::to_string(*demo_port));
  exit_code why = exit_code::ok;
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
  print_first_password(**app);
  std::cout << "\nPaste into your MCP client's configuration:\n\n"
            << "  {\"mcpServers\": {\"demo\": {\"type\": \"http\", \"url\": \"" << url << "\"}}}\n\n"
            << "Or try one of these:\n\n"
            << "  claude mcp add --transport http demo " << url << "\n"
            << "  npx @modelcontextprotocol/inspector\n"
            << "  npx mcp-remote " << url << "\n"
            << "  curl -i -X POST " << url << "        (401, and where to sign in)\n\n"
            << "Tools to call: echo, whoami, progress, slow, fail, big.\n"
            << "Next: put it before your own server, README.md, \"Your own MCP server\".\n"
            << "Log: " << (running.log.file.empty() ? "standard output" : running.log.file)
            << "   Stop: Ctrl-C\n"
            << std::flush;
  run_until_signal(**app);
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
