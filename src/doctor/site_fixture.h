#pragma once

// For tests: a deployment as values, which is examined without any network. It begins as one where all is
// well.

#include "doctor/known_clients.h"
#include "doctor/site_check.h"
#include "doctor/site_plan.h"
#include "symptom/catalogue.h"

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace mcp_oauth {

struct site_world {
  std::string target = "https://mcp.example.com/mcp";
  time_point now = from_unix(1'790'000'000);
  std::string date = "Mon, 21 Sep 2026 14:13:20 GMT";
  reached place;
  bool by_proxy = false;
  std::map<std::string, json::object> documents;                                        // by URL
  std::map<std::string, std::function<result<http_answer>(const http_call&)>> answers;  // by "METHOD URL"
  std::map<std::string, std::string> cuts;        // by URL: why an answer is not whole
  std::vector<std::string> asked;                 // "METHOD URL", in their order
  std::deque<std::vector<milliseconds>> streams;  // when the events of our stream come, each time it is asked

  site_world() {
    place.host = "mcp.example.com";
    place.port = 443;
    place.addresses = {"192.0.2.7"};
    place.connected_to = "192.0.2.7";
    place.tls_tried = place.tls_done = place.trusted = true;
    place.chain = {{"CN=mcp.example.com", "CN=An Authority", now, now, {"mcp.example.com"}}};
    json::object resource{{"resource", target}, {"authorization_servers", {"https://as.example.com"}}};
    documents["https://mcp.example.com/.well-known/oauth-protected-resource/mcp"] = resource;
    documents["https://mcp.example.com/.well-known/oauth-protected-resource"] = resource;
    json::object server{{"issuer", "https://as.example.com"}};
    server["authorization_endpoint"] = "https://as.example.com/authorize";
    server["token_endpoint"] = "https://as.example.com/token";
    server["registration_endpoint"] = "https://as.example.com/register";
    server["jwks_uri"] = "https://as.example.com/keys";
    server["code_challenge_methods_supported"] = json::array{"S256"};
    server["response_types_supported"] = json::array{"code"};
    server["grant_types_supported"] = json::array{"authorization_code", "refresh_token"};
    server["token_endpoint_auth_methods_supported"] = json::array{"none", "client_secret_basic"};
    documents[server_document] = server;
    documents["https://as.example.com/keys"] =
        json::object{{"keys",
                      {json::object{{"kty", "EC"},
                                    {"crv", "P-256"},
                                    {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                                    {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}}}};
    post = challenge(
        "Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"");
    bad_token = challenge("Bearer error=\"invalid_token\"");
  }

  static constexpr const char* server_document =
      "https://as.example.com/.well-known/oauth-authorization-server";
  static constexpr const char* path_form = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
  static constexpr const char* root_form = "https://mcp.example.com/.well-known/oauth-protected-resource";

  http_answer post, bad_token;  // of the MCP server, to what has no token and to what has one

  http_answer challenge(const std::string& text) const {
    return {401, {{"WWW-Authenticate", text}, {"Date", date}, {"Content-Type", "application/json"}}, "{}"};
  }
  static http_answer page(int status, const std::string& title = "Hello") {
    return {
        status, {{"Content-Type", "text/html"}}, "<!DOCTYPE html><html><title>" + title + "</title></html>"};
  }
  static http_answer text(int status, const std::string& body, const std::string& type = "application/json") {
    return {status, {{"Content-Type", type}}, body};
  }
  void set(const std::string& method_and_url, http_answer answer) {
    answers[method_and_url] = [answer](const http_call&) { return answer; };
  }

  result<http_answer> answer_to(const http_call& call) {
    auto key = call.method + " " + call.url;
    asked.push_back(key);
    if (auto known = answers.find(key); known != answers.end()) return known->second(call);
    if (auto document = documents.find(call.url); document != documents.end() && call.method == "GET") {
      http_answer made{
          200, {{"Content-Type", "application/json"}, {"Date", date}}, json::serialize(document->second)};
      if (call.fields.count("Origin") != 0) made.fields.add("Access-Control-Allow-Origin", "*");
      return made;
    }
    if (call.method == "OPTIONS") {
      return http_answer{
          204,
          {{"Access-Control-Allow-Origin", "*"},
           {"Access-Control-Allow-Headers", "Authorization, Content-Type, MCP-Protocol-Version"}},
          ""};
    }
    if (call.url == target) {
      auto made = call.fields.count("Authorization") != 0 ? bad_token : post;
      if (call.fields.count("Origin") != 0) {
        made.fields.add("Access-Control-Allow-Origin", "*");
        made.fields.add("Access-Control-Expose-Headers", "WWW-Authenticate");
      }
      return made;
    }
    if (call.url == "https://as.example.com/token") return text(400, R"({"error":"invalid_grant"})");
    if (call.url == "https://as.example.com/register")
      return text(400, R"({"error":"invalid_client_metadata"})");
    if (call.url == "https://as.example.com/authorize") return page(400);
    return text(404, "not found", "text/plain");
  }

  site_evidence look() {
    site_evidence evidence;
    evidence.target = *url::parse(target);
    evidence.by_proxy = by_proxy;
    for (int round = 0; round < 24; ++round) {
      auto plan = next_of_site(evidence);
      if (plan.empty()) return evidence;
      for (const auto& wanted : plan.places) {
        auto one = place;
        one.host = wanted.host;
        one.port = wanted.port;
        one.tls_tried = one.tls_tried && wanted.tls;
        evidence.places.push_back(one);
      }
      for (const auto& errand : plan.errands) {
        auto cut = cuts.find(errand.call.url);
        evidence.exchanges.push_back(
            {errand.what, errand.call, answer_to(errand.call), now, cut == cuts.end() ? "" : cut->second});
        if (errand.events < 2 || streams.empty()) continue;
        evidence.exchanges.back().answer =
            text(200, "data: {\"after_ms\": 0}\n\ndata: {\"after_ms\": 1000}\n\n", "text/event-stream");
        evidence.exchanges.back().events = streams.front();
        streams.pop_front();
      }
    }
    throw std::runtime_error("the plan never ends");
  }

  examination examine() {
    auto evidence = look();
    auto made = examine_site(evidence);
    made.clients = outlooks(evidence, made);
    return made;
  }
};

// The code of what must be put right first, by its id; "" where all is well.
inline std::string first_id(const examination& made) {
  const auto* first = made.first();
  return first == nullptr || !first->code ? "" : std::string(explain(*first->code).id);
}

}  // namespace mcp_oauth
