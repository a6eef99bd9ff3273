#include "mcp/list_filter.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

constexpr std::size_t most = 4096;
const keep_listed not_hidden = [](listed, std::string_view name) { return !name.starts_with("hidden"); };

// What comes out, or "!" and why not; the same however the text is cut.
std::string filtered(std::string_view text, const keep_listed& keep = not_hidden) {
  auto cut = [&](std::size_t size) {
    list_filter filter(keep, most);
    std::string out;
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      auto fed = filter.feed(rest.substr(0, size), out);
      // Where it was noticed depends on the pieces.
      if (!fed) return "!" + fed.error().detail.substr(0, fed.error().detail.find(", at byte"));
    }
    return filter.whole() ? out : "!not whole: " + out;
  };
  auto at_once = cut(text.size() + 1);
  for (std::size_t size : {1U, 2U, 3U, 7U}) EXPECT_EQ(cut(size), at_once) << size;
  return at_once;
}

std::string events(std::string_view text, const keep_listed& keep = not_hidden) {
  auto cut = [&](std::size_t size) {
    event_list_filter filter(keep, most);
    std::string out;
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      auto fed = filter.feed(rest.substr(0, size), out);
      if (!fed) return "!" + fed.error().detail.substr(0, fed.error().detail.find(", at byte"));
    }
    return out;
  };
  auto at_once = cut(text.size() + 1);
  for (std::size_t size : {1U, 2U, 5U}) EXPECT_EQ(cut(size), at_once) << size;
  return at_once;
}

// Of messages that need not hold a list.
template <class Filter>
std::string passed_on(std::string_view text) {
  auto cut = [&](std::size_t size) {
    Filter filter(not_hidden, most, list_filter::unreadable::passes);
    std::string out;
    for (auto rest = text; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      auto fed = filter.feed(rest.substr(0, size), out);
      if (!fed) return "!" + fed.error().detail.substr(0, fed.error().detail.find(", at byte"));
    }
    return out;
  };
  auto at_once = cut(text.size() + 1);
  for (std::size_t size : {1U, 2U, 5U}) EXPECT_EQ(cut(size), at_once) << size;
  return at_once;
}

std::string answer(std::string_view result) {
  return R"({"jsonrpc":"2.0","id":1,"result":)" + std::string(result) + "}";
}

TEST(ListFilter, TakesOutWhatIsNotForTheCallerAndKeepsTheOtherBytes) {
  struct row {
    std::string_view before, after;
  };
  for (const auto& r : {
           row{R"({"tools":[{"name":"a"},{"name":"hidden"},{"name":"b"}]})",
               R"({"tools":[{"name":"a"},{"name":"b"}]})"},
           row{R"({"tools":[{"name":"hidden"},{"name":"b"}]})", R"({"tools":[{"name":"b"}]})"},
           row{R"({"tools":[{"name":"a"},{"name":"hidden"}]})", R"({"tools":[{"name":"a"}]})"},
           row{R"({"tools":[{"name":"hidden"},{"name":"hidden2"}],"nextCursor":"x"})",
               R"({"tools":[],"nextCursor":"x"})"},
           row{R"({"tools":[]})", R"({"tools":[]})"},
           row{R"({ "tools" : [ {"name":"hidden"} , {"n":1.10e5, "name":"b"} ] })",
               R"({ "tools" : [  {"n":1.10e5, "name":"b"} ] })"},
           row{R"({"tools":[{"inputSchema":{"name":"hidden","x":[1,{"name":"hidden"}]},"name":"a"}]})",
               R"({"tools":[{"inputSchema":{"name":"hidden","x":[1,{"name":"hidden"}]},"name":"a"}]})"},
           row{R"({"tools":[{"name":"hidd\u0065n"},{"n\u0061me":"hidden"},{"name":"a"}]})",
               R"({"tools":[{"name":"a"}]})"},
           row{R"({"resources":[{"uri":"hidden://x","name":"a"},{"uri":"f://y","name":"hidden"}]})",
               R"({"resources":[{"uri":"f://y","name":"hidden"}]})"},
           row{R"({"resourceTemplates":[{"uriTemplate":"hidden{x}"},{"uriTemplate":"f{x}"}]})",
               R"({"resourceTemplates":[{"uriTemplate":"f{x}"}]})"},
           row{R"({"prompts":[{"name":"hidden"}],"tools":[{"name":"a"},{"name":"hidden"}]})",
               R"({"prompts":[],"tools":[{"name":"a"}]})"},
           row{R"({"big":12345678901234567890123,"tools":[{"name":"hidden","v":1}]})",
               R"({"big":12345678901234567890123,"tools":[]})"},
       }) {
    EXPECT_EQ(filtered(answer(r.before)), answer(r.after)) << r.before;
  }
}

// What one caller may see is not for a cache that others share (MCP 2026-07-28, caching).
TEST(ListFilter, AListIsPrivateToTheCaller) {
  struct row {
    std::string_view before, after;
  };
  for (const auto& r : {
           row{R"({"cacheScope":"public","tools":[]})", R"({"cacheScope":"private","tools":[]})"},
           row{R"({"tools":[],"cacheScope" : "publi\u0063" ,"ttlMs":1})",
               R"({"tools":[],"cacheScope" : "private" ,"ttlMs":1})"},
           row{R"({"cacheScope":"private","CACHESCOPE":"Public"})",
               R"({"cacheScope":"private","CACHESCOPE":"private"})"},
           row{R"({"cacheScope":{"a":["public"]},"x":[1]})", R"({"cacheScope":{"a":["public"]},"x":[1]})"},
           row{R"({"cacheScope":null,"x":{"cacheScope":"public"}})",
               R"({"cacheScope":null,"x":{"cacheScope":"public"}})"},
       }) {
    EXPECT_EQ(filtered(answer(r.before)), answer(r.after)) << r.before;
  }
}

TEST(ListFilter, LeavesEverythingElseAlone) {
  for (std::string_view same :
       {R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hidden"}]}})",
        R"({"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{"listChanged":true}},"tools":{}}})",
        R"({"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[{"name":"hidden"}]}}})",
        R"({"jsonrpc":"2.0","id":1,"result":[{"tools":[{"name":"hidden"}]}]})",
        R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x","data":{"tools":[1]}}})",
        R"({"jsonrpc":"2.0","method":"notifications/x","params":{"tools":[{"name":"hidden"}]}})",
        R"([{"jsonrpc":"2.0","id":1,"result":{}}])", R"({})", " {\"a\" : [1,2,{}]}\r\n "}) {
    EXPECT_EQ(filtered(same), same);
  }
}

