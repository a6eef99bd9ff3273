#include "bridge/registration.h"

#include "base/json.h"
#include "base/text.h"
#include "bridge/token_requests.h"
#include "oauth/displayable.h"

namespace mcp_oauth {
namespace {

json::value text(std::string_view s) { return json::string(s.data(), s.size()); }

// What a public program asks for; the default of RFC 7591 would give it a secret.
std::string_view method_for(const server_facts& server) {
  if (!server.auth_methods_named || holds(server.auth_methods, "none")) return "none";
  for (std::string_view known : {"client_secret_basic", "client_secret_post"}) {
    if (holds(server.auth_methods, known)) return known;
  }
  return "none";
}

}  // namespace

http_call registration_request_for(const server_facts& server, const std::string& redirect_uri,
                                   const bridge_sign_in_settings& settings) {
  json::object o;
  o["client_name"] = "mcp-oauth-proxy bridge";
  o["application_type"] = "native";
  json::array grants = {"authorization_code", "refresh_token"};
  if (!server.device_authorization_endpoint.empty())
    grants.push_back("urn:ietf:params:oauth:grant-type:device_code");
  o["grant_types"] = std::move(grants);
  o["response_types"] = json::array{"code"};
  o["token_endpoint_auth_method"] = text(method_for(server));
  if (!settings.client_metadata.empty()) {
    // That it is an object was checked with the settings.
    if (auto more = parse_json_object(settings.client_metadata)) {
      for (const auto& one : *more) o[one.key()] = one.value();
    }
  }
  o["redirect_uris"] = json::array{text(redirect_uri)};
  http_call call;
  call.method = "POST";
  call.url = server.registration_endpoint;
  call.fields.add("Accept", "application/json");
  call.fields.add("Content-Type", "application/json");
  call.body = json::serialize(o);
  return call;
}

result<kept_client> read_registration(std::string_view issuer, const std::string& redirect_uri,
                                      const http_answer& answer, time_point now) {
  auto refused = [&](std::string why) {
    return fail(errc::sign_in_registration_refused, "status " + std::to_string(answer.status) + ": " +
                                                        std::move(why) + "; the redirect URI was " +
                                                        redirect_uri);
  };
  auto o = parse_json_object(answer.body);
  if (!o) return refused("no JSON object");
  if (answer.status != 201 && answer.status != 200) {
    auto words = text_member(*o, "error_description");
    auto code = text_member(*o, "error");
    return refused(displayable(code).substr(0, 60) +
                   (words.empty() ? "" : ", " + displayable(words).substr(0, 400)));
  }
  kept_client client;
  client.issuer = std::string(issuer);
  client.client_id = text_member(*o, "client_id");
  if (client.client_id.empty()) return refused("no client_id");
  client.client_secret = secret(text_member(*o, "client_secret"));
  client.redirect_uri = redirect_uri;
  client.registered = true;
  client.since = now;
  auto method = client_auth_from_name(text_member(*o, "token_endpoint_auth_method"));
  if (client.client_secret.empty()) {
    client.auth = bridge_client_auth::none;
  } else {
    client.auth = method.value_or(bridge_client_auth::header);
  }
  std::int64_t until = 0;
  if (read(*o, "client_secret_expires_at", until) == member::present && until > 0 && until < 8'000'000'000)
    client.until = from_unix(until);
  return client;
}

}  // namespace mcp_oauth
