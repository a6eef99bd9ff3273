// The parts that a conversation is made of, one by one.

#include "base/json.h"
#include "bridge/cookie_jar.h"
#include "bridge/failure.h"
#include "bridge/message_scan.h"
#include "bridge/proxy_choice.h"
#include "bridge/rewrite.h"
#include "bridge/stdio_line.h"
#include "bridge/tool_headers.h"
#include "bridge/upstream_answer.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using kind = enum message_facts::kind;

// ---- facts of a message

TEST(MessageScan, TellsWhatAMessageIs) {
  struct row {
    const char* text;
    enum message_facts::kind kind;
    const char *id, *method;
  };
  for (const auto& [text, what, id, method] :
       {row{R"({"id":1,"method":"a"})", kind::request, "1", "a"},
        row{R"({"id":"x\u0041","method":"a"})", kind::request, R"("x\u0041")", "a"},
        row{R"({"method":"a"})", kind::notification, "", "a"},
        row{R"({"method":"notifications/a","id":null})", kind::notification, "", "notifications/a"},
        row{R"({"method":"a","id":null})", kind::unknown, "", "a"},
        row{R"({"method":"notifications/a","id":false})", kind::unknown, "", "notifications/a"},
        row{R"({"id":{},"method":"a"})", kind::unknown, "", "a"},
        row{R"({"id":5,"method":"a","id":{"x":1}})", kind::unknown, "", "a"},
        row{R"({"id":{},"method":"a","id":5})", kind::request, "5", "a"},
        row{R"({"id":1.50,"result":{}})", kind::response, "1.50", ""},
        row{R"({"id":1,"result":null})", kind::response, "1", ""},
        row{R"({"id":1,"result":[1]})", kind::response, "1", ""},
        row{R"({"id":null,"error":{"code":-1,"message":"m"}})", kind::response, "", ""},
        row{R"({"id":1,"error":null})", kind::unknown, "1", ""},
        row{R"({"error":"invalid_token"})", kind::unknown, "", ""},
        row{R"({})", kind::unknown, "", ""},
        row{R"({"id":[1],"method":"a"})", kind::unknown, "", "a"},
        row{"5", kind::unknown, "", ""},
        row{"[1]", kind::batch, "", ""},
        row{"[]", kind::batch, "", ""},
        row{R"([{"id":1,"method":"a"}])", kind::batch, "", ""}}) {
    auto facts = scan_message(text);
    ASSERT_TRUE(facts) << text;
    EXPECT_EQ(facts->kind, what) << text;
    EXPECT_EQ(facts->id, id) << text;
    EXPECT_EQ(facts->method, method) << text;
  }
}

TEST(MessageScan, RefusesWhatIsNoJson) {
  for (auto text : {"", " ", "{", "{\"a\":1,}", "{\"a\":\"\n\"}", "{} {}", "nul", "\xEF\xBB\xBF{}",
                    "{\"a\":\"\xC3\"}", "{\"a\":\"\\ud800\"}", "{'a':1}", "01"}) {
    EXPECT_FALSE(scan_message(text)) << text;
  }
  message_scanner scanner;
  EXPECT_FALSE(scanner.feed("x"));
  EXPECT_FALSE(scanner.feed("{}"));
  EXPECT_FALSE(scanner.finish());
}