TEST(ListFilter, SeesAListInEverySpellingThatSomeReaderTakesForOne) {
  auto hidden = R"([{"name":"hidden"}])";
  for (std::string_view text : {
           R"({"RESULT":{"tools":$}})",
           R"({"result":{"Tools":$}})",
           R"({"r\u0065sult":{"tool\u0073":$}})",
           R"({"result":{"tool\u017f":$}})",
           R"({"result":{},"result":{"tools":$}})",
           R"({"result":{"tools":$,"tools":$}})",
           R"([{"id":1,"result":{"tools":$}}])",
           R"({"method":"x","result":{"tools":$}})",
       }) {
    std::string whole(text);
    for (auto at = whole.find('$'); at != std::string::npos; at = whole.find('$'))
      whole.replace(at, 1, hidden);
    auto out = filtered(whole);
    EXPECT_FALSE(out.starts_with('!')) << out;
    EXPECT_THAT(out, testing::Not(HasSubstr("hidden"))) << text;
  }
}

TEST(ListFilter, FailsOnWhatItCannotRead) {
  for (std::string_view bad : {
           R"({"result":{"tools":["hidden"]}})",
           R"({"result":{"tools":[[{"name":"a"}]]}})",
           R"({"result":{"tools":[null]}})",
           R"({"result":{"tools":[{}]}})",
           R"({"result":{"tools":[{"title":"a"}]}})",
           R"({"result":{"tools":[{"name":1}]}})",
           R"({"result":{"tools":[{"name":{}}]}})",
           R"({"result":{"tools":[{"name":["a"]}]}})",
           R"({"result":{"tools":[{"name":"a","name":"hidden"}]}})",
           R"({"result":{"tools":[{"name":"a","Name":"hidden"}]}})",
           R"({"result":{"tools":[{"name":"a"},]}})",
           R"({"result":{"tools":[{"name":"a"}})",
           R"({"result":{"tools":[{"name":"a"}]}}x)",
           R"({"result":{"tools":[{'name':"a"}]}})",
           "{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}",
           "\xEF\xBB\xBF{}",
           "7",
           "\"x\"",
           "[1]",
           "[[]]",
           "<html>",
       }) {
    EXPECT_EQ(filtered(bad).front(), '!') << bad;
  }
  auto large = R"({"result":{"tools":[{"name":"a","x":")" + std::string(most, 'x') + R"("}]}})";
  EXPECT_THAT(filtered(large), HasSubstr("too large"));
  auto far = R"({"result":{"tools":[)" + std::string(most + 1, ' ') + R"({"name":"a"}]}})";
  EXPECT_THAT(filtered(far), HasSubstr("too much"));
}

