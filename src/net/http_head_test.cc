#include "net/http_head.h"

#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth::net {
namespace {

request_head must_parse(const std::string& text) {
  static std::string kept;
  kept = text;
  request_head head;
  auto ok = parse_request_head(kept, head);
  EXPECT_TRUE(ok) << text << (ok ? "" : ok.error().detail);
  return head;
}

errc refused(const std::string& text) {
  request_head head;
  auto ok = parse_request_head(text, head);
  EXPECT_FALSE(ok) << text;
  return ok ? errc::internal : ok.error().code;
}

TEST(RequestHead, TakesTheOrdinaryApart) {
  auto head = must_parse(
      "POST /mcp?a=1 HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 12\r\nX-Empty:\r\nX-Blank: \t v \t\r\n\r\n");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/mcp");
  EXPECT_EQ(head.query, "a=1");
  EXPECT_EQ(head.host, "h:8080");
  EXPECT_EQ(head.body, framing::length);
  EXPECT_EQ(head.length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.find("x-empty"), "");
  EXPECT_EQ(head.find("X-BLANK"), "v");
  EXPECT_EQ(head.find("absent"), std::nullopt);
}

TEST(RequestHead, KnowsWhenAConnectionEnds) {
  EXPECT_FALSE(must_parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(must_parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(must_parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(RequestHead, AcceptsTheAbsoluteFormOfTheSameHostOnly) {
  auto head = must_parse("GET http://h:80/p?q HTTP/1.1\r\nHost: h:80\r\n\r\n");
  EXPECT_EQ(head.path, "/p");
  EXPECT_EQ(head.query, "q");
  EXPECT_EQ(refused("GET http://evil/p HTTP/1.1\r\nHost: h\r\n\r\n"), errc::http_malformed);
  EXPECT_EQ(refused("GET ftp://h/p HTTP/1.1\r\nHost: h\r\n\r\n"), errc::http_malformed);
  EXPECT_EQ(refused("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), errc::http_malformed);
}

TEST(RequestHead, RefusesWhatTwoServersCouldReadDifferently) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  struct row {
    const char* fields;
    errc why;
  } rows[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 5, 5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: +5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: -5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 0x5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 5 5\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length:\r\n\r\n", errc::http_framing_ambiguous},
      {"Content-Length: 99999999999999999999\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: xchunked\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: chunked, identity\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: identity, chunked\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: gzip, chunked\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: \"chunked\"\r\n\r\n", errc::http_framing_ambiguous},
      {"Transfer-Encoding: chunk\r\n\r\n", errc::http_framing_ambiguous},
      {"Host: other\r\n\r\n", errc::http_malformed},
      {"X : v\r\n\r\n", errc::http_malformed},
      {" X: v\r\n\r\n", errc::http_malformed},
      {"X: a\r\n b\r\n\r\n", errc::http_malformed},
      {"X: a\r\n\tb\r\n\r\n", errc::http_malformed},
      {"X: a\nY: b\r\n\r\n", errc::http_malformed},
      {"X: a\rb\r\n\r\n", errc::http_malformed},
      {"X: a\x01\r\n\r\n", errc::http_malformed},
      {"X: a\x7F\r\n\r\n", errc::http_malformed},
      {"X\r\n\r\n", errc::http_malformed},
      {": v\r\n\r\n", errc::http_malformed},
      {"X(: v\r\n\r\n", errc::http_malformed},
      {"X\x80: v\r\n\r\n", errc::http_malformed},
      {"Expect: 200-ok\r\n\r\n", errc::http_malformed},
      {"X: v\r\n", errc::http_malformed},
  };
  for (const auto& r : rows) EXPECT_EQ(refused(head + r.fields), r.why) << r.fields;
  EXPECT_EQ(refused(head + std::string("X: a\0b\r\n\r\n", 11)), errc::http_malformed);
  EXPECT_EQ(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), errc::http_framing_ambiguous);
}

TEST(RequestHead, RefusesBrokenRequestLines) {
  for (const char* line :
       {"GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET", "",
        "GET / http/1.1", "GET / HTTP/1", "G(T / HTTP/1.1", "GET /\x80 HTTP/1.1", "GET /#f HTTP/1.1",
        "GET /\\ HTTP/1.1", "GET * HTTP/1.1", "GET /a b HTTP/1.1", "GET\t/ HTTP/1.1", "GET /<x> HTTP/1.1"}) {
    EXPECT_EQ(refused(std::string(line) + "\r\nHost: h\r\n\r\n"), errc::http_malformed) << line;
  }
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"}) {
    EXPECT_EQ(refused(std::string("GET / ") + version + "\r\nHost: h\r\n\r\n"),
              errc::http_version_unsupported)
        << version;
  }
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n"), errc::http_malformed);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), errc::http_malformed);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: user@h\r\n\r\n"), errc::http_malformed);
}

TEST(RequestHead, BoundsTheLengthOfTheTarget) {
  auto with_target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  must_parse(with_target(17 * 1024));
  EXPECT_EQ(refused(with_target(17 * 1024 + 1)), errc::http_head_too_large);
}

TEST(RequestHead, BoundsTheNumberOfFields) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 99; ++i) text += "X: v\r\n";
  must_parse(text + "\r\n");
  EXPECT_EQ(refused(text + "X: v\r\n\r\n"), errc::http_head_too_large);
}

TEST(ResponseHead, KnowsHowTheBodyEnds) {
  auto framing_of = [](const std::string& text, std::string_view asked = "POST") {
    response_head head;
    auto ok = parse_response_head(text, asked, head);
    EXPECT_TRUE(ok) << text;
    return head.body;
  };
  EXPECT_EQ(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), framing::length);
  EXPECT_EQ(framing_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD"), framing::none);
  EXPECT_EQ(framing_of("HTTP/1.1 204 No Content\r\n\r\n"), framing::none);
  EXPECT_EQ(framing_of("HTTP/1.1 304\r\nContent-Length: 3\r\n\r\n"), framing::none);
  EXPECT_EQ(framing_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"), framing::chunked);
  EXPECT_EQ(framing_of("HTTP/1.1 200 \r\n\r\n"), framing::until_close);
}

TEST(ResponseHead, RefusesTheAmbiguous) {
  for (const char* text : {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/2 200 OK\r\n\r\n",
                           "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 99 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 200 OK\nX: a\r\n\r\n"}) {
    response_head head;
    auto ok = parse_response_head(text, "GET", head);
    EXPECT_FALSE(ok) << text;
    if (!ok) {
      EXPECT_EQ(ok.error().code, errc::upstream_malformed);
    }
  }
}

TEST(FindHeadEnd, FindsItAcrossReads) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
  for (std::size_t cut = 0; cut < text.size() - 4; ++cut) {
    auto before = find_head_end(std::string_view(text).substr(0, cut), 0);
    EXPECT_EQ(before, std::nullopt) << cut;
    EXPECT_EQ(find_head_end(text, cut), text.size() - 4) << cut;
    if (cut + 5 == text.size()) break;
  }
}

}  // namespace
}  // namespace mcp_oauth::net
