// Holes that gateways had in whose session, and whose answer, is whose. Each as it would have shown there;
// docs/past-mistakes.md has the list.

#include "app/advisory_fixture.h"

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(AdvisoryGateway, GHSA_mvgg_jvj2_4frq_ASessionIsGoodOnItsRouteAndForItsUserOnly) {
  add_upstream("cal");  // as long as the other, so that only what it says differs
  auto opened =
      ask(post(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})",
               bearer("local:ada")));
  auto id = field_of(opened, "Mcp-Session-Id");
  ASSERT_EQ(id.rfind("given-1.", 0), 0U) << opened;
  take_seen();

  const std::vector<std::pair<std::string, std::string>> methods = {
      {"POST", ""}, {"GET", ""}, {"GET", "Last-Event-ID: 1\r\n"}, {"DELETE", ""}};
  int passed = 0;
  for (const std::string route : {"mcp", "cal"}) {
    for (const std::string user : {"local:ada", "local:eve", "oidc:ada", "local:ada ", "LOCAL:ADA", "ada"}) {
      for (const std::string client : {"client", "another"}) {
        for (const std::string meant_for : {"mcp", "cal"}) {
          for (const auto& [method, more] : methods) {
            auto fields = bearer(user, std::string(origin) + "/" + meant_for, client) +
                          "Mcp-Session-Id: " + id + "\r\n" + more;
            auto request = method == "POST" ? post_to("/" + route, fields)
                                            : method + " /" + route +
                                                  " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + fields + "\r\n";
            auto status = status_of(ask(request));
            auto seen = take_seen();
            // One user's clients share what is that user's.
            bool good = route == "mcp" && meant_for == "mcp" && user == "local:ada";
            int expected = good ? 200 : route != meant_for ? 401 : 404;
            EXPECT_EQ(status, expected)
                << method << more << " /" << route << " " << user << " for " << meant_for;
            EXPECT_EQ(seen.size(), good ? 1U : 0U);
            if (good) {
              EXPECT_EQ(field_of(seen[0], "Mcp-Session-Id"), "given-1") << seen[0];
              ++passed;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(passed, 8);
}

TEST_F(AdvisoryGateway, CVE_2026_52869_AnIdInAnyOtherFormIsNoSession) {
  auto opened = ask(post(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})", with_token()));
  auto id = field_of(opened, "Mcp-Session-Id");
  ASSERT_FALSE(id.empty());
  take_seen();
  auto flipped = id;
  flipped.back() = flipped.back() == 'A' ? 'B' : 'A';
  auto upper = id;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const auto& form : {std::string("given-1"),
                           std::string("given-1."),
                           id.substr(7),
                           flipped,
                           upper,
                           id + "=",
                           id + " ",
                           id + ".",
                           id + id,
                           id + "," + id,
                           id + ", given-1",
                           "given-1, " + id,
                           "\"" + id + "\"",
                           "given-2" + id.substr(7),
                           "given-1%2e" + id.substr(8),
                           id.substr(1),
                           std::string("null"),
                           std::string("*"),
                           std::string("../given-1"),
                           std::string()}) {
    for (const std::string method : {"POST", "GET", "DELETE"}) {
      auto fields = with_token("Mcp-Session-Id: " + form + "\r\n");
      auto request =
          method == "POST" ? post(call, fields) : method + " /mcp HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
      auto status = status_of(ask(request));
      auto seen = take_seen();
      if (trim(form) == id) {
        EXPECT_EQ(status, 200) << "blanks around a value are no part of it";
        continue;
      }
      if (form.empty()) {
        ASSERT_EQ(seen.size(), 1U);
        EXPECT_EQ(lines_named(seen[0], "mcp-session-id"), 0) << "an empty value names none";
        continue;
      }
      EXPECT_EQ(status, 404) << method << " " << form;
      EXPECT_TRUE(seen.empty()) << form;
    }
  }
  for (const char* again : {"Mcp-Session-Id: ", "mcp-session-id: ", "MCP-SESSION-ID:"}) {
    for (const auto& [first, second] : {std::pair{id, std::string("given-1")}, {"given-1", id}, {id, id}}) {
      auto twice = with_token("Mcp-Session-Id: " + first + "\r\n" + again + second + "\r\n");
      EXPECT_EQ(status_of(ask(post(call, twice))), 404) << first << " and " << second;
      EXPECT_TRUE(take_seen().empty());
    }
  }
  auto underscored = ask(post(call, with_token("Mcp_Session_Id: given-1\r\n")));
  auto seen = take_seen();
  ASSERT_EQ(seen.size(), 1U) << underscored;
  EXPECT_EQ(lines_named(seen[0], "mcp-session-id"), 0) << "a spelling that we do not read goes nowhere";
}

TEST_F(AdvisoryGateway, CVE_2026_25536_IdsAloneMatchNothing) {
  // Ten clients with one id each wait at once; the servers answer in the opposite order.
  std::vector<net::test_peer> clients, servers;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    clients.back().send(post(call, with_token("X-Who: " + std::to_string(i) + "\r\n")));
    servers.push_back(upstream_end());
  }
  for (std::size_t i = servers.size(); i-- > 0;) {
    auto who = field_of(servers[i].until(call), "X-Who");
    servers[i].send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[" + who + "]");
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    EXPECT_THAT(clients[i].until("]"), HasSubstr("\r\n\r\n[" + std::to_string(i) + "]"));
  }
}

TEST_F(AdvisoryGateway, ResponseQueuePoisoning_2021_NoAnswerOfOneCallReachesAnother) {
  const std::string poison =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n\"poison\"";
  struct row {
    const char* what;
    std::string answer;
  };
  for (const auto& r :
       {row{"a second answer behind the first", ok + poison},
        row{"a second answer behind chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + poison},
        row{"a second answer in a trailer",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + poison + "\r\n\r\n"},
        row{"a body where none may be", "HTTP/1.1 204 No Content\r\nContent-Length: 99\r\n\r\n" + poison},
        row{"a body of 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n" + poison},
        row{"both lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}" + poison},
        row{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 99\r\n\r\n{}" + poison},
        row{"a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}" + poison},
        row{"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n{}" + poison},
        row{"a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}" + poison},
        row{"a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + poison},
        row{"a chunk that is longer than it says",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n" + poison}}) {
    auto first = connect();
    first.send(post(call, with_token()));
    auto up = upstream_end();
    up.until(call);
    up.send(r.answer);
    EXPECT_THAT(first.until("\r\n\r\n"), Not(HasSubstr("poison"))) << r.what;
    // By now the rest of what the server sent has been seen, too.
    answer_to(get("/health", ""));
    auto second = connect();
    second.send(post(call, with_token("Connection: close\r\n")));
    auto fresh = upstream_end();
    EXPECT_TRUE(fresh.open()) << r.what << ": the connection was used again";
    fresh.until(call);
    fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\"mine\"");
    auto answer = second.rest();
    EXPECT_THAT(answer, HasSubstr("\"mine\"")) << r.what;
    EXPECT_THAT(answer, Not(HasSubstr("poison"))) << r.what;
  }
}

TEST_F(AdvisoryGateway, ResponseQueuePoisoning_2021_AnAnswerThatNobodyAskedForIsNobodys) {
  auto first = connect();
  first.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  up.send(ok);
  first.until("{}");
  up.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\"poison\"");
  answer_to(get("/health", ""));
  auto second = connect();
  second.send(post(call, with_token("Connection: close\r\n")));
  auto fresh = upstream_end();
  fresh.until(call);
  fresh.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\"mine\"");
  EXPECT_THAT(second.rest(), HasSubstr("\"mine\""));
}

}  // namespace
}  // namespace mcp_oauth
