#include "app/wire_bridge.h"

#include "app/bridge_command.h"
#include "app/bridge_credentials.h"
#include "app/bridge_wire.h"
#include "app/memory_use.h"
#include "app/version.h"
#include "base/base64url.h"
#include "base/url.h"
#include "bridge/command_line.h"
#include "bridge/conversation.h"
#include "bridge/proxy_choice.h"
#include "bridge/stdio_line.h"
#include "jose/random.h"
#include "net/blocking.h"
#include "net/readable.h"
#include "net/stdio.h"
#include "net/upstream.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_line = 64 * 1024 * 1024;
constexpr std::size_t most_unread = 1024 * 1024;  // by the client, before the server has to wait
constexpr std::size_t most_waiting = 4096;        // requests of the client, before it has to wait
constexpr std::size_t many_open = 8;              // requests
constexpr milliseconds last_words{2'000};
constexpr milliseconds between_settlings{60'000};
constexpr unsigned most_threads = 4;

using environment_fn = std::function<std::optional<std::string>(std::string_view)>;

result<net::upstream_target> target_of(const bridge_settings& settings, const environment_fn& environment) {
  auto where = url::parse(settings.upstream.url);
  if (!where) return tl::unexpected<error>(where.error());
  net::upstream_target target;
  target.host = where->host;
  target.port = where->effective_port();
  target.authority = where->authority();
  target.key = where->origin();
  target.connect_timeout = settings.upstream.connect_timeout;
  target.ipv4_only = settings.upstream.ipv4_only;
  if (where->scheme == "https") {
    net::tls_context::client_files files;
    if (!settings.tls.ca_file.empty()) files.authorities.push_back(settings.tls.ca_file);
    if (auto more = environment("NODE_EXTRA_CA_CERTS"); more && !more->empty())
      files.authorities.push_back(*more);
    files.certificate = settings.tls.certificate_file;
    files.key = settings.tls.key_file;
    auto tls = net::tls_context::client(files);
    if (!tls) return tl::unexpected<error>(tls.error());
    target.tls = std::move(*tls);
  }
  if (settings.use_proxy) {
    auto proxy = choose_proxy(*where, environment);
    if (!proxy) return tl::unexpected<error>(proxy.error());
    if (*proxy) target.proxy = net::upstream_proxy{(*proxy)->host, (*proxy)->port, (*proxy)->authorization};
  }
  return target;
}

conversation_options options_of(const bridge_settings& settings, const bridge_log& log,
                                const bridge_credentials& credentials) {
  conversation_options options;
  options.program = settings.drop_in ? "mcp-oauth2-proxy" : "mcp-oauth-proxy";
  options.version = std::string(version);
  options.instance = base64url_encode(random_bytes(12));
  options.upstream = settings.upstream;
  options.here = [&settings](std::string_view text) { return with_command_lines(text, settings); };
  options.redacted = [&log](std::string_view text) { return log.redacted(text); };
  options.without_secrets = [&log](std::string_view text) { return log.without_secrets(text); };
  options.token_words = [&credentials] { return credentials.token_words(); };
  return options;
}

// How long the rest of an answer is waited for without sleeping: servers often send head and content apart,
// and being woken for the second takes longer than what is done then. With one processor, looking would keep
// the server from it.
std::chrono::microseconds time_between_pieces() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  bool several = ::sched_getaffinity(0, sizeof usable, &usable) != 0 || CPU_COUNT(&usable) > 1;
  return std::chrono::microseconds(several ? 50 : 0);
}

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, one);
  return set;
}

class alarm final : private net::timed {
 public:
  alarm(net::worker& w, std::function<void()> what) : worker_(w), what_(std::move(what)) {}
  void set(milliseconds from_now) {
    worker_.deadlines().set(*this, static_cast<std::uint64_t>(std::max<std::int64_t>(from_now.count(), 0)));
  }
  void clear() { worker_.deadlines().clear(*this); }

 private:
  void on_deadline() override { what_(); }
  net::worker& worker_;
  std::function<void()> what_;
};

class bridge_app {
 public:
  bridge_app(const bridge_settings& settings, bridge_log& log, net::upstream_target target, int in, int out)
      : settings_(settings),
        log_(log),
        blocking_(std::make_unique<net::blocking_pool>(most_threads)),
        pool_(worker_, *blocking_),
        credentials_(settings, worker_, *blocking_, log),
        talk_(options_of(settings, log, credentials_), steady_now()),
        lines_(longest_line),
        output_(
            worker_, out,
            [this] {
              wire_.resume();
              pump();
            },
            [this] { client_gone("standard output"); }),
        input_(
            worker_, in, [this](std::string_view bytes) { take(bytes); }, [this] { take_end(); }),
        wire_(
            pool_, credentials_, log, settings, std::move(target), talk_, [this] { take_piece(); },
            [this] { return output_.backlog() < most_unread; }),
        alarm_(worker_, [this] { on_alarm(); }),
        looking_(worker_, milliseconds(500), [this] { look_who_is_waited_for(); }),
        signals_(worker_, net::descriptor(signal_descriptor()), [this](int number) { on_signal(number); }),
        parent_(worker_, net::descriptor(parent_descriptor()),
                [this](int) { client_gone("the parent process"); }) {}

  bridge_exit run() {
    output_.start();
    input_.start();
    if (settings_.drop_in) net::spawn(first_token(*this));
    worker_.run();
    input_.stop();
    credentials_.stop();
    blocking_.reset();
    return code_;
  }