TEST(MessageScan, FindsWhatTheBridgeActsOnInPiecesOfAnySize) {
  std::string text =
      R"({"jsonrpc":"2.0","id":"i","method":"tools/call","params":{"name":"n\u00e9","arguments":{"name":"no","_meta":{}},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"requestState":"s"}})";
  for (std::size_t size = 1; size < text.size(); size += 5) {
    message_scanner scanner;
    for (std::size_t at = 0; at < text.size(); at += size)
      ASSERT_TRUE(scanner.feed(std::string_view(text).substr(at, size)));
    ASSERT_TRUE(scanner.finish());
    const auto& facts = scanner.seen();
    EXPECT_EQ(facts.name, "n\xC3\xA9");
    EXPECT_EQ(facts.progress_token, "7");
    EXPECT_EQ(facts.request_state, "s");
    EXPECT_TRUE(facts.version_in_meta);
    EXPECT_EQ(facts.protocol_version, "2026-07-28");
    EXPECT_EQ(text.substr(facts.id_place.at, facts.id_place.size), "\"i\"");
    EXPECT_EQ(text.substr(facts.meta_place.at, 2), "{\"");
    EXPECT_EQ(text[facts.meta_place.at + facts.meta_place.size - 1], '}');
    EXPECT_EQ(text[facts.params_at - 1], '{');
    EXPECT_EQ(facts.closing_at, text.size() - 1);
  }
  auto cancelled = scan_message(R"({"method":"notifications/cancelled","params":{"requestId":"r"}})");
  EXPECT_EQ(cancelled->request_id, "\"r\"");
  auto read = scan_message(R"({"id":1,"method":"resources/read","params":{"name":"no","uri":"file:///a"}})");
  EXPECT_EQ(read->name, "file:///a");
  auto failed = scan_message(R"({"id":1,"error":{"code":-32020,"message":"m","data":{"code":1}}})");
  EXPECT_EQ(failed->error_code, -32020);
  EXPECT_EQ(failed->error_message, "m");
  auto batch = scan_message(R"( [ {"id":1} , 5, [2] ] )");
  ASSERT_EQ(batch->items.size(), 3U);
  EXPECT_EQ(batch->items[0].size, 8U);
}

TEST(MessageScan, IdsAreComparedAsValues) {
  EXPECT_TRUE(same_id("1", "1"));
  EXPECT_TRUE(same_id("1", "1.0"));
  EXPECT_TRUE(same_id("\"a\"", "\"\\u0061\""));
  EXPECT_FALSE(same_id("1", "\"1\""));
  EXPECT_FALSE(same_id("1", "2"));
  EXPECT_FALSE(same_id("", "1"));
  EXPECT_FALSE(same_id("\"a\"", "\"b\""));
  EXPECT_TRUE(same_id("0", "-0"));
  EXPECT_TRUE(same_id("100", "1e2"));
  EXPECT_TRUE(same_id("18446744073709551615", "18446744073709551615"));
  // Neighbours beyond 2^53, 2^63 and 2^64.
  EXPECT_FALSE(same_id("9007199254740992", "9007199254740993"));
  EXPECT_FALSE(same_id("18446744073709551614", "18446744073709551615"));
  EXPECT_FALSE(same_id("9223372036854775807", "9223372036854775808"));
  EXPECT_FALSE(same_id("100000000000000000000001", "100000000000000000000002"));
  EXPECT_FALSE(same_id("-1", "18446744073709551615"));
}

// ---- lines

std::vector<std::string> lines_of(std::string_view text, std::size_t size, std::size_t most = 100) {
  line_splitter lines(most);
  std::vector<std::string> all;
  auto take = [&](std::optional<line_splitter::line> line) {
    if (line) all.push_back(line->too_long ? "TOO LONG" : line->text);
    return line.has_value();
  };
  for (std::size_t at = 0; at < text.size(); at += size) {
    lines.feed(text.substr(at, size));
    while (take(lines.next())) {
    }
  }
  while (take(lines.rest())) {
  }
  EXPECT_EQ(lines.held(), 0U);
  return all;
}

TEST(StdioLine, TakesInputApartWhereverItIsCut) {
  std::string text = "one\r\n\n  \ntw\xC3\xA9o\nlast";
  for (std::size_t size : {1U, 2U, 3U, 7U, 100U})
    EXPECT_EQ(lines_of(text, size), (std::vector<std::string>{"one", "tw\xC3\xA9o", "last"})) << size;
}

TEST(StdioLine, PassesOverALineThatIsTooLongOnce) {
  std::string text = "a\n" + std::string(1000, 'x') + "\nb\n" + std::string(101, 'y');
  for (std::size_t size : {1U, 50U, 5000U})
    EXPECT_EQ(lines_of(text, size), (std::vector<std::string>{"a", "TOO LONG", "b", "TOO LONG"})) << size;
}

// ---- answers

std::vector<answer_part> parts_of(upstream_answer& answer, std::string_view text, std::size_t size) {
  std::vector<answer_part> parts;
  for (std::size_t at = 0; at < text.size(); at += size) {
    if (!answer.feed(text.substr(at, size), parts)) return parts;
  }
  (void)answer.finish(parts);
  return parts;
}

TEST(UpstreamAnswer, ReadsEventsWhereverTheyAreCut) {
  std::string text =
      "\xEF\xBB\xBF: hi\r\nid: 1\rretry: 250\ndata: {\"id\":1,\ndata:\"result\":\"caf\xC3\xA9\"}\r\n\r\n"
      "event: endpoint\ndata: /messages?x=1\n\n"
      "id: 2\n\n"
      "data\n\nfoo: bar\n\n"
      "data: {\"id\":2,\"result\":{}}\n\n"
      "data: {\"cut off\":";
  for (std::size_t size = 1; size < 40; ++size) {
    upstream_answer answer(upstream_answer::form::events, {});
    auto parts = parts_of(answer, text, size);
    ASSERT_EQ(parts.size(), 3U) << size;
    EXPECT_EQ(parts[0].kind, answer_part::kind::message);
    EXPECT_EQ(parse_json_object(parts[0].text)->at("result").as_string(), "caf\xC3\xA9");
    EXPECT_EQ(parts[1].kind, answer_part::kind::event);
    EXPECT_EQ(parts[1].type, "endpoint");
    EXPECT_EQ(parts[1].text, "/messages?x=1");
    EXPECT_EQ(parts[2].facts.id, "2");
    EXPECT_EQ(answer.last_event_id(), "2");
    EXPECT_EQ(answer.retry(), milliseconds(250));
  }
}

TEST(UpstreamAnswer, TakesOffAByteOrderMarkThatComesInPieces) {
  for (std::size_t size : {1U, 2U, 3U, 100U}) {
    upstream_answer events(upstream_answer::form::events, {});
    EXPECT_EQ(parts_of(events,
                       "\xEF\xBB\xBF"
                       "data: {\"id\":1,\"result\":1}\n\n",
                       size)
                  .size(),
              1U)
        << size;
    upstream_answer json(upstream_answer::form::json, {});
    EXPECT_EQ(parts_of(json, "\xEF\xBB\xBF{\"id\":1,\"result\":1}", size).size(), 1U) << size;
    upstream_answer other(upstream_answer::form::json, {});
    EXPECT_EQ(parts_of(other, "\xEF\xBB{\"id\":1,\"result\":1}", size).size(), 0U) << size;
  }
}

TEST(UpstreamAnswer, AnEventOfAnotherTypeIsNeverAMessage) {
  upstream_answer answer(upstream_answer::form::events, {16, true});
  auto parts = parts_of(answer,
                        "event: log\ndata: a line of a log that is longer than is held\n\n"
                        "data: {\"id\":1,\"result\":\"xxxxxxxxxxxxxxxxx\"}\nevent: log\n\n",
                        3);
  ASSERT_GT(parts.size(), 3U);
  EXPECT_EQ(parts.front().kind, answer_part::kind::event);
  EXPECT_EQ(parts[parts.size() - 2].kind, answer_part::kind::broken);
  EXPECT_EQ(parts.back().kind, answer_part::kind::event);
}

// In any order, and the last one counts.
TEST(UpstreamAnswer, TheTypeOfAnEventMayComeBehindItsData) {
  using part = enum answer_part::kind;
  std::string large(300 * 1024, 'x');
  struct row {
    std::string event;
    part kind;
    std::string text;
  };
  for (const auto& [event, kind_of_it, said] : {
           row{"data: /messages?a=1\nevent: endpoint\n\n", part::event, "/messages?a=1"},
           row{"event: log\ndata: {\"id\":1,\ndata: \"result\":7}\nevent\n\n", part::message,
               "{\"id\":1, \"result\":7}"},
           row{"data: {\"id\":1,\nevent: log\ndata: \"result\":7}\nevent: message\n\n", part::message,
               "{\"id\":1, \"result\":7}"},
           row{"data: /x\nevent: endpoint\nevent: message\nevent: endpoint\n\n", part::event, "/x"},
           row{"event: log\ndata: f\nevent\ndata: {}\n\n", part::unclear, ""},
           row{"event: log\ndata: " + large + "\nevent: message\n\n", part::unclear,
               "an event that is large and has two types"},
       }) {
    for (auto size : {std::size_t{1} << 20, std::size_t{1}}) {
      upstream_answer answer(upstream_answer::form::events, {});
      auto parts = parts_of(answer, event, size);
      ASSERT_EQ(parts.size(), 1U) << event.substr(0, 100);
      EXPECT_EQ(parts[0].kind, kind_of_it) << event.substr(0, 100);
      if (!said.empty()) {
        EXPECT_EQ(parts[0].text, said);
      }
      if (kind_of_it == part::message) {
        EXPECT_EQ(parts[0].facts.id, "1");
      }
    }
  }
}

TEST(UpstreamAnswer, WhatIsOutAlreadyCannotBeReadAgain) {
  upstream_answer answer(upstream_answer::form::events, {16, true});
  auto parts = parts_of(answer,
                        "data: {\"id\":1,\"result\":\"" + std::string(40, 'x') +
                            "\"}\nevent: log\ndata: y\nevent: message\ndata: z\n\n",
                        8);
  ASSERT_GE(parts.size(), 3U);
  EXPECT_EQ(parts[0].kind, answer_part::kind::begin);
  EXPECT_EQ(parts[parts.size() - 2].kind, answer_part::kind::broken);
  EXPECT_EQ(parts.back().kind, answer_part::kind::unclear);
}

TEST(UpstreamAnswer, GoesOnBehindAnEventThatIsNoJson) {
  upstream_answer answer(upstream_answer::form::events, {});
  auto parts = parts_of(answer, "data: {\n\ndata: {\"id\":1,\"result\":1}\n\n", 3);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].kind, answer_part::kind::unclear);
  EXPECT_EQ(parts[1].kind, answer_part::kind::message);
}

