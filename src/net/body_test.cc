#include "net/body.h"

#include "net/wheel.h"

#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

struct outcome {
  std::string content;
  std::size_t used = 0;
  bool done = false, failed = false;
  bool operator==(const outcome&) const = default;
};

// Decodes the text in pieces of `step` bytes.
outcome decode(const std::string& text, std::size_t step,
               chunk_extensions extensions = chunk_extensions::refuse) {
  body_decoder decoder(framing::chunked, 0, extensions);
  outcome o;
  for (std::size_t at = 0; at < text.size() && !decoder.done() && !decoder.failed(); at += step) {
    content_pieces pieces;
    auto piece = std::string_view(text).substr(at, step);
    std::size_t used = 0;
    while (used < piece.size() && !decoder.done() && !decoder.failed())
      used += decoder.feed(piece.substr(used), pieces);
    for (auto p : pieces) o.content += p;
    o.used += used;
  }
  o.done = decoder.done();
  o.failed = decoder.failed();
  return o;
}

TEST(ChunkedBody, IsTheSameInPiecesOfEverySize) {
  std::string text = "5\r\nhello\r\nA\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    auto o = decode(text, step);
    EXPECT_EQ(o.content, "hello, world!!!") << step;
    EXPECT_TRUE(o.done) << step;
    EXPECT_EQ(o.used, text.size() - 4) << "the next request stays where it is";
  }
}

TEST(ChunkedBody, RefusesWhatHidesARequest) {
  for (const std::string text :
       {"5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "\r\n", "g\r\n",
        "-1\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n",
        "5;a=b\r\nhello\r\n0\r\n\r\n", "5\r\rhello", "ffffffffffffff\r\n", "0\r\n X: y\r\n\r\n",
        "0\r\nX: y\n\r\n", "0\r\n\rX", "5;\r\nhello\r\n"}) {
    for (std::size_t step : {std::size_t{1}, text.size()}) {
      auto o = decode(text, step);
      EXPECT_TRUE(o.failed) << text;
      EXPECT_FALSE(o.done) << text;
    }
  }
}

TEST(ChunkedBody, SkipsExtensionsOfAnUpstream) {
  auto o = decode("5;a=\"b c\"\r\nhello\r\n0;last\r\n\r\n", 3, chunk_extensions::skip);
  EXPECT_EQ(o.content, "hello");
  EXPECT_TRUE(o.done);
  EXPECT_TRUE(decode("5;" + std::string(9000, 'a') + "\r\nhello\r\n", 100, chunk_extensions::skip).failed);
}

TEST(ChunkedBody, RefusesTrailersThatAreNoFields) {
  for (const char* line : {"GET /smuggled HTTP/1.1", "smuggled", ": v", "X : v", "X\t: v", " X: v", "X(: v",
                           "X\x80: v", "\x01: v"}) {
    EXPECT_TRUE(decode("1\r\na\r\n0\r\n" + std::string(line) + "\r\n\r\n", 3).failed) << line;
  }
  EXPECT_TRUE(decode("1\r\na\r\n0\r\nX-T:\r\nContent-Length: 9\r\n\r\n", 3).done);
}

TEST(ChunkedBody, BoundsTrailers) { EXPECT_TRUE(decode("0\r\nX: " + std::string(9000, 'a'), 100).failed); }

TEST(LengthBody, StopsAtItsLength) {
  body_decoder decoder(framing::length, 5, chunk_extensions::refuse);
  content_pieces pieces;
  EXPECT_EQ(decoder.feed("hel", pieces), 3u);
  EXPECT_FALSE(decoder.done());
  EXPECT_FALSE(decoder.finish());
  EXPECT_EQ(decoder.feed("loNEXT", pieces), 2u);
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoder.feed("NEXT", pieces), 0u);
}

TEST(UntilCloseBody, EndsWithTheConnection) {
  body_decoder decoder(framing::until_close, 0, chunk_extensions::skip);
  content_pieces pieces;
  EXPECT_EQ(decoder.feed("abc", pieces), 3u);
  EXPECT_FALSE(decoder.done());
  EXPECT_TRUE(decoder.finish());
}

class alarm final : public timed {
 public:
  int rang = 0;
  void on_deadline() override { ++rang; }
};

TEST(Wheel, RingsOnceAndNeverEarly) {
  wheel w;
  alarm a;
  w.set(a, 250);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(a.rang, 0) << i;
    w.tick();
  }
  EXPECT_EQ(a.rang, 1);
  for (int i = 0; i < 3000; ++i) w.tick();
  EXPECT_EQ(a.rang, 1);
}

TEST(Wheel, MovesLaterAndEarlierAndForgets) {
  wheel w;
  alarm later, earlier, cleared;
  w.set(later, 100);
  w.set(later, 1000);
  w.set(earlier, 1000);
  w.set(earlier, 100);
  w.set(cleared, 100);
  w.clear(cleared);
  for (int i = 0; i < 5; ++i) w.tick();
  EXPECT_EQ(later.rang, 0);
  EXPECT_EQ(earlier.rang, 1);
  for (int i = 0; i < 10; ++i) w.tick();
  EXPECT_EQ(later.rang, 1);
  EXPECT_EQ(cleared.rang, 0);
}

TEST(Wheel, KeepsDeadlinesBeyondOneTurn) {
  wheel w;
  alarm a;
  w.set(a, 1500 * wheel::tick_ms);
  for (int i = 0; i < 1500; ++i) w.tick();
  EXPECT_EQ(a.rang, 0);
  w.tick();
  EXPECT_EQ(a.rang, 1);
}

TEST(Wheel, ForgetsWhatIsGone) {
  wheel w;
  {
    alarm a;
    w.set(a, 100);
  }
  w.tick();
  w.tick();
}

}  // namespace
}  // namespace mcp_oauth::net
