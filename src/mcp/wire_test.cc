#include "base/json.h"
#include "mcp/error_body.h"
#include "mcp/headers.h"
#include "mcp/revision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

envelope scan(std::string_view body) {
  envelope_scanner scanner;
  EXPECT_TRUE(scanner.feed(body)) << body;
  EXPECT_TRUE(scanner.finish()) << body;
  return scanner.seen();
}

envelope stateless(std::string_view method, std::string_view params) {
  return scan(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
              R"(","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"})" +
              std::string(params) + "}}");
}

TEST(Revision, KnowsItsNamesAndNoOthers) {
  for (auto r : {revision::v2024_11_05, revision::v2025_03_26, revision::v2025_06_18, revision::v2025_11_25,
                 revision::v2026_07_28}) {
    EXPECT_EQ(parse_revision(name(r)), r);
  }
  for (auto text : {"", "2025-06-19", "2025-6-18", " 2025-06-18", "2026-07-28 ", "DRAFT-2026-v1"}) {
    EXPECT_EQ(parse_revision(text), std::nullopt) << text;
  }
}

TEST(Revision, SaysWhatEachOneHas) {
  EXPECT_TRUE(has_endpoint_event(revision::v2024_11_05));
  EXPECT_FALSE(has_endpoint_event(revision::v2025_03_26));
  EXPECT_TRUE(has_batches(revision::v2025_03_26));
  EXPECT_FALSE(has_batches(revision::v2025_06_18));
  EXPECT_FALSE(has_sessions(revision::v2024_11_05));
  EXPECT_TRUE(has_sessions(revision::v2025_11_25));
  EXPECT_FALSE(has_sessions(revision::v2026_07_28));
  EXPECT_TRUE(has_mirrored_headers(revision::v2026_07_28));
  EXPECT_FALSE(has_mirrored_headers(revision::v2025_11_25));
  EXPECT_TRUE(disconnect_cancels(revision::v2026_07_28));
  EXPECT_FALSE(disconnect_cancels(revision::v2025_11_25));
}

TEST(MirroredHeaders, AcceptsHeadersThatSayWhatTheBodySays) {
  using fields = std::vector<field>;
  auto call = stateless("tools/call", R"(,"name":"gr\u00fcn")");
  for (const auto& f : {fields{{"MCP-Protocol-Version", "2026-07-28"},
                               {"Mcp-Method", "tools/call"},
                               {"Mcp-Name", "=?base64?Z3LDvG4=?="}},
                        fields{{"mcp-protocol-version", "2026-07-28"},
                               {"MCP-METHOD", "tools/call"},
                               {"mcp-name", "=?base64?Z3LDvG4=?="},
                               {"Mcp-Param-X", "1"}}}) {
    auto ok = check_mirrored_headers(call, f);
    EXPECT_TRUE(ok) << ok.error().detail;
  }
  fields list{{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/list"}};
  EXPECT_TRUE(check_mirrored_headers(stateless("tools/list", ""), list));
}

TEST(MirroredHeaders, AsksOlderRevisionsForNothing) {
  using fields = std::vector<field>;
  auto call = scan(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})");
  auto offer =
      scan(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})");
  for (const auto& f : {fields{}, fields{{"MCP-Protocol-Version", "2025-06-18"}},
                        fields{{"MCP-Protocol-Version", "2031-01-01"}}}) {
    EXPECT_TRUE(check_mirrored_headers(call, f));
    EXPECT_TRUE(check_mirrored_headers(offer, f));
  }
  auto batch = scan(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])");
  EXPECT_TRUE(check_mirrored_headers(batch, fields{{"MCP-Protocol-Version", "2025-03-26"}}));
}

TEST(MirroredHeaders, RefusesEveryContradiction) {
  using fields = std::vector<field>;
  auto call = stateless("tools/call", R"(,"name":"echo")");
  auto plain = scan(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})");
  auto nameless = scan(R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})");
  auto batch = scan(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])");
  auto answer = scan(R"({"jsonrpc":"2.0","id":1,"result":{}})");
  struct row {
    const envelope& body;
    fields headers;
  };
  const field version{"MCP-Protocol-Version", "2026-07-28"}, method{"Mcp-Method", "tools/call"},
      called{"Mcp-Name", "echo"};
  int i = 0;
  for (const auto& r : {
           row{call, {method, called}},
           row{call, {version, called}},
           row{call, {version, method}},
           row{call, {{"MCP-Protocol-Version", "2025-11-25"}, method, called}},
           row{call, {version, {"Mcp-Method", "tools/list"}, called}},
           row{call, {version, {"Mcp-Method", "Tools/call"}, called}},
           row{call, {version, method, {"Mcp-Name", "Echo"}}},
           row{call, {version, method, {"Mcp-Name", "=?base64?ZWNobw?="}}},
           row{call, {version, method, {"Mcp-Name", "=?base64?ZGVsZXRl?="}}},
           row{call, {version, method, {"Mcp-Name", "=?base64?ZWNobw=="}}},
           row{call, {version, method, {"Mcp-Name", "=?BASE64?ZWNobw==?="}}},
           row{call, {version, method, {"Mcp-Name", "ech\xC3\xB6"}}},
           row{call, {version, method, called, called}},
           row{call, {version, version, method, called}},
           row{call, {version, method, {"mcp-method", "tools/list"}, called}},
           row{plain, {version}},
           row{plain, {version, method}},
           row{plain, {{"Mcp-Method", "ping"}}},
           row{plain, {{"Mcp-Name", "delete"}}},
           row{nameless, {{"Mcp-Name", "echo"}}},
           row{batch, {{"Mcp-Method", "ping"}}},
           row{answer, {{"Mcp-Method", "ping"}}},
       }) {
    auto checked = check_mirrored_headers(r.body, r.headers);
    ASSERT_FALSE(checked) << i;
    EXPECT_EQ(checked.error().code, errc::header_mismatch);
    ++i;
  }
}

