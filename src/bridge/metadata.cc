#include "bridge/metadata.h"

#include "base/json.h"
#include "base/text.h"
#include "oauth/challenge.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"
#include "oauth/resource.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view resource_word = "/.well-known/oauth-protected-resource";
constexpr std::string_view oauth_word = "/.well-known/oauth-authorization-server";
constexpr std::string_view openid_word = "/.well-known/openid-configuration";

// RFC 8414 §3.1: "any terminating '/' MUST be removed".
std::string path_of(const url& u) {
  auto path = u.path;
  while (path.ends_with('/')) path.pop_back();
  return path;
}

tl::unexpected<error> invalid(std::string_view from, std::string why) {
  return fail(errc::sign_in_metadata_invalid, shown_address(from) + ": " + std::move(why));
}

result<json::object> read_document(std::string_view from, const http_answer& answer) {
  if (answer.status != 200) return invalid(from, told_of_answer(answer));
  auto document = parse_json_object(answer.body);
  if (!document) return invalid(from, told_of_answer(answer) + ": " + document.error().detail);
  return document;
}

// Absent counts as empty; another type does not.
result<std::vector<std::string>> list(const json::object& o, std::string_view name, std::string_view from) {
  std::vector<std::string> values;
  if (read(o, name, values) == member::wrong_type)
    return invalid(from, std::string(name) + " is no array of strings");
  return values;
}

std::string endpoint(const json::object& o, std::string_view name, std::string_view from,
                     const outbound_rules& rules, std::vector<std::string>& refused) {
  auto value = text_member(o, name);
  if (value.empty()) return "";
  auto who = std::string(name) + " of " + shown_address(from);
  auto usable =
      name == "authorization_endpoint" ? openable_url(value, who, rules) : usable_url(value, who, rules);
  if (usable) return value;
  refused.push_back(usable.error().detail);
  return "";
}

}  // namespace

server_demand read_demand(std::string_view challenges) {
  server_demand demand;
  for (const auto& one : parse_challenges(challenges)) {
    bool dpop = equal_ignoring_case(one.scheme, "DPoP");
    if (!dpop && !equal_ignoring_case(one.scheme, "Bearer")) continue;
    demand.dpop = demand.dpop || dpop;
    auto take = [&](std::string_view name, std::string& into) {
      if (into.empty()) into = std::string(one.find(name).value_or(""));
    };
    take("resource_metadata", demand.resource_metadata);
    take("error", demand.error);
    take("error_description", demand.error_description);
    auto scope = one.find("scope");
    if (!demand.scope && scope && !trim(*scope).empty()) demand.scope = std::string(trim(*scope));
  }
  return demand;
}

std::vector<std::string> resource_metadata_urls(const url& server, std::string_view named) {
  std::vector<std::string> urls;
  auto add = [&](std::string one) {
    if (!holds(urls, one)) urls.push_back(std::move(one));
  };
  if (!named.empty()) add(std::string(named));
  auto path = path_of(server);
  if (!path.empty()) add(server.origin() + std::string(resource_word) + path);
  add(server.origin() + std::string(resource_word));
  return urls;
}

result<resource_facts> read_resource_metadata(const url& server, std::string_view from,
                                              const http_answer& answer) {
  auto document = read_document(from, answer);
  if (!document) return tl::unexpected<error>(document.error());
  resource_facts facts;
  facts.resource = text_member(*document, "resource");
  if (facts.resource.empty()) return invalid(from, "it has no resource");
  auto theirs = canonical_resource(facts.resource);
  auto ours = canonical_resource(server.to_string());
  auto mismatch = [&] {
    auto how = how_issuers_differ(facts.resource, server.to_string());
    return fail(errc::sign_in_resource_mismatch,
                shown_address(from) + " is about " + shown_address(facts.resource) +
                    ", and the server asked is " + server.to_string() + (how.empty() ? "" : ": " + how));
  };
  if (!theirs || !ours) return mismatch();
  bool same = *theirs == *ours;
  bool parent = !same && ours->starts_with(*theirs) && (*ours)[theirs->size()] == '/' &&
                theirs->find('?') == std::string::npos;
  if (!same && !parent) return mismatch();

  auto servers = list(*document, "authorization_servers", from);
  auto scopes = list(*document, "scopes_supported", from);
  auto algorithms = list(*document, "dpop_signing_alg_values_supported", from);
  if (!servers) return tl::unexpected<error>(servers.error());
  if (!scopes) return tl::unexpected<error>(scopes.error());
  facts.authorization_servers = std::move(*servers);
  facts.scopes = std::move(*scopes);
  facts.dpop = algorithms && !algorithms->empty();
  read(*document, "dpop_bound_access_tokens_required", facts.dpop_required);
  return facts;
}

