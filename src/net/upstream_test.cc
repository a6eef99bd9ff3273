#include "net/upstream.h"

#include "net/test_certificate.h"
#include "net/test_peer.h"
#include "net/test_visit.h"

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace mcp_oauth::net {
namespace {

// Rounds of the loop until it holds, at most for ten seconds.
template <class F>
bool turns(worker& w, F holds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds() && std::chrono::steady_clock::now() < until) {
    w.poll();
    std::this_thread::yield();
  }
  return holds();
}

struct attempt {
  bool ended = false, good = false;
  errc code = errc::internal;
  std::string why;
};

task<void> connect_to(upstream_pool& pool, const upstream_target& target, attempt& seen) {
  auto leased = co_await pool.acquire(target, upstream_pool::freshness::any);
  seen.ended = true;
  seen.good = leased.has_value();
  if (leased) co_return;
  seen.code = leased.error().code;
  seen.why = leased.error().detail;
}

// ---- tunnels of a proxy

upstream_target behind_proxy(std::uint16_t port) {
  upstream_target target;
  target.host = "mcp.test";
  target.port = 8443;
  target.authority = "mcp.test:8443";
  target.proxy = upstream_proxy{"127.0.0.1", port, "Basic x"};
  return target;
}

struct proxied {
  const char* answer;
  bool good;
};

TEST(UpstreamProxy, IsAskedForATunnelAndItsAnswerDecides) {
  for (auto [answer, good] :
       {proxied{"HTTP/1.1 200 OK\r\n\r\n", true},
        proxied{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 Fine\r\n\r\n", true},
        proxied{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", false},
        proxied{"SSH-2.0\r\n\r\n", false},
        proxied{"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        proxied{"", false}}) {
    attempt seen;
    std::string asked;
    one_visit proxy([&, said = std::string(answer)](int client) {
      asked = received(client);
      send_all(client, said);
    });
    worker w(0);
    blocking_pool blocking(1);
    upstream_pool pool(w, blocking);
    auto target = behind_proxy(proxy.port());
    spawn(connect_to(pool, target, seen));
    EXPECT_TRUE(turns(w, [&] { return seen.ended; }));
    proxy.end();
    EXPECT_EQ(seen.good, good) << answer << seen.why;
    EXPECT_EQ(
        asked,
        "CONNECT mcp.test:8443 HTTP/1.1\r\nHost: mcp.test:8443\r\nProxy-Authorization: Basic x\r\n\r\n");
  }
}

TEST(UpstreamProxy, CannotAnswerInTheNameOfAServerThatSpeaksTls) {
  test_certificate cert("up", "DNS:mcp.test");
  auto of_server = tls_context::server(cert.cert_file, cert.key_file);
  ASSERT_TRUE(of_server);
  for (const char* behind : {"", "H", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}) {
    attempt seen;
    // The tunnel leads to the true server, so that the handshake is not what fails.
    one_visit proxy([&](int client) {
      received(client);
      send_all(client, std::string("HTTP/1.1 200 OK\r\n\r\n") + behind);
      SSL* ssl = SSL_new((*of_server)->native());
      SSL_set_fd(ssl, client);
      SSL_accept(ssl);
      SSL_free(ssl);
    });
    worker w(0);
    blocking_pool blocking(1);
    upstream_pool pool(w, blocking);
    auto target = behind_proxy(proxy.port());
    target.tls = *tls_context::client(cert.cert_file);
    spawn(connect_to(pool, target, seen));
    EXPECT_TRUE(turns(w, [&] { return seen.ended; }));
    proxy.end();
    bool honest = *behind == '\0';
    EXPECT_EQ(seen.good, honest) << behind << seen.why;
    if (honest) continue;
    EXPECT_EQ(seen.code, errc::upstream_proxy_refused) << behind;
    EXPECT_NE(seen.why.find("sent more behind its answer to CONNECT mcp.test:8443"), std::string::npos)
        << seen.why;
  }
}

struct shaken {
  bool ended = false;
  io how = io::ok;
};

task<void> shake_after_input(std::shared_ptr<channel> stream, std::shared_ptr<const tls_context> context,
                             shaken& seen) {
  co_await stream->more(milliseconds(3000));
  std::string name;
  seen.how = co_await stream->handshake(context, tls_session::role::server, name, milliseconds(500));
  seen.ended = true;
}

TEST(TlsOnAChannel, DoesNotBeginBehindBytesThatCameInClear) {
  test_certificate cert("any");
  auto context = tls_context::server(cert.cert_file, cert.key_file);
  ASSERT_TRUE(context);
  shaken seen;
  worker w(0);
  auto [peer, ours] = test_peer::pair();
  ::fcntl(ours, F_SETFL, ::fcntl(ours, F_GETFL) | O_NONBLOCK);
  auto stream = std::make_shared<channel>(w, descriptor(ours));
  spawn(shake_after_input(stream, *context, seen));
  peer.send("GET / HTTP/1.1\r\n");
  EXPECT_TRUE(turns(w, [&] { return seen.ended; }));
  EXPECT_EQ(seen.how, io::failed) << "at once, not at the deadline";
  EXPECT_EQ(stream->tls(), nullptr);
  stream->abort();
}

// ---- how a connection ends

struct ended_as {
  bool ended = false, properly = true;
  io write = io::ok;
  std::string read;
};

// Writes until that fails, and then reads what there is.
task<void> write_then_read(std::shared_ptr<channel> stream, ended_as& seen) {
  std::string text(1000, 'x');
  std::array<iovec, 1> out{piece(text)};
  while (seen.write == io::ok) seen.write = co_await stream->write(out, milliseconds(3000));
  auto got = io::ok;
  while (got == io::ok) {
    got = co_await stream->more(milliseconds(3000));
    seen.read += stream->input();
    stream->consume(stream->input().size());
  }
  seen.properly = stream->ended_properly();
  seen.ended = true;
}

TEST(Channel, RemembersAResetThatAWriteWasToldOf) {
  ended_as seen;
  worker w(0);
  auto [peer, ours] = test_peer::tcp_pair();
  ::fcntl(ours, F_SETFL, ::fcntl(ours, F_GETFL) | O_NONBLOCK);
  EXPECT_EQ(::send(ours, "unread", 6, 0), 6);
  peer.send("half of an answer");
  peer.close();
  auto stream = std::make_shared<channel>(w, descriptor(ours));
  spawn(write_then_read(stream, seen));
  EXPECT_TRUE(turns(w, [&] { return seen.ended; }));
  EXPECT_EQ(seen.write, io::failed);
  EXPECT_FALSE(seen.properly) << seen.read;
  stream->abort();
}

// ---- names

// Threads that are all busy until they are let go.
class busy_pool {
 public:
  busy_pool() {
    std::promise<void> begun;
    EXPECT_TRUE(pool.submit([&begun, until = opened_] {
      begun.set_value();
      until.wait();
    }));
    begun.get_future().wait();
  }
  busy_pool(const busy_pool&) = delete;
  busy_pool& operator=(const busy_pool&) = delete;
  ~busy_pool() { let_go(); }
  void let_go() {
    if (!std::exchange(is_open_, true)) open_.set_value();
  }

 private:
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
  bool is_open_ = false;

 public:
  blocking_pool pool{1};
};

// A worker on a thread of its own, with a pool of connections.
class running_worker {
 public:
  explicit running_worker(blocking_pool& names) : pool_(w_, names), thread_([this] { w_.run(); }) {}
  running_worker(const running_worker&) = delete;
  running_worker& operator=(const running_worker&) = delete;
  ~running_worker() {
    w_.stop();
    thread_.join();
  }
  // Begins, and leaves it to the caller to wait.
  std::future<attempt> begin(const upstream_target& target) {
    auto done = std::make_shared<std::promise<attempt>>();
    w_.post([this, &target, done] { spawn(ask(pool_, target, done)); });
    return done->get_future();
  }
  // What came of it; not `ended` when nothing has within five seconds.
  attempt outcome(const upstream_target& target) {
    auto coming = begin(target);
    return coming.wait_for(std::chrono::seconds(5)) == std::future_status::ready ? coming.get() : attempt{};
  }

 private:
  static task<void> ask(upstream_pool& pool, const upstream_target& target,
                        std::shared_ptr<std::promise<attempt>> done) {
    attempt seen;
    co_await connect_to(pool, target, seen);
    done->set_value(seen);
  }

  worker w_{0};
  upstream_pool pool_;
  std::thread thread_;
};

upstream_target named(std::uint16_t port) {
  upstream_target target;
  target.host = "localhost";
  target.port = port;
  target.authority = "localhost";
  target.ipv4_only = true;
  target.connect_timeout = milliseconds(300);
  return target;
}

TEST(UpstreamNames, AreNotWaitedForLongerThanConnectingMayTake) {
  busy_pool names;
  one_visit server([](int client) { received(client); });
  auto target = named(server.port());
  running_worker w(names.pool);
  // Both wait for the one look-up.
  auto first = w.begin(target);
  auto seen = w.outcome(target);
  ASSERT_TRUE(seen.ended);
  ASSERT_EQ(first.wait_for(std::chrono::seconds(5)), std::future_status::ready);
  EXPECT_EQ(first.get().why, seen.why);
  EXPECT_FALSE(seen.good);
  EXPECT_EQ(seen.code, errc::upstream_unreachable);
  EXPECT_EQ(seen.why, "localhost: the name was not looked up within 300 ms");
  names.let_go();
  target.connect_timeout = milliseconds(5000);
  auto later = w.outcome(target);
  EXPECT_TRUE(later.good) << later.why;
}

TEST(UpstreamNames, LeadWhereTheyLedBeforeWhileNobodyAnswersForThem) {
  auto names = std::make_unique<blocking_pool>(1);
  std::promise<void> open;
  std::uint16_t port = 0;
  upstream_target target;
  {
    running_worker w(*names);
    {
      one_visit server([](int client) { received(client); });
      port = server.port();
      target = named(port);
      ASSERT_TRUE(w.outcome(target).good);
    }
    // Nobody is there any more: so the name will be looked up again.
    auto refused = w.outcome(target);
    EXPECT_EQ(refused.code, errc::upstream_refused);
    std::promise<void> begun;
    ASSERT_TRUE(names->submit([&begun, until = open.get_future().share()] {
      begun.set_value();
      until.wait();
    }));
    begun.get_future().wait();
    auto seen = w.outcome(target);
    EXPECT_TRUE(seen.ended);
    EXPECT_EQ(seen.why, refused.why) << "connected to, though the look-up goes on";
    open.set_value();
    names.reset();
  }
}

}  // namespace
}  // namespace mcp_oauth::net
