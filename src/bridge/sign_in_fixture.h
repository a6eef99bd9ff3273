#pragma once

// For the tests of a sign-in: an MCP server and its authorization server as functions, and somebody who
// carries the steps out.

#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "bridge/sign_in.h"
#include "jose/random.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {

inline http_answer json_answer(int status, std::string body) {
  http_answer a;
  a.status = status;
  a.fields.add("Content-Type", "application/json");
  a.body = std::move(body);
  return a;
}

struct sign_in_run {
  using handler = std::function<result<http_answer>(const http_call&)>;

  bridge_settings settings;
  kept_sign_in kept;
  sign_in_purpose purpose;
  std::map<std::string, handler> urls;  // without query; others are 404
  std::vector<http_call> calls;
  std::vector<std::string> visited, told, notes;
  std::optional<sign_in_listen> listened;
  std::uint16_t port = 40001;
  result<std::uint16_t> listening = std::uint16_t{40001};
  std::function<result<callback_answer>(const url& address, const form& query)> person;
  time_point now = from_unix(1'800'000'000);
  std::shared_ptr<const sign_in_world> world;
  std::optional<signing_key> client_key;

  sign_in_run() {
    settings.upstream.url = "https://mcp.example/mcp";
    person = [](const url&, const form& query) -> result<callback_answer> {
      callback_answer answer;
      answer.code = "code for " + std::string(query.find("client_id").value_or(""));
      return answer;
    };
    document("https://mcp.example/.well-known/oauth-protected-resource/mcp",
             R"({"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],
                 "scopes_supported":["tools:read"]})");
    document("https://as.example/.well-known/oauth-authorization-server", metadata());
    registration("client-1");
    tokens(
        R"({"access_token":"access-1","token_type":"Bearer","expires_in":600,"refresh_token":"refresh-1"})");
  }

  static std::string metadata(const std::string& more = "") {
    return R"({"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize",
      "token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register",
      "device_authorization_endpoint":"https://as.example/device",
      "code_challenge_methods_supported":["S256"])" +
           more + "}";
  }
  void document(const std::string& at, const std::string& body) {
    urls[at] = [body](const http_call&) { return json_answer(200, body); };
  }
  void registration(const std::string& id) {
    urls["https://as.example/register"] = [id](const http_call&) {
      return json_answer(201, R"({"client_id":")" + id + R"("})");
    };
  }
  void tokens(const std::string& body, int status = 200) {
    urls["https://as.example/token"] = [body, status](const http_call&) { return json_answer(status, body); };
  }

  result<kept_sign_in> run() {
    sign_in_world made{settings, outbound_rules::of(settings), client_key,
                       [](std::size_t n) { return random_bytes(n); },
                       [this](bridge_log_level, const std::string& text) { notes.push_back(text); }};
    world = std::make_shared<sign_in_world>(std::move(made));
    auto step = begin_sign_in(world, kept, purpose, now);
    for (int steps = 0; steps < 100; ++steps) {
      if (auto* over = std::get_if<result<kept_sign_in>>(&step)) return std::move(*over);
      if (auto* fetch = std::get_if<sign_in_fetch>(&step)) {
        calls.push_back(fetch->call);
        auto then = fetch->then;
        step = then(answer_to(fetch->call), now);
      } else if (auto* place = std::get_if<sign_in_listen>(&step)) {
        listened = *place;
        auto then = place->then;
        step = then(listening, now);
      } else if (auto* visit = std::get_if<sign_in_visit>(&step)) {
        visited.push_back(visit->address);
        auto address = url::parse(visit->address);
        EXPECT_TRUE(address) << visit->address;
        auto query = form::parse(address->query);
        EXPECT_EQ(query->find("state"), visit->state);
        auto then = visit->then;
        step = then(person(*address, *query), now);
      } else if (auto* wait = std::get_if<sign_in_wait>(&step)) {
        if (!wait->tell.empty()) told.push_back(wait->tell);
        now += wait->time;
        auto then = wait->then;
        step = then(now);
      }
    }
    ADD_FAILURE() << "the sign-in never ended";
    return fail(errc::internal, "");
  }

  result<http_answer> answer_to(const http_call& call) {
    auto found = urls.find(call.url.substr(0, call.url.find('?')));
    if (found == urls.end()) return json_answer(404, "");
    return found->second(call);
  }

  std::vector<std::string> asked() const {
    std::vector<std::string> list;
    for (const auto& call : calls) list.push_back(call.method + " " + call.url.substr(0, call.url.find('?')));
    return list;
  }
  form sent_to(const std::string& at) const {
    for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
      if (call->url == at) return form::parse(call->body).value_or(form());
    }
    ADD_FAILURE() << "nothing was sent to " << at;
    return {};
  }
  form last_visit() const {
    if (visited.empty()) return {};
    return *form::parse(url::parse(visited.back())->query);
  }
  unsigned times(const std::string& what) const {
    unsigned n = 0;
    for (const auto& one : asked()) n += one == what ? 1 : 0;
    return n;
  }
};

inline std::string value_of(const form& f, std::string_view name) {
  return std::string(f.find(name).value_or("(absent)"));
}

inline kept_tokens tokens_kept(const std::string& refresh = "refresh-0") {
  kept_tokens t;
  t.issuer = "https://as.example";
  t.client_id = "client-0";
  t.resource = "https://mcp.example/mcp";
  t.token_endpoint = "https://as.example/token";
  t.scope = "tools:read";
  t.access_token = secret("access-0");
  t.refresh_token = secret(refresh);
  t.obtained = from_unix(1'799'990'000);
  t.lifetime = seconds(600);
  return t;
}
inline kept_client client_kept() {
  kept_client c;
  c.issuer = "https://as.example";
  c.client_id = "client-0";
  c.redirect_uri = "http://127.0.0.1:40001/callback";
  c.registered = true;
  c.since = from_unix(1'799'999'900);
  return c;
}

}  // namespace mcp_oauth
