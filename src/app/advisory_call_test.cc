// Holes that gateways had in what a call is taken for. Each as it would have shown there;
// docs/past-mistakes.md has the list.

#include "app/advisory_fixture.h"

#include <cstdio>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

class AdvisoryMismatch : public AdvisoryGateway {
 protected:
  static std::string modern(const std::string& name, const std::string& more = "") {
    return R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":)" + name +
           R"(,"arguments":{})" + more +
           R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  }
  static constexpr const char* version = "MCP-Protocol-Version: 2026-07-28\r\n";
  static constexpr const char* right =
      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
};

TEST_F(AdvisoryMismatch, SEP_2243_AHeaderThatSaysAnotherThingThanTheBodyIsRefused) {
  auto echo = modern("\"echo\"");
  for (const std::string& fields :
       {std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: printEnv\r\n",
        std::string(version) + "Mcp_Method: tools/call\r\nMcp_Name: echo\r\n",
        std::string("MCP_Protocol_Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string(version) + "Mcp-Method: tools/list\r\nMcp-Name: echo\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\n",
        std::string(version) + "Mcp-Name: echo\r\n",
        std::string(version),
        std::string("Mcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string("MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"),
        std::string(right) + "Mcp-Name: echo\r\n",
        std::string(right) + "mcp-name: printEnv\r\n",
        std::string(right) + "MCP-METHOD: tools/call\r\n",
        std::string(right) + "Mcp_Name: printEnv\r\n",
        std::string(right) + "MCP_METHOD: tools/list\r\n",
        std::string(right) + "MCP_PROTOCOL_VERSION: 2024-11-05\r\n",
        std::string(right) + "MCP-Protocol-Version: 2024-11-05\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: Echo\r\n",
        std::string(version) + "Mcp-Method: Tools/Call\r\nMcp-Name: echo\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: echo, printEnv\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: \"echo\"\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: \\u0065cho\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: %65cho\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: ech\xc3\xb6\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?cHJpbnRFbnY=?=\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?ZWNobw==\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?!!!!?=\r\n",
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name:\r\n"}) {
    auto answer = ask(post(echo, with_token(fields)));
    EXPECT_EQ(status_of(answer), 400) << fields << answer;
    EXPECT_THAT(answer, HasSubstr("-32020")) << fields;
    EXPECT_TRUE(take_seen().empty()) << fields;
  }
  EXPECT_EQ(status_of(ask(post(echo, with_token(std::string(version) +
                                                "Mcp-Method: tools/call\r\nMcp-Name: ech\r\n o\r\n")))),
            400)
      << "a folded line";
  // The same said in other words.
  for (const std::string& fields :
       {std::string(right),
        std::string("mcp-protocol-version: 2026-07-28\r\nMCP-METHOD: tools/call\r\nmcp-NAME:   echo  \r\n"),
        std::string(version) + "Mcp-Method: tools/call\r\nMcp-Name: =?base64?ZWNobw==?=\r\n"}) {
    EXPECT_EQ(status_of(ask(post(echo, with_token(fields)))), 200) << fields;
  }
  EXPECT_EQ(status_of(ask(post(modern("\"\\u0065cho\""), with_token(right)))), 200)
      << "escapes are a spelling";
}

TEST_F(AdvisoryMismatch, SEP_2243_ABodyThatSaysTwoThingsIsRefused) {
  for (const std::string& body :
       {modern("\"echo\"", R"(,"name":"printEnv")"), modern("\"printEnv\"", R"(,"name":"echo")"),
        modern("\"echo\"", R"(,"n\u0061me":"printEnv")"), modern("\"echo\"", R"(,"Name":"printEnv")"),
        modern("\"echo\"", R"(,"NAME":"printEnv")"), modern("[\"echo\"]"), modern("{\"a\":\"echo\"}"),
        modern("\"echo\"").insert(1, R"("method":"tools/list",)"),
        modern("\"echo\"").insert(1, R"("params":{"name":"printEnv"},)"),
        modern("\"echo\"").insert(1, R"("Method":"tools/list",)"),
        modern("\"echo\"") + modern("\"printEnv\""), modern("\"echo\"") + "\n{}",
        "\xef\xbb\xbf" + modern("\"echo\""), modern("\"ech\\ud800o\""), modern("\"ech\xff\""),
        "/* */" + modern("\"echo\""), modern("'echo'")}) {
    auto answer = ask(post(body, with_token(right)));
    EXPECT_EQ(status_of(answer), 400) << body << answer;
    EXPECT_TRUE(take_seen().empty()) << body;
  }
}

// Revisions that mirror have no batches: what is in one would be mirrored by nothing.
TEST_F(AdvisoryMismatch, SEP_2243_ABatchDoesNotGetAroundTheHeaders) {
  auto old = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  for (const std::string& body :
       {"[" + modern("\"echo\"") + "]", "[" + std::string(old) + "," + modern("\"echo\"") + "]"}) {
    for (const char* fields : {"", version, right, "MCP-Protocol-Version: 2025-03-26\r\n"}) {
      auto answer = ask(post(body, with_token(fields)));
      EXPECT_EQ(status_of(answer), 400) << fields << body;
      EXPECT_TRUE(take_seen().empty()) << fields << body;
    }
  }
  EXPECT_EQ(status_of(ask(post("[" + std::string(old) + "]", with_token(version)))), 400);
  EXPECT_EQ(
      status_of(ask(post("[" + std::string(old) + "]", with_token("MCP-Protocol-Version: 2025-03-26\r\n")))),
      200);
}

// A server that reads what a proxy did not: content of a method that has none is a call, or a second request.
TEST_F(AdvisoryGateway, RequestSmugglingCL0_ContentOfAGetOrADeleteReachesNobody) {
  conf.tools_given = true;  // and no rule: every tool is denied
  std::string hidden =
      "POST /mcp HTTP/1.1\r\nHost: up\r\nX-User-Id: local:victim\r\nContent-Length: 0\r\n\r\n";
  for (const char* method : {"GET", "DELETE"}) {
    for (const std::string& content : {std::string(call), hidden}) {
      std::string head = std::string(method) + " /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" +
                         with_token("X-HTTP-Method-Override: POST\r\nContent-Type: application/json\r\n");
      auto length = std::to_string(content.size());
      auto by_length = head + "Content-Length: " + length + "\r\n\r\n" + content;
      char hex[20];
      std::snprintf(hex, sizeof hex, "%zx", content.size());
      auto chunked = head + "Transfer-Encoding: chunked\r\n\r\n" + hex + "\r\n" + content + "\r\n0\r\n\r\n";
      for (const auto& request : {by_length, chunked}) {
        EXPECT_EQ(status_of(ask(request)), 400) << request;
        EXPECT_TRUE(take_seen().empty()) << request;
      }
    }
    auto empty = std::string(method) + " /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" +
                 with_token("Content-Length: 0\r\n\r\n");
    EXPECT_EQ(status_of(ask(empty)), 200) << "as some clients end a session";
    take_seen();
  }
}

// What a server would decode first, it might read as another call than the one that was judged.
TEST_F(AdvisoryGateway, DecompressionAtTheServer_WhatIsNotPlainJsonIsRefused) {
  for (const char* field :
       {"Content-Encoding: gzip", "Content-Encoding: deflate", "content-encoding: br",
        "Content-Encoding: identity, gzip", "Content-Encoding: identity\r\nContent-Encoding: br",
        "Content-Encoding: x", "Content_Encoding: gzip", "content.encoding: br",
        "Content-Type: application/json; charset=utf-7", "Content-Type: application/json",
        "Content_Type: application/json; charset=utf-16", "content-TYPE: text/plain"}) {
    EXPECT_EQ(status_of(ask(post(call, with_token(std::string(field) + "\r\n")))), 415) << field;
    EXPECT_TRUE(take_seen().empty()) << field;
  }
  EXPECT_EQ(status_of(ask(post(call, with_token("Content-Encoding: identity\r\n")))), 200);
  take_seen();
  auto typed = [&](const std::string& type) {
    auto request = post(call, with_token());
    std::string plain = "application/json";
    return request.replace(request.find(plain), plain.size(), type);
  };
  for (const char* type : {"application/json; charset=utf-7", "application/json;charset=utf-16",
                           "application/json; x=y; charset=\"utf-7\"",
                           "application/json; charset=", "text/plain", "application/jsonp"}) {
    EXPECT_EQ(status_of(ask(typed(type))), 415) << type;
    EXPECT_TRUE(take_seen().empty()) << type;
  }
  for (const char* type : {"application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"",
                           "application/json;", "application/json; x=y"}) {
    EXPECT_EQ(status_of(ask(typed(type))), 200) << type;
  }
}

TEST_F(AdvisoryGateway, Kuadrant_2026_AToolThatNoRuleNamesIsDeniedByAnyName) {
  conf.tools_given = true;
  access_rule rule;
  rule.pattern = "echo";
  rule.scopes = {"mcp"};
  conf.tools = {rule};
  EXPECT_EQ(status_of(ask(post(call, with_token()))), 200);
  take_seen();
  for (const char* name : {"printEnv",
                           "Echo",
                           "ECHO",
                           "echo ",
                           " echo",
                           "echo\\u0000",
                           "echo\\n",
                           "echo/../printEnv",
                           "./echo",
                           "echo;printEnv",
                           "echo,printEnv",
                           "echo*",
                           "*",
                           "",
                           "ech\\u043e",
                           "e\\u0301cho",
                           "echo\\u200b",
                           "server_echo",
                           "server__echo",
                           "echo.echo"}) {
    auto body =
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + std::string(name) + "\"}}";
    auto answer = ask(post(body, with_token()));
    EXPECT_EQ(status_of(answer), 403) << name << answer;
    EXPECT_TRUE(take_seen().empty()) << name;
  }
  for (const char* body : {R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})",
                           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}})",
                           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":null})"}) {
    EXPECT_EQ(status_of(ask(post(body, with_token()))), 403) << body;
    EXPECT_TRUE(take_seen().empty()) << body;
  }
}

}  // namespace
}  // namespace mcp_oauth
