#include "doctor/token_answer.h"

#include "base/text.h"
#include "symptom/catalogue.h"

#include <array>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

http_answer answer_of(int status, const std::string& body) {
  return {status, {{"Content-Type", "application/json"}}, body};
}

// What `doctor --login` says of the answer to a token that was just given.
TEST(FreshToken, IsTakenOnlyWhereAResultComes) {
  struct row {
    int status;
    const char* body;
    severity level;
    bool certain;
    const char* id;
  };
  for (const auto& [status, body, level, certain, id] :
       {row{200, R"({"jsonrpc":"2.0","id":1,"result":{}})", severity::ok, true, ""},
        row{401, "{}", severity::failure, true, "MOP-SIN-016"},
        row{403, "{}", severity::failure, true, "MOP-SCP-001"},
        row{200, "<html>", severity::failure, true, "MOP-WEB-009"},
        row{200, R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"Unauthorized: invalid token"}})",
            severity::failure, true, "MOP-SIN-016"},
        row{400, R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"Invalid token"}})",
            severity::failure, true, "MOP-SIN-016"},
        row{200, R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"Unauthorized"}})", severity::failure,
            false, "MOP-SIN-016"},
        row{200, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"x"}})", severity::unknown,
            false, "MOP-SIN-016"},
        row{500, R"({"jsonrpc":"2.0","id":1,"result":{}})", severity::unknown, false, "MOP-SIN-016"}}) {
    std::vector<doctor_finding> found;
    site_findings into("login.token", found);
    judge_fresh_token(answer_of(status, body), "it is opaque", "POST https://mcp.example.com/mcp", nullptr,
                      into);
    ASSERT_EQ(found.size(), 1u) << body;
    const auto& one = found.front();
    EXPECT_EQ(one.level, level) << status << body;
    EXPECT_EQ(one.certain, certain) << status << body;
    EXPECT_EQ(one.decides, level == severity::unknown) << status << body;
    EXPECT_EQ(one.code ? explain(*one.code).id : std::string_view(), id) << status << body;
    EXPECT_EQ(one.title == "the server takes the token", level == severity::ok) << body;
  }
}

TEST(FreshToken, IsInNoWordsOfTheServerThatAreShown) {
  auto hide = [](const std::string& said) {
    auto at = said.find("CANARY");
    return at == std::string::npos ? said : said.substr(0, at) + "***";
  };
  for (const char* body : {R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"invalid token CANARY"}})",
                           R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"what is CANARY"}})",
                           "<html><title>what is CANARY</title></html>"}) {
    std::vector<doctor_finding> found;
    site_findings into("login.token", found);
    judge_fresh_token(answer_of(200, body), "it is opaque", "here", hide, into);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.front().seen.find("CANARY"), std::string::npos) << found.front().seen;
    EXPECT_NE(found.front().seen.find("***"), std::string::npos) << found.front().seen;
  }
}

TEST(TokenAnswer, TellsTheWordsOfAnErrorSoThatATerminalTakesThem) {
  auto told = told_with_error(
      answer_of(200, R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no\u001b[2J entry"}})"));
  EXPECT_TRUE(told.starts_with("status 200, application/json, a JSON-RPC error: no")) << told;
  EXPECT_EQ(told.find('\033'), std::string::npos);
  EXPECT_EQ(told_with_error(answer_of(200, R"({"jsonrpc":"2.0","id":1,"error":{"code":1}})")),
            "status 200, application/json, a JSON-RPC error");
  EXPECT_EQ(told_with_error(answer_of(200, "{}")), "status 200, application/json");
}

}  // namespace
}  // namespace mcp_oauth
