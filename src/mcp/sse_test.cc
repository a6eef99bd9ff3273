#include "mcp/sse.h"

#include "mcp/legacy_sse.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::vector<sse_event> parse(std::string_view stream, std::size_t piece_size = 0) {
  sse_parser parser;
  std::vector<sse_event> all;
  for (std::size_t at = 0; at < stream.size();) {
    auto piece = stream.substr(at, piece_size == 0 ? stream.size() : piece_size);
    at += piece.size();
    auto events = parser.feed(piece);
    EXPECT_TRUE(events);
    for (auto& e : *events) all.push_back(std::move(e));
  }
  return all;
}

TEST(SseParser, FollowsTheRulesOfTheStandardHoweverTheStreamIsCut) {
  struct row {
    std::string stream;
    std::vector<std::pair<std::string, std::string>> type_and_data;
  };
  using std::string;
  for (const auto& r : {
           row{"data: a\n\n", {{"", "a"}}},
           row{"data: a\r\n\r\n", {{"", "a"}}},
           row{"data: a\r\rdata: b\r\n\ndata: c\n\r\n", {{"", "a"}, {"", "b"}, {"", "c"}}},
           row{"\xEF\xBB\xBF"
               "data: a\n\n",
               {{"", "a"}}},
           row{"data: a\n\n\xEF\xBB\xBF"
               "data: b\n\n",
               {{"", "a"}}},
           row{"data:a\ndata:  b\ndata\n\n", {{"", "a\n b\n"}}},
           row{"data\n\n", {{"", ""}}},
           row{"data:\n\n", {{"", ""}}},
           row{"event: x\n\ndata: a\n\n", {{"", "a"}}},
           row{"event: x\ndata: a\nevent: y\n\n", {{"y", "a"}}},
           row{": comment\n\n:\n\nother: 1\nDATA: 2\n\n", {}},
           row{"data: cut off", {}},
           row{"data: cut off\n", {}},
           row{"\n\n\ndata: a\n\n\n\n", {{"", "a"}}},
           row{"data: a:b: c\n\n", {{"", "a:b: c"}}},
       }) {
    for (std::size_t size = 0; size < 6; ++size) {
      std::vector<std::pair<std::string, std::string>> found;
      for (auto& e : parse(r.stream, size)) found.emplace_back(e.type, e.data);
      EXPECT_EQ(found, r.type_and_data) << r.stream;
    }
  }
}

TEST(SseParser, ReadsIdAndRetry) {
  auto events = parse("id: 1\nretry: 250\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 9\n\ndata: d\n\n");
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].id, "1");
  EXPECT_EQ(events[0].retry, milliseconds(250));
  EXPECT_EQ(events[1].id, std::nullopt);
  EXPECT_EQ(events[1].retry, std::nullopt);
  EXPECT_EQ(events[2].id, "");
  EXPECT_EQ(events[3].id, "9");
}

TEST(SseParser, IgnoresAnIdWithNulAndARetryThatIsNoNumber) {
  auto events = parse(std::string("id: a\0b\nretry: 1s\nretry: -1\nretry:\ndata: a\n\n", 44));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, std::nullopt);
  EXPECT_EQ(events[0].retry, std::nullopt);
}

TEST(SseParser, BoundsOneEventAndNotTheStream) {
  sse_parser parser(20);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(parser.feed("data: 0123456789\n\n"));
  for (std::string_view flood :
       {"data: 01234567890123456789", "data:\ndata:\ndata:\ndata:\n", "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n"}) {
    sse_parser fresh(20);
    auto fed = fresh.feed(flood);
    ASSERT_FALSE(fed) << flood;
    EXPECT_EQ(fed.error().code, errc::upstream_malformed);
  }
}

TEST(SseWriter, WritesWhatTheParserReads) {
  for (const auto& e : {sse_event{"", "a", {}, {}}, sse_event{"endpoint", "/x", "7", milliseconds(10)},
                        sse_event{"", "a\nb\n", "", {}}, sse_event{"", "", "1", {}}}) {
    auto again = parse(write_event(e));
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].type, e.type);
    EXPECT_EQ(again[0].data, e.data);
    EXPECT_EQ(again[0].id, e.id);
    EXPECT_EQ(again[0].retry, e.retry);
  }
  EXPECT_EQ(write_event({"", "a\r\nb\rc", {}, {}}), "data: a\ndata: b\ndata: c\n\n");
  EXPECT_TRUE(parse(sse_keep_alive).empty());
}

TEST(EventBoundary, StandsBetweenEventsAfterABlankLineOnly) {
  struct row {
    std::string stream;
    bool between;
  };
  for (const auto& r :
       {row{"", true}, row{"d", false}, row{"data: a\n", false}, row{"data: a\n\n", true},
        row{"data: a\r\n", false}, row{"data: a\r\n\r\n", true}, row{"data: a\r\n\r", true},
        row{"data: a\r", false}, row{"data: a\r\r", true}, row{"data: a\n\r\n", true},
        row{"data: a\r\n\n", true}, row{"data: a\n\nd", false}, row{"data: a\n\n: k\n\n", true},
        row{"data: a\n\n: k\n", false}, row{"\n", true}, row{"data: abcdefgh\r\n\r\n", true},
        row{"data: abcdefgh\r\n", false}, row{"\n\n\n\n\n\n", true}, row{"\n\n\n\n\n\nx", false}}) {
    for (std::size_t size = 1; size <= r.stream.size() + 1; ++size) {
      event_boundary boundary;
      for (std::size_t at = 0; at < r.stream.size(); at += size)
        boundary.feed(std::string_view(r.stream).substr(at, size));
      EXPECT_EQ(boundary.between_events(), r.between) << r.stream << " by " << size;
    }
  }
}

