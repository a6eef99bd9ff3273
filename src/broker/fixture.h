#pragma once

// For the tests of this room: a server with its world in memory, and a browser that keeps cookies.

#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "broker/broker.h"
#include "jose/digest.h"
#include "jose/seal.h"
#include "store/memory_store.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {

// libsodium's smallest: what is tested is not how slow it is.
inline constexpr password_cost cheap{1, 8192};

// Distinct bytes for every call, the same in every run. From any thread.
inline random_fn counted_random() {
  auto counter = std::make_shared<std::atomic<std::uint64_t>>(0);
  return [counter](std::size_t size) {
    std::string out;
    auto n = counter->fetch_add(1);
    for (int block = 0; out.size() < size; ++block) {
      out += sha256_bytes(std::to_string(n) + "/" + std::to_string(block));
    }
    out.resize(size);
    return out;
  };
}

inline settings local_settings() {
  settings s;
  s.public_url = "https://mcp.example.com";
  s.callback_url = "https://mcp.example.com/auth/callback";
  s.scopes_supported = {"tools:read", "tools:write"};
  s.rates = {0, 0, s.rates.registrations_per_hour, 0, 0};
  provider_settings local;
  local.name = "local";
  local.type = "local";
  s.providers.push_back(std::move(local));
  upstream_settings up;
  up.name = "main";
  up.resource = "https://mcp.example.com/mcp";
  s.upstreams.push_back(std::move(up));
  return s;
}

inline constexpr std::string_view verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
inline constexpr std::string_view challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

inline http_request get_request(std::string path, const form& query = {}) {
  http_request r;
  r.method = "GET";
  r.path = std::move(path);
  r.query = query.encode();
  r.fields.add("Accept", "text/html,*/*;q=0.8");
  r.peer = "203.0.113.9";
  r.request_id = "req-1";
  return r;
}

inline http_request post_request(std::string path, const form& body) {
  auto r = get_request(std::move(path));
  r.method = "POST";
  r.fields.add("Content-Type", "application/x-www-form-urlencoded");
  r.body = body.encode();
  return r;
}

inline form make_form(std::initializer_list<std::pair<std::string, std::string>> pairs) {
  form f;
  for (const auto& [n, v] : pairs) f.add(n, v);
  return f;
}

// What stands between the quotes of `name="…" value="…"` of an input or a button of the page; "" without one.
inline std::string value_on(const std::string& page, const std::string& name) {
  auto at = page.find("name=\"" + name + "\" value=\"");
  if (at == std::string::npos) return "";
  at = page.find("value=\"", at) + 7;
  return page.substr(at, page.find('"', at) - at);
}

inline std::string parameter_of(std::string_view location, std::string_view name) {
  auto query = location.substr(std::min(location.find('?') + 1, location.size()));
  auto parsed = form::parse(query);
  return parsed ? std::string(parsed->find(name).value_or("")) : "";
}

// The members of a JSON answer; empty when it is none.
inline json::object body_of(const http_response& r) {
  return parse_json_object(r.body).value_or(json::object{});
}

inline std::string noted(const broker_log& log, std::string_view name) {
  std::string last;
  for (const auto& [n, v] : log.notes) {
    if (n == name) last = v;
  }
  return last;
}

// The store, with something happening at a moment of the test's choice.
class watched_store final : public record_store {
 public:
  explicit watched_store(record_store& behind) : behind_(behind) {}

  std::function<void()> before_commit;  // once, between what a request has read and what it writes
  bool fails = false;                   // every write from now on

  std::vector<std::string> asked;  // what a far store would be asked, one by one

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override {
    note("get " + std::string(kind));
    return behind_.get(kind, id, now);
  }
  result<std::vector<std::optional<record>>> get_each(std::span<const record_name> names,
                                                      time_point now) override {
    std::string question = "get_each";
    for (const auto& n : names) question += " " + n.kind;
    note(std::move(question));
    return behind_.get_each(names, now);
  }
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override {
    return behind_.take(kind, id, now);
  }
  result<bool> commit(const change& wanted, time_point now) override {
    note("commit");
    if (before_commit) std::exchange(before_commit, nullptr)();
    if (fails || commit_fails) return fail(errc::store_unavailable, "disk full");
    return behind_.commit(wanted, now);
  }
  result<std::uint64_t> erase_grant(std::string_view grant) override {
    if (fails || erase_grant_fails) return fail(errc::store_unavailable, "disk full");
    return behind_.erase_grant(grant);
  }
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override {
    return behind_.list(kind, now, most, user);
  }
  result<std::uint64_t> count(std::string_view kind, time_point now) override {
    return behind_.count(kind, now);
  }
  result<std::uint64_t> sweep(time_point now, std::size_t most) override { return behind_.sweep(now, most); }
  result<void> check() override { return behind_.check(); }

