#include "net/relay.h"

#include "net/http_write.h"
#include "net/server.h"
#include "net/test_certificate.h"
#include "net/test_peer.h"
#include "net/test_visit.h"

#include <deque>
#include <future>
#include <mutex>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

namespace mcp_oauth::net {
namespace {

class pass_all final : public relay_watcher {
 public:
  result<void> on_request_piece(std::string_view content, bool) override {
    if (content.find("FORBIDDEN") != std::string_view::npos) return fail(errc::body_malformed);
    return {};
  }
  verdict on_response_head(const response_head& head, std::string& out) override {
    if (head.find("x-replace")) return verdict::replace;
    append_status_line(out, head.status);
    for (const auto& f : head.fields) {
      if (f.name != "Content-Length" && f.name != "Transfer-Encoding" && f.name != "Connection")
        append_field(out, f.name, f.value);
    }
    if (head.find("x-hold")) return verdict::hold;
    return head.find("x-shorten") ? verdict::resize : verdict::pass;
  }
  result<std::string_view> on_stream_piece(std::string_view content) override {
    between_ = content.ends_with("\n\n");
    if (!content.starts_with("shorten")) return content;
    return std::string_view("short\n\n");
  }
  result<void> on_held_piece(std::string_view content) override {
    if (content.find("SECRET") != std::string_view::npos) return fail(errc::list_unreadable, "kept back");
    held_ += content;
    return {};
  }
  result<std::string_view> on_held_end() override {
    if (held_ == "bad") return fail(errc::list_unreadable, "kept back");
    held_ = "[" + held_ + "]";
    return std::string_view(held_);
  }
  bool between_events() const override { return between_; }

 private:
  bool between_ = true;
  std::string held_;
};

// Forwards everything to the test, which plays the upstream on the other ends of what is dialled.
class forwarding final : public service {
 public:
  forwarding(worker& w, blocking_pool& blocking, const std::vector<const upstream_target*>& targets,
             const relay_limits& limits, bool may_repeat)
      : pool_(w, blocking), targets_(targets), limits_(limits), may_repeat_(may_repeat) {}

  task<void> serve(exchange& x) override {
    std::string head =
        std::string(x.head().method) + " " + std::string(x.head().path) + " HTTP/1.1\r\nHost: up\r\n";
    pass_all watcher;
    const auto& target = x.head().path == "/other" ? *targets_.back() : *targets_.front();
    relay_order order{target, head, {}, may_repeat_};
    auto outcome = co_await relay(x, pool_, order, limits_, watcher);
    if (x.answered() || (!outcome.ended && outcome.ended.error().code == errc::client_gone)) co_return;
    http_response answer;
    answer.status = outcome.ended ? 299 : outcome.ended.error().code == errc::upstream_timeout ? 504 : 502;
    if (!outcome.ended) answer.body = outcome.ended.error().detail;
    co_await x.respond(answer);
  }
  http_response refuse(const error&, const exchange&) override {
    http_response r;
    r.status = 400;
    return r;
  }