 private:
  static int signal_descriptor() {
    auto set = ending_signals();
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  // Whoever started us may die without closing anything that we would notice.
  static int parent_descriptor() {
    auto parent = ::getppid();
    return parent > 1 ? static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)) : -1;
  }

  // As the guide's program: without a first token there is nothing to do.
  static net::task<void> first_token(bridge_app& app) {
    auto kept = app.credentials_.acquire();
    auto first = co_await std::move(kept);
    // Whether the server takes it, the first request shows.
    if (first && first->generation != 0) co_return;
    auto asking = app.credentials_.prefetch();
    auto token = co_await std::move(asking);
    if (token || app.ending_ || app.told_to_end_) co_return;
    app.log_.tell(told_of_start(token.error(), app.settings_));
    app.code_ = exit_of(token.error(), true);
    app.talk_.on_stop(steady_now());
    app.pump();
  }

  void take(std::string_view bytes) {
    lines_.feed(bytes);
    while (auto line = lines_.next()) hand_on(std::move(*line));
    pump();
  }
  void take_piece() {
    pump();
    if (talk_.waiting() > 0) worker_.stay_awake(between_pieces_);
  }
  void take_end() {
    if (auto line = lines_.rest()) hand_on(std::move(*line));
    talk_.on_client_end(steady_now());
    pump();
  }
  void hand_on(line_splitter::line line) {
    if (line.too_long) {
      talk_.on_line_too_long(steady_now());
    } else {
      talk_.on_line(std::move(line.text), steady_now());
    }
  }
  void client_gone(const std::string& what) {
    log_.write(bridge_log_level::info, "bridge", what + " is gone: ending");
    talk_.on_stop(steady_now());
    pump();
  }
  void on_signal(int number) {
    signalfd_siginfo got{};
    if (::read(number, &got, sizeof got) != static_cast<ssize_t>(sizeof got)) return;
    if (std::exchange(told_to_end_, true)) return worker_.stop();
    talk_.on_stop(steady_now());
    pump();
  }
  void on_alarm() {
    if (ending_) return worker_.stop();
    talk_.on_time(steady_now());
    pump();
  }
  // What a start or a sign-in took, a bridge that has nothing to do lets go of.
  void settle_when_quiet() {
    if (std::exchange(stirred_, false)) {
      unsettled_ = true;
    } else if (unsettled_ && steady_now() >= settle_after_) {
      unsettled_ = false;
      settle_after_ = steady_now() + between_settlings;
      give_back_unused_memory();
    }
  }
  void look_who_is_waited_for() {
    settle_when_quiet();
    if (wire_.open() == 0 && waited_for_.empty()) return;
    auto who = credentials_.waiting_for().value_or("");
    if (who == waited_for_) return;
    waited_for_ = who;
    talk_.on_waiting(waited_for_, steady_now());
    pump();
  }

  // Carries out what the conversation wants, until it wants nothing more. What is carried out may have
  // something to tell it at once.
  void pump() {
    if (std::exchange(pumping_, true)) return;
    while (talk_.has_actions()) {
      for (auto& action : talk_.take_actions()) carry_out(std::move(action));
    }
    pumping_ = false;
    stirred_ = true;
    // Behind the first answer, so that nobody waits for it; a client that goes on at once may never be quiet.
    if (!talk_.output().empty() && !std::exchange(spoken_, true)) worker_.post(give_back_unused_memory);
    // Of many calls the answers go out together; of few, at once, before what else there is to do about them.
    if (wire_.open() > many_open) {
      output_.write_soon(talk_.output());
    } else {
      output_.write(talk_.output());
    }
    bool full = output_.backlog() > 8 * most_unread || talk_.waiting() > most_waiting;
    if (full != std::exchange(full_, full)) input_.pause(full);
    if (talk_.finished()) return end();
    if (auto at = talk_.wake_at()) {
      alarm_.set(*at - steady_now());
    } else {
      alarm_.clear();
    }
  }
  void carry_out(bridge_action action) {
    using kind = enum bridge_action::kind;
    switch (action.kind) {
      case kind::send: return wire_.send(std::move(action));
      case kind::abort: return wire_.abort(action.call);
      case kind::renew: return wire_.renew(action);
      case kind::resume: return wire_.resume();
      case kind::log: return log_.write(action.level, "bridge", action.text);
    }
  }
  void end() {
    output_.write(talk_.output());
    bool said = output_.backlog() == 0 || output_.gone();
    if (said) {
      ending_ = true;
      return worker_.stop();
    }
    if (std::exchange(ending_, true)) return;
    alarm_.set(last_words);
  }

  const bridge_settings& settings_;
  bridge_log& log_;
  net::worker worker_{0};
  std::unique_ptr<net::blocking_pool> blocking_;
  net::upstream_pool pool_;
  bridge_credentials credentials_;
  conversation talk_;
  line_splitter lines_;
  net::stdio_output output_;
  net::stdio_input input_;
  bridge_wire wire_;
  alarm alarm_;
  net::periodic looking_;
  net::readable signals_, parent_;
  std::string waited_for_;
  bridge_exit code_ = bridge_exit::ok;
  bool pumping_ = false, full_ = false, ending_ = false, told_to_end_ = false;
  bool spoken_ = false, stirred_ = false, unsettled_ = false;
  milliseconds settle_after_{0};
  const std::chrono::microseconds between_pieces_ = time_between_pieces();
};

}  // namespace

bridge_exit serve_bridge(const bridge_settings& settings, bridge_log& log, const environment_fn& environment,
                         int in, int out) {
  keep_large_memory_at_hand();
  auto set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto target = target_of(settings, environment);
  if (!target) {
    log.tell("failed to load config: " + target.error().detail);
    return bridge_exit::usage;
  }
  if (target->proxy)
    log.write(bridge_log_level::info, "bridge", "through a proxy", {{"host", target->proxy->host}});
  bridge_app app(settings, log, std::move(*target), in, out);
  return app.run();
}

}  // namespace mcp_oauth
