#include "app/call_trace.h"

#include "app/gateway_fixture.h"
#include "app/span_exporter.h"

#include <map>

#include <gmock/gmock.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* known = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr const char* other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

std::string sevens(std::size_t n) { return std::string(n, '\x07'); }

call_trace begun(std::vector<field> fields, const std::string& meta = "",
                 caller_trust who = caller_trust::stranger, telemetry_settings conf = {}) {
  envelope message;
  message.traceparent = meta;
  return begin_trace(fields, message, who, conf, sevens);
}

std::map<std::string_view, std::string> texts_of(const span_record& span) {
  return {span.texts.begin(), span.texts.end()};
}

TEST(CallTrace, GoesOnWithTheTraceOfTheCaller) {
  auto trace = begun({{"TraceParent", known}, {"tracestate", "a=1"}, {"Tracestate", "b=2"}});
  EXPECT_EQ(to_hex(trace.request.trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(to_hex(trace.parent), "b7ad6b7169203331");
  EXPECT_EQ(trace.state, "a=1,b=2");
}

TEST(CallTrace, BeginsOneInPlaceOfWhatCannotBeRead) {
  const std::vector<std::vector<field>> cases = {{},
                                                 {{"traceparent", "x"}, {"tracestate", "a=1"}},
                                                 {{"traceparent", known}, {"traceparent", known}},
                                                 {{"tracestate", "a=1"}}};
  for (const auto& fields : cases) {
    auto trace = begun(fields);
    EXPECT_EQ(to_hex(trace.request.trace), "07070707070707070707070707070707");
    EXPECT_EQ(to_hex(trace.parent), "0000000000000000");
    EXPECT_EQ(trace.state, "");
  }
}

TEST(CallTrace, ReadsTheMessageWhereThereIsNoField) {
  EXPECT_EQ(to_hex(begun({}, other).parent), "00f067aa0ba902b7");
  EXPECT_EQ(to_hex(begun({{"traceparent", known}}, other).parent), "b7ad6b7169203331");
  EXPECT_EQ(to_hex(begun({{"traceparent", "x"}}, other).parent), "0000000000000000")
      << "somebody on the way broke it; what the client said is not nearer";
  EXPECT_EQ(begun({{"tracestate", "a=1"}}, other).state, "");
}

TEST(CallTrace, BelievesTheFlagOfATrustedProxyAlone) {
  telemetry_settings none, all;
  none.sample_per_million = 0;
  auto proxy = caller_trust::trusted_proxy;
  EXPECT_TRUE(begun({{"traceparent", known}}, "", proxy, none).request.sampled);
  EXPECT_FALSE(begun({{"traceparent", other}}, "", proxy, all).request.sampled);
  EXPECT_FALSE(begun({{"traceparent", known}}, "", caller_trust::stranger, none).request.sampled);
  EXPECT_TRUE(begun({{"traceparent", other}}, "", caller_trust::stranger, all).request.sampled);
  EXPECT_FALSE(begun({}, known, proxy, none).request.sampled) << "a message is the client's, not the proxy's";
  none.believes_proxies = false;
  EXPECT_FALSE(begun({{"traceparent", known}}, "", proxy, none).request.sampled);
}

TEST(CallTrace, TellsTheServerOfTheSpanThatIsItsParent) {
  auto trace = begun({{"traceparent", known}, {"tracestate", "a=1"}});
  begin_call(trace, [](std::size_t n) { return std::string(n, '\x05'); });
  EXPECT_EQ(trace_fields(trace, true),
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0505050505050505-01\r\ntracestate: a=1\r\n");
  EXPECT_EQ(trace_fields(trace, false),
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0505050505050505-01\r\n");
}

TEST(CallTrace, SaysWhereACallWentAndNothingSecretOfIt) {
  auto trace = begun({});
  begin_call(trace, sevens);
  auto span =
      call_span(trace, {"POST", "https://idp.test:8443/token?code=c0de&state=pass#f", 400, std::nullopt});
  EXPECT_EQ(span.side, span_record::kind::client);
  EXPECT_EQ(span.parent, trace.request.span);
  EXPECT_TRUE(span.failed);
  auto texts = texts_of(span);
  EXPECT_EQ(texts["server.address"], "idp.test");
  EXPECT_EQ(texts["error.type"], "400");
  for (const auto& [name, value] : texts) {
    EXPECT_THAT(value, Not(HasSubstr("c0de"))) << name;
    EXPECT_THAT(value, Not(HasSubstr("pass"))) << name;
  }
  auto failed = call_span(trace, {"GET", "http://up/mcp", 0, errc::upstream_timeout});
  EXPECT_EQ(texts_of(failed)["error.type"], "upstream_timeout");
  EXPECT_THAT(failed.numbers, testing::ElementsAre(testing::Pair("server.port", 80)));
}

TEST(CallTrace, NamesASpanAfterFewThings) {
  struct row {
    const char *method, *name, *title;
  };
  auto trace = begun({});
  const std::string long_name(65, 'x');
  for (const auto& r :
       {row{"tools/call", "search", "tools/call search"}, row{"prompts/get", "p", "prompts/get p"},
        row{"resources/read", "file:///etc/passwd", "resources/read"}, row{"ping", "", "ping"},
        row{"tools/call", long_name.c_str(), "tools/call"}, row{"tools/call", "a b", "tools/call"},
        row{"ping\n", "", ""}, row{"", "", ""}}) {
    span_record span;
    EXPECT_EQ(describe_message(r.method, r.name, trace, span), r.title) << r.method;
    for (const auto& [attribute, value] : span.texts)
      EXPECT_THAT(value, Not(HasSubstr("passwd"))) << attribute;
  }
  EXPECT_EQ(known_method("DELETE"), "DELETE");
  EXPECT_EQ(known_method("BREW"), "_OTHER");
}

class TracedGateway : public Gateway {
 protected:
  TracedGateway() {
    conf.telemetry.endpoint = "http://collector.test/v1/traces";
    opened_ = std::move(*log_sink::open("/dev/null", log_level::info));
    spans = std::make_unique<span_exporter>(
        span_receiver{conf.telemetry.endpoint, {}, "gate", "1"},
        [this](const http_call& sent, const span_receiver&, const std::atomic<bool>&) -> result<http_answer> {
          std::lock_guard lock(taking_);
          taken_ += sent.body;
          return http_answer{200, {}, "{}"};
        },
        *opened_, export_pace{milliseconds(60'000), milliseconds(1), seconds(10)});
  }
  // The last spans are sent at the end, and to here.
  ~TracedGateway() override { finish(); }
  void finish() {
    if (server) server->stop();
    server.reset();
    spans.reset();
  }
  // All that was sent, at the end.
  std::string exported() {
    finish();
    std::lock_guard lock(taking_);
    return taken_;
  }

 private:
  std::unique_ptr<log_sink> opened_;
  std::mutex taking_;
  std::string taken_;
};

TEST_F(TracedGateway, SendsItsOwnContextAndNotTheClients) {
  auto client = connect();
  client.send(post(call, with_token(std::string("traceparent: ") + known + "\r\nTRACESTATE: a=1\r\n")));
  auto up = upstream_end();
  auto got = up.until("\r\n\r\n");
  EXPECT_THAT(got, HasSubstr("\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_THAT(got, Not(HasSubstr("b7ad6b7169203331")));
  EXPECT_THAT(got, HasSubstr("\r\ntracestate: a=1\r\n"));
  EXPECT_THAT(got, Not(HasSubstr("TRACESTATE")));
  up.send(ok);
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 200);
  auto sent = exported();
  EXPECT_THAT(sent, HasSubstr(R"("parentSpanId":"b7ad6b7169203331","name":"tools/call echo","kind":2)"));
  EXPECT_THAT(sent, Not(HasSubstr("ada@example.com")));
}

TEST_F(TracedGateway, SendsNoneWhereTheOperatorBlocksIt) {
  conf.upstreams[0].headers.blocked = {"Traceparent"};
  auto client = connect();
  client.send(post(call, with_token(std::string("traceparent: ") + known + "\r\n")));
  auto up = upstream_end();
  EXPECT_THAT(up.until("\r\n\r\n"), Not(HasSubstr("traceparent")));
  up.send(ok);
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 200);
}

TEST_F(TracedGateway, TracesNoDocumentsAndNoProbes) {
  for (const char* path : {"/health", "/metrics", "/.well-known/oauth-authorization-server", "/nothing"})
    answer_to(get(path, ""));
  EXPECT_THAT(exported(), IsEmpty());
}

TEST_F(Gateway, WithoutTracesAContextPassesAsItCame) {
  auto client = connect();
  client.send(post(call, with_token(std::string("traceparent: ") + known + "\r\ntracestate: a=1\r\n")));
  auto up = upstream_end();
  auto got = up.until("\r\n\r\n");
  EXPECT_THAT(got, HasSubstr(std::string("\r\ntraceparent: ") + known + "\r\ntracestate: a=1\r\n"));
  up.send(ok);
  EXPECT_EQ(status_of(client.until("\r\n\r\n")), 200);
}

}  // namespace
}  // namespace mcp_oauth
