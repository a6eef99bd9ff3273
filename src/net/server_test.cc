#include "net/server.h"

#include "net/test_peer.h"

#include <future>
#include <stdexcept>

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

// Answers with what it was sent.
class echo final : public service {
 public:
  task<void> serve(exchange& x) override {
    if (x.head().path == "/throw") throw std::runtime_error("a defect");
    http_response answer;
    auto read = co_await x.read_all(answer.body, 1 << 20);
    if (!read) {
      answer = refuse(read.error(), x);
      x.close_after();
    }
    answer.fields.add("X-Path", std::string(x.head().path));
    co_await x.respond(answer);
  }
  http_response refuse(const error& why, const exchange&) override {
    http_response answer;
    switch (why.code) {
      case errc::http_head_too_large: answer.status = 431; break;
      case errc::http_timeout: answer.status = 408; break;
      case errc::too_many_connections: answer.status = 503; break;
      case errc::body_too_large: answer.status = 413; break;
      case errc::http_version_unsupported: answer.status = 505; break;
      case errc::internal: answer.status = 500; break;
      default: answer.status = 400;
    }
    return answer;
  }
};

class Server : public testing::Test {
 protected:
  Server() {
    options.limits.header = milliseconds(400);
    options.limits.body = milliseconds(400);
    options.drain = milliseconds(2000);
  }
  void start() {
    made = std::make_unique<server>(options, [](worker&) { return std::make_unique<echo>(); });
    made->start_unbound();
  }
  test_peer connect() {
    if (!made) start();
    auto [mine, theirs] = test_peer::pair();
    made->adopt(theirs);
    return std::move(mine);
  }

  server_options options;
  std::unique_ptr<server> made;
};

constexpr const char* get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(Server, AnswersAndKeepsTheConnection) {
  auto client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    auto head = client.until("\r\n\r\n");
    EXPECT_NE(head.find("HTTP/1.1 200 OK\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("X-Request-Id: "), std::string::npos);
    EXPECT_NE(head.find("Date: "), std::string::npos);
    EXPECT_NE(head.find("Content-Length: 3\r\n"), std::string::npos);
    EXPECT_EQ(client.exactly(3), "abc");
  }
}

TEST_F(Server, AnswersPipelinedRequestsInOrder) {
  auto client = connect();
  client.send(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(client.until("\r\n\r\n").find("X-Path: /1"), std::string::npos);
  EXPECT_NE(client.until("\r\n\r\n").find("X-Path: /2"), std::string::npos);
  EXPECT_EQ(client.exactly(2), "hi");
  EXPECT_NE(client.until("\r\n\r\n").find("X-Path: /3"), std::string::npos);
}

TEST_F(Server, ReadsARequestThatComesByteByByte) {
  auto client = connect();
  for (char c :
       std::string("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    client.send({&c, 1});
  client.until("\r\n\r\n");
  EXPECT_EQ(client.exactly(3), "abc");
}

TEST_F(Server, IsHeardByWhoSendsAllOfARefusedBodyFirst) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
  EXPECT_TRUE(client.send(std::string(4'000'000, 'x')));
  EXPECT_NE(client.until("\r\n\r\n").find("413"), std::string::npos);
}

TEST_F(Server, ClosesWhenAsked) {
  auto client = connect();
  client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.rest().find("Connection: close\r\n"), std::string::npos);
}

TEST_F(Server, SpeaksToOldClients) {
  auto client = connect();
  client.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_NE(client.rest().find("200 OK"), std::string::npos);
}

TEST_F(Server, AnswersHeadWithoutABody) {
  auto client = connect();
  client.send(std::string("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n") + get);
  EXPECT_NE(client.until("\r\n\r\n").find("200"), std::string::npos);
  EXPECT_EQ(client.exactly(8), "HTTP/1.1");
}

TEST_F(Server, RefusesAndClosesWhatIsNoRequest) {
  struct row {
    std::string bytes;
    const char* status;
  } rows[] = {
      {"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"GET /a HTTP/1.1\nHost: h\n\n", "400"},
      {"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", "505"},
      {"GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n", "431"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), "400"},
  };
  for (const auto& r : rows) {
    auto client = connect();
    client.send(r.bytes + get);
    auto answer = client.rest();
    EXPECT_EQ(answer.substr(9, 3), r.status) << r.bytes.substr(0, 60);
    EXPECT_EQ(answer.find("X-Path"), std::string::npos) << "the bytes behind it are no request";
  }
}

TEST_F(Server, RefusesABrokenChunkInTheMiddle) {
  auto client = connect();
  client.send(
      std::string("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n") +
      get);
  auto answer = client.rest();
  EXPECT_EQ(answer.substr(9, 3), "400");
  EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(Server, GivesUpOnASlowHead) {
  auto client = connect();
  client.send("GET /a HTT");
  EXPECT_EQ(client.rest().substr(9, 3), "408");
}

TEST_F(Server, ForgivesOneEmptyLineBeforeEachRequest) {
  auto client = connect();
  for (const char* before : {"\r\n", "", "\r\n"}) {
    client.send(std::string(before) + get);
    EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "200");
  }
  for (char c : std::string("\r\n") + get) client.send({&c, 1});
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "200");
  client.send(std::string("\r\n\r\n") + get);
  EXPECT_EQ(client.rest().substr(9, 3), "400");
}

TEST_F(Server, IsNotHeldByEmptyLines) {
  auto client = connect();
  for (int i = 0; i < 100 && client.hears_nothing(60); ++i) client.send("\r\n");
  EXPECT_EQ(client.rest().substr(0, 12), "HTTP/1.1 400");
}

TEST_F(Server, WaitsNoLongerForWhoSentAnEmptyLine) {
  options.limits.header = milliseconds(2000);
  auto client = connect();
  auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(client.hears_nothing(1500));
  client.send("\r\n");
  EXPECT_EQ(client.rest(), "") << "no request began, so none is answered";
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(3400));
}

