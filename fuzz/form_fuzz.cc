// rooms: oauth
#include "base/text.h"
#include "oauth/authorization_request.h"
#include "oauth/endpoint_form.h"
#include "oauth/revocation_request.h"
#include "oauth/token_request.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr const char* callback = "https://client.example/cb";

void authorization(const form& parameters) {
  auto request = parse_authorization_request(parameters);
  if (!request) return;
  client_metadata client;
  client.redirect_uris = {callback, "http://127.0.0.1/cb"};
  server_rules rules;
  rules.issuer = "https://as.example";
  rules.resources = {"https://as.example/mcp"};
  rules.scopes_supported = {"a", "b"};
  auto outcome = check_authorization_request(*request, client, rules);
  std::string location;
  if (outcome) {
    const auto& terms = outcome->terms();
    require(terms.code_challenge.size() == 43 && terms.resource == rules.resources.front());
    for (const auto& scope : terms.scopes) require(scope == "a" || scope == "b");
    location = code_location(terms.redirect_uri, "code", terms.state, rules.issuer);
  } else if (outcome.error().to_redirect()) {
    const auto& refusal = outcome.error();
    location = error_location(*refusal.redirect_uri, refusal.why, refusal.state, rules.issuer);
  } else {
    return;
  }
  // Whatever was sent, a browser goes only where the client registered.
  require(location.rfind(callback, 0) == 0 || location.rfind("http://127.0.0.1", 0) == 0);
  for (char c : location) require(c > 0x20 && c < 0x7F);
}

void token(const http_fields& fields, const form& parameters) {
  auto request = parse_token_request(fields, parameters);
  if (!request) return;
  require(!request->client.client_id.empty());
  require((request->client.method == client_authentication::none) <= request->client.client_secret.empty());
  if (const auto* code = std::get_if<code_grant>(&request->grant)) {
    require(!code->code.empty() && code->code_verifier.reveal().size() >= 43);
  } else {
    require(!std::get<refresh_grant>(request->grant).refresh_token.empty());
  }
}

}  // namespace

// The first line, if there are several, is an Authorization field; the rest a form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  http_request request;
  request.method = "POST";
  request.fields.add("Content-Type", "application/x-www-form-urlencoded");
  auto line = text.find('\n');
  if (line != std::string_view::npos) {
    request.fields.add("Authorization", std::string(text.substr(0, line)));
    text.remove_prefix(line + 1);
  }
  request.body = std::string(text);
  auto parameters = parse_endpoint_form(request);
  if (!parameters) return 0;

  for (const auto& [name, value] : *parameters) {
    require(is_valid_utf8(name) && is_valid_utf8(value));
    require(value.find('\0') == std::string::npos);
  }
  auto again = form::parse(parameters->encode());
  require(again.has_value());
  require(again->encode() == parameters->encode());

  authorization(*parameters);
  token(request.fields, *parameters);
  auto revocation = parse_revocation_request(request.fields, *parameters);
  if (revocation) require(!revocation->token.empty());
  return 0;
}
