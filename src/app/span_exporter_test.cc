#include "app/span_exporter.h"

#include "base/json.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

span_record a_span(std::string name) {
  span_record span;
  span.context = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  span.name = std::move(name);
  span.began = from_unix(1'700'000'000);
  span.took = milliseconds(5);
  return span;
}

span_receiver a_receiver() {
  return {"http://collector.test/v1/traces", {{"X-Api-Key", secret("k3y")}}, "front door", "1.2.3"};
}

json::object only_span(const http_call& call) {
  auto body = parse_json_object(call.body);
  return body->at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0).as_object();
}

TEST(SpanRecord, IsWrittenAsOtlpHasIt) {
  auto span = a_span("tools/call search");
  span.parent = {0x00, 0xF0, 0x67, 0xAA, 0x0B, 0xA9, 0x02, 0xB7};
  span.texts = {{"mcp.method.name", "tools/call"}, {"gen_ai.tool.name", ""}};
  span.numbers = {{"http.response.status_code", 200}};
  auto call = export_request(a_receiver(), std::span(&span, 1));
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.url, "http://collector.test/v1/traces");
  EXPECT_EQ(call.fields.first("content-type"), "application/json");
  EXPECT_EQ(call.fields.first("x-api-key"), "k3y");
  auto expected = parse_json(R"({
    "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
    "parentSpanId": "00f067aa0ba902b7", "name": "tools/call search", "kind": 2,
    "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000005000000",
    "attributes": [
      {"key": "mcp.method.name", "value": {"stringValue": "tools/call"}},
      {"key": "http.response.status_code", "value": {"intValue": "200"}}],
    "status": {}})");
  EXPECT_EQ(json::value(only_span(call)), *expected);
  auto body = parse_json_object(call.body);
  auto resource = parse_json(R"({"attributes": [
    {"key": "service.name", "value": {"stringValue": "front door"}},
    {"key": "service.version", "value": {"stringValue": "1.2.3"}}]})");
  EXPECT_EQ(body->at("resourceSpans").at(0).at("resource"), *resource);
}

TEST(SpanRecord, SaysWhatFailed) {
  auto span = a_span("GET");
  span.failed = true;
  auto call = export_request(a_receiver(), std::span(&span, 1));
  EXPECT_EQ(json::value(only_span(call).at("status")), *parse_json(R"({"code": 2})"));
  EXPECT_FALSE(only_span(call).contains("parentSpanId"));
}

TEST(SpanRecord, BytesThatAreNoTextDoNotSpoilTheBatch) {
  auto span = a_span("tools/call \xFF");
  span.texts = {{"gen_ai.tool.name", "\xC3\x28"}, {"mcp.method.name", "tools/call"}};
  auto sent = only_span(export_request(a_receiver(), std::span(&span, 1)));
  EXPECT_EQ(sent.at("name"), "request");
  EXPECT_EQ(sent.at("attributes").as_array().size(), 1U);
}

