#pragma once

// For tests: failures as they are kept, and a sign-in that failed.

#include "doctor/failure_story.h"

#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

inline failure_story a_story(std::string id, std::string code, std::int64_t at, std::string action = "call") {
  failure_story s;
  s.id = std::move(id);
  s.code = std::move(code);
  s.at = at;
  s.action = std::move(action);
  s.client = "192.0.2.7";
  s.method = "POST";
  s.path = "/mcp";
  s.status = 401;
  return s;
}

inline std::vector<std::string> hops_of(const told_story& told) {
  std::vector<std::string> names;
  for (const auto& h : told.hops) {
    using enum told_hop::verdict;
    auto mark = h.how == passed ? "+" : h.how == failed ? "!" : h.how == trouble ? "~" : "-";
    names.push_back(mark + h.hop);
  }
  return names;
}

inline std::vector<failure_story> a_login() {
  auto callback = a_story("callback00000", "MOP-IDP-008", 4000, "callback");
  callback.login = "key";
  callback.before = {{"gateway", "call000000000", 1000, true},
                     {"register", "register00000", 1500, false},
                     {"authorize", "authorize0000", 2000, false},
                     {"consent", "consent000000", 3000, false}};
  auto token = a_story("token00000000", "MOP-COD-001", 9000, "token");
  token.login = "key";
  auto other = a_story("other00000000", "MOP-STA-001", 500, "callback");
  other.login = "another";
  return {token, other, callback};
}

inline std::vector<sign_in_progress> sign_ins(sign_in_progress::stage code_is) {
  using stage = sign_in_progress::stage;
  std::vector<failure_story::step> begun = {{"authorize", "authorize0000", 2000, false},
                                            {"consent", "consent000000", 3000, false}};
  auto on = begun;
  on.push_back({"sign_in", "signin0000000", 5000, false});
  if (code_is == stage::ended) on.push_back({"token", "good000000000", 7000, false});
  return {{"waiting", {{"authorize", "waits00000000", 2000, false}}, stage::signing_in, 1'764'450'000'000},
          {"key", on, code_is, 1'764'450'000'000},
          {"key", begun, stage::signing_in, 1'764'450'000'000}};
}

}  // namespace mcp_oauth