std::vector<std::string> server_metadata_urls(const url& issuer) {
  auto origin = issuer.origin();
  auto path = path_of(issuer);
  if (path.empty()) return {origin + std::string(oauth_word), origin + std::string(openid_word)};
  return {origin + std::string(oauth_word) + path, origin + std::string(openid_word) + path,
          origin + path + std::string(openid_word)};
}

result<server_facts> read_server_metadata(std::string_view issuer, std::string_view from,
                                          const http_answer& answer, const outbound_rules& rules) {
  auto document = read_document(from, answer);
  if (!document) return tl::unexpected<error>(document.error());
  server_facts facts;
  facts.issuer = text_member(*document, "issuer");
  if (facts.issuer != issuer) {
    auto how = how_issuers_differ(facts.issuer, issuer);
    return fail(errc::sign_in_issuer_mismatch,
                shown_address(from) + " states the issuer " + shown_address(facts.issuer) +
                    ", and the one asked for is " + shown_address(issuer) + (how.empty() ? "" : ": " + how));
  }
  auto take = [&](std::string_view name) { return endpoint(*document, name, from, rules, facts.refused); };
  facts.authorization_endpoint = take("authorization_endpoint");
  facts.token_endpoint = take("token_endpoint");
  facts.registration_endpoint = take("registration_endpoint");
  facts.device_authorization_endpoint = take("device_authorization_endpoint");
  facts.revocation_endpoint = take("revocation_endpoint");
  struct row {
    std::string_view name;
    std::vector<std::string>* into;
  };
  std::vector<std::string> methods, prompts;
  for (auto [name, into] :
       {row{"scopes_supported", &facts.scopes},
        row{"token_endpoint_auth_methods_supported", &facts.auth_methods},
        row{"grant_types_supported", &facts.grant_types},
        row{"dpop_signing_alg_values_supported", &facts.dpop_algorithms},
        row{"prompt_values_supported", &prompts}, row{"code_challenge_methods_supported", &methods}}) {
    auto values = list(*document, name, from);
    if (!values) return tl::unexpected<error>(values.error());
    *into = std::move(*values);
  }
  facts.auth_methods_named = !facts.auth_methods.empty();
  facts.s256 = holds(methods, "S256");
  facts.takes_prompt_consent = prompts.empty() || holds(prompts, "consent");
  read(*document, "authorization_response_iss_parameter_supported", facts.sends_iss);
  read(*document, "client_id_metadata_document_supported", facts.client_documents);
  return facts;
}

server_facts assumed_server(const url& server) {
  server_facts facts;
  facts.issuer = server.origin();
  facts.authorization_endpoint = facts.issuer + "/authorize";
  facts.token_endpoint = facts.issuer + "/token";
  facts.registration_endpoint = facts.issuer + "/register";
  facts.s256 = true;
  facts.assumed = true;
  return facts;
}

std::string told_of_answer(const http_answer& answer) {
  auto told = "status " + std::to_string(answer.status);
  auto type = answer.fields.first("Content-Type");
  if (!type.empty()) told += ", " + displayable(type.substr(0, 60));
  if (looks_like_a_page(answer.body)) told += ", a page for people";
  auto location = answer.fields.first("Location");
  if (answer.status >= 300 && answer.status < 400 && !location.empty())
    told += ", a redirect to " + displayable(location.substr(0, location.find_first_of("?#")).substr(0, 200));
  return told;
}

}  // namespace mcp_oauth
