#include "app/gateway_service.h"

#include "app/foreign_text.h"
#include "app/story.h"
#include "base/text.h"
#include "gateway/original_request.h"
#include "gateway/refusal.h"
#include "oauth/redact.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr milliseconds flush_every{200};
constexpr std::size_t flush_size = 32 * 1024;

// As people know it of other guards: "Token validation failed: issuer mismatch".
std::string guard_words(errc why) {
  const auto& row = explain(why);
  if (why == errc::token_expired) return "Token expired";
  bool of_token = row.oauth_error == "invalid_token" && why != errc::token_opaque;
  return (of_token ? "Token validation failed: " : "") + std::string(row.description);
}

// Documents and probes would drown what is worth looking at.
constexpr bool is_traced(metrics::area area) {
  using enum metrics::area;
  return area == mcp || area == verify || area == oauth;
}

// In the log.
constexpr std::string_view component_of(metrics::area area) {
  if (area == metrics::area::oauth) return "oauth";
  return area == metrics::area::verify ? "verify" : "proxy";
}

}  // namespace

gateway_service::gateway_service(net::worker& w, const gateway_parts& parts,
                                 std::shared_ptr<const snapshot> first)
    : worker_(w),
      parts_(parts),
      rules_(std::move(first)),
      upstreams_(w, *parts.naming),
      failures_(parts.stories),
      flushing_(w, flush_every, [this] { flush_log(); }),
      sweeping_(w, milliseconds(10'000), [this] { sweep(std::chrono::system_clock::now()); }) {}

gateway_service::~gateway_service() { flush_log(); }

void gateway_service::use(std::shared_ptr<const snapshot> next) {
  rules_ = std::move(next);
  tokens_.clear();
  callers_.clear();
  streams_.hold_to_rules([this](std::string_view server) { return rules_of_server(server).filters_lists(); });
}

void gateway_service::revoke(const std::string& grant, time_point until) {
  tokens_.revoke(grant, until);
  streams_.revoke(grant);
}

void gateway_service::sweep(time_point now) {
  streams_.expire(now, [this](std::string_view grant) { return tokens_.latest_expiry(grant); });
  tokens_.sweep(now);
  callers_.sweep(now);
}

void gateway_service::flush_log() {
  failures_.flush();
  parts_.log->write(lines_);
  lines_.clear();
}

net::task<void> gateway_service::serve(net::exchange& x) {
  story told;
  told.client = rules_->clients.of(x.peer(), x.head().fields);
  std::optional<error> broken;
  try {
    co_await serve_path(x, told);
  } catch (const std::exception& e) {
    broken = error{errc::internal, std::string("an exception: ") + e.what()};
  }
  if (broken) {
    told.why = std::move(broken);
    x.close_after();
    if (x.answered()) {
      x.client().abort();
    } else {
      http_response refusal = refuse_plain(errc::internal);
      co_await answer(x, std::move(refusal), false);
    }
  }
  tell(x, told);
}

net::task<void> gateway_service::serve_path(net::exchange& x, story& told) {
  // A reload may come while the request is under way: it ends under the rules it began with.
  told.rules = rules_;
  const auto& rules = told.rules;
  auto path = x.head().path;
  if (is_verify_path(path)) {
    told.area = metrics::area::verify;
    co_return co_await serve_verify(x, *rules, told);
  }
  // Some clients look for metadata below the MCP endpoint itself.
  bool well_known = path.find("/.well-known/") != std::string_view::npos;
  if (const auto* to = well_known ? nullptr : rules->find(x.head().host, path); to != nullptr) {
    told.area = metrics::area::mcp;
    co_await serve_mcp(x, *rules, *to, told);
  } else if (auto at = endpoint_of(path)) {
    told.area = metrics::area::oauth;
    told.action = to_name(*at);
    if (rules->issuers != nullptr) {
      co_await refuse_endpoint_of_a_gateway(x, *rules, told);
    } else {
      co_await serve_oauth(x, *at, told);
    }
  } else {
    co_await serve_plain(x, told);
    // To the client that is a path like any other that leads nowhere.
    bool is_unknown = told.why && told.why->code == errc::http_not_found && told.why->detail.empty();
    if (is_unknown && !rules->find_ways(x.head().host, path).agree())
      told.why->detail = "a server could read the path as one of another MCP server";
  }
}

namespace {

// What the last step of the authorization server that said no said it with.
const symptom* symptom_of(const std::vector<std::pair<std::string, std::string>>& notes) {
  const symptom* found = nullptr;
  for (const auto& [name, value] : notes) {
    if (name != "symptom") continue;
    auto all = catalogue();
    auto row = std::find_if(all.begin(), all.end(), [&v = value](const symptom& s) { return s.id == v; });
    found = row == all.end() ? nullptr : &*row;
  }
  return found;
}

// Strangers have a say in it.
bool tells_what_was_seen(std::string_view note) {
  return note == "detail" || note == "provider_detail" || note == "userinfo";
}

}  // namespace

http_response gateway_service::refuse(const error& why, const net::exchange& x) {
  parts_.counts->refused(why.code);
  parts_.counts->request(metrics::area::other, explain(why.code).status, -1);
  if (parts_.stories != nullptr) {
    story told;
    told.client = x.peer();
    told.headless = true;
    told.why = why;
    keep_story(x, told);
  }
  if (parts_.log->wants(log_level::info)) {
    log_line line(lines_, log_level::info, "http", std::chrono::system_clock::now(), rules_->style);
    const auto& row = explain(why.code);
    line.text("request_id", x.request_id()).text("client", x.peer()).text("decision", "refused");
    line.text("symptom", row.id).text("reason", row.name).text("detail", without_secrets(why.detail));
  }
  return refuse_plain(why.code);
}

net::task<void> gateway_service::answer(net::exchange& x, http_response response, bool open_to_pages) {
  auto origin = x.head().find("origin").value_or("");
  for (const auto& [name, value] : rules_->cors.fields_for(origin, open_to_pages))
    response.fields.add(name, value);
  if (response.fields.count("X-Content-Type-Options") == 0)
    response.fields.add("X-Content-Type-Options", "nosniff");
  co_await x.respond(response);
}

void gateway_service::tell(const net::exchange& x, story& told) {
  auto took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - told.began);
  parts_.counts->request(told.area, x.status, told.stream ? -1 : static_cast<double>(took.count()) / 1e6);
  if (told.answered)
    parts_.counts->answered(told.upstream, told.stream ? told.stream_began - told.began : took);
  if (told.why) {
    parts_.counts->refused(told.why->code);
  } else {
    // What the authorization server's steps said no to.
    for (const auto& [name, value] : told.notes) {
      if (name == "symptom") parts_.counts->refused(value);
    }
  }
  if (parts_.stories != nullptr) {
    if (told.why || !told.notes.empty()) keep_story(x, told);
    if (told.area == metrics::area::metadata) note_opening(x, told);
  }
  if (told.rules && told.rules->spans != nullptr && is_traced(told.area)) {
    if (!told.trace) begin_trace(x, told, envelope());
    end_trace(x, told, took);
  }
  bool is_probe = told.area == metrics::area::health;
  if (!rules_->conf.log.access || !parts_.log->wants(is_probe ? log_level::debug : log_level::info)) return;
  {
    const auto* noted = told.why ? nullptr : symptom_of(told.notes);
    auto level = x.status >= 500            ? log_level::error
                 : noted && x.status >= 400 ? log_level::warn
                                            : log_level::info;
    log_line line(lines_, level, component_of(told.area), std::chrono::system_clock::now(), rules_->style);
    if (told.why)
      line.text("message", rules_->issuers ? guard_words(told.why->code)
                                           : std::string(explain(told.why->code).description));
    if (noted != nullptr) {
      line.text("message", noted->description);
      line.text("error", noted->oauth_error.empty() ? noted->name : noted->oauth_error);
    }
    line.text("request_id", x.request_id()).text("client", told.client);
    if (told.trace) line.text("trace_id", to_hex(told.trace->request.trace));
    line.text("http_method", x.head().method);
    text_of_path(line, "path", x.head().path);
    line.number("status", static_cast<std::uint64_t>(x.status));
    line.milliseconds_of("duration_ms", static_cast<std::uint64_t>(took.count()));
    line.text("action", told.action).text("user_id", told.subject).text("client_id", told.client_id);
    line.text("issuer", told.issuer).text("token", told.remembered ? "remembered" : "");
    text_of_call(line, "mcp_method", told.method);
    text_of_call(line, "mcp_name", told.tool);
    line.text("upstream", told.upstream);
    bool judged = told.area == metrics::area::mcp || told.area == metrics::area::verify;
    if (judged) line.text("decision", told.permitted ? "allowed" : "refused");
    if (told.why) {
      const auto& row = explain(told.why->code);
      line.text("error", row.oauth_error);
      line.text("symptom", row.id).text("reason", row.name);
      line.text("detail", without_secrets(told.why->detail));
    }
    if (told.response_bytes > 0) line.number("response_bytes", told.response_bytes);
    for (std::size_t i = 0; i < told.notes.size(); ++i) {
      // A step may say a thing again; the last word counts, and a JSON object has each name once.
      const auto& [name, value] = told.notes[i];
      bool again = std::any_of(told.notes.begin() + static_cast<std::ptrdiff_t>(i) + 1, told.notes.end(),
                               [&n = name](const auto& later) { return later.first == n; });
      bool said = name == "endpoint" || (name == "client_id" && !told.client_id.empty());
      if (again || said) continue;
      if (tells_what_was_seen(name))
        line.text(name, without_secrets(value));
      else if (name == "original_path")
        text_of_path(line, name, value);
      else
        line.text(name, value);
    }
  }
  if (lines_.size() >= flush_size) flush_log();
}

}  // namespace mcp_oauth
