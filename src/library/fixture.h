#pragma once

// For the tests of this room: an authorization server that answers out of memory, and tokens of it.

#include "base/json.h"
#include "jose/jws.h"
#include "jose/key.h"
#include "library/names.h"

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

struct library_world {
  static constexpr std::string_view issuer = "https://idp.example.com";
  static constexpr std::string_view resource = "https://mcp.example.com/mcp";

  signing_key key = signing_key::generate_es256();
  std::atomic<std::int64_t> seconds_now{1'800'000'000};
  std::atomic<int> fetches{0};
  std::atomic<bool> away{false};

  // Options with this server as issuer, fetched through it, at the time of the test.
  v1::options options() {
    v1::options o;
    o.server.issuer = issuer;
    o.resource = resource;
    o.clock = [this] { return from_unix(seconds_now); };
    o.fetch = [this](const v1::fetch_request& asked) { return answer(asked); };
    o.log = [this](const v1::log_entry& entry) { write(entry); };
    return o;
  }

  v1::fetch_answer answer(const v1::fetch_request& asked) {
    ++fetches;
    v1::fetch_answer got;
    if (away) {
      got.failure = "nobody is there";
      return got;
    }
    got.status = 200;
    got.headers = {{"Content-Type", "application/json"}};
    if (asked.url == std::string(issuer) + "/.well-known/openid-configuration") {
      got.body = R"({"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"})";
    } else if (asked.url == std::string(issuer) + "/keys") {
      got.body = keys();
    } else {
      got.status = 404;
    }
    return got;
  }

  std::string keys() const { return json::serialize(key_set::of({key.public_part()}).to_json()); }

  json::object claims() const {
    json::object c;
    c["iss"] = json::string(issuer);
    c["sub"] = "ada";
    c["aud"] = json::string(resource);
    c["iat"] = seconds_now.load();
    c["exp"] = seconds_now.load() + 300;
    c["client_id"] = "inspector";
    c["scope"] = "tools:read";
    c["email"] = "ada@example.com";
    return c;
  }
  std::string token(const json::object& c) const {
    return sign_jws(key, "at+jwt", key.public_part().kid(), json::serialize(c));
  }
  std::string token() const { return token(claims()); }
  std::string token_with(std::initializer_list<std::pair<std::string_view, json::value>> members) const {
    auto c = claims();
    for (const auto& [name, value] : members) c[{name.data(), name.size()}] = value;
    return token(c);
  }

  // What was logged, a line each: "level message name=value …".
  std::vector<std::string> lines() {
    const std::lock_guard hold(mutex_);
    return lines_;
  }

 private:
  void write(const v1::log_entry& entry) {
    std::string line = std::to_string(static_cast<int>(entry.level)) + " " + std::string(entry.message);
    for (const auto& f : entry.fields) line += " " + std::string(f.name) + "=" + std::string(f.value);
    const std::lock_guard hold(mutex_);
    lines_.push_back(std::move(line));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

// A request that owns its headers.
struct test_request {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string method = "POST", target = "/mcp", body;
  std::string certificate = {};
  std::vector<v1::header> views = {};

  v1::request view() {
    views.clear();
    for (const auto& [name, value] : headers) views.push_back({name, value});
    return {method, target, views, body, certificate};
  }
};

inline test_request call_of(const std::string& token, const std::string& tool) {
  return {{{"Authorization", "Bearer " + token}, {"Content-Type", "application/json"}},
          "POST",
          "/mcp",
          R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":")" + tool + R"("}})"};
}

}  // namespace mcp_oauth
