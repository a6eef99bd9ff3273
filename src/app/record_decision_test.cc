// What becomes of a call whose decision has to be on record, where the file or the thread for it does not do.

#include "app/gateway_fixture.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <stdlib.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

class RecordDecision : public Gateway {
 protected:
  RecordDecision() {
    conf.tools_given = true;
    conf.tools = {{"other", {}}};
    conf.audit.file = "/dev/full";
  }
  std::string allowed() { return post(R"({"jsonrpc":"2.0","id":7,"method":"ping"})", with_token()); }
  std::string denied() { return post(call, with_token()); }
  std::string verdict() {
    std::string body(call);
    return "POST /auth/verify HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Forwarded-Method: "
           "POST\r\n"
           "X-Forwarded-Host: 127.0.0.1:8080\r\nX-Forwarded-Uri: /mcp\r\n" +
           with_token() + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
};

TEST_F(RecordDecision, WhatIsDeniedIsAnsweredWith503AndSaysNothingOfTheDecision) {
  conf.trusted_proxies = {"127.0.0.1"};
  from_address = "127.0.0.1";
  for (const auto& request : {denied(), post(call, ""), verdict()}) {
    auto answer = answer_to(request);
    EXPECT_EQ(status_of(answer), 503) << answer;
    EXPECT_THAT(answer, HasSubstr("The decision could not be recorded"));
    EXPECT_THAT(answer, HasSubstr("Retry-After: "));
    EXPECT_THAT(answer, Not(HasSubstr("WWW-Authenticate")));
    EXPECT_THAT(answer, Not(HasSubstr("insufficient_scope")));
  }
  EXPECT_EQ(audit->now().lost, 3U);
  EXPECT_THAT(answer_to(get("/ready", "")), HasSubstr("audit_unwritable"));
}

TEST_F(RecordDecision, WhatIsAllowedGoesNowhereWhereThatHasToBeRecordedToo) {
  conf.audit.decisions = "all";
  EXPECT_EQ(status_of(answer_to(allowed())), 503);
  EXPECT_TRUE(dialled.empty()) << "the MCP server heard of it";
}

TEST_F(RecordDecision, ThatTooManyWaitIsALossLikeAnyOther) {
  net::blocking_pool no_room(1, 0);
  conf.audit.file = "/dev/null";
  start();
  parts.auditing = &no_room;
  EXPECT_EQ(status_of(answer_to(denied())), 503);
  EXPECT_EQ(audit->now().lost, 1U);
  EXPECT_TRUE(audit->now().failing);
  parts.auditing = &blocking;
  EXPECT_EQ(status_of(answer_to(denied())), 403);
  EXPECT_FALSE(audit->now().failing);
  server->stop();
}

TEST_F(RecordDecision, ContinueAnswersAsDecidedAndCounts) {
  conf.audit.on_failure = "continue";
  EXPECT_EQ(status_of(answer_to(denied())), 403);
  EXPECT_EQ(audit->now().lost, 1U);
  EXPECT_THAT(answer_to(get("/health", "")), HasSubstr("\"audit\": \"failing\", \"audit_lost\": 1"));
}

TEST_F(RecordDecision, WithoutAFileNothingIsSaidOfOne) {
  conf.audit = {};
  EXPECT_EQ(status_of(answer_to(denied())), 403);
  EXPECT_THAT(answer_to(get("/health", "")), Not(HasSubstr("audit")));
}

class DecisionOnRecord : public Gateway {
 protected:
  DecisionOnRecord() {
    std::string pattern = (std::filesystem::temp_directory_path() / "decisions_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    conf.audit.file = folder + "/audit.log";
    log_file = folder + "/proxy.log";
  }
  ~DecisionOnRecord() override { std::filesystem::remove_all(folder); }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // All that was written of it, once nothing more will be.
  std::pair<std::string, std::string> records() {
    server->stop();
    server.reset();
    audit.reset();
    log.reset();
    return {content(conf.audit.file), content(log_file)};
  }

  std::string folder;
};

TEST_F(DecisionOnRecord, AStreamWhoseGrantWasRevokedBeforeItsHeadCameHasEnded) {
  auto client = connect();
  client.send(post(call, with_token()));
  auto up = upstream_end();
  up.until(call);
  revoke("grant", now() + seconds(60));
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  EXPECT_EQ(status_of(client.until("has been revoked")), 401);
  auto recorded = content(conf.audit.file);
  EXPECT_THAT(recorded, HasSubstr(R"("verdict":"ended")"));
  EXPECT_THAT(recorded, HasSubstr(R"("reason":"token_revoked")"));
}

// Allowed or denied, audited or watched: no record says more than the log's own line.
TEST_F(DecisionOnRecord, HoldsNoSecretOfTheAddressesThatAClientNames) {
  conf.audit.decisions = "all";
  conf.log.debug = {"*"};
  parts.first_time_of = [](std::string_view, std::string_view) { return true; };
  const std::string path = "/mcp/x%3Faccess_token=SECRET-of-the-path";
  auto read = [](std::string_view uri) {
    return R"({"jsonrpc":"2.0","id":"token=SECRET-of-the-id","method":"resources/read","params":{"uri":")" +
           std::string(uri) + R"("}})";
  };
  const std::string uri = "https://bob:SECRET-of-bob@files.example/x?token=SECRET-of-the-uri";
  auto referer = "Referer: https://bob:SECRET-" + std::string(200, 'x') + "@files.example/?key=SECRET\r\n";
  auto to_path = [&](const std::string& body, const std::string& fields) {
    return post(body, fields).replace(5, 4, path);
  };
  auto client = connect();
  client.send(to_path(read(uri), with_token(referer)));
  auto up = upstream_end();
  EXPECT_THAT(up.until("}}"), HasSubstr("SECRET-of-the-uri")) << "the MCP server gets what was sent";
  up.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 404);
  EXPECT_EQ(status_of(answer_to(to_path(read("urn:x?token=SECRET-of-the-urn"), ""))), 401);
  EXPECT_EQ(
      status_of(answer_to(to_path(read(uri), with_token("X: y\r\nMcp-Method: token=SECRET-mirror\r\n")))),
      400);

  auto [recorded, logged] = records();
  EXPECT_THAT(recorded, HasSubstr(R"("verdict":"allowed")"));
  EXPECT_THAT(recorded, HasSubstr(R"("verdict":"denied")"));
  EXPECT_THAT(recorded, HasSubstr(R"("mcp_name":"https://***@files.example/x?***")"));
  EXPECT_THAT(recorded, HasSubstr(R"("path":"/mcp/x?***")"));
  EXPECT_THAT(logged, HasSubstr("404 for /rpc/x?*** of "));
  for (const char* of : {"mcp:message", "proxy:request", "proxy:headers", "token:validate"}) {
    EXPECT_THAT(logged, HasSubstr(std::string(R"("namespace":")") + of)) << logged;
  }
  EXPECT_THAT(recorded, Not(HasSubstr("SECRET")));
  EXPECT_THAT(logged, Not(HasSubstr("SECRET")));
}

}  // namespace
}  // namespace mcp_oauth
