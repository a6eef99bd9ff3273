#pragma once

// For the tests of this room: people who have signed in at a provider whose tokens are kept.

#include "broker/provider_access.h"
#include "broker/provider_fixture.h"

namespace mcp_oauth {

class ProviderTokens : public ProviderFlow {
 protected:
  ProviderTokens() {
    conf.upstreams[0].authorization = "provider";
    other_tokens = {{"expires_in", 3600}, {"refresh_token", "idp-refresh-1"}, {"scope", "openid email"}};
    on_refresh = [this] { return renewed(); };
    again();
  }

  // The settings have changed.
  void again() {
    restart();
    auto heard = [this](const std::string& of, const std::string&, std::string_view outcome) {
      outcomes.push_back(of + ":" + std::string(outcome));
    };
    broker_world world{conf, watched, seal, random, {}, cheap, heard};
    world.on_revoked = [this](const std::string& which, time_point until) {
      revoked.emplace_back(which, until);
    };
    as = *broker::start(std::move(world), now);
  }

  result<http_answer> renewed() {
    auto n = std::to_string(refreshes + 1);
    return json_answer(R"({"token_type":"Bearer","expires_in":3600,"access_token":"idp-access-)" + n +
                       R"(","refresh_token":"idp-refresh-)" + n + "\"}");
  }
  static result<http_answer> refused(const std::string& error = "invalid_grant") {
    return json_answer("{\"error\":\"" + error + "\",\"error_description\":\"AADSTS700082: it has expired\"}",
                       400);
  }

  void sign_in_at_provider() {
    test_browser b;
    auto done = back(b, success(to_provider(b)));
    sign_in_log = log;
    tokens = body_of(redeem(client, parameter_of(done.fields.first("location"), "code")));
    grant = noted(log, "grant");
    ASSERT_FALSE(grant.empty());
  }

  // Of the grant, as a call to an MCP server wants it.
  result<provider_access> access(refresh_when when = refresh_when::due) {
    auto into = std::make_shared<result<provider_access>>(fail(errc::internal));
    log = {};
    finish(as->provider_token(grant, when, now, log, into));
    return *into;
  }
  std::string token_now() {
    auto got = access();
    return got ? std::string(got->token.reveal()) : std::string(explain_name(got.error()));
  }
  static std::string explain_name(const error& why) { return std::to_string(static_cast<int>(why.code)); }

  void finish(step next) {
    for (;;) {
      if (auto* first = std::get_if<delay>(&next)) {
        now += first->time;
        auto go_on = first->then;
        next = go_on(now);
      } else if (auto* wanted = std::get_if<outbound>(&next)) {
        auto go_on = wanted->then;
        next = go_on(fetch(wanted->call), now);
      } else {
        return;
      }
    }
  }

  http_response manually(const std::string& token, const std::string& body = "") {
    http_request r;
    r.method = "POST";
    r.path = "/auth/refresh";
    if (!token.empty()) r.fields.add("Authorization", "Bearer " + token);
    r.body = body;
    r.peer = "203.0.113.9";
    return ask(endpoint::refresh, r);
  }

  std::string client_token() const { return text_member(tokens, "access_token"); }
  std::string client_refresh() const { return text_member(tokens, "refresh_token"); }
  std::uint64_t kept() { return *store.count("provider_token", now); }

  json::object tokens;
  std::string grant;
  broker_log sign_in_log;
  std::vector<std::string> outcomes;
};

}  // namespace mcp_oauth
