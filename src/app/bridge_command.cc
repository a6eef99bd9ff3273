#include "app/bridge_command.h"

#include "app/bridge_credentials.h"
#include "app/bridge_store.h"
#include "app/file_access.h"
#include "app/version.h"
#include "base/text.h"
#include "bridge/outbound.h"
#include "bridge/read_settings.h"
#include "bridge/token_requests.h"
#include "net/blocking.h"
#include "net/http_client.h"
#include "net/worker.h"
#include "oauth/near_miss.h"
#include "symptom/catalogue.h"

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
    net::spawn(sign_in_now(run));
    net::spawn(watch_sign_in(run, log, tty.is_there()));
    worker.run();
  }
  const auto& outcome = *run.outcome;
  if (!outcome) {
    log.tell(told_of_start(outcome.error(), settings.drop_in));
    return static_cast<int>(exit_of(outcome.error(), settings.drop_in));
  }
  bridge_store store(settings, log, process_environment);
  auto kept = store.read();
  if (kept && kept->tokens) {
    say("signed in to " + settings.upstream.url +
        (kept->tokens->issuer.empty() ? "" : " at " + kept->tokens->issuer));
    return 0;
  }
  if (outcome->signed_in) {
    if (settings.sign_in.grant == bridge_grant::given) {
      say(settings.upstream.url + " takes the token that was given");
    } else {
      say("signed in to " + settings.upstream.url + ", and nothing of it could be kept");
    }
    return 0;
  }
  auto status = outcome->status;
  if (outcome->page || status == 404 || status == 405 || status == 410 || status >= 500) {
    log.tell(settings.upstream.url + " answers " + std::to_string(status) +
             (outcome->page ? " with a page for people" : "") +
             ", as no MCP server does: compare the address, path included, with what its operator says");
    return static_cast<int>(bridge_exit::dependency);
  }
  say(settings.upstream.url + " asks for no sign-in");
  return 0;
}

void revoke(const bridge_settings& settings, const kept_sign_in& kept, bridge_log& log) {
  const auto& tokens = *kept.tokens;
  if (tokens.revocation_endpoint.empty()) return;
  auto rules = outbound_rules::of(settings, false);
  auto usable = usable_url(tokens.revocation_endpoint, "revocation_endpoint", rules);
  if (!usable) return;
  const auto* client = kept.client_of(tokens.issuer);
  client_proof proof;
  proof.client_id = tokens.client_id;
  if (client != nullptr && client->auth != bridge_client_auth::private_key_jwt) {
    proof.auth = client->auth;
    proof.client_secret = client->client_secret;
  }
  form parameters;
  bool refresh = !tokens.refresh_token.empty();
  parameters.add("token", std::string((refresh ? tokens.refresh_token : tokens.access_token).reveal()));
  parameters.add("token_type_hint", refresh ? "refresh_token" : "access_token");
  auto random = [](std::size_t n) {
    return std::string(n, 'x');
  };  // nothing of it is random without an assertion
  auto call = token_request(tokens.revocation_endpoint, std::move(parameters), proof, random,
                            std::chrono::system_clock::now());
  auto answer = net::fetch(call, rules_for(*usable, named_by::server, rules), settings.tls.ca_file);
  if (!answer || answer->status != 200) {
    log.write(bridge_log_level::warn, "token", "the authorization server did not revoke it",
              {{"why", answer ? "status " + std::to_string(answer->status) : answer.error().detail}});
  }
}

int logout(const bridge_settings& settings, bridge_log& log) {
  bridge_store store(settings, log, process_environment);
  auto lock = bridge_lock::take(store.lock_file());
  if (!lock) log.write(bridge_log_level::warn, "token", "another bridge is getting a token just now");
  auto kept = store.read();
  if (kept && kept->tokens) revoke(settings, *kept, log);
  bool removed = store.remove();
  say(removed ? "signed out of " + settings.upstream.url : "there is no sign-in to " + settings.upstream.url);
  return 0;
}

void show(const bridge_store& store, const std::string& name, const kept_sign_in& kept, time_point now) {
  say(kept.server);
  say("  kept in       " + store.folder() + "/" + name + ".json.enc");
  for (const auto& client : kept.clients)
    say("  client        " + client.client_id + " at " + client.issuer +
        (client.registered ? ", registered by itself" : ""));
  if (!kept.tokens) return say("  signed in     no");
  const auto& tokens = *kept.tokens;
  if (!tokens.issuer.empty()) say("  issuer        " + tokens.issuer);
  if (!tokens.resource.empty()) say("  resource      " + tokens.resource);
  auto scope = tokens.granted.empty() ? tokens.scope : tokens.granted;
  if (!scope.empty()) say("  scope         " + scope);
  std::string end = "until the server refuses it";
  if (tokens.lifetime) {
    auto at = tokens.obtained + *tokens.lifetime;
    end = (at <= now ? "ended " : "ends ") + how_long_from(now, at) + " (" + to_iso8601(at) + ")";
  }
  say("  access token  " + end + (tokens.dpop ? ", bound to a key (DPoP)" : ""));
  say(std::string("  refresh token ") +
      (tokens.refresh_token.empty() ? "none: a new sign-in is needed then" : "yes"));
}

int status(const bridge_settings& settings, bridge_log& log) {
  bridge_store store(settings, log, process_environment);
  auto now = std::chrono::system_clock::now();
  if (settings.upstream.url.empty()) {
    auto all = store.all();
    for (const auto& [name, kept] : all) show(store, name, kept, now);
    if (all.empty()) say("no sign-ins in " + store.folder());
    return 0;
  }
  auto kept = store.read();
  if (!kept) {
    say("there is no sign-in to " + settings.upstream.url);
    return static_cast<int>(bridge_exit::sign_in);
  }
  show(store, store.name(), *kept, now);
  auto noted = bridge_lock::read(store.lock_file());
  if (noted.ended != 0) say("  last failure  " + noted.why);
  bool usable = kept->tokens && (is_alive(*kept->tokens, now) || !kept->tokens->refresh_token.empty());
  return usable ? 0 : static_cast<int>(bridge_exit::sign_in);
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
    case errc::fetch_failed:
    case errc::fetch_timeout:
    case errc::overloaded: return bridge_exit::dependency;
    default: return bridge_exit::sign_in;
  }
}

std::string told_of_start(const error& why, bool drop_in) {
  const auto& row = explain(why.code);
  auto cause = std::string(row.description) + " (" + std::string(row.id) + "). " + std::string(row.fix);
  if (drop_in) return "failed to acquire initial oauth2 token: " + why.detail + "\n" + cause;
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
    case bridge_verb::help: std::cout << bridge_help(); return 0;
    case bridge_verb::print_version: say("mcp-oauth-proxy " + std::string(version)); return 0;
    case bridge_verb::login: return login(settings, log);
    case bridge_verb::logout: return logout(settings, log);
    case bridge_verb::status: return status(settings, log);
    case bridge_verb::serve: break;
  }
  return serve(settings, log);
}

}  // namespace mcp_oauth
