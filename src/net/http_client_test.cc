#include "net/http_client.h"

#include <atomic>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mcp_oauth::net {
namespace {

// Answers one request on a free loopback port with those bytes.
class one_answer {
 public:
  explicit one_answer(std::string bytes) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) != 0 || ::listen(listener_, 1) != 0)
      std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this, answer = std::move(bytes)] {
      int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      char request[4096];
      if (::recv(client, request, sizeof request, 0) > 0) {
        std::string_view rest = answer;
        while (!rest.empty()) {
          auto n = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
          if (n <= 0) break;
          rest.remove_prefix(static_cast<std::size_t>(n));
        }
      }
      ::close(client);
    });
  }
  one_answer(const one_answer&) = delete;
  one_answer& operator=(const one_answer&) = delete;
  ~one_answer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  http_call call() const {
    http_call c;
    c.method = "GET";
    c.url = "http://127.0.0.1:" + std::to_string(port_) + "/document?secret=1";
    return c;
  }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string with_fields(int count) {
  std::string answer = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < count; ++i) answer += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
  return answer + "Content-Length: 2\r\n\r\n{}";
}

TEST(HttpClient, GivesStatusFieldsAndBody) {
  one_answer server(with_fields(3));
  auto got = fetch(server.call(), {});
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "{}");
  EXPECT_EQ(got->fields.first("x-2"), std::string(1000, 'x'));
}

TEST(HttpClient, BoundsTheHeadOfAnAnswer) {
  one_answer server(with_fields(70));
  auto got = fetch(server.call(), {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
  EXPECT_EQ(got.error().detail.find("secret"), std::string::npos);
}

TEST(HttpClient, BoundsAllHeadsTogether) {
  std::string interim;
  for (int i = 0; i < 70; ++i)
    interim += "HTTP/1.1 103 Early Hints\r\nX: " + std::string(1000, 'x') + "\r\n\r\n";
  one_answer server(interim + with_fields(0));
  auto got = fetch(server.call(), {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
}

TEST(HttpClient, BoundsTheBody) {
  one_answer server("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789");
  fetch_rules rules;
  rules.most_bytes = 10;
  auto got = fetch(server.call(), rules);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::fetch_too_large);
}

TEST(HttpClient, JudgesTheAddressItConnectsTo) {
  one_answer server(with_fields(0));
  fetch_rules rules;
  rules.allowed = addresses::public_only;
  auto got = fetch(server.call(), rules);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::address_refused);
}

TEST(Fetch, SendsNoFieldThatHoldsAnother) {
  for (const auto& value : {std::string("a\r\nX-Admin: 1"), std::string("a\nb"), std::string("a\0b", 3)}) {
    http_call call;
    call.url = "http://127.0.0.1:9/";
    call.fields.add("Authorization", value);
    auto refused = fetch(call, fetch_rules());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().detail.find("line end or NUL"), std::string::npos) << refused.error().detail;
  }
}

}  // namespace
}  // namespace mcp_oauth::net
