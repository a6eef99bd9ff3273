#include "net/reach.h"

#include "net/http_client.h"
#include "net/one_answer.h"
#include "net/test_certificate.h"

#include <algorithm>
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
      SSL_CTX_use_certificate_chain_file(context_, shown->cert_file.c_str());
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

// 99991231235959Z is RFC 5280's "no end", and more than a time_point can say.
TEST(Reach, AnEndBeyondAllTimeStaysAfterItsBegin) {
  test_certificate endless("test", "IP:127.0.0.1", -60, 7900L * 365 * 86400);
  one_peer peer(&endless);
  auto seen = look_at("127.0.0.1", peer, endless.cert_file);
  ASSERT_EQ(seen.chain.size(), 1u);
  EXPECT_EQ(seen.chain.front().ends, reached::certificate::endless);
  EXPECT_GT(seen.chain.front().ends, seen.chain.front().begins);
}

TEST(Reach, KeepsTheCertificateWhoseDatesAreWrong) {
  test_certificate old("test", "IP:127.0.0.1", -7200, -3600);
  one_peer dated(&old);
  auto expired = look_at("127.0.0.1", dated, old.cert_file);
  ASSERT_TRUE(expired.wrongly_dated);
  EXPECT_EQ(expired.wrongly_dated->subject, "CN=test");

  // It may be one between the server's own and the authority.
  test_certificate root("root", "");
  test_certificate between("between", "", -7200, -3600, &root);
  test_certificate leaf("leaf", "IP:127.0.0.1", -60, 3600, &between);
  one_peer chained(&leaf);
  auto seen = look_at("127.0.0.1", chained, root.cert_file);
  EXPECT_TRUE(seen.wrong_dates) << seen.tls_failure;
  ASSERT_EQ(seen.chain.size(), 3u);
  EXPECT_EQ(seen.chain.front().subject, "CN=leaf");
  ASSERT_TRUE(seen.wrongly_dated);
  EXPECT_EQ(seen.wrongly_dated->subject, "CN=between");
}

// What `look` adds to `fetch`.
TEST(Look, TakesTheFirstEventOfAStream) {
  one_answer server(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: /m\n\ndata: 2\n\n");
  auto got = look(server.call(), {}, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->answer.status, 200);
  EXPECT_NE(got->answer.body.find("event: endpoint"), std::string::npos);
}

TEST(Look, ReadsOnUntilAnEventHasData) {
  for (const std::string begin :
       {"id: 1\ndata:\n\n", ": ping\n\n", "id: 1\r\ndata: \r\n\r\n", "retry: 1\r\r"}) {
    one_answer server("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + begin +
                      "data: {\"here\":1}\r\n\r\n");
    auto got = look(server.call(), {}, "");
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_NE(got->answer.body.find("here"), std::string::npos) << begin;
  }
}

TEST(Look, TakesThePartOfAnAnswerThatIsTooLarge) {
  one_answer server("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
  fetch_rules rules;
  rules.most_bytes = 10;
  auto got = look(server.call(), rules, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->answer.status, 200);
}

TEST(Look, WaitsForAsManyEventsAsAreWanted) {
  const std::string stream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 60\r\n\r\n"
      ": none\n\ndata: 1\n\ndata: 2\n\n";  // and it stays open
  for (auto wanted : {std::size_t{1}, std::size_t{2}}) {
    one_answer server(stream);
    auto got = look(server.call(), {}, "", proxies::of_environment, wanted);
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_GE(got->events.size(), wanted);
    EXPECT_TRUE(std::is_sorted(got->events.begin(), got->events.end()));
    EXPECT_EQ(got->cut, "");
  }
}

TEST(Look, SaysWhyAnAnswerIsNotWhole) {
  one_answer whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  auto got = look(whole.call(), {}, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->cut, "");
  one_answer large("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
  fetch_rules rules;
  rules.most_bytes = 10;
  auto part = look(large.call(), rules, "");
  ASSERT_TRUE(part) << part.error().detail;
  EXPECT_EQ(part->cut, "read as far as 10 bytes, and there is more");
}

// A server may compress what nobody asked it to (RFC 9110 section 12.5.3).
TEST(Look, ReadsWhatIsCompressed) {
  constexpr std::string_view zipped(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00", 22);
  one_answer server("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n" +
                    std::string(zipped));
  auto got = look(server.call(), {}, "");
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->answer.body, "{}");
  one_answer strange("HTTP/1.1 401 Unauthorized\r\nContent-Encoding: rot13\r\nContent-Length: 2\r\n\r\n{}");
  auto seen = look(strange.call(), {}, "");
  ASSERT_TRUE(seen) << seen.error().detail;
  EXPECT_EQ(seen->answer.status, 401);
}

TEST(Look, HasNothingWhereNoAnswerCame) {
  http_call call;
  call.url = "http://127.0.0.1:1/";
  EXPECT_FALSE(look(call, {}, ""));
}

}  // namespace
}  // namespace mcp_oauth::net