TEST(UpstreamAnswer, HandsALargeMessageOnInParts) {
  std::string message = "{\"id\":1,\n\"result\":\"" + std::string(1000, 'x') + "\"}";
  for (auto form : {upstream_answer::form::json, upstream_answer::form::events}) {
    auto text = form == upstream_answer::form::json
                    ? message
                    : "data: " + std::string("{\"id\":1,") + "\ndata: \"result\":\"" +
                          std::string(1000, 'x') + "\"}\n\n";
    upstream_answer answer(form, {100, true});
    auto parts = parts_of(answer, text, 64);
    ASSERT_GT(parts.size(), 3U);
    EXPECT_EQ(parts.front().kind, answer_part::kind::begin);
    EXPECT_EQ(parts.back().kind, answer_part::kind::end);
    EXPECT_EQ(parts.back().facts.id, "1");
    std::string all;
    for (const auto& part : parts) all += part.text;
    EXPECT_EQ(all.find('\n'), std::string::npos);
    EXPECT_TRUE(parse_json(all));
    upstream_answer whole(form, {100, false});
    std::vector<answer_part> none;
    bool refused = !whole.feed(text, none);
    EXPECT_EQ(refused, form == upstream_answer::form::json);
    if (!refused) {
      ASSERT_EQ(none.size(), 1U);
      EXPECT_EQ(none[0].kind, answer_part::kind::unclear);
    }
  }
}