TEST(EventBoundary, NeverLetsACommentChangeTheEvents) {
  for (std::string stream :
       {"data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "event: e\rdata: a\r\rdata: b\r\r"}) {
    auto plain = parse(stream);
    std::string with_comments;
    event_boundary boundary;
    for (char c : stream) {
      if (boundary.between_events()) with_comments += sse_keep_alive;
      with_comments += c;
      boundary.feed({&c, 1});
    }
    auto commented = parse(with_comments);
    ASSERT_EQ(commented.size(), plain.size()) << stream;
    for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(commented[i].data, plain[i].data);
  }
}

TEST(EndpointRewriter, ReplacesTheUriOfTheFirstEventAndNothingElse) {
  std::string stream =
      ": hello\n\nevent: endpoint\ndata: /messages?sessionId=1\n\nevent: endpoint\ndata: /other\n\n";
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    endpoint_rewriter rewriter(
        [](std::string_view uri) -> result<std::string> { return "/mcp" + std::string(uri); });
    std::string out;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      auto fed = rewriter.feed(std::string_view(stream).substr(at, size));
      ASSERT_TRUE(fed);
      out += *fed;
    }
    EXPECT_TRUE(rewriter.done());
    EXPECT_EQ(
        out,
        ": hello\n\nevent: endpoint\ndata: /mcp/messages?sessionId=1\n\nevent: endpoint\ndata: /other\n\n")
        << size;
  }
}

TEST(EndpointRewriter, LeavesAStreamThatOpensOtherwiseAsItIs) {
  endpoint_rewriter rewriter([](std::string_view) -> result<std::string> { return "/wrong"; });
  std::string stream = "event: message\r\nid: 1\r\ndata: endpoint\r\n\r\ndata: x";
  EXPECT_EQ(rewriter.feed(stream), stream);
  EXPECT_TRUE(rewriter.done());
}

TEST(EndpointRewriter, HoldsNothingBackOnceTheFirstEventCannotBeAnEndpoint) {
  struct row {
    const char* stream;
    const char* forwarded;
    bool done;
  };
  for (const auto& r :
       {row{"event: message\n", "event: message\n", true}, row{"event:message\r", "event:message\r", true},
        row{"event: endpoint2\ndata: x", "event: endpoint2\ndata: x", true},
        row{"id: 1\nevent: ping\nda", "id: 1\nevent: ping\nda", true},
        row{"event: endpoint\ndata: /x\n", "", false}, row{"data: /x\n", "", false}, row{"even", "", false},
        row{": ping\n", ": ping\n", false}, row{": ping\n\nevent: e", ": ping\n\n", false}}) {
    endpoint_rewriter rewriter([](std::string_view) -> result<std::string> { return "/mapped"; });
    EXPECT_EQ(rewriter.feed(r.stream), r.forwarded) << r.stream;
    EXPECT_EQ(rewriter.done(), r.done) << r.stream;
  }
}

TEST(EndpointRewriter, PassesAFirstEventThatIsTooLargeForAUri) {
  for (std::size_t size : {1U, 7U, 64U, 1000U}) {
    endpoint_rewriter rewriter([](std::string_view) -> result<std::string> { return "/wrong"; }, 100);
    auto stream = "data: " + std::string(200, 'x') + "\n\nevent: endpoint\ndata: /late\n\n";
    std::string out;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      auto fed = rewriter.feed(std::string_view(stream).substr(at, size));
      ASSERT_TRUE(fed);
      out += *fed;
    }
    EXPECT_TRUE(rewriter.done());
    EXPECT_EQ(out, stream) << size;
  }
}

TEST(EndpointRewriter, FindsTheEndpointBehindAnyNumberOfComments) {
  endpoint_rewriter rewriter([](std::string_view) -> result<std::string> { return "/mapped"; }, 100);
  std::string comments;
  for (int i = 0; i < 100; ++i) comments += i % 2 == 0 ? ": still starting\n" : ": still\r\n";
  EXPECT_EQ(rewriter.feed(comments + "event: endpoint\ndata: /x\n\n"),
            comments + "event: endpoint\ndata: /mapped\n\n");
}

TEST(EndpointRewriter, FailsWhenTheUriIsRefused) {
  endpoint_rewriter refusing(
      [](std::string_view) -> result<std::string> { return fail(errc::url_malformed); });
  auto refused = refusing.feed("event: endpoint\ndata: http://evil/\n\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::url_malformed);
}

}  // namespace
}  // namespace mcp_oauth
