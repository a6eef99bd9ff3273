#include "base/text.h"
#include "broker/answers.h"
#include "broker/broker_parts.h"
#include "broker/grants.h"
#include "broker/issued_token.h"
#include "oauth/endpoint_form.h"
#include "oauth/revocation_request.h"

namespace mcp_oauth {
namespace {

http_response inactive() { return json_answer(200, {{"active", false}}); }

// A client that the operator gave a secret may ask about every token: it is a resource server. Any other sees
// its own.
bool may_see(const known_client& client, std::string_view owner) {
  bool resource_server = client.origin == client_origin::configured && !client.secret_digest.empty();
  return resource_server || client.metadata.client_id == owner;
}

result<http_response> describe_refresh(broker_parts& parts, const exchange& x, const known_client& client,
                                       std::string_view token) {
  auto f = look_at_refresh(parts.world, token, x.now);
  if (!f) return tl::unexpected(f.error());
  if (!*f || !(*f)->active || !may_see(client, (*f)->client_id)) return inactive();
  return json_answer(200, {{"active", true},
                           {"token_type", "refresh_token"},
                           {"client_id", (*f)->client_id},
                           {"scope", join((*f)->scopes, " ")},
                           {"aud", (*f)->resource},
                           {"exp", to_unix((*f)->expires)},
                           {"iss", parts.world.conf.public_url}});
}

result<http_response> describe_access(broker_parts& parts, const exchange& x, const known_client& client,
                                      std::string_view token) {
  auto claims = read_access_token(parts.world, *parts.keys()->all, token, x.now);
  if (!claims || !may_see(client, claims->client_id)) return inactive();
  auto live = is_live_grant(parts.world, claims->grant_id, x.now);
  if (!live) return tl::unexpected(live.error());
  if (!*live) return inactive();
  json::object body{{"active", true},
                    {"token_type", "Bearer"},
                    {"client_id", claims->client_id},
                    {"sub", claims->subject},
                    {"scope", join(claims->scopes, " ")},
                    {"aud", claims->audience},
                    {"iss", claims->issuer},
                    {"jti", claims->token_id},
                    {"iat", to_unix(claims->issued)},
                    {"exp", to_unix(claims->expires)}};
  body["username"] = claims->email.empty() ? claims->subject : claims->email;
  return json_answer(200, body);
}

}  // namespace

// RFC 7662. What is unknown, ended, expired, or not the caller's to see is inactive, and nothing more is
// said.
step introspect(broker_parts& parts, exchange x) {
  if (auto refused = refuse_other_methods(x, {"POST"})) return *refused;
  auto body = parse_endpoint_form(*x.request);
  if (!body) return error_answer(x, body.error());
  auto request = parse_revocation_request(x.request->fields, *body);
  if (!request) return error_answer(x, request.error());
  return with_authenticated_client(
      parts, x, std::move(request->client),
      [&parts, token = request->token](const exchange& later, const known_client& client) -> step {
        bool access = token.reveal().find('.') != std::string_view::npos;
        auto answer = access ? describe_access(parts, later, client, token.reveal())
                             : describe_refresh(parts, later, client, token.reveal());
        if (!answer) return error_answer(later, answer.error());
        later.log->note("result", "ok");
        return *answer;
      });
}

}  // namespace mcp_oauth
