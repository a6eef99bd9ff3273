#include "doctor/token_answer.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

http_answer answer_of(int status, const std::string& body) {
  return {status, {{"Content-Type", "application/json"}}, body};
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
