#include "base/json.h"
#include "base/text.h"
#include "oauth/displayable.h"
#include "oauth/endpoint_url.h"
#include "provider/issuer.h"
#include "provider/oidc.h"

namespace mcp_oauth {
namespace {

tl::unexpected<error> invalid(std::string why) {
  return fail(errc::provider_metadata_invalid, std::move(why));
}

result<std::string> required_endpoint(std::string_view issuer, const json::object& document,
                                      std::string_view name) {
  std::string value;
  if (read(document, name, value) != member::present) return invalid("no " + std::string(name));
  if (!is_usable_endpoint(issuer, value)) {
    return invalid(std::string(name) + " '" + value +
                   "' is not https, or an address inside that this issuer may not name");
  }
  return value;
}

std::string optional_endpoint(std::string_view issuer, const json::object& document, std::string_view name) {
  auto value = text_member(document, name);
  return is_usable_endpoint(issuer, value) ? value : std::string();
}

// Absent members have the default of the standard.
result<std::vector<std::string>> list_or(const json::object& document, std::string_view name,
                                         std::vector<std::string> otherwise) {
  auto found = read(document, name, otherwise);
  if (found == member::wrong_type) return invalid(std::string(name) + " is not a list of strings");
  return otherwise;
}

bool is_hmac(algorithm alg) {
  return alg == algorithm::hs256 || alg == algorithm::hs384 || alg == algorithm::hs512;
}

// OIDC Core §3.1.3.7 step 7. With HMAC the client secret would sign: whoever reads our configuration could
// sign in as anybody.
result<std::vector<algorithm>> usable_algorithms(const json::object& document) {
  auto names = list_or(document, "id_token_signing_alg_values_supported", {"RS256"});
  if (!names) return tl::unexpected(names.error());
  std::vector<algorithm> usable;
  for (const auto& name : *names) {
    auto known = algorithm_from_name(name);
    if (known && !is_hmac(*known)) usable.push_back(*known);
  }
  if (usable.empty())
    return invalid("id_token_signing_alg_values_supported holds no public-key algorithm that we know");
  return usable;
}

bool differ_by_a_slash(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  return b.size() == a.size() + 1 && b.ends_with('/') && b.starts_with(a);
}

}  // namespace

http_call discovery_request(std::string_view issuer) {
  // OIDC Discovery §4.1: a terminating slash goes before the suffix is appended.
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return {
      "GET", std::string(issuer) + "/.well-known/openid-configuration", {{"Accept", "application/json"}}, ""};
}

result<provider_metadata> process_discovery_answer(std::string_view issuer, const http_answer& answer,
                                                   issuer_rule rule) {
  if (answer.status != 200) {
    return fail(errc::provider_unreachable,
                "status " + std::to_string(answer.status) + " from " + discovery_request(issuer).url);
  }
  auto document = parse_json_object(answer.body);
  if (!document) return invalid("the discovery document is no JSON object: " + document.error().detail);

  provider_metadata provider;
  if (read(*document, "issuer", provider.issuer) != member::present) return invalid("no issuer");
  if (!may_state_issuer(rule, issuer, provider.issuer)) {
    return fail(
        errc::provider_issuer_mismatch,
        "the discovery document says issuer '" + displayable(provider.issuer) + "', configured is '" +
            std::string(issuer) + "'" +
            (differ_by_a_slash(issuer, provider.issuer) ? ": write issuer: " + displayable(provider.issuer)
                                                        : ""));
  }
  for (auto [name, to] :
       {std::pair<std::string_view, std::string*>{"authorization_endpoint", &provider.authorization_endpoint},
        {"token_endpoint", &provider.token_endpoint},
        {"jwks_uri", &provider.jwks_uri}}) {
    auto value = required_endpoint(issuer, *document, name);
    if (!value) return tl::unexpected(value.error());
    *to = std::move(*value);
  }
  provider.userinfo_endpoint = optional_endpoint(issuer, *document, "userinfo_endpoint");
  provider.end_session_endpoint = optional_endpoint(issuer, *document, "end_session_endpoint");

  auto response_types = list_or(*document, "response_types_supported", {"code"});
  if (!response_types) return tl::unexpected(response_types.error());
  if (!holds(*response_types, "code")) return invalid("response_types_supported lacks code");

  // Many providers support PKCE and do not say so; only a list without S256 speaks against it.
  auto methods = list_or(*document, "code_challenge_methods_supported", {"S256"});
  if (!methods) return tl::unexpected(methods.error());
  if (!holds(*methods, "S256")) return invalid("code_challenge_methods_supported lacks S256");

  auto auth_methods = list_or(*document, "token_endpoint_auth_methods_supported", {"client_secret_basic"});
  if (!auth_methods) return tl::unexpected(auth_methods.error());
  provider.token_endpoint_auth_methods = std::move(*auth_methods);

  auto algorithms = usable_algorithms(*document);
  if (!algorithms) return tl::unexpected(algorithms.error());
  provider.id_token_algorithms = std::move(*algorithms);

  if (read(*document, "authorization_response_iss_parameter_supported", provider.sends_iss) ==
      member::wrong_type) {
    return invalid("authorization_response_iss_parameter_supported is not a boolean");
  }
  return provider;
}

http_call jwks_request(const provider_metadata& provider) {
  return {"GET", provider.jwks_uri, {{"Accept", "application/json, application/jwk-set+json"}}, ""};
}

result<key_set> process_jwks_answer(const http_answer& answer) {
  if (answer.status != 200) {
    return fail(errc::provider_unreachable, "status " + std::to_string(answer.status) + " from jwks_uri");
  }
  auto keys = key_set::parse(answer.body);
  if (!keys) return invalid("jwks_uri: " + keys.error().detail);
  if (keys->size() == 0) return invalid("jwks_uri: no key that we can use");
  return keys;
}

}  // namespace mcp_oauth
