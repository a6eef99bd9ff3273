// rooms: guard
// What an issuer publishes and signs. First byte: 'm' its metadata, 'k' its keys, 'p' keys of the
// configuration, 't' the claims of a token under a genuine signature, 'c' a token as it came, 'n' two lines
// that are nearly the same.

#include "base/json.h"
#include "base/url.h"
#include "guard/issuer_metadata.h"
#include "guard/trusted_issuer.h"
#include "jose/jws.h"
#include "oauth/near_miss.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace mcp_oauth;

namespace {

constexpr std::int64_t at = 1'800'000'000;

issuer_rules rules_of_ours() {
  issuer_rules rules;
  rules.issuer = "https://idp.example.com";
  rules.audiences = {"https://mcp.example.com/mcp"};
  rules.claims.scopes = {"scope", "scp", "realm_access.roles"};
  rules.required = {{"org", {"a", "1", "true"}}};
  return rules;
}

http_answer answer_of(std::string_view body) { return {200, {}, std::string(body)}; }

void metadata(const issuer_rules& rules, std::string_view body) {
  auto found = process_metadata_answer(rules, "https://idp.example.com/.well-known/openid-configuration",
                                       answer_of(body));
  if (!found) return;
  require(found->issuer == rules.issuer);
  for (const auto* endpoint : {&found->jwks_uri, &found->introspection_endpoint}) {
    if (endpoint->empty()) continue;
    auto u = url::parse(*endpoint);
    require(u && u->scheme == "https" && !u->is_loopback());
  }
}

void token(const issuer_rules& rules, std::string_view payload) {
  static const signing_key key = signing_key::generate_es256();
  static const key_set keys = key_set::of({key.public_part().with_kid("k")});
  auto compact = sign_jws(key, "JWT", "k", payload);
  auto verified = verify_issuer_token(compact, keys, rules, from_unix(at));
  if (!verified) return;
  auto said = parse_json_object(payload);
  require(said.has_value() && text_member(*said, "iss") == rules.issuer);
  require(claimed_issuer(compact).value_or("") == rules.issuer);
  require(verified->is_for("https://mcp.example.com/mcp"));
  require(said->at("exp").to_number<double>() > static_cast<double>(at) - 60);
  require(!verified->claims().subject.empty() && said->contains("org"));
  for (char c : verified->claims().subject) require(c < 0 || c >= ' ');
  for (const auto& scope : verified->claims().scopes) {
    for (char c : scope) require(c > ' ' && c < 0x7F && c != '"' && c != '\\');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto rules = rules_of_ours();
  auto text = text_of(data, size);
  if (text.empty()) return 0;
  auto body = text.substr(1);
  switch (text.front()) {
    case 'm': metadata(rules, body); break;
    case 'k':
      if (auto keys = process_keys_answer("https://idp.example.com/keys", answer_of(body)))
        require(keys->size() > 0);
      break;
    case 'p':
      if (auto keys = keys_from_text(body)) require(keys->size() > 0);
      break;
    case 't': token(rules, body); break;
    case 'c': {
      require(!verify_issuer_token(body, {}, rules, from_unix(at)));
      auto claimed = claimed_issuer(body);
      require(!claimed || shape_of(body) == token_shape::jwt);
      require(!what_token_looks_like(body).empty());
      break;
    }
    case 'n': {
      auto [one, other] = first_line(body);
      auto words = how_issuers_differ(one, other);
      require(one != other || words.empty());
      std::string seen[] = {std::string(one)}, accepted[] = {std::string(other)};
      (void)how_audiences_differ(seen, "client", accepted);
      (void)how_scopes_differ(seen, other);
      break;
    }
    default: break;
  }
  return 0;
}
