#include "app/bridge_callback.h"

#include "net/channel.h"
#include "net/exchange.h"
#include "net/listen.h"

#include <cerrno>
#include <chrono>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace mcp_oauth {
namespace {

constexpr milliseconds glance{20};
constexpr int most_sessions = 32;
constexpr auto longest_hold = std::chrono::seconds(90);

// A descriptor that listens, or the system's reason.
result<net::descriptor> listen_at(bool ipv6, std::uint16_t port) {
  net::descriptor fd(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(errc::listen_denied, "the machine has no such address");
  int on = 1;
  ::setsockopt(fd.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage where{};
  socklen_t size = 0;
  if (ipv6) {
    ::setsockopt(fd.number(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto& a = reinterpret_cast<sockaddr_in6&>(where);
    a.sin6_family = AF_INET6;
    a.sin6_addr = in6addr_loopback;
    a.sin6_port = htons(port);
    size = sizeof a;
  } else {
    auto& a = reinterpret_cast<sockaddr_in&>(where);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    size = sizeof a;
  }
  if (::bind(fd.number(), reinterpret_cast<sockaddr*>(&where), size) != 0 || ::listen(fd.number(), 16) != 0)
    return fail(errno == EADDRINUSE ? errc::listen_in_use : errc::listen_denied, "");
  return fd;
}

std::uint16_t port_of(const net::descriptor& fd) {
  sockaddr_storage where{};
  socklen_t size = sizeof where;
  ::getsockname(fd.number(), reinterpret_cast<sockaddr*>(&where), &size);
  return ntohs(where.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(where).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(where).sin_port);
}

tl::unexpected<error> in_use(const std::string& host, std::uint16_t port) {
  auto holder = net::port_holder(port);
  return fail(errc::listen_in_use, "listen EADDRINUSE: address already in use " + host + ":" +
                                       std::to_string(port) + (holder.empty() ? "" : ", held by " + holder));
}

}  // namespace

struct bridge_callback::state {
  state(net::worker& w, bridge_log& l) : worker(w), log(l) { limits.head = 16 * 1024; }
  net::worker& worker;
  bridge_log& log;
  net::exchange_limits limits;
  std::vector<std::unique_ptr<acceptor>> acceptors;
  std::uint16_t port = 0;
  std::string expected, redirect_uri;
  std::optional<callback_answer> answer;
  // For each sign-in that was expected here: what its browser is told, and whether one waits for that.
  struct round {
    std::optional<http_response> page;
    bool awaited = false;
  };
  std::vector<round> rounds;
  unsigned ignored = 0;
  int sessions = 0;
  bool closed = false;
};

class bridge_callback::acceptor final : private net::watcher {
 public:
  acceptor(std::shared_ptr<state> s, net::descriptor fd) : state_(s), worker_(s->worker), fd_(std::move(fd)) {
    watched_ = worker_.watch(fd_.number(), *this);
  }
  ~acceptor() override {
    if (watched_) worker_.forget(*this);
  }

 private:
  void on_events(std::uint32_t) override {
    while (true) {
      net::descriptor peer(::accept4(fd_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      auto s = state_.lock();
      if (!peer || !s) return;
      if (s->sessions >= most_sessions) continue;
      auto client = std::make_shared<net::channel>(worker_, std::move(peer));
      net::spawn(session(std::move(s), std::move(client)));
    }
  }
  std::weak_ptr<state> state_;
  net::worker& worker_;
  net::descriptor fd_;
  bool watched_ = false;
};

result<std::unique_ptr<bridge_callback>> bridge_callback::open(net::worker& worker, bridge_log& log,
                                                               const std::string& host,
                                                               std::optional<std::uint16_t> port) {
  bool v6_only = host == "::1", both = host == "localhost";
  std::vector<net::descriptor> open;
  for (int tries = 0; open.empty() && tries < 16; ++tries) {
    auto first = listen_at(v6_only, port.value_or(0));
    if (!first && both && first.error().code == errc::listen_denied) {
      first = listen_at(true, port.value_or(0));  // a machine without IPv4
      both = false;
    }
    if (!first && first.error().code == errc::listen_in_use)
      return in_use(host == "localhost" ? (both ? "127.0.0.1" : "[::1]") : host, port.value_or(0));
    if (!first) return fail(errc::listen_denied, "cannot listen on " + host);
    auto got = port_of(*first);
    open.push_back(std::move(*first));
    if (!both) break;
    auto second = listen_at(true, got);
    if (second) {
      open.push_back(std::move(*second));
    } else if (second.error().code == errc::listen_in_use) {
      // Somebody else has that port on the other stack: a browser may go there.
      open.clear();
      if (port) return in_use("[::1]", got);
    }
  }
  if (open.empty()) return fail(errc::listen_in_use, "no port is free on both 127.0.0.1 and [::1]");
  auto shared = std::make_shared<state>(worker, log);
  shared->port = port_of(open.front());
  for (auto& fd : open) shared->acceptors.push_back(std::make_unique<acceptor>(shared, std::move(fd)));
  return std::unique_ptr<bridge_callback>(new bridge_callback(std::move(shared)));
}

bridge_callback::~bridge_callback() {
  state_->acceptors.clear();
  state_->closed = true;
}

std::uint16_t bridge_callback::port() const { return state_->port; }
unsigned bridge_callback::ignored() const { return state_->ignored; }
bool bridge_callback::busy() const { return state_->sessions > 0; }

bool bridge_callback::expect(std::string expected, std::string redirect_uri, const std::string& address) {
  bool waits = !state_->rounds.empty() && state_->rounds.back().awaited && !state_->rounds.back().page;
  if (waits) state_->rounds.back().page = callback_redirect(address);
  state_->rounds.emplace_back();
  state_->expected = std::move(expected);
  state_->redirect_uri = std::move(redirect_uri);
  state_->answer.reset();
  return waits;
}

std::optional<callback_answer> bridge_callback::take() { return std::exchange(state_->answer, std::nullopt); }

std::optional<std::string> bridge_callback::paste(std::string_view text) {
  auto judged = judge_pasted(text, state_->expected);
  if (const auto* other = std::get_if<not_the_answer>(&judged)) return other->why;
  state_->expected.clear();
  state_->answer = std::move(std::get<callback_answer>(judged));
  return std::nullopt;
}

void bridge_callback::conclude(http_response page) {
  for (auto& round : state_->rounds) {
    if (!round.page) round.page = page;
  }
}

net::task<void> bridge_callback::session(std::shared_ptr<state> s, std::shared_ptr<net::channel> client) {
  ++s->sessions;
  net::exchange x(client, s->limits, "loopback");
  x.close_after();
  auto arrived = co_await x.next();
  if (arrived && *arrived) {
    const auto& head = x.head();
    auto judged = judge_callback(head.method, head.host, head.path, head.query, s->expected, s->redirect_uri);
    http_response page;
    if (const auto* other = std::get_if<not_the_answer>(&judged)) {
      ++s->ignored;
      s->log.write(bridge_log_level::warn, "sign-in",
                   "a request to the callback is not the answer, and is ignored", {{"why", other->why}});
      page = callback_page(other->status, "Not this sign-in", other->why);
    } else {
      s->expected.clear();
      s->answer = std::move(std::get<callback_answer>(judged));
      // The page tells how it ended, not that it was begun.
      auto mine = s->rounds.size() - 1;
      s->rounds[mine].awaited = true;
      auto until = std::chrono::steady_clock::now() + longest_hold;
      while (!s->rounds[mine].page && !s->closed && std::chrono::steady_clock::now() < until) {
        net::sleep pause(s->worker, glance);
        co_await pause;
      }
      page = s->rounds[mine].page
                 ? *s->rounds[mine].page
                 : callback_page(502, "The sign-in was not finished", "See what the bridge says.");
    }
    co_await x.respond(page);
  }
  client->shut_output();
  co_await client->more(glance);
  client->abort();
  --s->sessions;
}

}  // namespace mcp_oauth
