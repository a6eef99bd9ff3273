// What the request path spends on its own work, piece by piece: ./dev bench micro

#include "base/http.h"
#include "gateway/token_cache.h"
#include "jose/key.h"
#include "jose/key_set.h"
#include "mcp/envelope.h"
#include "net/http_head.h"
#include "oauth/access_token.h"
#include "policy/policy.h"

#include <vector>

#include <benchmark/benchmark.h>
#include <boost/beast/http/basic_parser.hpp>

namespace {

using namespace mcp_oauth;

const std::string head =
    "POST /mcp HTTP/1.1\r\nHost: mcp.example.com\r\nContent-Type: application/json\r\n"
    "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nUser-Agent: "
    "bench/1.0\r\n"
    "Mcp-Session-Id: 3f2a0d9c8b7e6f5a4d3c2b1a09876543\r\nAccept-Encoding: gzip, deflate\r\nConnection: "
    "keep-alive\r\n"
    "Authorization: Bearer " +
    std::string(700, 'a') + "\r\nContent-Length: 295\r\n\r\n";

void our_parser(benchmark::State& state) {
  net::request_head parsed;
  for (auto _ : state) {
    auto ok = net::parse_request_head(head, parsed);
    benchmark::DoNotOptimize(ok);
  }
}
BENCHMARK(our_parser);

// Beast's parser with a sink as flat as ours, for comparison. It accepts what ours refuses.
struct beast_sink : boost::beast::http::basic_parser<true> {
  using view = boost::beast::string_view;
  using code = boost::system::error_code;
  std::vector<field>& fields;
  explicit beast_sink(std::vector<field>& into) : fields(into) { fields.clear(); }
  void on_request_impl(boost::beast::http::verb, view, view, int, code&) override {}
  void on_response_impl(int, view, int, code&) override {}
  void on_field_impl(boost::beast::http::field, view n, view v, code&) override {
    fields.push_back({{n.data(), n.size()}, {v.data(), v.size()}});
  }
  void on_header_impl(code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, code&) override {}
  std::size_t on_body_impl(view s, code&) override { return s.size(); }
  void on_chunk_header_impl(std::uint64_t, view, code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, view s, code&) override { return s.size(); }
  void on_finish_impl(code&) override {}
};

void beast_parser(benchmark::State& state) {
  std::vector<field> fields;
  for (auto _ : state) {
    beast_sink parser(fields);
    boost::system::error_code failed;
    auto used = parser.put(boost::asio::const_buffer(head.data(), head.size()), failed);
    benchmark::DoNotOptimize(used);
  }
}
BENCHMARK(beast_parser);

void envelope_of_a_call(benchmark::State& state) {
  const std::string body =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"query":")" +
      std::string(180, 'x') + R"(","limit":10}}})";
  for (auto _ : state) {
    envelope_scanner scanner;
    auto fed = scanner.feed(body);
    auto ended = scanner.finish();
    benchmark::DoNotOptimize(fed);
    benchmark::DoNotOptimize(ended);
  }
}
BENCHMARK(envelope_of_a_call);

struct issued {
  signing_key key = signing_key::generate_es256();
  key_set keys = key_set::of({key.public_part()});
  token_rules rules;
  time_point now = from_unix(1'800'000'000);
  std::string token;
  issued() {
    rules.issuer = "https://mcp.example.com";
    rules.audience = "https://mcp.example.com/mcp";
    access_claims c;
    c.issuer = rules.issuer;
    c.subject = "corp:ada";
    c.audience = rules.audience;
    c.client_id = "client";
    c.grant_id = "grant";
    c.token_id = "id";
    c.scopes = {"mcp"};
    c.issued = now;
    c.expires = now + seconds(900);
    token = mint_access_token(c, key);
  }
};

void verify_a_token(benchmark::State& state) {
  issued world;
  for (auto _ : state) {
    auto verified = verify_access_token(world.token, world.keys, world.rules, world.now);
    benchmark::DoNotOptimize(verified);
  }
}
BENCHMARK(verify_a_token);

void find_a_cached_token(benchmark::State& state) {
  issued world;
  token_cache cache;
  auto verify = [&](std::string_view t) {
    return verify_access_token(t, world.keys, world.rules, world.now);
  };
  for (auto _ : state) {
    auto found = cache.find(world.token, seconds(60), world.now, verify);
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK(find_a_cached_token);

// A decision under a thousand rules: 900 tools by name, 99 groups of them, and one rule for all.
void judge_a_call(benchmark::State& state, std::string_view tool, bool allowed) {
  policy_rules written;
  written.tools.given = written.methods.given = true;
  for (int i = 0; i < 900; ++i) written.tools.rules.push_back({"tool_" + std::to_string(i), {"tools:read"}});
  for (int i = 0; i < 99; ++i)
    written.tools.rules.push_back({"group" + std::to_string(i) + "_*", {"tools:read", "tools:any"}});
  written.tools.rules.push_back({"*", {"mcp"}});
  written.methods.rules = {{"tools/*", {"mcp"}}};
  written.base_scopes = {"mcp"};
  written.hierarchy = {{"tools:write", {"tools:read"}}};
  policy rules(written);
  std::vector<std::string> scopes{"openid", "mcp", "tools:write"};
  caller who{"corp:ada", "client", scopes};
  envelope message;
  message.kind = envelope::kind::request;
  message.method = "tools/call";
  message.has_name = message.complete = true;
  message.name = tool;
  for (auto _ : state) {
    auto judged = authorize(rules, who, message);
    if (judged.has_value() != allowed) state.SkipWithError("decided otherwise");
    benchmark::DoNotOptimize(judged);
  }
}
BENCHMARK_CAPTURE(judge_a_call, allowed_under_1000_rules, "tool_899", true);
BENCHMARK_CAPTURE(judge_a_call, refused_under_1000_rules, "group98_tool", false);

void filter_a_list(benchmark::State& state) {
  std::string list = R"({"jsonrpc":"2.0","id":7,"result":{"tools":[)";
  for (int i = 0; i < 100; ++i) {
    list += std::string(i == 0 ? "" : ",") + R"({"name":"tool_)" + std::to_string(i) +
            R"(","description":")" + std::string(400, 'x') +
            R"(","inputSchema":{"type":"object","properties":{"a":{"type":"string"}}}})";
  }
  list += "]}}";
  const keep_listed half = [](listed, std::string_view name) { return name.size() % 2 == 0; };
  std::string out;
  for (auto _ : state) {
    list_filter filter(half, 1 << 20);
    out.clear();
    auto fed = filter.feed(list, out);
    benchmark::DoNotOptimize(fed);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(list.size()));
}
BENCHMARK(filter_a_list);

}  // namespace

BENCHMARK_MAIN();
