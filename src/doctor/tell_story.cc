#include "doctor/failure_story.h"
#include "symptom/find_symptom.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::array<std::string_view, 13> way = {"client",    "gateway", "metadata",   "registration",
                                                  "authorize", "consent", "sign-in",    "identity provider",
                                                  "callback",  "token",   "validation", "policy",
                                                  "upstream"};

// Where the codes of a family come from, wherever they are met. "" : where the request was.
struct family {
  std::string_view prefix, hop;
};
constexpr std::array families = std::to_array<family>({
    {"MOP-TOK", "validation"},
    {"MOP-SIG", "validation"},
    {"MOP-ISS", "validation"},
    {"MOP-AUD", "validation"},
    {"MOP-TIM", "validation"},
    {"MOP-DPO", "validation"},
    {"MOP-SCP", "policy"},
    {"MOP-POL", "policy"},
    {"MOP-UPS", "upstream"},
    {"MOP-IDP", "identity provider"},
    {"MOP-CID", "registration"},
    {"MOP-REG", "registration"},
    {"MOP-CON", "consent"},
    {"MOP-LOG", "sign-in"},
});

std::string_view hop_of_action(std::string_view action) {
  if (action == "register") return "registration";
  if (action == "sign_in") return "sign-in";
  if (action == "refresh" || action == "revoke" || action == "introspect") return "token";
  if (std::find(way.begin(), way.end(), action) != way.end())
    return *std::find(way.begin(), way.end(), action);
  return "gateway";
}

std::size_t place_of(std::string_view hop) {
  return static_cast<std::size_t>(std::find(way.begin(), way.end(), hop) - way.begin());
}

bool is_of_a_call(std::string_view action) { return action == "call" || action == "verify"; }

using step = failure_story::step;

// The step of that request; nullptr: none.
const step* find_step(const std::vector<step>& steps, std::string_view id, bool probable) {
  auto found = std::find_if(steps.begin(), steps.end(),
                            [&](const step& s) { return s.id == id && s.probable == probable; });
  return found == steps.end() ? nullptr : &*found;
}

bool is_certainly_of(const failure_story& story, std::string_view id) {
  if (std::find(story.ids.begin(), story.ids.end(), id) != story.ids.end()) return true;
  return story.ended_id == id || find_step(story.before, id, false) != nullptr;
}

told_hop failing_hop(const failure_story& story) {
  const auto* row = find_by_id(story.code);
  told_hop hop;
  hop.hop = row == nullptr ? "gateway" : std::string(hop_of(*row, story.action));
  hop.how = story.finished ? told_hop::verdict::trouble : told_hop::verdict::failed;
  hop.id = story.id;
  hop.at = story.at;
  hop.code = story.code;
  hop.detail = story.detail;
  return hop;
}

// A call passes its hops one after the other, in one request.
std::vector<told_hop> way_of_call(const failure_story& story) {
  constexpr std::array<std::string_view, 5> of_call = {"client", "gateway", "validation", "policy",
                                                       "upstream"};
  auto bad = failing_hop(story);
  std::vector<told_hop> told;
  bool reached = true;
  // The gateway says no to what it reads behind the token, too: to a body, or to a session.
  bool is_behind_token = bad.hop == "gateway" && (!story.user.empty() || !story.client_id.empty());
  for (auto name : of_call) {
    if (name == bad.hop && !is_behind_token) {
      told.push_back(bad);
      reached = bad.how == told_hop::verdict::trouble;
      continue;
    }
    told_hop hop;
    hop.hop = name;
    hop.how = reached ? told_hop::verdict::passed : told_hop::verdict::not_reached;
    if (reached) hop.id = story.id;
    if (name == "client") hop.detail = story.client;
    if (name == "validation" && reached && !story.user.empty()) hop.detail = story.user;
    told.push_back(std::move(hop));
    if (name == "validation" && is_behind_token) {
      told.push_back(bad);
      reached = bad.how == told_hop::verdict::trouble;
    }
  }
  if (std::find(of_call.begin(), of_call.end(), bad.hop) == of_call.end()) told.push_back(bad);
  return told;
}

void add(std::vector<told_hop>& told, told_hop hop) {
  auto same = std::find_if(told.begin(), told.end(),
                           [&](const told_hop& t) { return t.id == hop.id && t.hop == hop.hop; });
  if (same == told.end()) {
    told.push_back(std::move(hop));
  } else if (same->code.empty() && !hop.code.empty()) {
    *same = std::move(hop);
  }
}

void add(std::vector<told_hop>& told, const std::vector<failure_story::step>& steps) {
  for (const auto& s : steps) {
    told_hop hop;
    hop.hop = hop_of_action(s.hop);
    hop.id = s.id;
    hop.at = s.at;
    hop.probable = s.probable;
    add(told, std::move(hop));
  }
}