 private:
  upstream_pool pool_;
  const std::vector<const upstream_target*>& targets_;
  const relay_limits& limits_;
  bool may_repeat_;
};

class Relay : public testing::Test {
 protected:
  Relay() {
    limits.first_byte = milliseconds(2000);
    limits.stream_keep_alive = milliseconds(10'000);
    target.authority = "up";
    target.dial = [this] {
      auto [mine, theirs] = test_peer::pair();
      std::lock_guard lock(mutex);
      dialled.push_back(std::move(mine));
      arrived.notify_all();
      return theirs;
    };
  }
  ~Relay() override {
    if (made) made->stop();
  }
  test_peer connect() {
    if (!made) {
      made = std::make_unique<server>(options, [this](worker& w) {
        return std::make_unique<forwarding>(w, blocking, targets, limits, may_repeat);
      });
      made->start_unbound();
    }
    auto [mine, theirs] = test_peer::pair();
    made->adopt(theirs);
    return std::move(mine);
  }
  // The next connection made to us as the upstream.
  test_peer upstream() {
    std::unique_lock lock(mutex);
    arrived.wait_for(lock, seconds(5), [this] { return !dialled.empty(); });
    if (dialled.empty()) return test_peer(-1);
    auto next = std::move(dialled.front());
    dialled.pop_front();
    return next;
  }

  server_options options;
  relay_limits limits;
  upstream_target target, other;
  std::vector<const upstream_target*> targets{&target};  // the last one is for /other
  blocking_pool blocking{2};
  bool may_repeat = false;
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<test_peer> dialled;
  std::unique_ptr<server> made;
};

constexpr const char* post = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
constexpr const char* ok_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

TEST_F(Relay, PassesRequestAndAnswerAndKeepsBothConnections) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  EXPECT_EQ(up.until("abc"), "POST /a HTTP/1.1\r\nHost: up\r\nContent-Length: 3\r\n\r\nabc");
  up.send(ok_answer);
  EXPECT_NE(client.until("\r\n\r\n").find("Content-Length: 2"), std::string::npos);
  EXPECT_EQ(client.exactly(2), "hi");
  client.send(post);
  EXPECT_NE(up.until("abc").find("POST /a"), std::string::npos) << "on the same upstream connection";
  up.send(ok_answer);
  client.until("hi");
}

TEST_F(Relay, ForwardsEachEventAsItArrives) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_NE(client.until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    // The next event is written only after the last one was seen: nothing can have been held back.
    auto event = "data: " + std::to_string(i) + "\n\n";
    up.send("9\r\n" + event + "\r\n");
    EXPECT_EQ(client.until("\r\n" + event + "\r\n"), "9\r\n" + event + "\r\n");
  }
  up.send("0\r\n\r\n");
  EXPECT_EQ(client.until("0\r\n\r\n"), "0\r\n\r\n");
  client.send(post);
  EXPECT_NE(up.until("abc").find("POST"), std::string::npos);
  up.send(ok_answer);
  EXPECT_NE(client.until("hi").find("200"), std::string::npos) << "the connection lives on after a stream";
}

TEST_F(Relay, ForwardsARequestBodyAsItArrives) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  auto up = upstream();
  EXPECT_NE(up.until("3\r\nabc\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  client.send("2\r\nde\r\n");
  EXPECT_EQ(up.until("de\r\n"), "2\r\nde\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(up.until("0\r\n\r\n"), "0\r\n\r\n");
  up.send(ok_answer);
  client.until("hi");
}

TEST_F(Relay, TellsTheUpstreamAtOnceThatTheClientIsGone) {
  for (const char* sent :
       {"", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    auto client = connect();
    client.send(post);
    auto up = upstream();
    up.until("abc");
    up.send(sent);
    if (*sent != '\0') client.until("\r\n\r\n");
    client.close();
    EXPECT_TRUE(up.sees_end());
  }
}

TEST_F(Relay, MovesMegabytesBothWaysWithAReaderThatPauses) {
  auto client = connect();
  std::string body(5 * 1024 * 1024, 'x');
  std::thread sending([&] {
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                body);
  });
  auto up = upstream();
  up.until("\r\n\r\n");
  EXPECT_EQ(up.exactly(body.size()), body);
  sending.join();
  std::thread answering([&] {
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  client.until("\r\n\r\n");
  EXPECT_EQ(client.exactly(body.size()), body);
  answering.join();
}

TEST_F(Relay, CutsTheClientOffWhenTheAnswerBreaks) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.until("abc\r\n");
  up.close();
  EXPECT_EQ(client.rest(), "") << "no final chunk: the answer is visibly not whole";
}

TEST_F(Relay, AnswersUntilCloseBecomeChunked) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\n\r\nhello");
  up.close();
  EXPECT_NE(client.until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(client.until("0\r\n\r\n"), "5\r\nhello\r\n0\r\n\r\n");
}

TEST_F(Relay, AnAnswerWithoutALengthThatIsResetIsNotWhole) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.send("HTTP/1.1 200 OK\r\n\r\nfirst half");
  client.until("first half\r\n");
  up.close();  // with the request unread: a reset
  EXPECT_EQ(client.rest(), "") << "no final chunk, and the connection is not kept";
  auto other_client = connect();
  other_client.send(post);
  auto holding = upstream();
  holding.send("HTTP/1.1 200 OK\r\nX-Hold: yes\r\n\r\nfirst half");
  holding.close();
  auto answer = other_client.until("in the middle");
  EXPECT_EQ(answer.substr(9, 3), "502") << answer;
}

TEST_F(Relay, AnAnswerWithoutALengthOverTlsEndsWithAGoodbye) {
  test_certificate cert("up");
  auto of_server = tls_context::server(cert.cert_file, cert.key_file);
  ASSERT_TRUE(of_server);
  target.dial = nullptr;
  target.host = "127.0.0.1";
  target.tls = *tls_context::client(cert.cert_file);
  struct row {
    const char* head;
    bool goodbye, whole;
  } rows[] = {
      {"HTTP/1.1 200 OK\r\n\r\n", true, true},
      {"HTTP/1.1 200 OK\r\n\r\n", false, false},
      {"HTTP/1.1 200 OK\r\nX-Hold: yes\r\n\r\n", true, true},
      {"HTTP/1.1 200 OK\r\nX-Hold: yes\r\n\r\n", false, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, true},
  };
  for (const auto& r : rows) {
    one_visit up([&](int with) {
      SSL* ssl = SSL_new((*of_server)->native());
      SSL_set_fd(ssl, with);
      SSL_accept(ssl);
      char request[4096];
      SSL_read(ssl, request, sizeof request);
      auto answer = std::string(r.head) + "hello";
      SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
      if (r.goodbye) SSL_shutdown(ssl);
      ::shutdown(with, SHUT_WR);
      received(with);
      SSL_free(ssl);
    });
    target.port = up.port();
    target.key = std::to_string(up.port());
    auto client = connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc");
    auto answer = client.rest();
    bool ended = answer.find("Transfer-Encoding") == std::string::npos || answer.ends_with("0\r\n\r\n");
    bool good =
        answer.find(" 200 ") != std::string::npos && answer.find("hello") != std::string::npos && ended;
    EXPECT_EQ(good, r.whole) << r.head << r.goodbye << answer;
  }
}

TEST_F(Relay, AClientThatKnowsTheEndByTheCloseSeesAResetWhereTheAnswerBroke) {
  for (bool whole : {true, false}) {
    connect().close();  // there is a server
    auto [client, theirs] = test_peer::tcp_pair();
    made->adopt(theirs);
    client.send("POST /a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
    auto up = upstream();
    up.until("abc");
    up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    EXPECT_NE(client.until("hello").find("Connection: close"), std::string::npos);
    if (whole) up.send("0\r\n\r\n");
    up.close();
    EXPECT_EQ(client.rest(), "");
    EXPECT_EQ(client.was_reset(), !whole);
  }
}

TEST_F(Relay, AnAnswerThatIsHeldGoesOutWholeAndWithALengthOfItsOwn) {
  for (const char* framing : {"Content-Length: 6\r\n\r\nabcdef",
                              "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                              "3\r\ndef\r\n0\r\n\r\n"}) {
    auto client = connect();
    client.send(post);
    auto up = upstream();
    up.until("abc");
    up.send(std::string("HTTP/1.1 200 OK\r\nX-Hold: yes\r\n") + framing);
    auto head = client.until("\r\n\r\n");
    EXPECT_NE(head.find("Content-Length: 8"), std::string::npos) << head;
    EXPECT_EQ(head.find("chunked"), std::string::npos);
    EXPECT_EQ(client.exactly(8), "[abcdef]");
    client.send(post);
    EXPECT_NE(up.until("abc").find("POST"), std::string::npos) << "both connections live on";
    up.send(ok_answer);
    client.until("hi");
  }
}

TEST_F(Relay, OfAnAnswerThatIsHeldAndFailsNothingGoesOut) {
  for (const char* sent :
       {"Content-Length: 9\r\n\r\nab SECRET", "Content-Length: 3\r\n\r\nbad",
        "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", "Content-Length: 9\r\n\r\nabc"}) {
    auto client = connect();
    client.send(post);
    auto up = upstream();
    up.until("abc");
    up.send(std::string("HTTP/1.1 200 OK\r\nX-Hold: yes\r\n") + sent);
    up.close();
    auto answer = client.until("\r\n\r\n");
    EXPECT_EQ(answer.substr(9, 3), "502") << sent;
    EXPECT_EQ(answer.find("X-Hold"), std::string::npos);
  }
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\nX-Hold: yes\r\nContent-Length: 9\r\n\r\nabc");
  client.close();
  EXPECT_TRUE(up.sees_end()) << "the client is gone while the answer is held";
}

TEST_F(Relay, AStreamThatIsResizedAnnouncesNoLength) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send(
      "HTTP/1.1 200 OK\r\nX-Shorten: yes\r\nContent-Type: text/event-stream\r\nContent-Length: 11\r\n\r\n"
      "shorten me!");
  auto head = client.until("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked"), std::string::npos) << head;
  EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(client.until("0\r\n\r\n"), "7\r\nshort\n\n\r\n0\r\n\r\n");
}

TEST_F(Relay, GivesUpOnASilentUpstream) {
  limits.first_byte = milliseconds(200);
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  auto answer = client.until("no answer");
  EXPECT_EQ(answer.substr(9, 3), "504");
  EXPECT_NE(answer.find("timeout of 200ms exceeded"), std::string::npos);
}

TEST_F(Relay, AnswersForAnUpstreamThatClosesOrTalksNonsense) {
  for (const char* sent : {"", "HTTP/1.1 200 OK\r\nContent-", "SSH-2.0-OpenSSH\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    auto client = connect();
    client.send(post);
    auto up = upstream();
    up.until("abc");
    up.send(sent);
    up.close();
    EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "502") << sent;
  }
}

TEST_F(Relay, RepeatsOnceWhenAKeptConnectionProvesDead) {
  may_repeat = true;
  auto client = connect();
  client.send(post);
  auto first = upstream();
  first.until("abc");
  first.send(ok_answer);
  client.until("hi");
  client.send(post);
  first.until("abc");
  first.close();
  auto second = upstream();
  EXPECT_NE(second.until("abc").find("POST /a"), std::string::npos);
  second.send(ok_answer);
  EXPECT_NE(client.until("hi").find("200"), std::string::npos);
  // Once: a fresh connection that fails is an answer.
  client.send(post);
  second.until("abc");
  second.close();
  auto third = upstream();
  third.until("abc");
  third.close();
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "502");
}

TEST_F(Relay, DoesNotRepeatWhatMayHaveBeenDone) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send(ok_answer);
  client.until("hi");
  client.send(post);
  up.until("abc");
  up.close();
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "502");
}