TEST(UpstreamAnswer, APartOfAMessageThatGoesWrongIsEnded) {
  for (auto end : {"\x01", "} {", ""}) {
    upstream_answer answer(upstream_answer::form::json, {100, true});
    std::vector<answer_part> parts;
    EXPECT_TRUE(answer.feed("{\"id\":1,\"result\":\"" + std::string(200, 'x'), parts));
    EXPECT_TRUE(answer.in_message());
    bool fed = answer.feed(end, parts).has_value();
    if (fed) {
      EXPECT_FALSE(answer.finish(parts));
    }
    EXPECT_FALSE(answer.finish(parts));
    EXPECT_FALSE(answer.feed("x", parts));
    EXPECT_EQ(parts.back().kind, answer_part::kind::broken);
  }
  upstream_answer events(upstream_answer::form::events, {100, true});
  std::vector<answer_part> parts;
  EXPECT_TRUE(events.feed("data: {\"id\":1,\"result\":\"" + std::string(200, 'x'), parts));
  EXPECT_TRUE(events.finish(parts));
  EXPECT_EQ(parts.back().kind, answer_part::kind::broken);
}

// ---- arguments that are mirrored into headers

std::string tool(std::string_view name, std::string_view properties) {
  return R"({"name":")" + std::string(name) + R"(","inputSchema":{"type":"object","properties":{)" +
         std::string(properties) + "}}}";
}
std::string list(std::string_view tools) {
  return R"({"id":1,"result":{"tools":[)" + std::string(tools) + R"(],"nextCursor":"c"}})";
}

