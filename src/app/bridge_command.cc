#include "app/bridge_command.h"

#include "app/bridge_credentials.h"
#include "app/bridge_kept_command.h"
#include "app/bridge_store.h"
#include "app/file_access.h"
#include "app/version.h"
#include "base/text.h"
#include "bridge/command_line.h"
#include "bridge/failure.h"
#include "bridge/read_settings.h"
#include "net/blocking.h"
#include "net/worker.h"

#include <chrono>
#include <csignal>
#include <iostream>

#include <fcntl.h>
#include <unistd.h>

extern char** environ;

namespace mcp_oauth {
namespace {

result<std::string> read_option_file(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return fail(errc::file_unreadable, "no such file or directory");
  return read_file_text(path);
}

bridge_input input_of(const std::vector<std::string>& arguments, bool drop_in) {
  bridge_input in;
  in.arguments = arguments;
  in.environment = process_environment;
  for (char** one = environ; *one != nullptr; ++one) {
    std::string_view pair = *one;
    in.variables.emplace_back(pair.substr(0, pair.find('=')));
  }
  in.read_file = read_option_file;
  in.drop_in = drop_in;
  return in;
}

void say(const std::string& text) { std::cout << text << std::endl; }

// Lines of the terminal, for as long as it lives.
class terminal final : private net::watcher {
 public:
  terminal(net::worker& w, std::function<void(std::string)> on_line)
      : worker_(w),
        on_line_(std::move(on_line)),
        tty_(::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    // Reading in the background would stop the process.
    if (tty_ && ::tcgetpgrp(tty_.number()) == ::getpgrp()) watched_ = worker_.watch(tty_.number(), *this);
  }
  ~terminal() override {
    if (watched_) worker_.forget(*this);
  }
  bool is_there() const { return watched_; }

