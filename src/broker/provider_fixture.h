#pragma once

// For the tests of this room: an OpenID provider, which is a function here.

#include "broker/fixture.h"
#include "jose/jws.h"

#include <algorithm>

namespace mcp_oauth {

inline settings with_provider() {
  auto s = local_settings();
  s.providers.clear();
  provider_settings corp;
  corp.name = "corp";
  corp.type = "oidc";
  corp.issuer = "https://idp.example.com";
  corp.client_id = "gateway";
  corp.client_secret = secret("idp-secret");
  corp.scopes = {"openid", "email"};
  s.providers.push_back(std::move(corp));
  return s;
}

class ProviderFlow : public BrokerTest {
 protected:
  ProviderFlow() : BrokerTest(with_provider()) {
    client = register_public();
    fetch = [this](const http_call& call) { return serve(call); };
  }

  result<http_answer> serve(const http_call& call) {
    if (away) return fail(errc::fetch_timeout, "no answer");
    http_answer answer;
    answer.status = 200;
    answer.fields.add("Content-Type", "application/json");
    json::object body;
    if (call.url == "https://idp.example.com/.well-known/openid-configuration") {
      body = {{"issuer", "https://idp.example.com"},
              {"authorization_endpoint", "https://idp.example.com/authorize"},
              {"token_endpoint", "https://idp.example.com/token"},
              {"jwks_uri", "https://idp.example.com/jwks"},
              {"response_types_supported", json::array{"code"}},
              {"subject_types_supported", json::array{"public"}},
              {"id_token_signing_alg_values_supported", json::array{"ES256"}},
              {"authorization_response_iss_parameter_supported", true}};
      if (has_userinfo) body["userinfo_endpoint"] = "https://idp.example.com/userinfo";
    } else if (call.url == "https://idp.example.com/jwks") {
      body = key_set::of({key.public_part()}).to_json();
    } else if (call.url == "https://idp.example.com/token") {
      token_body = *form::parse(call.body);
      if (token_body.find("grant_type") == "refresh_token") {
        ++refreshes;
        return on_refresh ? on_refresh()
                          : result<http_answer>(json_answer(R"({"error":"unsupported_grant_type"})", 400));
      }
      answer.status = token_status;
      if (token_status != 200) {
        body = {{"error", "invalid_grant"},
                {"error_description", "AADSTS54005: used" + (repeats_what_came ? " " + call.body : "")}};
      } else {
        json::object claims{{"iss", "https://idp.example.com"},
                            {"aud", "gateway"},
                            {"sub", "ada-1"},
                            {"iat", to_unix(now)},
                            {"exp", to_unix(now) + 300},
                            {"nonce", nonce},
                            {"email", "ada@example.org"},
                            {"email_verified", true},
                            {"name", "Ada"}};
        for (const auto& [n, v] : other_claims) claims[n] = v;
        for (const auto& n : absent_claims) claims.erase(n);
        body = {{"token_type", "Bearer"},
                {"id_token", sign_jws(key, "JWT", key.public_part().kid(), json::serialize(claims))}};
        if (gives_access_token) body["access_token"] = "idp-access-token";
        for (const auto& [n, v] : other_tokens) body[n] = v;
      }
    } else if (call.url == "https://idp.example.com/userinfo") {
      return userinfo;
    } else {
      answer.status = 404;
    }
    answer.body = json::serialize(body);
    return answer;
  }

  static http_answer json_answer(std::string body, int status = 200) {
    return {status, {{"Content-Type", "application/json"}}, std::move(body)};
  }
  // How often userinfo was asked, with the provider's own access token.
  std::ptrdiff_t asked_for_userinfo() const {
    return std::count_if(fetched.begin(), fetched.end(), [](const http_call& call) {
      return call.url == "https://idp.example.com/userinfo" &&
             call.fields.only("authorization") == "Bearer idp-access-token";
    });
  }
  // What the token says about whoever signs in now; empty when nobody could.
  json::object signed_in() {
    test_browser b;
    auto done = back(b, success(to_provider(b)));
    auto code = parameter_of(done.fields.first("location"), "code");
    if (code.empty()) return {};
    userinfo_note = noted(log, "userinfo");
    auto token = text_member(body_of(redeem(client, code)), "access_token");
    auto payload =
        base64url_decode(token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1));
    return parse_json_object(payload.value_or("")).value_or(json::object());
  }

  // From the client's request to the provider's own page.
  std::string to_provider(test_browser& b) {
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
    auto redirect = approve(b, page);
    std::string location(redirect.fields.first("location"));
    nonce = parameter_of(location, "nonce");
    return location;
  }
  http_response back(test_browser& b, const form& parameters) {
    return visit(b, endpoint::callback, get_request("/auth/callback", parameters));
  }
  form success(const std::string& at_provider) {
    return make_form({{"code", "idp-code"},
                      {"state", parameter_of(at_provider, "state")},
                      {"iss", "https://idp.example.com"}});
  }

  std::string client;
  signing_key key = signing_key::generate_es256();
  bool away = false;
  int token_status = 200;
  bool repeats_what_came = false;  // in its words of refusal
  std::string nonce;
  json::object other_claims;
  json::object other_tokens;                        // beside the id token: "refresh_token", "expires_in"
  std::function<result<http_answer>()> on_refresh;  // what a refresh token gets
  int refreshes = 0;
  std::vector<std::string> absent_claims;
  bool gives_access_token = true;
  bool has_userinfo = false;
  result<http_answer> userinfo =
      json_answer(R"({"sub":"ada-1","email":"ada@example.org","email_verified":true,
                                                 "name":"Ada of userinfo"})");
  form token_body;
  std::string userinfo_note;
};

}  // namespace mcp_oauth