TEST_F(Relay, LeavesAConnectionThatTheUpstreamClosedWhileIdle) {
  auto client = connect();
  client.send(post);
  auto first = upstream();
  first.until("abc");
  first.send(ok_answer);
  client.until("hi");
  first.close();
  // Not a repetition: the end was seen, or will be at the first byte, before the request could have had an
  // effect.
  client.send(post);
  auto second = upstream();
  EXPECT_NE(second.until("abc").find("POST /a"), std::string::npos);
  second.send(ok_answer);
  EXPECT_NE(client.until("hi").find("200"), std::string::npos);
}

TEST_F(Relay, StopsARequestThatItsWatcherRefuses) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  auto up = upstream();
  up.until("abc\r\n");
  client.send("9\r\nFORBIDDEN\r\n0\r\n\r\n");
  EXPECT_EQ(up.rest(), "") << "neither the piece nor the end of the body";
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "502");
}

TEST_F(Relay, LetsItsWatcherReplaceAnAnswer) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\nX-Replace: yes\r\nContent-Length: 6\r\n\r\nsecret");
  auto head = client.until("\r\n\r\n");
  EXPECT_EQ(head.substr(9, 3), "299");
  EXPECT_TRUE(client.hears_nothing());
}

TEST_F(Relay, KeepsAQuietStreamOpenWithComments) {
  limits.stream_keep_alive = milliseconds(100);
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: "
      "1\n\n\r\n");
  client.until("data: 1\n\n\r\n");
  EXPECT_EQ(client.until("\n\n\r\n"), "e\r\n: keep-alive\n\n\r\n");
  up.send("6\r\ndata: \r\n");
  client.until("data: \r\n");
  EXPECT_TRUE(client.hears_nothing(350)) << "never inside an event";
  up.send("3\r\n2\n\n\r\n");
  EXPECT_EQ(client.until("2\n\n\r\n"), "3\r\n2\n\n\r\n");
}