TEST(MirroredHeaders, LetAClientSendResponsesOnlyWhereServersAsk) {
  auto answer = scan(R"({"jsonrpc":"2.0","id":1,"result":{}})");
  auto refusal = scan(R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}})");
  for (const auto* response : {&answer, &refusal}) {
    for (const char* version : {"2025-03-26", "2025-11-25", "2031-01-01"}) {
      EXPECT_TRUE(check_mirrored_headers(*response, std::vector<field>{{"MCP-Protocol-Version", version}}));
    }
    EXPECT_TRUE(check_mirrored_headers(*response, {}));
    auto refused =
        check_mirrored_headers(*response, std::vector<field>{{"mcp-protocol-version", "2026-07-28"}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::body_malformed);
  }
}

TEST(MirroredHeaders, JudgesAnUnfinishedMessageByWhatIsKnown) {
  envelope_scanner scanner;
  ASSERT_TRUE(scanner.feed(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",)"));
  std::vector<field> headers{
      {"MCP-Protocol-Version", "2025-11-25"}, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "echo"}};
  EXPECT_TRUE(check_mirrored_headers(scanner.seen(), headers));
  ASSERT_TRUE(scanner.feed(R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"));
  EXPECT_FALSE(check_mirrored_headers(scanner.seen(), headers));
}

TEST(MirroredHeaders, SayWhatACallIsToWhoCannotSeeIt) {
  const field version{"MCP-Protocol-Version", "2026-07-28"};
  auto said = envelope_of_mirrored_headers(
      std::vector<field>{version, {"mcp-method", "tools/call"}, {"Mcp-Name", "=?base64?ZWNobw==?="}});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->method, "tools/call");
  EXPECT_EQ(said->name, "echo");
  EXPECT_TRUE(said->has_name && said->complete);
  auto list = envelope_of_mirrored_headers(std::vector<field>{version, {"Mcp-Method", "tools/list"}});
  ASSERT_TRUE(list);
  EXPECT_FALSE(list->has_name);

  const std::vector<field> refused[] = {
      {},
      {version},
      {version, {"Mcp-Name", "echo"}},
      {version, {"Mcp-Method", ""}},
      {version, {"Mcp-Method", "tools/call"}},
      {version, {"Mcp-Method", "tools/call"}, {"Mcp-Method", "tools/list"}, {"Mcp-Name", "echo"}},
      {version, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "echo"}, {"mcp-name", "echo"}},
      {version, {"Mcp-Method", "tools/call"}, {"Mcp_Name", "echo"}},
      {version, {"Mcp-Method", "tools/call"}, {"Mcp-Name", "=?base64?!?="}},
      {{"Mcp-Method", "tools/list"}},
      {{"MCP-Protocol-Version", "2025-11-25"}, {"Mcp-Method", "tools/list"}},
      {{"MCP-Protocol-Version", "2099-01-01"}, {"Mcp-Method", "tools/list"}},
  };
  for (const auto& fields : refused) {
    auto answer = envelope_of_mirrored_headers(fields);
    ASSERT_FALSE(answer) << (fields.empty() ? "" : fields.back().name);
    bool contradicts = fields.size() > 3 ||
                       (!fields.empty() && (fields.back().name == "Mcp_Name" || fields.back().value == "" ||
                                            fields.back().value == "=?base64?!?="));
    EXPECT_EQ(answer.error().code, contradicts ? errc::header_mismatch : errc::call_headers_missing)
        << answer.error().detail;
  }
}

TEST(ErrorBody, IsOneJsonRpcErrorWithTheIdOfTheRequest) {
  auto parsed = parse_json_object(jsonrpc_error(R"("a\"b")", -32020, "bad \"header\"", {{"k", 1}}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(text_member(*parsed, "jsonrpc"), "2.0");
  EXPECT_EQ(text_member(*parsed, "id"), "a\"b");
  EXPECT_EQ(json::serialize(parsed->at("error")),
            R"({"code":-32020,"message":"bad \"header\"","data":{"k":1}})");
  EXPECT_EQ(jsonrpc_error("", -32603, "x"),
            R"({"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"x"}})");
}

TEST(ErrorBody, TakesTheCodesThatTheProtocolDefines) {
  EXPECT_EQ(jsonrpc_code(errc::header_mismatch), -32020);
  EXPECT_EQ(jsonrpc_code(errc::protocol_version_unsupported), -32022);
  EXPECT_EQ(jsonrpc_code(errc::body_not_json), -32700);
  EXPECT_EQ(jsonrpc_code(errc::body_malformed), -32600);
  EXPECT_EQ(jsonrpc_code(errc::policy_denied), -32600);
  EXPECT_EQ(jsonrpc_code(errc::upstream_timeout), -32603);
  EXPECT_EQ(jsonrpc_code(errc::internal), -32603);
}

}  // namespace
}  // namespace mcp_oauth
