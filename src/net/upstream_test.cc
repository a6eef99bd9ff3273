#include "net/upstream.h"

#include "net/test_certificate.h"
#include "net/test_peer.h"
#include "net/test_visit.h"

#include <array>
#include <chrono>
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

}  // namespace
}  // namespace mcp_oauth::net
