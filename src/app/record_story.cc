// What `explain` will say of a request that failed. A success comes no further than the first line of
// `keep_story`, and a failure that was told of a moment ago only to its count.

#include "app/gateway_service.h"
#include "app/login_openings.h"
#include "app/story.h"
#include "app/story_keeper.h"
#include "broker/limiter.h"
#include "doctor/failure_story.h"
#include "symptom/catalogue.h"
#include "symptom/find_symptom.h"

#include <algorithm>
#include <functional>

namespace mcp_oauth {
namespace {

// More of a path says nothing.
constexpr std::size_t longest_path = 256;
// A story waits in memory before it is made fit; strangers decide how long some of its texts are.
constexpr std::size_t longest_text = 4 * longest_text_of_a_story;

std::int64_t now_ms() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

std::uint64_t mix(std::uint64_t before, std::uint64_t more) {
  return (before ^ more) * 0x9E3779B97F4A7C15ULL + (before >> 29);
}

std::uint64_t mix(std::uint64_t before, std::string_view text) {
  return mix(before, std::hash<std::string_view>()(text));
}

bool is_of_policy(errc code) { return code == errc::policy_denied || code == errc::scope_insufficient; }

std::string_view action_of(metrics::area area, std::string_view endpoint) {
  switch (area) {
    case metrics::area::mcp: return "call";
    case metrics::area::verify: return "verify";
    case metrics::area::oauth: return endpoint;
    case metrics::area::metadata: return "metadata";
    case metrics::area::health:
    case metrics::area::other: break;
  }
  return "gateway";
}

std::string_view note_in(const std::vector<std::pair<std::string, std::string>>& notes,
                         std::string_view name) {
  std::string_view found;
  for (const auto& [of, value] : notes) {
    if (of == name) found = value;
  }
  return found;
}

failure_story::rule told_rule(const rule_trace& seen, bool applies) {
  return {std::string(seen.section), seen.pattern, applies, seen.denied, seen.missing_scopes, seen.unmet};
}

}  // namespace

void gateway_service::keep_story(const net::exchange& x, const story& told) {
  if (!parts_.stories->enabled() || told.area == metrics::area::health) return;
  if (told.why) {
    // How every sign-in begins.
    if (told.why->code == errc::token_missing) return note_opening(x, told);
    return keep_failure(x, told, explain(told.why->code), false, told.why->detail);
  }
  if (told.area != metrics::area::oauth) return;
  if (auto id = note_in(told.notes, "symptom"); !id.empty()) {
    if (const auto* row = find_by_id(id)) keep_failure(x, told, *row, false, note_in(told.notes, "detail"));
    return;
  }
  // It ended well, but something was away.
  if (auto amiss = note_in(told.notes, "provider_detail"); !amiss.empty())
    return keep_failure(x, told, explain(errc::provider_unreachable), true, amiss);
  if (auto amiss = note_in(told.notes, "userinfo"); !amiss.empty())
    return keep_failure(x, told, explain(errc::fetch_failed), true, amiss);
  if (told.action == "token" && !told.login.empty())
    parts_.stories->ended(told.login, x.request_id(), now_ms());
  if (told.action == "register" && parts_.openings != nullptr) note_opening(x, told);
}

void gateway_service::note_opening(const net::exchange& x, const story& told) {
  if (parts_.openings == nullptr) return;
  if (told.action == "register") {
    parts_.openings->registered(told.client, note_in(told.notes, "client_id"), x.request_id(), now_ms());
  } else {
    auto hop = told.area == metrics::area::metadata ? "metadata" : "gateway";
    parts_.openings->note(told.client, hop, x.request_id(), now_ms());
  }
}

void gateway_service::keep_failure(const net::exchange& x, const story& told, const symptom& why,
                                   bool finished, std::string_view detail) {
  bool of_policy = is_of_policy(why.code);
  auto same = mix(static_cast<std::uint64_t>(why.code) + 1, told.client);
  same = mix(same, static_cast<std::uint64_t>(told.area));
  same = mix(same, told.upstream);
  same = mix(same, told.subject);
  same = mix(same, told.action);
  same = mix(same, told.login);
  if (of_policy) same = mix(mix(same, told.method), told.tool);
  auto at = now_ms();
  // Of an address of IPv6 its network: who has one has more of them than there is room.
  bool is_wide = told.client.find(':') != std::string::npos;
  auto source = std::hash<std::string_view>()(is_wide ? limiter_key(told.client) : told.client);
  if (x.request_id().empty() || !failures_.is_new(same, source, x.request_id(), at)) return;

  failure_story s;
  s.id = x.request_id();
  s.at = at;
  s.code = why.id;
  s.finished = finished;
  s.detail = detail.substr(0, longest_text);
  s.cause = note_in(told.notes, "cause");
  s.fix = note_in(told.notes, "fix");
  s.action = action_of(told.area, told.action);
  s.status = x.status != 0 ? x.status : why.status;
  if (!told.headless) {
    s.method = x.head().method;
    s.path = x.head().path.substr(0, longest_path);
  }
  s.client = told.client;
  s.user = (!told.subject.empty() ? told.subject : note_in(told.notes, "user")).substr(0, longest_text);
  s.client_id =
      (!told.client_id.empty() ? told.client_id : note_in(told.notes, "client_id")).substr(0, longest_text);
  s.issuer = told.issuer.substr(0, longest_text);
  s.provider = note_in(told.notes, "provider");
  s.grant = note_in(told.notes, "grant");
  s.mcp_method = told.method.substr(0, longest_path);
  s.mcp_name = told.tool.substr(0, longest_path);
  s.upstream = told.upstream;
  s.login = told.login;
  for (const auto& came : told.steps) s.before.push_back({came.hop, came.id, came.at, came.probable});
  if (told.denied) {
    for (const auto& seen : told.denied->trace) s.rules.push_back(told_rule(seen, true));
    auto room = most_rules_of_a_story - std::min(most_rules_of_a_story, s.rules.size());
    for (const auto& other : rules_for_others(rules_of_server(told.upstream), told.method, told.tool, room))
      s.rules.push_back(told_rule(other, false));
    s.would_allow = told.denied->would_allow;
  }
  if (told.caller) {
    auto asks = told.caller->asks();
    auto few = std::min(asks.scopes.size(), most_scopes_of_a_story);
    s.scopes.assign(asks.scopes.begin(), asks.scopes.begin() + static_cast<std::ptrdiff_t>(few));
  }
  parts_.stories->add(same, limiter_key(told.client), std::move(s));
}

}  // namespace mcp_oauth