TEST_F(Relay, EndsAnEndlessStreamWhenTheServerStopsButNotACallUnderWay) {
  auto listener = connect();
  listener.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  auto stream = upstream();
  stream.until("\r\n\r\n");
  stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
  listener.until("data: 1\n\n\r\n");
  auto caller = connect();
  caller.send(post);
  auto call = upstream();
  call.until("abc");
  auto stopping = std::async(std::launch::async, [&] { made->stop(); });
  EXPECT_EQ(listener.rest(), "0\r\n\r\n") << "ended properly, and at once";
  EXPECT_TRUE(stream.sees_end());
  call.send(ok_answer);
  EXPECT_NE(caller.until("hi").find("200"), std::string::npos);
  stopping.wait();
}

TEST_F(Relay, DeliversAnAnswerThatComesBeforeTheWholeRequest) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc");
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(client.until("no").substr(9, 3), "413") << "while the client is still sending";
  EXPECT_TRUE(up.sees_end()) << "a connection in the middle of a request serves no other";
}

TEST_F(Relay, DeliversAnAnswerOfAnUpstreamThatStopsReading) {
  auto client = connect();
  std::thread sending([&] {
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" +
                std::string(9'000'000, 'x'));
  });
  auto up = upstream();
  up.until("\r\n\r\n");
  up.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(client.until("no").substr(9, 3), "413");
  client.shut();
  sending.join();
}