  bool erase_grant_fails = false;
  bool commit_fails = false;

 private:
  // Some tests ask from many threads.
  void note(std::string question) {
    std::lock_guard lock(asking_);
    asked.push_back(std::move(question));
  }
  std::mutex asking_;
  record_store& behind_;
};

// A browser: keeps cookies, as far as our server sets any.
struct test_browser {
  std::map<std::string, std::string> cookies;

  void send(http_request& r) const {
    std::vector<std::string> pairs;
    for (const auto& [n, v] : cookies) pairs.push_back(n + "=" + v);
    if (!pairs.empty()) r.fields.set("Cookie", join(pairs, "; "));
  }
  void receive(const http_response& answer) {
    for (const auto& [name, value] : answer.fields) {
      if (!equal_ignoring_case(name, "set-cookie")) continue;
      auto pair = value.substr(0, value.find(';'));
      auto equals = pair.find('=');
      auto content = pair.substr(equals + 1);
      if (content.empty() || value.find("Max-Age=0") != std::string::npos) {
        cookies.erase(pair.substr(0, equals));
      } else {
        cookies[pair.substr(0, equals)] = content;
      }
    }
  }
};

class BrokerTest : public testing::Test {
 protected:
  using fetcher = std::function<result<http_answer>(const http_call&)>;

  explicit BrokerTest(settings s = local_settings()) : conf(std::move(s)) { restart(); }

  // As after a crash: the store is all that is left.
  void restart() {
    broker_world world{conf, watched, seal, random, {}, cheap};
    world.on_revoked = [this](const std::string& grant, time_point until) {
      revoked.emplace_back(grant, until);
    };
    as = *broker::start(std::move(world), now);
  }

  http_response ask(endpoint at, http_request request) {
    log = {};
    log.watched = watching;
    auto next = as->handle(at, request, now, log);
    for (;;) {
      if (auto* first = std::get_if<delay>(&next)) {
        now += std::max(first->time, milliseconds(1));
        auto go_on = first->then;
        next = go_on(now);
        continue;
      }
      auto* wanted = std::get_if<outbound>(&next);
      if (wanted == nullptr) break;
      fetched.push_back(wanted->call);
      auto then = wanted->then;
      auto answer = fetch ? fetch(wanted->call) : result<http_answer>(fail(errc::fetch_failed, "no network"));
      next = then(std::move(answer), now);
    }
    return std::get<http_response>(std::move(next));
  }
  http_response visit(test_browser& b, endpoint at, http_request request) {
    b.send(request);
    auto answer = ask(at, std::move(request));
    b.receive(answer);
    return answer;
  }

  // A public client with that redirect URI.
  std::string register_public(std::string redirect_uri = "http://127.0.0.1/callback") {
    auto answer = ask(endpoint::register_client,
                      registration({{"client_name", "Test client"},
                                    {"redirect_uris", json::array{json::string_view(redirect_uri)}},
                                    {"grant_types", json::array{"authorization_code", "refresh_token"}},
                                    {"token_endpoint_auth_method", "none"}}));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return text_member(body_of(answer), "client_id");
  }
  static http_request registration(const json::object& body) {
    http_request r;
    r.method = "POST";
    r.path = "/oauth/register";
    r.fields.add("Content-Type", "application/json");
    r.body = json::serialize(body);
    r.peer = "203.0.113.9";
    return r;
  }

  static form authorization(const std::string& client_id,
                            std::string redirect_uri = "http://127.0.0.1:7777/callback") {
    return make_form({{"response_type", "code"},
                      {"client_id", client_id},
                      {"redirect_uri", std::move(redirect_uri)},
                      {"state", "client state & more"},
                      {"code_challenge", std::string(challenge)},
                      {"code_challenge_method", "S256"},
                      {"resource", "https://mcp.example.com/mcp"},
                      {"scope", "tools:read"}});
  }

