#include "net/server.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <list>
#include <optional>
#include <system_error>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

// "192.0.2.7"; an IPv4 peer of an IPv6 listener is written as what it is.
std::string text_of(const sockaddr_storage& where) {
  char text[INET6_ADDRSTRLEN] = "local";
  if (where.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(where).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &address, text, sizeof text);
    }
  } else if (where.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(where).sin_addr, text, sizeof text);
  }
  return text;
}

// A connection whose last answer is out: wait for the peer to close first, so that bytes it still sends do
// not turn into a reset that destroys the answer (RFC 9112 §9.6). Many send all of a body before they read.
task<void> linger(channel& client) {
  constexpr milliseconds silence{2000};
  constexpr std::uint64_t most_ms = 30'000;
  client.shut_output();
  auto until = client.loop().coarse_ms() + most_ms;
  while (client.loop().coarse_ms() < until) {
    client.consume(client.input().size());
    auto got = co_await client.more(silence);
    if (got != io::ok) break;
  }
}

}  // namespace

// Takes the connections that a listening descriptor has.
class server::acceptor final : private watcher, private timed {
 public:
  acceptor(state& s, descriptor listening) : state_(s), listening_(std::move(listening)) {}
  ~acceptor() override { close(); }

  void begin();
  // Takes those that are there; true: there may be more.
  bool take(int most);
  void close();

 private:
  void on_events(std::uint32_t) override;
  void on_deadline() override { on_events(EPOLLIN); }

  state& state_;
  descriptor listening_;
};

struct server::state {
  struct entry {
    std::shared_ptr<channel> client;
    exchange* current = nullptr;
    bool idle = true;
  };

  state(server& s, worker& w)
      : owner(s),
        loop(w),
        limits(std::make_shared<const exchange_limits>(s.options_.limits)),
        most_connections(s.options_.most_connections) {}

  server& owner;
  worker& loop;
  std::unique_ptr<service> answers;
  std::unique_ptr<acceptor> accepting;
  std::shared_ptr<const tls_context> tls;
  std::shared_ptr<const exchange_limits> limits;
  std::size_t most_connections;
  std::list<entry> sessions;
  bool draining = false;

  // How many sessions are left, for the thread that waits for the end.
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t active = 0;
  bool drained = false;  // what the kernel had accepted has become a session

  void begin() {
    std::lock_guard lock(mutex);
    ++active;
  }
  void end() {
    std::lock_guard lock(mutex);
    --active;
    ended.notify_all();
  }
};

server::server(server_options options, std::function<std::unique_ptr<service>(worker&)> make_service)
    : options_(std::move(options)), make_service_(std::move(make_service)) {
  for (unsigned i = 0; i < std::max(1U, options_.workers); ++i) {
    workers_.push_back(std::make_unique<worker>(i));
    states_.push_back(std::make_unique<state>(*this, *workers_.back()));
    states_.back()->answers = make_service_(*workers_.back());
  }
}

server::~server() { stop(); }

service& server::service_of(unsigned index) { return *states_[index]->answers; }

result<listeners> reserve_port(server_options& options) {
  return open_listeners(options.host, options.port, std::max(1U, options.workers), options.listen_patience);
}

result<void> server::start(listeners open) {
  if (open.count() != states_.size()) return fail(errc::internal, "listeners and workers differ");
  auto descriptors = open.take();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    auto& s = *states_[i];
    int fd = descriptors[i];
    s.accepting = std::make_unique<acceptor>(s, descriptor(fd));
    s.loop.post([&s] { s.accepting->begin(); });
  }
  launch();
  return {};
}

void server::start_unbound() { launch(); }

void server::launch() {
  for (auto& w : workers_) threads_.emplace_back([loop = w.get()] { loop->run(); });
}

void server::use_tls(std::shared_ptr<const tls_context> context) {
  for (auto& s : states_) {
    s->loop.post([state = s.get(), context] { state->tls = context; });
  }
}

void server::use_limits(const exchange_limits& limits, std::size_t most_connections) {
  auto shared = std::make_shared<const exchange_limits>(limits);
  for (auto& s : states_) {
    s->loop.post([state = s.get(), shared, most_connections] {
      state->limits = shared;
      state->most_connections = most_connections;
    });
  }
}

void server::adopt(int number, unsigned worker_index, std::string peer) {
  auto& s = *states_[worker_index];
  ::fcntl(number, F_SETFL, ::fcntl(number, F_GETFL) | O_NONBLOCK);
  // Owned on the way: a worker that has ended destroys what it was posted.
  s.loop.post([&s, owned = std::make_shared<descriptor>(number), from = std::move(peer)] {
    auto client = std::make_shared<channel>(s.loop, std::move(*owned));
    spawn(session(s, std::move(client), from));
  });
}

void server::acceptor::begin() {
  // The one descriptor that nothing works without.
  if (!state_.loop.watch(listening_.number(), *this))
    throw std::system_error(errno, std::system_category(), "epoll");
}

void server::acceptor::close() {
  state_.loop.deadlines().clear(*this);
  state_.loop.forget(*this);
  listening_.close();
}