 private:
  void on_events(std::uint32_t) override {
    char piece[4096];
    for (auto n = ::read(tty_.number(), piece, sizeof piece); n > 0;
         n = ::read(tty_.number(), piece, sizeof piece))
      held_.append(piece, static_cast<std::size_t>(n));
    for (auto end = held_.find('\n'); end != std::string::npos; end = held_.find('\n')) {
      auto line = held_.substr(0, end);
      held_.erase(0, end + 1);
      if (!trim(line).empty()) on_line_(std::move(line));
    }
    if (held_.size() > 64 * 1024) held_.clear();
  }
  net::worker& worker_;
  std::function<void(std::string)> on_line_;
  net::descriptor tty_;
  bool watched_ = false;
  std::string held_;
};

struct login_run {
  bridge_credentials& credentials;
  net::worker& worker;
  std::optional<result<bridge_credentials::readiness>> outcome;
};

net::task<void> sign_in_now(login_run& run) {
  auto outcome = co_await run.credentials.prefetch();
  run.outcome = outcome;
}

net::task<void> paste_line(bridge_credentials& credentials, bridge_log& log, std::string line) {
  auto taken = co_await credentials.paste(std::move(line));
  if (!taken) log.tell("That is not the address where the browser ended: " + taken.error().detail);
}

// Until it is over. Shows what another process waits for, too: several bridges share one sign-in.
net::task<void> watch_sign_in(login_run& run, bridge_log& log, bool pasted) {
  std::string told;
  while (!run.outcome) {
    auto text = run.credentials.waiting_for().value_or("");
    if (!text.empty() && text != told) {
      if (text.starts_with("Another bridge")) log.tell(text);
      if (pasted)
        log.tell("If the browser cannot reach this machine, paste the address where it ended here.\n");
      told = text;
    }
    net::sleep pause(run.worker, milliseconds(50));
    co_await pause;
  }
  run.worker.stop();
}

int login(const bridge_settings& settings, bridge_log& log) {
  net::worker worker(0);
  // Behind the worker: what runs on it ends first.
  net::blocking_pool pool(4);
  bridge_credentials credentials(settings, worker, pool, log);
  login_run run{credentials, worker, std::nullopt};
  {
    terminal tty(worker,
                 [&](std::string line) { net::spawn(paste_line(credentials, log, std::move(line))); });
    if (tty.is_there()) credentials.in_terminal();
    net::spawn(sign_in_now(run));
    net::spawn(watch_sign_in(run, log, tty.is_there()));
    worker.run();
  }
  const auto& outcome = *run.outcome;
  if (!outcome) {
    log.tell(told_of_start(outcome.error(), settings));
    return static_cast<int>(exit_of(outcome.error(), settings.drop_in));
  }
  bridge_store store(settings, log, process_environment);
  store.folder_is_known();
  auto kept = store.read();
  bool has_tokens = kept && kept->tokens;
  auto status = outcome->status;
  if (outcome->page || status == 404 || status == 405 || status == 410 || status >= 500) {
    log.tell(settings.upstream.url + " answers " + std::to_string(status) +
             (outcome->page ? " with a page for people" : "") +
             ", as no MCP server does: compare the address, path included, with what its operator says" +
             (has_tokens ? ". A sign-in to it is kept" : ""));
    return static_cast<int>(bridge_exit::dependency);
  }
  if (has_tokens) {
    say("signed in to " + settings.upstream.url +
        (kept->tokens->issuer.empty() ? "" : " at " + kept->tokens->issuer));
    return 0;
  }
  if (outcome->signed_in) {
    if (settings.sign_in.grant == bridge_grant::given) {
      say(settings.upstream.url + " takes the token that was given");
      return 0;
    }
    error lost{errc::sign_in_cache_unusable,
               "signed in to " + settings.upstream.url + ", and nothing of it could be kept"};
    log.tell(told_of_start(lost, settings));
    return static_cast<int>(exit_of(lost, settings.drop_in));
  }
  say(settings.upstream.url + " asks for no sign-in");
  return 0;
}

}  // namespace

bool is_drop_in_name(const std::string& program) {
  auto name = program.substr(program.rfind('/') == std::string::npos ? 0 : program.rfind('/') + 1);
  return name == "mcp-oauth2-proxy";
}

bridge_exit exit_of(const error& why, bool drop_in) {
  if (drop_in) return bridge_exit::usage;
  switch (why.code) {
    case errc::sign_in_token_unreachable:
    case errc::upstream_unreachable:
    case errc::upstream_refused:
    case errc::upstream_tls_failed:
    case errc::upstream_proxy_refused:
    case errc::upstream_malformed:
    case errc::fetch_failed:
    case errc::fetch_timeout:
    case errc::overloaded: return bridge_exit::dependency;
    default: return bridge_exit::sign_in;
  }
}

std::string told_of_start(const error& why, const bridge_settings& settings) {
  const auto row = bridge_symptom(why.code);
  auto cause = std::string(row.description) + " (" + std::string(row.id) + "). " +
               with_command_lines(row.fix, settings);
  if (settings.drop_in) return "failed to acquire initial oauth2 token: " + why.detail + "\n" + cause;
  return "mcp-oauth-proxy bridge: " + why.detail + "\n" + cause;
}

int run_bridge_command(const std::vector<std::string>& arguments, bool drop_in,
                       const std::function<int(const bridge_settings&, bridge_log&)>& serve) {
  auto read = read_bridge_settings(input_of(arguments, drop_in));
  if (!read) {
    for (const auto& line : read.error()) std::cerr << line << '\n';
    return static_cast<int>(bridge_exit::usage);
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto& settings = read->settings;
  bridge_log log(settings.log_level);
  for (const auto& warning : read->warnings) log.write(bridge_log_level::warn, "settings", warning);
  switch (read->verb) {
    case bridge_verb::help: std::cout << bridge_help(settings.drop_in); return 0;
    case bridge_verb::print_version: say("mcp-oauth-proxy " + std::string(version)); return 0;
    case bridge_verb::login: return login(settings, log);
    case bridge_verb::logout: return bridge_logout(settings, log);
    case bridge_verb::status: return bridge_status(settings, log, read->as_json);
    case bridge_verb::serve: break;
  }
  return serve(settings, log);
}

}  // namespace mcp_oauth