TEST_F(Server, GivesUpOnASlowBody) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(client.rest().substr(9, 3), "408");
}

TEST_F(Server, SaysContinueWhenTheBodyIsWanted) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_NE(client.until("\r\n\r\n").find("200"), std::string::npos);
}

TEST_F(Server, BoundsConnections) {
  options.most_connections = 1;
  auto first = connect();
  first.send(get);
  first.until("\r\n\r\n");
  auto second = connect();
  second.send(get);
  second.until("\r\n\r\n");
  auto third = connect();
  EXPECT_EQ(third.rest().substr(9, 3), "503") << "without waiting for what it wants";
}

TEST_F(Server, EndsRequestsInFlightBeforeItStops) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na");
  auto stopping = std::async(std::launch::async, [&] { made->stop(); });
  client.send("bc");
  auto head = client.until("\r\n\r\n");
  EXPECT_NE(head.find("200"), std::string::npos) << head;
  EXPECT_EQ(client.exactly(3), "abc");
  stopping.wait();
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Server, RefusesABrokenHeadOnAKeptConnectionWithoutLookingBack) {
  // The second head is longer than the first, so the first one's bytes are gone when it is refused.
  auto client = connect();
  client.send(get);
  client.until("\r\n\r\n");
  client.send("NOBLANK\r\nHost: h\r\nX: " + std::string(3000, 'a') + "\r\n\r\n");
  EXPECT_EQ(client.rest().substr(9, 3), "400");
}

TEST_F(Server, BoundsTheTimeOfAWholeBody) {
  options.limits.body_total = milliseconds(500);
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  // Each byte in time, the whole never.
  for (int i = 0; i < 100 && client.hears_nothing(60); ++i) client.send("x");
  EXPECT_EQ(client.rest().substr(9, 3), "408");
}

TEST_F(Server, SurvivesAnExceptionInARequest) {
  auto client = connect();
  client.send("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.rest().substr(9, 3), "500");
  auto next = connect();
  next.send(get);
  EXPECT_EQ(next.until("\r\n\r\n").substr(9, 3), "200");
}

TEST_F(Server, StopsWithIdleConnectionsOpen) {
  auto client = connect();
  client.send(get);
  client.until("\r\n\r\n");
  made->stop();
  EXPECT_TRUE(client.sees_end());
}

TEST_F(Server, ListensOnAFreePortAndNamesWhoHoldsATakenOne) {
  options.listen_patience = milliseconds(0);
  auto held = reserve_port(options);
  ASSERT_TRUE(held);
  EXPECT_NE(options.port, 0);
  auto again = options;
  auto refused = reserve_port(again);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::listen_in_use);
  EXPECT_NE(refused.error().detail.find("process " + std::to_string(::getpid())), std::string::npos)
      << refused.error().detail;
}

}  // namespace
}  // namespace mcp_oauth::net
