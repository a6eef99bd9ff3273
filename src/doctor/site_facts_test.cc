#include "doctor/site_facts.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

http_answer answer_of(std::string type, std::string body) {
  http_answer made;
  made.status = 200;
  made.fields.add("Content-Type", std::move(type));
  made.body = std::move(body);
  return made;
}

TEST(JsonRpcIn, IsFoundInJsonAndInTheFirstEventThatHasData) {
  const std::string message = R"({"jsonrpc":"2.0","id":1,"result":{}})";
  struct row {
    const char* type;
    std::string body;
    bool found;
  };
  for (const auto& [type, body, found] :
       {row{"application/json", message, true}, row{"application/json", "\n " + message + "\n", true},
        row{"application/json", R"({"id":1,"result":{}})", false}, row{"application/json", "[]", false},
        row{"text/event-stream", "event: message\ndata: " + message + "\n\n", true},
        row{"Text/Event-Stream; charset=utf-8", "data:" + message + "\r\n\r\n", true},
        row{"text/event-stream", "id: 1\ndata:\n\ndata: " + message + "\n\n", true},
        row{"text/event-stream", ": data: " + message + "\n\n", false},
        row{"text/event-stream", "event: ping\n\n", false}, row{"text/event-stream", "", false}}) {
    EXPECT_EQ(json_rpc_in(answer_of(type, body)).has_value(), found) << type << "\n" << body;
  }
}

}  // namespace
}  // namespace mcp_oauth