  void add_user(const std::string& name, const std::string& password) {
    auto once = mcp_oauth::add_user(store, name, random, cheap, now);
    ASSERT_TRUE(once);
    auto who = find_user(store, name, now);
    ASSERT_TRUE(who && *who);
    ASSERT_TRUE(choose_password(store, **who, secret(password), cheap, now));
  }

  // From the consent page to the answer that leads back to the client, or to the page that stands in the way.
  http_response approve(test_browser& b, const http_response& page) {
    return visit(b, endpoint::consent,
                 post_request("/oauth/consent", make_form({{"request", value_on(page.body, "request")},
                                                           {"approve", value_on(page.body, "approve")}})));
  }
  http_response open_sign_in(test_browser& b, const http_response& redirect) {
    return visit(
        b, endpoint::sign_in,
        get_request("/auth/signin",
                    make_form({{"login", parameter_of(redirect.fields.first("location"), "login")}})));
  }
  http_response enter(test_browser& b, const http_response& page, const std::string& user,
                      const std::string& password) {
    return visit(b, endpoint::sign_in,
                 post_request("/auth/signin", make_form({{"login", value_on(page.body, "login")},
                                                         {"form", value_on(page.body, "form")},
                                                         {"user", user},
                                                         {"password", password}})));
  }
  // The whole way, for a user "ada" who is there. The Location at the end.
  std::string sign_in(test_browser& b, const form& request) {
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
    EXPECT_EQ(page.status, 200) << page.body;
    auto redirect = approve(b, page);
    if (std::string(redirect.fields.first("location")).rfind("/auth/signin?", 0) != 0) {
      return std::string(redirect.fields.first("location"));
    }
    auto done = enter(b, open_sign_in(b, redirect), "ada", "correct horse battery");
    EXPECT_EQ(done.status, 303) << done.body;
    return std::string(done.fields.first("location"));
  }
  std::string code_for(const std::string& client_id) {
    test_browser b;
    return parameter_of(sign_in(b, authorization(client_id)), "code");
  }

  form code_request(const std::string& client_id, const std::string& code) {
    return make_form({{"grant_type", "authorization_code"},
                      {"client_id", client_id},
                      {"code", code},
                      {"redirect_uri", "http://127.0.0.1:7777/callback"},
                      {"code_verifier", std::string(verifier)}});
  }
  http_response redeem(const std::string& client_id, const std::string& code) {
    return ask(endpoint::token, post_request("/oauth/token", code_request(client_id, code)));
  }
  http_response refresh(const std::string& client_id, const std::string& token) {
    return ask(endpoint::token, post_request("/oauth/token", make_form({{"grant_type", "refresh_token"},
                                                                        {"client_id", client_id},
                                                                        {"refresh_token", token}})));
  }
  bool introspects_as_active(const std::string& client_id, const std::string& token) {
    auto answer =
        ask(endpoint::introspect,
            post_request("/oauth/introspect", make_form({{"client_id", client_id}, {"token", token}})));
    bool active = false;
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(read(body_of(answer), "active", active), member::present) << answer.body;
    return active;
  }

  // Everything that the store holds.
  std::string dump() {
    std::string all;
    for (auto kind : {"login", "code", "refresh", "grant", "client", "unused_client", "consent", "browser",
                      "device", "user", "attempts", "revoked", "provider_token"}) {
      auto records = store.list(kind, now, 100'000, {});
      for (const auto& r : *records)
        all += r.kind + "|" + r.id + "|" + r.grant + "|" + r.user + "|" + r.data + "\n";
    }
    return all;
  }

  settings conf;
  memory_store store;
  watched_store watched{store};
  sealer seal = *sealer::of({secret(std::string(32, 'k'))});
  random_fn random = counted_random();
  time_point now = from_unix(1'800'000'000);
  broker_log log;
  topics watching;
  std::vector<std::pair<std::string, time_point>> revoked;  // what validators were told: until when
  fetcher fetch;
  std::vector<http_call> fetched;
  std::unique_ptr<broker> as;
};

inline std::string error_of(const http_response& r) { return text_member(body_of(r), "error"); }

}  // namespace mcp_oauth