TEST(SpanRecord, TextsAreShortenedBetweenCharacters) {
  for (const auto& [given, wanted] : std::initializer_list<std::pair<std::string, std::size_t>>{
           {"short", 5},
           {std::string(16'000, 'a'), 256},
           {std::string(255, 'a') + "\xC3\xA9tail", 255},
           {"\xFF", 0}}) {
    auto text = given;
    shorten(text);
    EXPECT_EQ(text.size(), wanted);
    EXPECT_EQ(text, given.substr(0, wanted));
  }
}

// A collector that answers as it is told, and remembers what came.
class collector {
 public:
  span_exporter::send_fn receive() {
    return [this](const http_call& call, const span_receiver&,
                  const std::atomic<bool>&) -> result<http_answer> {
      auto spans = parse_json_object(call.body)->at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
      std::vector<std::string> names;
      for (const auto& span : spans.as_array()) {
        const auto& name = span.at("name").as_string();
        names.emplace_back(name.data(), name.size());
      }
      std::lock_guard lock(mutex_);
      bytes_ += call.body.size();
      batches_.push_back(std::move(names));
      auto status = statuses_.empty() ? 200 : statuses_.front();
      if (!statuses_.empty()) statuses_.erase(statuses_.begin());
      came_.notify_all();
      if (status == 0) return fail(errc::fetch_failed, "refused");
      return http_answer{status, {}, body_};
    };
  }
  void answer_with(std::vector<int> statuses) { statuses_ = std::move(statuses); }
  void answer_body(std::string body) { body_ = std::move(body); }
  std::size_t bytes() {
    std::lock_guard lock(mutex_);
    return bytes_;
  }
  // What has come once there are so many batches.
  std::vector<std::vector<std::string>> after(std::size_t batches) {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, seconds(10), [&] { return batches_.size() >= batches; });
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<int> statuses_;
  std::string body_ = "{}";
  std::size_t bytes_ = 0;
  std::vector<std::vector<std::string>> batches_;
};

class SpanExporter : public testing::Test {
 protected:
  SpanExporter() {
    auto pattern = (std::filesystem::temp_directory_path() / "mop-spans-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    log_ = std::move(*log_sink::open(folder_ / "log", log_level::info));
  }
  ~SpanExporter() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<span_exporter> exporter(milliseconds batch = milliseconds(1)) {
    return std::make_unique<span_exporter>(a_receiver(), there_.receive(), *log_,
                                           export_pace{batch, milliseconds(1)});
  }
  std::string logged() {
    log_.reset();
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
  std::unique_ptr<log_sink> log_;
  collector there_;
  std::vector<std::string> places_;
};

using testing::ElementsAre;

TEST_F(SpanExporter, SendsInBatchesAndWhatIsLeftAtTheEnd) {
  auto out = exporter(milliseconds(60'000));
  for (int i = 0; i < 515; ++i) out->add(a_span(std::to_string(i)));
  ASSERT_EQ(there_.after(1).at(0).size(), 512U);
  out.reset();
  EXPECT_THAT(there_.after(2).at(1), ElementsAre("512", "513", "514"));
}

TEST_F(SpanExporter, TriesAgainWhatTheCollectorCannotTakeNow) {
  there_.answer_with({503, 0, 429, 200});
  auto out = exporter();
  out->add(a_span("a"));
  auto came = there_.after(4);
  ASSERT_EQ(came.size(), 4U);
  for (const auto& batch : came) EXPECT_THAT(batch, ElementsAre("a"));
  out.reset();
  EXPECT_EQ(there_.after(4).size(), 4U) << "sent twice";
  auto log = logged();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_THAT(log, testing::HasSubstr("MOP-TEL-001"));
  EXPECT_THAT(log, testing::HasSubstr("takes spans again"));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("k3y")));
}

TEST_F(SpanExporter, DropsWhatTheCollectorRefuses) {
  there_.answer_with({400});
  auto out = exporter();
  out->add(a_span("bad"));
  there_.after(1);
  out->add(a_span("good"));
  EXPECT_THAT(there_.after(2).at(1), ElementsAre("good"));
  EXPECT_EQ(out->dropped(), 1U);
}

TEST_F(SpanExporter, KeepsABoundedNumberForACollectorThatIsAway) {
  there_.answer_with(std::vector<int>(100, 503));
  auto out = std::make_unique<span_exporter>(a_receiver(), there_.receive(), *log_,
                                             export_pace{milliseconds(60'000), milliseconds(60'000)});
  for (int i = 0; i < 20'000; ++i) out->add(a_span("x"));
  EXPECT_GE(out->dropped(), 20'000U - 8192 - 512);
  EXPECT_LE(out->dropped(), 20'000U - 8192);
}

TEST_F(SpanExporter, KeepsLittleOfWhatAStrangerWrote) {
  auto out = exporter(milliseconds(60'000));
  auto span = a_span("GET /mcp");
  span.texts = {{"url.path", std::string(16'000, 'a')}};
  out->add(std::move(span));
  out.reset();
  there_.after(1);
  EXPECT_LT(there_.bytes(), 2000U);
}

TEST_F(SpanExporter, SendsElsewhereAfterAReload) {
  auto out = std::make_unique<span_exporter>(
      a_receiver(),
      [this](const http_call& call, const span_receiver& to, const std::atomic<bool>& given_up) {
        places_.push_back(call.url);
        return there_.receive()(call, to, given_up);
      },
      *log_, export_pace{milliseconds(60'000), milliseconds(1)});
  out->send_to({"https://other.test/v1/traces", {}, "gate", "1"});
  out->add(a_span("a"));
  out.reset();
  EXPECT_THAT(places_, ElementsAre("https://other.test/v1/traces"));
}

TEST_F(SpanExporter, CountsWhatTheCollectorLeavesOut) {
  there_.answer_body(R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}})");
  auto out = exporter();
  for (const char* name : {"a", "b"}) out->add(a_span(name));
  auto kept = [&] { return out->sent(); };
  std::size_t batches = 0;
  while (kept() + out->dropped() < 2) std::this_thread::yield();
  batches = there_.after(1).size();
  EXPECT_EQ(out->dropped(), batches) << "one of each batch";
  EXPECT_EQ(kept(), 2 - batches);
}

// Its end waits no longer than it was told to, and then gives the request up.
TEST_F(SpanExporter, LeavesACollectorThatNeverAnswers) {
  std::atomic<int> asked{0};
  auto hanging = [&](const http_call&, const span_receiver&,
                     const std::atomic<bool>& given_up) -> result<http_answer> {
    ++asked;
    while (!given_up) std::this_thread::yield();
    return fail(errc::fetch_failed, "given up");
  };
  auto out = std::make_unique<span_exporter>(a_receiver(), hanging, *log_,
                                             export_pace{milliseconds(1), milliseconds(1), milliseconds(1)});
  out->add(a_span("a"));
  while (asked == 0) std::this_thread::yield();
  out->add(a_span("b"));
  out.reset();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(logged(), "") << "our own end is no outage";
}

}  // namespace
}  // namespace mcp_oauth