TEST_F(Relay, DoesNotTrustAConnectionBehindABodyThatMayNotBe) {
  for (const char* head : {"HTTP/1.1 204 No Content\r\nContent-Length: 70\r\n\r\n",
                           "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    auto client = connect();
    client.send(post);
    auto up = upstream();
    up.until("abc");
    up.send(head);
    EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "204");
    EXPECT_TRUE(up.sees_end()) << head;
  }
}

TEST_F(Relay, NoticesThatAClientLeftThoughItSentMore) {
  for (const char* more : {"\r\n", "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"}) {
    auto client = connect();
    client.send(std::string(post) + more);
    auto up = upstream();
    up.until("abc");
    client.close();
    EXPECT_TRUE(up.sees_end());
  }
}

TEST_F(Relay, ShowsItsWatcherEachReadOfAStreamAsOnePiece) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n");
  client.until("\r\n\r\n");
  EXPECT_EQ(client.until("data: 2\n\n\r\n"), "12\r\ndata: 1\n\ndata: 2\n\n\r\n");
}

TEST_F(Relay, StopsInTimeThoughAnUpstreamNeverAnswers) {
  options.drain = milliseconds(700);
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  made->stop();
  EXPECT_TRUE(up.sees_end());
  EXPECT_EQ(made->connections(), 0u) << "no request is left behind, waiting for ever";
}

TEST_F(Relay, KeepsUpstreamsOfOneNameApartByScheme) {
  other = target;
  target.key = "http://up";
  other.key = "https://up";
  targets = {&target, &other};
  auto client = connect();
  client.send(post);
  auto first = upstream();
  first.until("abc");
  first.send(ok_answer);
  client.until("hi");
  client.send("POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  auto second = upstream();
  EXPECT_NE(second.until("\r\n\r\n").find("POST /other"), std::string::npos);
  EXPECT_TRUE(first.hears_nothing());
  second.send(ok_answer);
  client.until("hi");
}

TEST_F(Relay, SkipsInterimAnswers) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send(std::string("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") + ok_answer);
  EXPECT_EQ(client.until("\r\n\r\n").substr(9, 3), "200");
}

TEST_F(Relay, RefusesAnAnswerWhoseHeadDoesNotEnd) {
  auto client = connect();
  client.send(post);
  auto up = upstream();
  up.until("abc");
  up.send("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 70; ++i) up.send("X-" + std::to_string(i) + ": " + std::string(1000, 'v') + "\r\n");
  auto answer = client.until("\r\n\r\n");
  EXPECT_NE(answer.find("502"), std::string::npos) << answer;
}

TEST_F(Relay, SendsOnThroughInterimAnswers) {
  auto client = connect();
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  auto up = upstream();
  up.until("abc\r\n");
  up.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Proc");
  client.send("3\r\ndef\r\n");
  EXPECT_EQ(up.until("def\r\n"), "3\r\ndef\r\n");
  up.send("essing\r\n\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(up.until("0\r\n\r\n"), "0\r\n\r\n");
  up.send(ok_answer);
  EXPECT_NE(client.until("hi").find("200"), std::string::npos);
}

TEST_F(Relay, EndsAStreamThatBeginsWhileTheServerStops) {
  auto listener = connect();
  listener.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  auto stream = upstream();
  stream.until("\r\n\r\n");
  auto idle = connect();
  auto stopping = std::async(std::launch::async, [&] { made->stop(); });
  // Idle connections are closed half a second after the end began.
  EXPECT_EQ(idle.rest(), "");
  stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  auto answer = listener.rest();
  EXPECT_TRUE(answer.ends_with("\r\n\r\n0\r\n\r\n")) << answer;
  EXPECT_TRUE(stream.sees_end());
  stopping.wait();
}

}  // namespace
}  // namespace mcp_oauth::net
