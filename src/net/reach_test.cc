#include "net/reach.h"

#include "net/http_client.h"
#include "net/one_answer.h"
#include "net/test_certificate.h"

#include <csignal>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

// Takes one connection, and shakes hands with it where it has a certificate.
class one_peer {
 public:
  explicit one_peer(const test_certificate* shown) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    socklen_t size = sizeof at;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    if (shown != nullptr) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate_file(context_, shown->cert_file.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, shown->key_file.c_str(), SSL_FILETYPE_PEM);
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~one_peer() {
    thread_.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }
  one_peer(const one_peer&) = delete;
  one_peer& operator=(const one_peer&) = delete;
  std::uint16_t port = 0;

 private:
  void serve() {
    int fd = ::accept(listener_, nullptr, nullptr);
    if (context_ == nullptr) {
      constexpr std::string_view words = "HTTP/1.1 400 Bad Request\r\n\r\n";
      char ignored[1024];
      [[maybe_unused]] auto got = ::recv(fd, ignored, sizeof ignored, MSG_DONTWAIT);
      ::send(fd, words.data(), words.size(), MSG_NOSIGNAL);
      ::shutdown(fd, SHUT_WR);
      while (::recv(fd, ignored, sizeof ignored, 0) > 0) {
      }
    } else {
      // Writing to whoever has gone must not end the test.
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      SSL* ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
      SSL_accept(ssl);
      char ignored[16];
      SSL_read(ssl, ignored, sizeof ignored);
      SSL_free(ssl);
    }
    ::close(fd);
  }
  int listener_ = -1;
  SSL_CTX* context_ = nullptr;
  std::thread thread_;
};

reached look_at(const std::string& host, const one_peer& peer, const std::string& ca_file = "") {
  return reach({host, peer.port, true, ca_file, milliseconds(5000)});
}

TEST(Reach, TellsANameThatIsNone) {
  auto seen = reach({"nobody.invalid", 443, true, "", milliseconds(1000)});
  EXPECT_TRUE(seen.addresses.empty());
  EXPECT_FALSE(seen.name_failure.empty());
  EXPECT_TRUE(seen.connected_to.empty());
}

TEST(Reach, TellsThatNobodyListens) {
  std::uint16_t port = 0;
  {
    one_peer peer(nullptr);
    port = peer.port;
    reach({"127.0.0.1", port, false, "", milliseconds(5000)});
  }
  auto seen = reach({"127.0.0.1", port, true, "", milliseconds(5000)});
  EXPECT_TRUE(seen.refused) << seen.connect_failure;
  EXPECT_FALSE(seen.tls_tried);
}

TEST(Reach, TellsACertificateThatIsSignedByItself) {
  test_certificate shown("test");
  one_peer peer(&shown);
  auto seen = look_at("127.0.0.1", peer);
  EXPECT_TRUE(seen.tls_done) << seen.tls_failure;
  EXPECT_TRUE(seen.untrusted_chain);
  EXPECT_FALSE(seen.trusted);
  ASSERT_EQ(seen.chain.size(), 1u);
  EXPECT_EQ(seen.chain.front().subject, "CN=test");
  EXPECT_EQ(seen.chain.front().names, (std::vector<std::string>{"127.0.0.1", "localhost"}));
}

TEST(Reach, TrustsTheAuthoritiesThatItIsGiven) {
  test_certificate shown("test");
  one_peer peer(&shown);
  auto seen = look_at("127.0.0.1", peer, shown.cert_file);
  EXPECT_TRUE(seen.trusted) << seen.tls_failure;
}

TEST(Reach, TellsNameAndDatesApart) {
  test_certificate other("test", "DNS:elsewhere.example");
  one_peer named(&other);
  auto wrong_name = look_at("127.0.0.1", named, other.cert_file);
  EXPECT_TRUE(wrong_name.wrong_name) << wrong_name.tls_failure;
  EXPECT_FALSE(wrong_name.wrong_dates);

  test_certificate old("test", "IP:127.0.0.1", -7200, -3600);
  one_peer dated(&old);
  auto expired = look_at("127.0.0.1", dated, old.cert_file);
  EXPECT_TRUE(expired.wrong_dates) << expired.tls_failure;
  EXPECT_FALSE(expired.wrong_name);
}

TEST(Reach, TellsCleartextOnThePortOfTls) {
  one_peer peer(nullptr);
  auto seen = look_at("127.0.0.1", peer);
  EXPECT_FALSE(seen.tls_done);
  EXPECT_TRUE(seen.cleartext) << seen.tls_failure;
}

// What `look` adds to `fetch`.
TEST(Look, TakesTheFirstEventOfAStream) {
  one_answer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: /m\n\ndata: 2\n\n");
  auto got = look(server.call(), {}, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->status, 200);
  EXPECT_NE(got->body.find("event: endpoint"), std::string::npos);
}

TEST(Look, ReadsOnUntilAnEventHasData) {
  for (const std::string begin :
       {"id: 1\ndata:\n\n", ": ping\n\n", "id: 1\r\ndata: \r\n\r\n", "retry: 1\r\r"}) {
    one_answer server("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + begin +
                      "data: {\"here\":1}\r\n\r\n");
    auto got = look(server.call(), {}, "");
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_NE(got->body.find("here"), std::string::npos) << begin;
  }
}

TEST(Look, TakesThePartOfAnAnswerThatIsTooLarge) {
  one_answer server("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
  fetch_rules rules;
  rules.most_bytes = 10;
  auto got = look(server.call(), rules, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->status, 200);
}

TEST(Look, HasNothingWhereNoAnswerCame) {
  http_call call;
  call.url = "http://127.0.0.1:1/";
  EXPECT_FALSE(look(call, {}, ""));
}

}  // namespace
}  // namespace mcp_oauth::net