TEST(ToolHeaders, AnAnnotationThatBreaksARuleTakesItsToolOut) {
  for (auto properties :
       {R"("a":{"type":"string","x-mcp-header":""})", R"("a":{"type":"string","x-mcp-header":"A B"})",
        R"("a":{"type":"string","x-mcp-header":"A\r\nB"})", R"("a":{"type":"string","x-mcp-header":5})",
        R"("a":{"type":"number","x-mcp-header":"A"})", R"("a":{"type":"object","x-mcp-header":"A"})",
        R"("a":{"x-mcp-header":"A"})", R"("a":{"type":["string","number"],"x-mcp-header":"A"})",
        R"("a":{"type":["null"],"x-mcp-header":"A"})",
        R"("a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"})",
        R"("a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}})",
        R"("a":{"oneOf":[{"type":"string","x-mcp-header":"A"}]})",
        R"("a":{"items":{"properties":{"b":{"type":"string","x-mcp-header":"A"}}}})"}) {
    tool_headers headers;
    auto learned = headers.learn(list(tool("bad", properties) + "," + tool("good", "")), {});
    ASSERT_TRUE(learned) << properties;
    EXPECT_EQ(learned->text.find("\"bad\""), std::string::npos) << properties;
    EXPECT_NE(learned->text.find("\"good\""), std::string::npos);
    ASSERT_EQ(learned->dropped.size(), 1U);
    EXPECT_EQ(headers.fields_for("bad", R"({"params":{"arguments":{"a":"x"}}})"), "");
  }
  tool_headers headers;
  EXPECT_TRUE(
      headers.learn(list(R"({"name":"root","inputSchema":{"x-mcp-header":"A"}})"), {})->dropped.size() == 1);
}

TEST(ToolHeaders, ValuesAreReadWhereTheSchemaSaysAndEncoded) {
  tool_headers headers;
  auto text = list(tool(
      "t",
      R"("region":{"type":"string","x-mcp-header":"Region"},"n":{"type":"integer","x-mcp-header":"N"},"b":{"type":["boolean","null"],"x-mcp-header":"B"},"deep":{"type":"object","properties":{"x":{"type":"string","x-mcp-header":"Deep","default":{"x-mcp-header":1}}}})"));
  auto learned = headers.learn(text, {});
  ASSERT_TRUE(learned);
  EXPECT_EQ(learned->text, text);
  EXPECT_EQ(learned->next_cursor, "c");
  struct row {
    const char *arguments, *lines;
  };
  for (auto [arguments, lines] :
       {row{R"({"region":"us-west1"})", "Mcp-Param-Region: us-west1\r\n"},
        row{R"({"region":"Hello, 世界"})", "Mcp-Param-Region: =?base64?SGVsbG8sIOS4lueVjA==?=\r\n"},
        row{R"({"region":" padded "})", "Mcp-Param-Region: =?base64?IHBhZGRlZCA=?=\r\n"},
        row{R"({"region":"line1\nline2"})", "Mcp-Param-Region: =?base64?bGluZTEKbGluZTI=?=\r\n"},
        row{R"({"region":"=?base64?literal?="})",
            "Mcp-Param-Region: =?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=\r\n"},
        row{R"({"n":-7})", "Mcp-Param-N: -7\r\n"}, row{R"({"n":42.0})", "Mcp-Param-N: 42\r\n"},
        row{R"({"n":1.5})", ""}, row{R"({"b":false})", "Mcp-Param-B: false\r\n"}, row{R"({"b":null})", ""},
        row{R"({"deep":{"x":"y"}})", "Mcp-Param-Deep: y\r\n"}, row{R"({"deep":"x"})", ""}, row{R"({})", ""},
        row{R"({"region":["a"]})", ""}}) {
    EXPECT_EQ(headers.fields_for("t", R"({"params":{"arguments":)" + std::string(arguments) + "}}"), lines)
        << arguments;
  }
  EXPECT_EQ(headers.fields_for("t", "{}"), "");
  EXPECT_EQ(headers.fields_for("other", "{}"), "");
  EXPECT_FALSE(headers.learn("{}", {}));
  EXPECT_FALSE(headers.learn("x", {}));
}

// ---- changes to messages

TEST(Rewrite, WhatIsWrittenAgainIsJsonWhateverItsNumbers) {
  auto tree = read_tree(R"({"a":[3e2022,-3e2022,1e-999],"b":1.5,"c":12345678901234567890})");
  ASSERT_TRUE(tree);
  auto again = json::serialize(*tree);
  EXPECT_TRUE(scan_message(again)) << again;
  EXPECT_EQ(read_tree(again), tree);
}