bool server::acceptor::take(int most) {
  for (int i = 0; i < most; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    descriptor peer(::accept4(listening_.number(), reinterpret_cast<sockaddr*>(&from), &size,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!peer) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      // Out of descriptors or memory: let others end first.
      if (errno != EAGAIN) state_.loop.deadlines().set(*this, 100);
      return false;
    }
    auto client = std::make_shared<channel>(state_.loop, std::move(peer));
    spawn(session(state_, std::move(client), text_of(from)));
  }
  return true;
}

void server::acceptor::on_events(std::uint32_t) {
  if (listening_ && take(64)) state_.loop.again(*this, EPOLLIN);
}

task<void> server::session(state& s, std::shared_ptr<channel> client, std::string peer) {
  struct membership {
    state& s;
    std::list<state::entry>::iterator me;
    membership(state& of, const std::shared_ptr<channel>& c) : s(of) {
      s.begin();
      ++s.loop.connections;
      state::entry added;
      added.client = c;
      me = s.sessions.insert(s.sessions.end(), std::move(added));
    }
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;
    ~membership() {
      me->client->abort();
      s.sessions.erase(me);
      --s.loop.connections;
      s.end();
    }
  };
  membership here(s, client);
  // Kept: the exchange refers to them for as long as the connection lasts.
  const auto kept_limits = s.limits;
  const auto& limits = *kept_limits;

  bool too_many = s.loop.connections > s.most_connections / s.owner.states_.size() + 1;
  if (s.tls) {
    if (too_many)
      co_return;  // an answer would take a handshake, and hold the place for as long as that may last
    std::string no_name;
    auto shaken = co_await client->handshake(s.tls, tls_session::role::server, no_name, limits.header);
    if (shaken != io::ok) co_return;
  }
  exchange x(client, limits, std::move(peer));
  here.me->current = &x;
  x.watch_drain(s.draining);
  if (too_many) {
    // At once: a connection that says nothing must not hold a place by that.
    http_response refusal = s.answers->refuse(error{errc::too_many_connections, {}}, x);
    x.close_after();
    co_await x.respond(refusal);
    // Closing with the request unread would reset the connection, and the answer with it.
    client->shut_output();
    co_await client->more(milliseconds(100));
    co_return;
  }
  for (;;) {
    here.me->idle = true;
    auto arrived = co_await x.next();
    here.me->idle = false;
    if (!arrived) {
      http_response refusal = s.answers->refuse(arrived.error(), x);
      x.close_after();
      co_await x.respond(refusal);
      break;
    }
    if (!*arrived) co_return;
    bool threw = false;
    try {
      co_await s.answers->serve(x);
    } catch (const std::exception&) {
      threw = true;  // a defect, or no memory: it ends this connection, not the others
    }
    if (threw && x.answered()) co_return;
    if (threw) {
      http_response refusal = s.answers->refuse(error{errc::internal, "an exception"}, x);
      x.close_after();
      co_await x.respond(refusal);
    }
    if (!x.answered()) co_return;
    if (!x.keep_alive()) break;
  }
  here.me->idle = true;
  co_await linger(*client);
}

std::size_t server::connections() const {
  std::size_t sum = 0;
  for (const auto& s : states_) {
    std::lock_guard lock(s->mutex);
    sum += s->active;
  }
  return sum;
}

void server::stop() {
  if (std::exchange(stopped_, true)) return;
  auto deadline = std::chrono::steady_clock::now() + options_.drain;
  for (auto& s : states_) {
    s->loop.post([state = s.get()] {
      state->draining = true;
      // Connections that the kernel has already accepted for us would be reset with the listener: take them
      // first.
      if (state->accepting) {
        state->accepting->take(4096);  // as many as the backlog holds
        state->accepting->close();
      }
      std::vector<exchange*> under_way;
      for (auto& e : state->sessions) {
        if (e.current != nullptr && !e.idle) under_way.push_back(e.current);
      }
      for (auto* x : under_way) x->begin_drain();
      std::lock_guard lock(state->mutex);
      state->drained = true;
      state->ended.notify_all();
    });
  }
  auto abort_sessions = [this](bool idle_only) {
    for (auto& s : states_) {
      s->loop.post([state = s.get(), idle_only] {
        // Aborting one ends it at once and takes it off the list.
        std::vector<std::shared_ptr<channel>> going;
        for (auto& e : state->sessions) {
          if (!idle_only || e.idle) going.push_back(e.client);
        }
        for (auto& c : going) c->hang_up();
      });
    }
  };
  auto wait_until = [this](std::chrono::steady_clock::time_point when) {
    bool all = true;
    for (auto& s : states_) {
      std::unique_lock lock(s->mutex);
      all = s->ended.wait_until(lock, when, [&] { return s->drained && s->active == 0; }) && all;
    }
    return all;
  };
  // A kept connection may be about to carry its next request: it gets a moment, and an answer that says
  // close.
  auto grace = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(500));
  if (!threads_.empty() && !wait_until(grace)) {
    abort_sessions(true);
    if (!wait_until(deadline)) {
      abort_sessions(false);
      wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(5));
    }
  }
  for (auto& w : workers_) w->stop();
  for (auto& t : threads_) t.join();
  threads_.clear();
}

}  // namespace mcp_oauth::net
