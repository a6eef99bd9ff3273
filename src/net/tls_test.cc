#include "net/tls.h"

#include "net/relay.h"
#include "net/server.h"
#include "net/test_certificate.h"
#include "net/test_peer.h"

#include <coroutine>
#include <cstdio>
#include <filesystem>
#include <future>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace mcp_oauth::net {
namespace {

class hello final : public service {
 public:
  task<void> serve(exchange& x) override {
    http_response answer;
    auto read = co_await x.read_all(answer.body, 1 << 20);
    if (!read) {
      answer.status = 413;
      x.close_after();
    }
    answer.body += "hello";
    co_await x.respond(answer);
  }
  http_response refuse(const error&, const exchange&) override { return {}; }
};

// A TLS client over a socket pair, one step after the other.
class tls_client {
 public:
  explicit tls_client(int fd) : fd_(fd), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    SSL_set_fd(ssl_, fd_);
  }
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;
  ~tls_client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  void at_most(int version) { SSL_set_max_proto_version(ssl_, version); }
  bool connect() { return SSL_connect(ssl_) == 1; }
  bool send(const std::string& text) {
    return SSL_write(ssl_, text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }
  std::string receive() {
    char buffer[65536];
    int n = SSL_read(ssl_, buffer, sizeof buffer);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
  // Whether the stream ended with a goodbye, without which a client cannot tell an end from a cut.
  bool was_said_goodbye() { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  std::string peer_name() {
    X509* cert = SSL_get1_peer_certificate(ssl_);
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    X509_free(cert);
    return name;
  }

 private:
  int fd_;
  SSL_CTX* context_;
  SSL* ssl_;
};

class Tls : public testing::Test {
 protected:
  void use(const test_certificate& c) {
    auto context = tls_context::server(c.cert_file, c.key_file);
    ASSERT_TRUE(context) << context.error().detail;
    made.use_tls(*context);
  }
  std::unique_ptr<tls_client> connect() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    timeval five_seconds{5, 0};
    ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
    made.adopt(ends[1]);
    return std::make_unique<tls_client>(ends[0]);
  }
  server made{server_options{}, [](worker&) { return std::make_unique<hello>(); }};
};

TEST_F(Tls, IsHeardByWhoSendsAllOfARefusedBodyFirst) {
  test_certificate cert("any");
  made.start_unbound();
  use(cert);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto client = connect();
    client->at_most(version);
    ASSERT_TRUE(client->connect());
    ASSERT_TRUE(client->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n"));
    EXPECT_TRUE(client->send(std::string(4'000'000, 'x')));
    EXPECT_NE(client->receive().find("413"), std::string::npos);
  }
}

TEST_F(Tls, AnswersSaysGoodbyeAndServesANewCertificateToNewConnections) {
  test_certificate first("first"), second("second");
  made.start_unbound();
  use(first);
  auto early = connect();
  ASSERT_TRUE(early->connect());
  EXPECT_EQ(early->peer_name(), "first");
  use(second);
  auto late = connect();
  ASSERT_TRUE(late->connect());
  EXPECT_EQ(late->peer_name(), "second");
  early->send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto answer = early->receive();
  EXPECT_NE(answer.find("hello"), std::string::npos) << "head and body in one record: " << answer;
  EXPECT_EQ(early->receive(), "");
  EXPECT_TRUE(early->was_said_goodbye());
  early.reset();
  late.reset();
  made.stop();
}

TEST_F(Tls, MovesBodiesLargerThanARecord) {
  test_certificate cert("cert");
  made.start_unbound();
  use(cert);
  auto client = connect();
  ASSERT_TRUE(client->connect());
  std::string body(300'000, 'b');
  std::thread sending([&] {
    client->send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + body);
  });
  sending.join();
  std::string all;
  for (auto piece = client->receive(); !piece.empty(); piece = client->receive()) all += piece;
  EXPECT_EQ(all.substr(all.size() - 300'005), body + "hello");
  client.reset();
  made.stop();
}

TEST_F(Tls, RefusesOldVersionsAndClearText) {
  test_certificate cert("cert");
  made.start_unbound();
  use(cert);
  auto old = connect();
  old->at_most(TLS1_1_VERSION);
  EXPECT_FALSE(old->connect());
  auto [clear, theirs] = test_peer::pair();
  made.adopt(theirs);
  clear.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(clear.rest().find("HTTP/1.1"), std::string::npos);
  made.stop();
}

TEST(TlsContext, NamesTheFileThatIsWrong) {
  test_certificate a("a"), b("b");
  auto missing = tls_context::server("/nowhere.crt", a.key_file);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, errc::tls_certificate_invalid);
  EXPECT_EQ(missing.error().detail, "tls.cert_file /nowhere.crt: No such file or directory");
  auto no_key = tls_context::server(a.cert_file, "/nowhere.key");
  EXPECT_EQ(no_key.error().detail, "tls.key_file /nowhere.key: No such file or directory");
  auto swapped = tls_context::server(a.key_file, a.key_file);
  ASSERT_FALSE(swapped);
  EXPECT_EQ(swapped.error().detail.find("lib"), std::string::npos) << swapped.error().detail;
  auto mixed = tls_context::server(a.cert_file, b.key_file);
  ASSERT_FALSE(mixed);
  EXPECT_NE(mixed.error().detail.find(b.key_file), std::string::npos);
  auto no_ca = tls_context::client("/nowhere.pem");
  ASSERT_FALSE(no_ca);
  EXPECT_EQ(no_ca.error().code, errc::ca_file_invalid);
  EXPECT_EQ(no_ca.error().detail, "upstream_ca_file /nowhere.pem: No such file or directory");
  auto no_certificate = tls_context::client(a.key_file);
  ASSERT_FALSE(no_certificate);
  EXPECT_EQ(no_certificate.error().code, errc::ca_file_invalid);
  EXPECT_EQ(no_certificate.error().detail.find(" lib"), std::string::npos) << no_certificate.error().detail;
}

TEST(TlsContext, SaysForWhomAndForHowLongItsCertificateIsGood) {
  auto now = std::chrono::system_clock::now();
  test_certificate cert("cn.example", "IP:127.0.0.1,IP:::1,DNS:*.example.org", -100, 200);
  auto context = tls_context::server(cert.cert_file, cert.key_file);
  ASSERT_TRUE(context);
  auto about = (*context)->shown_to("a.example.org");
  EXPECT_TRUE(about.is_for_host);
  EXPECT_LT(std::chrono::abs(about.begins - (now - seconds(100))), seconds(30));
  EXPECT_LT(std::chrono::abs(about.ends - (now + seconds(200))), seconds(30));
  EXPECT_EQ(about.names, (std::vector<std::string>{"127.0.0.1", "::1", "*.example.org"}));
  for (const char* good : {"127.0.0.1", "::1"}) EXPECT_TRUE((*context)->shown_to(good).is_for_host) << good;
  for (const char* bad : {"127.0.0.2", "example.org", "a.b.example.org", "cn.example", ""})
    EXPECT_FALSE((*context)->shown_to(bad).is_for_host) << bad;
  EXPECT_EQ((*tls_context::client(""))->shown_to("localhost").names.size(), 0U) << "a client shows none";
}

// Calls an upstream over TLS on the loopback and says what came of it.
class calling final : public service {
 public:
  calling(worker& w, blocking_pool& blocking, const upstream_target& target)
      : pool_(w, blocking), target_(target) {}
  task<void> serve(exchange& x) override {
    http_response answer;
    auto leased = co_await pool_.acquire(target_, upstream_pool::freshness::fresh);
    answer.body = leased ? "connected" : leased.error().detail;
    answer.status = leased ? 200 : leased.error().code == errc::upstream_tls_failed ? 502 : 500;
    if (leased) leased->drop();
    co_await x.respond(answer);
  }
  http_response refuse(const error&, const exchange&) override { return {}; }

 private:
  upstream_pool pool_;
  const upstream_target& target_;
};

TEST(TlsToUpstream, IsVerifiedByAuthorityAndName) {
  test_certificate cert("up"), stranger("stranger");
  server_options options;
  auto held = reserve_port(options);
  ASSERT_TRUE(held);
  server up(options, [](worker&) { return std::make_unique<hello>(); });
  up.use_tls(*tls_context::server(cert.cert_file, cert.key_file));
  ASSERT_TRUE(up.start(std::move(*held)));

  auto outcome = [&](const std::string& host, const std::string& ca_file) {
    upstream_target target;
    target.host = host;
    target.port = up.port();
    target.authority = host;
    target.tls = *tls_context::client(ca_file);
    target.connect_timeout = milliseconds(3000);
    blocking_pool blocking(1);
    server front(server_options{}, [&](worker& w) { return std::make_unique<calling>(w, blocking, target); });
    front.start_unbound();
    auto [client, theirs] = test_peer::pair();
    front.adopt(theirs);
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    auto answer = client.rest();
    client.close();
    front.stop();
    return answer;
  };
  EXPECT_EQ(outcome("127.0.0.1", cert.cert_file).substr(9, 3), "200");
  EXPECT_EQ(outcome("localhost", cert.cert_file).substr(9, 3), "200");
  auto untrusted = outcome("127.0.0.1", stranger.cert_file);
  EXPECT_EQ(untrusted.substr(9, 3), "502");
  EXPECT_NE(untrusted.find("self-signed"), std::string::npos) << untrusted;
  test_certificate other("other", "IP:127.0.0.9,DNS:other.example");
  up.use_tls(*tls_context::server(other.cert_file, other.key_file));
  EXPECT_EQ(outcome("127.0.0.1", other.cert_file).substr(9, 3), "502") << "trusted, but for another name";
  EXPECT_EQ(outcome("localhost", other.cert_file).substr(9, 3), "502");
  up.stop();
}

// Somebody who waits elsewhere, as with a peer that reads slowly, until the test wakes it.
struct busy_elsewhere {
  std::binary_semaphore began{0};
  std::coroutine_handle<> waiting;

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    waiting = h;
    began.release();
  }
  void await_resume() const {}
};

// More than the block that is read into first: a part of it stays behind in the session.
const std::string long_record(12'000, '.');
const std::string last_record = "the last";

// Reads both, and is busy after the first piece.
class two_steps final : public service {
 public:
  explicit two_steps(busy_elsewhere& elsewhere) : elsewhere_(elsewhere) {}
  task<void> serve(exchange& x) override {
    auto& client = x.client();
    std::string seen;
    for (int i = 0; seen.size() < long_record.size() + last_record.size(); ++i) {
      auto got = io::ok;
      if (client.input().empty()) got = co_await client.more(milliseconds(3000));
      seen += client.input();
      client.consume(client.input().size());
      if (got != io::ok) break;
      auto& elsewhere =
          elsewhere_;  // g++ 12 reads a member in a co_await through a null `this`, by its sanitizer
      if (i == 0) co_await elsewhere;
    }
    http_response answer;
    answer.body = seen;
    co_await x.respond(answer);
  }
  http_response refuse(const error&, const exchange&) override { return {}; }

 private:
  busy_elsewhere& elsewhere_;
};

TEST(TlsRecords, AreAllReadHoweverTheyCome) {
  test_certificate cert("records");
  auto context = tls_context::server(cert.cert_file, cert.key_file);
  ASSERT_TRUE(context);
  busy_elsewhere elsewhere;
  server made{server_options{}, [&](worker&) { return std::make_unique<two_steps>(elsewhere); }};
  made.use_tls(*context);
  made.start_unbound();
  int ends[2], wire[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  made.adopt(ends[1]);
  // The client writes into a pair of its own: the test says when its bytes arrive.
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire), 0);
  std::thread pump([&] {
    char bytes[4096];
    for (ssize_t n = ::recv(ends[0], bytes, sizeof bytes, 0); n > 0;
         n = ::recv(ends[0], bytes, sizeof bytes, 0))
      ::send(wire[1], bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL);
    ::shutdown(wire[1], SHUT_WR);
  });
  auto carry = [&] {
    char bytes[32 * 1024];
    auto n = ::recv(wire[1], bytes, sizeof bytes, 0);
    ASSERT_GT(n, 0);
    ASSERT_EQ(::send(ends[0], bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL), n);
  };
  {
    tls_client client(wire[0]);
    auto shaken = std::async(std::launch::async, [&] { return client.connect(); });
    carry();  // the hello
    carry();  // and what ends the handshake
    ASSERT_TRUE(shaken.get());
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                std::to_string(long_record.size() + last_record.size()) + "\r\n\r\n");
    carry();
    client.send(long_record);
    carry();
    elsewhere.began.acquire();
    client.send(last_record);
    carry();
    // Its event stands before this one.
    made.workers()[0]->post([&] { elsewhere.waiting.resume(); });
    std::string answer;
    for (auto piece = client.receive(); !piece.empty(); piece = client.receive()) {
      answer += piece;
      if (answer.ends_with(last_record)) break;
    }
    EXPECT_TRUE(answer.ends_with(long_record + last_record)) << answer.size() << " bytes";
    ::shutdown(ends[0], SHUT_RDWR);
    made.stop();
    pump.join();
  }
  ::close(ends[0]);
  ::close(wire[1]);
}

}  // namespace
}  // namespace mcp_oauth::net