TEST(Rewrite, LeavesWhatItDoesNotNameAsItWas) {
  std::string text = R"( { "id" : 1 , "method":"m" , "params" : { "n":1.0e5 } } )";
  auto facts = scan_message(text);
  client_profile client;
  auto made = with_request_meta(text, *facts, client);
  EXPECT_NE(made.find("\"n\":1.0e5"), std::string::npos);
  auto again = scan_message(made);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->version_in_meta);
  auto back = without_request_meta(made, *again);
  EXPECT_NE(back.find("\"_meta\":{}"), std::string::npos);
  for (auto other :
       {R"({"method":"m","id":1})", R"({"method":"m","id":1,"params":{}})",
        R"({"method":"m","id":1,"params":{"_meta":{}}})", R"({"method":"m","params":{"_meta":{"a":1}}})"}) {
    auto with = with_request_meta(other, *scan_message(other), client);
    EXPECT_TRUE(parse_json(with)) << with;
    EXPECT_TRUE(scan_message(with)->version_in_meta) << with;
  }
  EXPECT_EQ(without_request_meta(R"({"method":"m"})", *scan_message(R"({"method":"m"})")),
            R"({"method":"m"})");
}

TEST(Rewrite, AServerWithoutANameGetsOne) {
  auto made = *parse_json_object(initialize_result_of({}, "2026-07-28"));
  EXPECT_EQ(made.at("protocolVersion").as_string(), "2025-11-25");
  EXPECT_EQ(made.at("serverInfo").at("name").as_string(), "MCP server");
  json::object older{{"serverInfo", {{"name", "x"}}}};
  EXPECT_EQ(
      parse_json_object(initialize_result_of(older, "2024-11-05"))->at("serverInfo").at("name").as_string(),
      "x");
  EXPECT_EQ(parse_json_object(initialize_result_of(older, "2024-11-05"))->at("protocolVersion").as_string(),
            "2024-11-05");
  EXPECT_TRUE(parse_json_object(discover_result_of({}))->at("capabilities").is_object());
}

// ---- words for a failure

TEST(Failure, SpeaksOfTheSettingsOfABridge) {
  for (auto code : {errc::upstream_refused, errc::upstream_unreachable, errc::upstream_timeout,
                    errc::upstream_malformed, errc::upstream_not_mcp, errc::upstream_tls_failed}) {
    bridge_failure failure;
    failure.why = {code, "what was tried"};
    auto text = failure_answer("p", "1", failure);
    for (auto others : {"mcp_server_url", "upstream_ca_file", "request_timeout"})
      EXPECT_EQ(text.find(others), std::string::npos) << text;
  }
  bridge_failure refused;
  refused.why = {errc::upstream_refused, "connect ECONNREFUSED 127.0.0.1:1"};
  EXPECT_EQ(failure_words(refused), "connect ECONNREFUSED 127.0.0.1:1");
}

TEST(Failure, IsToldInWordsOfABridgeAndWithItsOwnCommands) {
  bridge_failure away;
  away.why = {errc::upstream_unreachable, "no such host"};
  EXPECT_EQ(failure_words(away), "The MCP server cannot be reached: no such host");
  bridge_failure nobody;
  nobody.why = {errc::sign_in_person_needed, "nobody may be asked now"};
  auto text = failure_answer("p", "1", nobody, [](std::string_view words) {
    EXPECT_NE(words.find("mcp-oauth-proxy bridge login URL"), std::string_view::npos);
    return std::string("run this");
  });
  EXPECT_NE(text.find(R"("fix":"run this")"), std::string::npos) << text;
}

TEST(Failure, IsCutBetweenCharacters) {
  EXPECT_EQ(cut_text("caf\xC3\xA9", 4), "caf");
  EXPECT_EQ(cut_text("caf\xC3\xA9", 5), "caf\xC3\xA9");
  bridge_failure failure;
  failure.why = {errc::upstream_status, ""};
  failure.status = 500;
  failure.said = std::string(499, 'x') + "\xC3\xA9";
  auto answer = parse_json_object(failure_answer("p", "1", failure));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->at("error").at("data").at("body").as_string().size(), 499U);
  failure.why = {errc::upstream_not_mcp, "a type \xff\r\n"};
  EXPECT_EQ(
      parse_json_object(failure_answer("p", "1", failure))->at("error").at("data").at("reason").as_string(),
      "a type ???");
  failure.said = "\xff";
  EXPECT_FALSE(parse_json_object(failure_answer("p", "1", failure))
                   ->at("error")
                   .at("data")
                   .as_object()
                   .contains("body"));
}