// What was not reached of the rest; a sign-in with a password has no callback.
void add_the_rest(std::vector<told_hop>& told) {
  std::size_t last = 0;
  bool by_password = false;
  for (const auto& hop : told) {
    last = std::max(last, place_of(hop.hop));
    by_password = by_password || hop.hop == "sign-in";
  }
  for (std::string_view next : {"callback", "token"}) {
    if (place_of(next) <= last || (next == "callback" && by_password)) continue;
    told_hop hop;
    hop.hop = next;
    hop.how = told_hop::verdict::not_reached;
    told.push_back(std::move(hop));
  }
}

std::vector<told_hop> way_of_login(const std::vector<failure_story>& stories,
                                   const std::vector<failure_story::step>& steps, bool ended) {
  std::vector<told_hop> told;
  for (const auto& story : stories) {
    add(told, story.before);
    auto bad = failing_hop(story);
    auto asked = hop_of_action(story.action);
    // The request came through, up to what failed behind it.
    if (asked != bad.hop && !is_of_a_call(story.action)) {
      told_hop hop;
      hop.hop = asked;
      hop.id = story.id;
      hop.at = story.at;
      add(told, std::move(hop));
    }
    add(told, std::move(bad));
    if (!story.ended_id.empty()) add(told, {{"token", story.ended_id, story.ended_at, false}});
  }
  add(told, steps);
  std::sort(told.begin(), told.end(), [](const told_hop& a, const told_hop& b) {
    if (a.at != b.at) return a.at < b.at;
    // Of one request, what was asked for comes before what it led to, as on the way of a login; but a
    // provider is asked on the way back.
    if (a.code.empty() != b.code.empty()) return a.code.empty();
    return place_of(a.hop) < place_of(b.hop);
  });
  if (!ended) add_the_rest(told);
  return told;
}

}  // namespace

std::span<const std::string_view> all_hops() { return way; }

std::string_view hop_of(const symptom& row, std::string_view action) {
  // A resource that is not served here is a matter of the request, not of a token.
  if (row.code == errc::resource_unknown || row.code == errc::scope_unknown) return hop_of_action(action);
  for (const auto& f : families) {
    if (row.id.starts_with(f.prefix)) return f.hop;
  }
  return hop_of_action(action);
}

std::optional<told_story> tell_story(std::span<const failure_story> kept,
                                     std::span<const sign_in_progress> sign_ins, std::string_view id) {
  using stage = sign_in_progress::stage;
  auto kept_with = [&](auto fits) { return std::find_if(kept.begin(), kept.end(), fits); };
  auto sign_in_with = [&](bool probable) {
    return std::find_if(sign_ins.begin(), sign_ins.end(),
                        [&](const auto& s) { return find_step(s.steps, id, probable) != nullptr; });
  };
  auto found = kept_with([&](const auto& s) { return s.id == id; });
  if (found == kept.end()) found = kept_with([&](const auto& s) { return is_certainly_of(s, id); });
  auto sign_in = found == kept.end() ? sign_in_with(false) : sign_ins.end();
  const step* opening = nullptr;
  // What is known by its address alone gives way to what is known.
  if (found == kept.end() && sign_in == sign_ins.end()) {
    found = kept_with([&](const auto& s) { return find_step(s.before, id, true) != nullptr; });
    if (found == kept.end()) sign_in = sign_in_with(true);
    if (found == kept.end() && sign_in == sign_ins.end()) return std::nullopt;
    opening = find_step(found == kept.end() ? sign_in->steps : found->before, id, true);
  }
  told_story told;
  if (opening != nullptr) told.opening = *opening;
  if (found != kept.end() && found->login.empty()) {
    told.first = *found;
    told.hops =
        is_of_a_call(found->action) ? way_of_call(*found) : way_of_login({*found}, {}, found->finished);
    if (!is_of_a_call(found->action) && found->before.empty()) {
      std::erase_if(told.hops, [](const told_hop& h) { return h.how == told_hop::verdict::not_reached; });
    }
    return told;
  }
  const auto& login = found != kept.end() ? found->login : sign_in->login;
  std::vector<failure_story> all;
  for (const auto& s : kept) {
    if (s.login == login) all.push_back(s);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  // Of one login there may be the record of its sign-in, and that of its code, which is the later stage.
  std::vector<failure_story::step> steps;
  for (const auto& s : sign_ins) {
    if (s.login != login) continue;
    steps.insert(steps.end(), s.steps.begin(), s.steps.end());
    if (s.how >= told.how) {
      told.how = s.how;
      told.until = s.until;
    }
  }
  for (const auto& s : all) {
    if (!s.ended_id.empty()) told.how = stage::ended;
  }
  told.is_login = true;
  told.hops = way_of_login(all, steps, told.how == stage::ended || (!all.empty() && all.back().finished));
  // What went wrong first, unless it did no harm and something else did.
  auto harm = std::find_if(all.begin(), all.end(), [](const auto& s) { return !s.finished; });
  auto first = harm == all.end() ? all.begin() : harm;
  if (first != all.end()) told.first = *first;
  for (auto& s : all) {
    if (s.id != told.first->id) told.later.push_back(std::move(s));
  }
  return told;
}

}  // namespace mcp_oauth
