#pragma once

#include "guard/guard.h"
#include "oauth/test_issuer.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

// For tests: what the issuers answer, and a loop that fetches as a shell would.
namespace mcp_oauth::test_world {

inline const std::string issuer_url = "https://idp.example.com";
inline const std::string metadata_url = issuer_url + "/.well-known/openid-configuration";
inline const std::string other_metadata_url = issuer_url + "/.well-known/oauth-authorization-server";
inline const std::string keys_url = issuer_url + "/keys";
inline const std::string introspection_url = issuer_url + "/introspect";

inline http_answer json_answer(std::string body) {
  return {200, {{"Content-Type", "application/json"}}, std::move(body)};
}

inline std::string metadata_document(const std::string& issuer = issuer_url) {
  return R"({"issuer":")" + issuer + R"(","jwks_uri":")" + keys_url + R"(","introspection_endpoint":")" +
         introspection_url + "\"}";
}

inline trusted_issuer an_issuer() {
  trusted_issuer issuer;
  issuer.name = "corp";
  issuer.rules = test_issuer::rules();
  return issuer;
}

inline trusted_issuer introspecting(validation_mode mode) {
  auto issuer = an_issuer();
  issuer.mode = mode;
  issuer.introspection.client_id = "mcp";
  issuer.introspection.client_secret = secret("s3cret");
  return issuer;
}

inline std::string counted(std::size_t size) { return std::string(size, 'r'); }

class network {
 public:
  network() {
    set(metadata_url, json_answer(metadata_document()));
    set(keys_url, json_answer(test_issuer::jwks()));
  }
  void set(const std::string& url, result<http_answer> answer) {
    answers_.insert_or_assign(url, std::move(answer));
  }
  void cut() {
    for (auto& [url, answer] : answers_) answer = fail(errc::fetch_failed, "connection refused");
  }
  result<http_answer> answer(const http_call& call) {
    asked.push_back(call.url);
    bodies.push_back(call.body);
    auto found = answers_.find(call.url);
    return found == answers_.end() ? result<http_answer>(http_answer{404, {}, "not found"}) : found->second;
  }
  std::size_t times_asked(const std::string& url) const {
    return static_cast<std::size_t>(std::count(asked.begin(), asked.end(), url));
  }

  // Fetches whatever a step asks for until there is a verdict. A wait that nobody will end is one of 503.
  verdict finish(guard_step step, time_point now) {
    while (true) {
      if (auto* told = std::get_if<verdict>(&step)) return *told;
      if (auto* question = std::get_if<ask>(&step)) {
        auto then = question->then;
        auto came = answer(question->call);
        step = then(std::move(came), now);
      } else {
        auto then = std::get<wait>(step).then;
        step = then(now);
      }
    }
  }
  void run_errands(guard& g, time_point now) {
    for (auto errands = g.due(now); !errands.empty(); errands = g.due(now)) {
      for (auto& errand : errands) g.learned(errand, answer(errand.fetch.call), now);
    }
  }

  std::vector<std::string> asked, bodies;

 private:
  std::map<std::string, result<http_answer>> answers_;
};

}  // namespace mcp_oauth::test_world