// ---- cookies and proxies

TEST(CookieJar, GivesBackWhatWasSetForThePath) {
  cookie_jar jar;
  EXPECT_EQ(jar.value_for("/"), "");
  jar.take("lb=replica-1; Path=/; HttpOnly; Secure");
  jar.take("b=2; Path=/mcp");
  jar.take("lb=replica-2");
  EXPECT_EQ(jar.value_for("/mcp"), "b=2; lb=replica-2");
  EXPECT_EQ(jar.value_for("/mcp/x"), "b=2; lb=replica-2");
  EXPECT_EQ(jar.value_for("/mcpx"), "lb=replica-2");
  jar.take("lb=; Max-Age=0");
  EXPECT_EQ(jar.value_for("/"), "");
  for (auto bad : {"novalue", "=x", "a=b\r\nX: y", ""}) jar.take(bad);
  jar.take("long=" + std::string(5000, 'x'));
  EXPECT_EQ(jar.value_for("/"), "");
  for (int i = 0; i < 100; ++i) jar.take("c" + std::to_string(i) + "=1");
  EXPECT_LT(jar.value_for("/").size(), 500U);
}

TEST(ProxyChoice, FollowsTheEnvironment) {
  using environment = std::map<std::string, std::string, std::less<>>;
  struct row {
    const char* to;
    environment set;
    const char* host;  // "": none
    int port;
  };
  for (const auto& [to, set, host, port] :
       {row{"https://a.example/", {}, "", 0},
        row{"https://a.example/", {{"HTTPS_PROXY", "http://p:3128"}}, "p", 3128},
        row{"https://a.example/", {{"https_proxy", "http://q"}, {"HTTPS_PROXY", "http://p:3128"}}, "q", 80},
        row{"http://a.example/", {{"HTTPS_PROXY", "http://p:3128"}}, "", 0},
        row{"http://a.example/", {{"HTTP_PROXY", "p:3128"}}, "p", 3128},
        row{"https://a.example/", {{"ALL_PROXY", "http://p:1"}}, "p", 1},
        row{"https://127.0.0.1/", {{"HTTPS_PROXY", "http://p:1"}}, "", 0},
        row{"https://a.example/",
            {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "b.example, a.example"}},
            "",
            0},
        row{"https://x.a.example/", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", ".a.example"}}, "", 0},
        row{"https://x.a.example/", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "*.a.example"}}, "", 0},
        row{"https://xa.example/", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "a.example"}}, "p", 1},
        row{"https://a.example:8443/",
            {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "a.example:8443"}},
            "",
            0},
        row{"https://a.example/", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "a.example:8443"}}, "p", 1},
        row{"https://a.example/", {{"HTTPS_PROXY", "http://p:1"}, {"NO_PROXY", "*"}}, "", 0}}) {
    const auto& variables = set;
    auto chosen = choose_proxy(*url::parse(to), [&](std::string_view name) -> std::optional<std::string> {
      auto at = variables.find(name);
      if (at == variables.end()) return std::nullopt;
      return at->second;
    });
    ASSERT_TRUE(chosen) << to;
    EXPECT_EQ(chosen->has_value(), std::string_view(host) != "") << to;
    if (!*chosen) continue;
    EXPECT_EQ((*chosen)->host, host);
    EXPECT_EQ((*chosen)->port, port);
  }
  auto only = [](std::string value) {
    return choose_proxy(*url::parse("https://a.example/"),
                        [value](std::string_view name) -> std::optional<std::string> {
                          if (name != "HTTPS_PROXY") return std::nullopt;
                          return value;
                        });
  };
  EXPECT_EQ((*only("http://us%40er:pa%3Ass@p:8080"))->authorization, "Basic dXNAZXI6cGE6c3M=");
  EXPECT_FALSE(only("socks5://p:1"));
  EXPECT_FALSE(only("http://%zz@p:1"));
}

}  // namespace
}  // namespace mcp_oauth
