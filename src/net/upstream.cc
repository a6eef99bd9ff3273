#include "net/upstream.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t most_kept = 512;  // per upstream and worker
constexpr std::uint64_t names_live_ms = 30'000;
constexpr std::uint64_t failures_live_ms = 1'000;

// Two upstreams share connections only if they are the same server, spoken to in the same way.
const std::string& key_of(const upstream_target& target) {
  return target.key.empty() ? target.authority : target.key;
}

std::string describe(const asio::generic::stream_protocol::endpoint& e) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto* where = e.data();
  if (where->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(where);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(where);
  inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
}

errc code_of(int why) {
  switch (why) {
    case ECONNREFUSED: return errc::upstream_refused;
    case ETIMEDOUT: return errc::upstream_timeout;
    default: return errc::upstream_unreachable;
  }
}

struct connect_awaiter {
  net::socket& s;
  const asio::generic::stream_protocol::endpoint& to;
  error_code failed;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    s.async_connect(to, [this, h](error_code e) {
      failed = e;
      h.resume();
    });
  }
  void await_resume() const {}
};

// Closes a socket that takes too long to connect.
class connect_deadline final : public timed {
 public:
  connect_deadline(worker& w, net::socket& s, milliseconds most) : socket_(s) {
    w.deadlines().set(*this, static_cast<std::uint64_t>(most.count()));
  }
  bool passed = false;

 private:
  void on_deadline() override {
    passed = true;
    error_code ignored;
    socket_.close(ignored);
  }
  net::socket& socket_;
};

}  // namespace

upstream_pool::upstream_pool(worker& w, blocking_pool& blocking)
    : worker_(w), blocking_(blocking), sweeping_(w, milliseconds(10'000), [this] { sweep(); }) {}

upstream_pool::~upstream_pool() {
  for (auto& [key, list] : idle_) {
    for (auto& k : list) k.connection->abort();
  }
}

task<result<upstream_pool::lease>> upstream_pool::acquire(const upstream_target& target, freshness wanted) {
  if (wanted == freshness::any) {
    auto& list = idle_[key_of(target)];
    while (!list.empty()) {
      auto k = std::move(list.back());
      list.pop_back();
      k.connection->listen(nullptr);
      // Bytes nobody asked for, or an end: not a connection to trust a request to.
      bool usable = k.connection->is_open() && !k.connection->peer_closed() &&
                    k.connection->input().empty() && k.until_ms > worker_.coarse_ms();
      if (usable) {
        lease reused;
        reused.connection = std::move(k.connection);
        reused.reused = true;
        co_return reused;
      }
      k.connection->abort();
    }
  }
  auto made = co_await connect(target);
  if (!made) co_return tl::unexpected<error>(made.error());
  lease fresh;
  fresh.connection = std::move(*made);
  co_return fresh;
}

void upstream_pool::release(const upstream_target& target, std::shared_ptr<channel> connection,
                            milliseconds keep_for) {
  auto& list = idle_[key_of(target)];
  if (list.size() >= most_kept || connection->peer_closed() || !connection->input().empty() ||
      connection->has_hidden_input()) {
    connection->abort();
    return;
  }
  auto own = connection;  // `listen` may find it gone, and `forget` let it go
  auto* raw = own.get();
  kept k;
  k.until_ms = worker_.coarse_ms() + static_cast<std::uint64_t>(keep_for.count());
  k.connection = std::move(connection);
  list.push_back(std::move(k));
  raw->listen([this, key = key_of(target), raw] { forget(key, raw); });
}

void upstream_pool::forget(const std::string& key, channel* gone) {
  std::erase_if(idle_[key], [gone](const kept& k) {
    if (k.connection.get() != gone) return false;
    k.connection->abort();
    return true;
  });
}

void upstream_pool::sweep() {
  auto now = worker_.coarse_ms();
  for (auto& [key, list] : idle_) {
    std::erase_if(list, [now](const kept& k) {
      if (k.until_ms > now && k.connection->input().empty()) return false;
      k.connection->abort();
      return true;
    });
  }
}

task<upstream_pool::resolved> upstream_pool::resolve(const upstream_target& target) {
  auto& name = names_[key_of(target)];
  struct turn {
    name_state& of;
    bool await_ready() const { return !of.looking; }
    void await_suspend(std::coroutine_handle<> h) { of.waiting.push_back(h); }
    void await_resume() const {}
  };
  turn mine{name};
  co_await mine;
  if (name.last.until_ms > worker_.coarse_ms()) co_return name.last;
  name.looking = true;
  auto look_up = [host = target.host, port = target.port] {
    resolved found;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (failed == EAI_ADDRFAMILY || failed == EAI_NONAME || failed == EAI_NODATA) {
      hints.ai_flags = 0;  // a machine with nothing but loopback has no address family "configured"
      failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    }
    if (failed != 0) {
      found.failure = host + ": " + gai_strerror(failed);
      return found;
    }
    for (auto* a = list; a != nullptr; a = a->ai_next)
      found.endpoints.emplace_back(a->ai_addr, a->ai_addrlen);
    ::freeaddrinfo(list);
    return found;
  };
  off_loop looking(worker_, blocking_, look_up);
  auto found = co_await looking;
  if (found.endpoints.empty() && found.failure.empty())
    found.failure = target.host + ": too many look-ups under way";
  found.until_ms = worker_.coarse_ms() + (found.endpoints.empty() ? failures_live_ms : names_live_ms);
  name.last = found;
  name.looking = false;
  auto waiting = std::exchange(name.waiting, {});
  for (auto h : waiting) h.resume();
  co_return found;
}

task<result<std::shared_ptr<channel>>> upstream_pool::connect(const upstream_target& target) {
  if (target.dial) {
    int fd = target.dial();
    if (fd < 0) co_return fail(errc::upstream_refused, target.authority);
    net::socket dialled(worker_.context(), asio::generic::stream_protocol(AF_UNIX, 0), fd);
    co_return std::make_shared<channel>(worker_, std::move(dialled));
  }
  auto places = co_await resolve(target);
  if (places.endpoints.empty()) co_return fail(errc::upstream_unreachable, places.failure);

  error last{errc::upstream_unreachable, target.authority};
  for (std::size_t i = 0; i < places.endpoints.size(); ++i) {
    const auto& place = places.endpoints[i];
    net::socket made(worker_.context());
    error_code failed;
    made.open(place.protocol(), failed);
    if (!failed) {
      connect_awaiter connecting{made, place, {}};
      connect_deadline limit(worker_, made, target.connect_timeout);
      co_await connecting;
      failed = limit.passed ? error_code(ETIMEDOUT, boost::system::system_category()) : connecting.failed;
    }
    if (failed) {
      names_[key_of(target)].last.until_ms = 0;
      last.code = code_of(failed.value());
      auto name = failed.value() == ECONNREFUSED ? std::string("ECONNREFUSED") : failed.message();
      last.detail = (i == 0 ? "" : last.detail + "; ") + "connect " + name + " " + describe(place);
      continue;
    }
    auto connection = std::make_shared<channel>(worker_, std::move(made));
    if (target.tls) {
      auto shaken = co_await connection->handshake(target.tls, tls_session::role::client, target.host,
                                                   target.connect_timeout);
      if (shaken != io::ok) {
        auto why = connection->tls()->failure();
        connection->abort();
        co_return fail(errc::upstream_tls_failed, describe(place) + ": " + why);
      }
    }
    co_return connection;
  }
  co_return tl::unexpected<error>(last);
}

}  // namespace mcp_oauth::net
