#include "net/upstream.h"

#include "base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace mcp_oauth::net {
namespace {

// Per upstream and worker. With more calls in flight than that, connections are made anew again and again.
constexpr std::size_t most_kept = 4096;
constexpr std::uint64_t names_live_ms = 30'000;
constexpr std::uint64_t failures_live_ms = 1'000;
// How long a call waits for a look-up where the name led somewhere before.
constexpr milliseconds patience_with_known{2'000};

// Two upstreams share connections only if they are the same server, spoken to in the same way.
const std::string& key_of(const upstream_target& target) {
  return target.key.empty() ? target.authority : target.key;
}

std::string describe(const sockaddr_storage& where) {
  char text[INET6_ADDRSTRLEN] = "";
  if (where.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(where);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(where);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
}

errc code_of(int why) {
  switch (why) {
    case ECONNREFUSED: return errc::upstream_refused;
    case ETIMEDOUT: return errc::upstream_timeout;
    default: return errc::upstream_unreachable;
  }
}

// Waits until a socket is connected, or is not going to be: the value is an errno, ETIMEDOUT at the deadline.
class connect_awaiter final : private watcher, private timed {
 public:
  connect_awaiter(worker& w, int socket, milliseconds most) : worker_(w), socket_(socket), most_(most) {}
  ~connect_awaiter() override { worker_.forget(*this); }

  bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<> h) {
    waiter_ = h;
    if (!worker_.watch(socket_, *this)) {
      failed_ = ENOMEM;
      return false;
    }
    worker_.deadlines().set(*this, static_cast<std::uint64_t>(most_.count()));
    return true;
  }
  int await_resume() const { return failed_; }

 private:
  void on_events(std::uint32_t) override {
    socklen_t size = sizeof failed_;
    ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &failed_, &size);
    // The first event may say no more than that the socket is there.
    sockaddr_storage peer{};
    size = sizeof peer;
    if (failed_ == 0 && ::getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
    finish();
  }
  void on_deadline() override {
    failed_ = ETIMEDOUT;
    finish();
  }
  void finish() {
    worker_.forget(*this);
    worker_.deadlines().clear(*this);
    std::exchange(waiter_, nullptr).resume();
  }

  worker& worker_;
  int socket_;
  milliseconds most_;
  int failed_ = 0;
  std::coroutine_handle<> waiter_;
};

// An address that stands in the configuration needs no look-up, and no thread for one.
bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// Whose name is looked up.
const std::string& host_asked_for(const upstream_target& target) {
  return target.proxy ? target.proxy->host : target.host;
}
std::uint16_t port_asked_for(const upstream_target& target) {
  return target.proxy ? target.proxy->port : target.port;
}

constexpr std::size_t largest_proxy_answer = 16 * 1024;

}  // namespace

milliseconds announced_keep_alive(const response_head& head) {
  auto value = head.find("keep-alive");
  if (!value) return milliseconds(60'000);
  auto at = value->find("timeout=");
  if (at == std::string_view::npos) return milliseconds(60'000);
  auto digits = value->substr(at + 8);
  digits = digits.substr(0, digits.find_first_not_of("0123456789"));
  auto seconds_kept = parse_decimal(digits);
  if (!seconds_kept || *seconds_kept > 3600) return milliseconds(60'000);
  return milliseconds(*seconds_kept > 1 ? static_cast<std::int64_t>(*seconds_kept) * 1000 - 1000 : 500);
}

upstream_pool::upstream_pool(worker& w, blocking_pool& names)
    : worker_(w), names_(names), sweeping_(w, milliseconds(10'000), [this] { sweep(); }) {}

upstream_pool::~upstream_pool() = default;

upstream_pool::connection::~connection() {
  stream_->listen(nullptr);
  stream_->abort();
}

void upstream_pool::connection::on_gone() {
  // Takes this object with it.
  std::erase_if(of_.idle, [this](const auto& kept) { return kept.get() == this; });
}

task<result<upstream_pool::lease>> upstream_pool::acquire(const upstream_target& target, freshness wanted) {
  auto& at = places_[key_of(target)];
  while (wanted == freshness::any && !at.idle.empty()) {
    auto kept = std::move(at.idle.back());
    at.idle.pop_back();
    kept->stream_->listen(nullptr);
    // Bytes nobody asked for, or an end: not a connection to trust a request to.
    if (kept->until_ms_ > worker_.coarse_ms() && kept->stream_->is_silent()) {
      lease again(std::move(kept), true);
      co_return std::move(again);
    }
  }
  auto made = co_await connect(target, at);
  if (!made) co_return tl::unexpected<error>(made.error());
  lease fresh(std::make_unique<connection>(std::move(*made), at), false);
  co_return std::move(fresh);
}

void upstream_pool::release(lease done, milliseconds keep_for) {
  auto kept = std::move(done.held_);
  auto& idle = kept->of_.idle;
  if (idle.size() >= most_kept || !kept->stream_->is_silent()) return;
  kept->until_ms_ = worker_.coarse_ms() + static_cast<std::uint64_t>(keep_for.count());
  auto* who = kept.get();
  auto stream = kept->stream_;  // it may be gone by now, and take itself out of the pool
  idle.push_back(std::move(kept));
  stream->listen(who);
}

void upstream_pool::sweep() {
  auto now = worker_.coarse_ms();
  for (auto& [key, at] : places_) {
    std::erase_if(at.idle,
                  [now](const auto& kept) { return kept->until_ms_ <= now || !kept->stream_->is_silent(); });
  }
}

// One that is under way. The thread that does it may outlast whoever waits, and the pool.
struct upstream_pool::look_up {
  resolved found;
  bool done = false;     // `found` is there
  bool is_late = false;  // somebody has waited in vain
  std::vector<look_up_awaiter*> waiting;
};

// Waits for the end of a look-up, but no longer than `most`: the value is whether it came.
class upstream_pool::look_up_awaiter final : private timed {
 public:
  look_up_awaiter(worker& w, std::shared_ptr<look_up> of, milliseconds most)
      : worker_(w), of_(std::move(of)), most_(most) {}

  bool await_ready() const { return of_->done; }
  void await_suspend(std::coroutine_handle<> h) {
    waiter_ = h;
    of_->waiting.push_back(this);
    worker_.deadlines().set(*this, static_cast<std::uint64_t>(most_.count()));
  }
  bool await_resume() const { return of_->done; }
  void wake() {
    worker_.deadlines().clear(*this);
    std::exchange(waiter_, nullptr).resume();
  }

 private:
  void on_deadline() override {
    std::erase(of_->waiting, this);
    of_->is_late = true;
    wake();
  }

  worker& worker_;
  std::shared_ptr<look_up> of_;
  milliseconds most_;
  std::coroutine_handle<> waiter_;
};

upstream_pool::resolved upstream_pool::addresses_of(const std::string& host, std::uint16_t port, bool literal,
                                                    int family) {
  resolved found;
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = literal ? AI_NUMERICHOST : AI_ADDRCONFIG;
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
  for (auto* a = list; a != nullptr; a = a->ai_next) {
    if (a->ai_addrlen > sizeof(sockaddr_storage)) continue;
    auto& added = found.endpoints.emplace_back();
    std::memcpy(&added.address, a->ai_addr, a->ai_addrlen);
    added.size = a->ai_addrlen;
  }
  ::freeaddrinfo(list);
  return found;
}

// Nothing: too many wait for a thread.
std::shared_ptr<upstream_pool::look_up> upstream_pool::begin_look_up(const upstream_target& target) {
  auto begun = std::make_shared<look_up>();
  auto job = [begun, &loop = worker_, host = host_asked_for(target), port = port_asked_for(target),
              family = target.ipv4_only ? AF_INET : AF_UNSPEC] {
    loop.post([begun, &loop, answer = addresses_of(host, port, false, family)] {
      begun->found = answer;
      begun->found.until_ms =
          loop.coarse_ms() + (begun->found.endpoints.empty() ? failures_live_ms : names_live_ms);
      begun->done = true;
      for (auto* who : std::exchange(begun->waiting, {})) who->wake();
    });
  };
  if (!names_.submit(std::move(job))) return nullptr;
  return begun;
}

// Also what nobody waited for any more.
void upstream_pool::take_up(place& at) {
  if (at.looking && at.looking->done) at.last = std::move(std::exchange(at.looking, nullptr)->found);
}

task<upstream_pool::resolved> upstream_pool::resolve(const upstream_target& target, place& at) {
  take_up(at);
  if (at.last.until_ms > worker_.coarse_ms()) co_return at.last;
  const auto& host = host_asked_for(target);
  if (is_address(host)) {
    at.last = addresses_of(host, port_asked_for(target), true, target.ipv4_only ? AF_INET : AF_UNSPEC);
    at.last.until_ms = worker_.coarse_ms() + (at.last.endpoints.empty() ? failures_live_ms : names_live_ms);
    co_return at.last;
  }
  // Where the name led before is better than nothing while nobody says where it leads now (RFC 8767).
  bool known = !at.last.endpoints.empty();
  if (!at.looking) at.looking = begin_look_up(target);
  auto under_way = at.looking;
  resolved unknown;
  unknown.failure = host + ": too many look-ups under way";
  if (under_way && !(known && under_way->is_late)) {
    auto most = known ? std::min(target.connect_timeout, patience_with_known) : target.connect_timeout;
    look_up_awaiter coming(worker_, under_way, most);
    bool came = co_await coming;
    take_up(at);
    if (came) co_return at.last;
    unknown.failure = host + ": the name was not looked up within " + std::to_string(most.count()) + " ms";
  }
  if (!at.last.endpoints.empty()) co_return at.last;
  co_return unknown;
}

task<result<std::shared_ptr<channel>>> upstream_pool::connect(const upstream_target& target, place& at) {
  if (target.dial) {
    descriptor dialled(target.dial());
    if (!dialled) co_return fail(errc::upstream_refused, target.authority);
    ::fcntl(dialled.number(), F_SETFL, ::fcntl(dialled.number(), F_GETFL) | O_NONBLOCK);
    co_return std::make_shared<channel>(worker_, std::move(dialled));
  }
  auto found = co_await resolve(target, at);
  if (found.endpoints.empty()) co_return fail(errc::upstream_unreachable, found.failure);
  error last{errc::upstream_unreachable, target.authority};
  for (const auto& to : found.endpoints) {
    auto opened = co_await open(target, to);
    bool final = opened || opened.error().code == errc::upstream_tls_failed ||
                 opened.error().code == errc::upstream_proxy_refused;
    if (final) co_return opened;
    at.last.until_ms = 0;
    bool first = &to == &found.endpoints.front();
    // Who was not reached is the proxy then.
    last.code = target.proxy ? errc::upstream_proxy_refused : opened.error().code;
    last.detail = (first ? "" : last.detail + "; ") + opened.error().detail;
  }
  co_return tl::unexpected<error>(last);
}

task<result<std::shared_ptr<channel>>> upstream_pool::open(const upstream_target& target,
                                                           const endpoint& to) {
  int failed = 0;
  descriptor made(::socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made || ::connect(made.number(), reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0)
    failed = errno;
  if (made && failed == EINPROGRESS) {
    connect_awaiter connecting(worker_, made.number(), target.connect_timeout);
    failed = co_await connecting;
  }
  if (failed != 0) {
    auto name = failed == ECONNREFUSED ? std::string("ECONNREFUSED") : std::string(std::strerror(failed));
    co_return fail(code_of(failed), "connect " + name + " " + describe(to.address));
  }
  auto stream = std::make_shared<channel>(worker_, std::move(made));
  if (target.proxy) {
    auto tunnel = co_await ask_proxy(target, *stream);
    if (!tunnel) {
      stream->abort();
      co_return tl::unexpected<error>(tunnel.error());
    }
  }
  if (target.tls) {
    auto shaken = co_await stream->handshake(target.tls, tls_session::role::client, target.host,
                                             target.connect_timeout);
    if (shaken != io::ok) {
      auto why = stream->tls() != nullptr ? stream->tls()->failure() : std::string("no room for it");
      if (stream->tls() != nullptr && stream->tls()->met_clear_text())
        why += ": the server speaks no TLS here, and its URL begins with https://";
      stream->abort();
      co_return fail(errc::upstream_tls_failed, describe(to.address) + ": " + why);
    }
  }
  co_return stream;
}

// Nothing of what follows is for the proxy: its answer ends where the tunnel begins.
task<result<void>> upstream_pool::ask_proxy(const upstream_target& target, channel& stream) {
  bool v6 = target.host.find(':') != std::string::npos;
  auto where = (v6 ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
  std::string request = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
  if (!target.proxy->authorization.empty())
    request += "Proxy-Authorization: " + target.proxy->authorization + "\r\n";
  request += "\r\n";
  iovec out[] = {piece(request)};
  auto proxy = target.proxy->host + ":" + std::to_string(target.proxy->port);
  auto sent = co_await stream.write(out, target.connect_timeout);
  if (sent != io::ok) co_return fail(errc::upstream_proxy_refused, proxy + " closed");
  for (;;) {
    auto input = stream.input();
    if (auto end = find_head_end(input, 0)) {
      std::string head(input.substr(0, *end));
      response_head answer;
      auto parsed = parse_response_head(head, "CONNECT", answer);
      stream.consume(*end);
      if (!parsed) co_return fail(errc::upstream_proxy_refused, proxy + " does not speak HTTP");
      if (answer.status / 100 == 1) continue;
      // Nobody has asked the server for anything yet, so this is not from it.
      if (answer.status / 100 == 2 && !stream.input().empty())
        co_return fail(errc::upstream_proxy_refused, proxy + " sent more behind its answer to CONNECT " +
                                                         where + ", in the server's place");
      if (answer.status / 100 == 2) co_return result<void>();
      co_return fail(errc::upstream_proxy_refused,
                     proxy + " answered CONNECT " + where + " with " + std::to_string(answer.status));
    }
    if (input.size() > largest_proxy_answer)
      co_return fail(errc::upstream_proxy_refused, proxy + " does not speak HTTP");
    auto got = co_await stream.more(target.connect_timeout);
    if (got == io::timeout)
      co_return fail(errc::upstream_timeout, proxy + " did not answer CONNECT " + where);
    if (got != io::ok) co_return fail(errc::upstream_proxy_refused, proxy + " closed");
  }
}

}  // namespace mcp_oauth::net