TEST(ListFilter, StaysFailed) {
  list_filter filter(not_hidden, most);
  std::string out;
  auto failed = filter.feed("x", out);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errc::list_unreadable);
  EXPECT_FALSE(filter.feed("{}", out));
  EXPECT_FALSE(filter.whole());
}

TEST(ListFilter, HoldsNothingBackButTheItemUnderWay) {
  list_filter filter(not_hidden, most);
  std::string out;
  std::string start = R"({"result":{"x":"y","tools":[)";
  ASSERT_TRUE(filter.feed(start, out));
  EXPECT_EQ(out, start);
  ASSERT_TRUE(filter.feed(R"({"name":"a"},{"na)", out));
  EXPECT_EQ(out, start + R"({"name":"a"})");
}

TEST(ListFilter, CountsWhatWasThereAndWhatStays) {
  list_filter filter(not_hidden, most);
  std::string out;
  ASSERT_TRUE(filter.feed(answer(R"({"tools":[{"name":"hidden"},{"name":"a"},{"name":"b"}]})"), out));
  EXPECT_EQ(filter.counts().describe(), "3 tools, 2 visible");
  filter.begin_message();
  ASSERT_TRUE(filter.feed(answer(R"({"resourceTemplates":[{"uriTemplate":"hidden"}]})"), out));
  EXPECT_EQ(filter.counts().describe(), "3 tools, 2 visible; 1 templates, 0 visible");
  EXPECT_FALSE(list_counts().any());
}

TEST(ListFilter, KnowsTheMethodsThatList) {
  for (auto method : {"tools/list", "resources/list", "resources/templates/list", "prompts/list"})
    EXPECT_TRUE(lists_items(method)) << method;
  for (auto method : {"tools/call", "tools/lis", "tools/list2", "Tools/list", "roots/list", ""})
    EXPECT_FALSE(lists_items(method)) << method;
}

TEST(ListFilter, WhereNoListIsAskedForWhatCannotBeReadPasses) {
  for (const std::string& text :
       {answer(R"({"content":[{"type":"text","text":"hi"}],"n":1.10})"), answer("NaN"), answer("{\"a\":NaN}"),
        std::string("no JSON"), std::string("{\"result\":{\"x\":tru"), answer("{}") + "{}",
        std::string("\xEF\xBB\xBF{}"), answer("{\"" + std::string(2000, 'n') + "\":1,\"x\":2}"),
        answer("{\"cacheScope\":NaN,\"x\":\"y\"}"), answer("{\"tools\":{\"name\":\"hidden\"}}"),
        answer(std::string(70, '[') + std::string(70, ']'))}) {
    EXPECT_EQ(passed_on<list_filter>(text), text);
  }
  EXPECT_EQ(passed_on<list_filter>(answer(R"({"x":1,"tools":[{"name":"a"},{"name":"hidden"}]})")),
            answer(R"({"x":1,"tools":[{"name":"a"}]})"));
  EXPECT_EQ(passed_on<list_filter>(answer(R"({"tools":[{"name":"a"},"hidden"]})")),
            "!an item of a list is no object");
  EXPECT_EQ(passed_on<list_filter>(answer(R"({"tools":[{"name":NaN}]})")).front(), '!');
  EXPECT_EQ(
      passed_on<list_filter>("[" + answer("NaN") + "," + answer(R"({"tools":[{"name":"hidden"}]})") + "]")
          .front(),
      '!')
      << "the next one of a batch may hold a list";
}

TEST(EventListFilter, WhatCannotBeReadInOneEventPassesAndTheNextOneIsFiltered) {
  auto list = "data: " + answer(R"({"tools":[{"name":"hidden"},{"name":"a"}]})") + "\n\n";
  auto less = "data: " + answer(R"({"tools":[{"name":"a"}]})") + "\n\n";
  for (const std::string& event :
       {std::string("event: message\ndata: {\"params\":NaN}\n\n"), std::string("data: {\"params\":\n\n"),
        std::string("data: {\"params\":\nid: 7\n\n"),
        std::string("data: {\"a\":1,\ndata: \"b\":NaN,\ndata: \"c\":2}\n\n"), std::string("data: {} {}\n\n"),
        std::string(": hello\n\n"), std::string("data: {\"result\":{\"content\":[]}}\r\n\r\n")}) {
    EXPECT_EQ(passed_on<event_list_filter>(event + list), event + less) << event;
  }
  EXPECT_EQ(passed_on<event_list_filter>("data: {\"result\":{\"tools\":[\"hidden\"]}}\n\n").front(), '!');
  EXPECT_EQ(passed_on<event_list_filter>("data: {\"result\":{\"tools\":[{\"name\":\"hidden\"\n\n").front(),
            '!');
}

TEST(EventListFilter, CountsWhatWasThereAndWhatStays) {
  event_list_filter filter(not_hidden, most);
  std::string out;
  ASSERT_TRUE(filter.feed("data: " + answer(R"({"tools":[{"name":"hidden"},{"name":"a"}]})") + "\n\n", out));
  EXPECT_EQ(filter.counts().describe(), "2 tools, 1 visible");
}

TEST(EventListFilter, FiltersTheMessagesOfAStream) {
  auto list = answer(R"({"tools":[{"name":"hidden"},{"name":"a"}]})");
  auto less = answer(R"({"tools":[{"name":"a"}]})");
  struct row {
    std::string before, after;
  };
  for (const auto& r : {
           row{"data: " + list + "\n\n", "data: " + less + "\n\n"},
           row{"data:" + list + "\n\n", "data:" + less + "\n\n"},
           row{"event: message\r\nid: 7\r\ndata: " + list + "\r\n\r\n",
               "event: message\r\nid: 7\r\ndata: " + less + "\r\n\r\n"},
           row{"data: " + list + "\rid: 8\r\r", "data: " + less + "\rid: 8\r\r"},
           row{"\xEF\xBB\xBF"
               "data: " +
                   list + "\n\n",
               "\xEF\xBB\xBF"
               "data: " +
                   less + "\n\n"},
           row{": hello\n\ndata: " + list + "\n\ndata: " + list + "\n\n",
               ": hello\n\ndata: " + less + "\n\ndata: " + less + "\n\n"},
           row{"data: {\"result\":{\"tools\":\ndata: [{\"name\":\"hidden\"},\ndata:{\"name\":\"a\"}]}}\n\n",
               "data: {\"result\":{\"tools\":\ndata: [\ndata: {\"name\":\"a\"}]}}\n\n"},
           row{"data: {\"result\":{}}\ndata:\n\n", "data: {\"result\":{}}\ndata:\n\n"},
       }) {
    EXPECT_EQ(events(r.before), r.after) << r.before;
  }
}

TEST(EventListFilter, LeavesOtherStreamsAlone) {
  for (std::string_view same :
       {"event: endpoint\ndata: /messages?session=1\n\n", "data:\nid: 1\n\n", "data\n\n", "\n\n: x\n\n",
        "id: 1\nretry: 5\ndata: \n\n", "data: hello\ndata: {\n\n", "data: 12\n\n", "dat: {]\n\n", "datax\n\n",
        "data: {\"method\":\"notifications/message\",\"params\":{\"tools\":[1]}}\n\n", "d",
        "data: [] \n\n"}) {
    auto out = events(same);
    EXPECT_EQ(out, std::string_view("d") == same ? "" : same) << same;
  }
}

TEST(EventListFilter, FailsOnWhatItCannotRead) {
  for (std::string_view bad :
       {"data: {]\n\n", "data: {\"a\":1\n\n", "data: {\"a\":1\nid: 3\ndata: }\n\n", "data: {} {}\n\n",
        "data: {}\ndata: {}\n\n", "data: \xEF\xBB\xBF{}\n\n", "data: {\"a\":1\ndata\ndata: }\n\n",
        "data: {\"result\":{\"tools\":[1]}}\n\n", "data: {\"a\":1\n: comment\ndata: }\n\n",
        "data: {\"a\":\"b\ndata: c\"}\n\n", "data: \xC2\xA0{\"result\":{\"tools\":[1]}}\n\n"}) {
    EXPECT_EQ(events(bad).front(), '!') << bad;
  }
}

TEST(EventListFilter, PassesAMessageOnWhileItComes) {
  event_list_filter filter(not_hidden, most);
  std::string out;
  ASSERT_TRUE(filter.feed("data: {\"result\":{\"content\":[{\"text\":\"" + std::string(3 * most, 'x'), out));
  EXPECT_GT(out.size(), 3 * most);
}

}  // namespace
}  // namespace mcp_oauth
