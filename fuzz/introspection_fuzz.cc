// rooms: oauth
// The answer to an introspection. What is accepted says `active`, is for this resource, from this issuer and
// not over, as another reader of the answer finds; and asked about a JWT it never gives more than that had.

#include "base/json.h"
#include "jose/jws.h"
#include "oauth/introspection.h"
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
  return rules;
}

verified_token a_jwt(const issuer_rules& rules) {
  static const signing_key key = signing_key::generate_es256();
  auto token = sign_jws(key, "at+jwt", "k",
                        R"({"iss":"https://idp.example.com","aud":"https://mcp.example.com/mcp","sub":"ada",)"
                        R"("exp":1800000600,"scope":"a b","cnf":{"jkt":"key"}})");
  auto keys = key_set::of({key.public_part().with_kid("k")});
  return verify_issuer_token(token, keys, rules, from_unix(at)).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto rules = rules_of_ours();
  static const auto jwt = a_jwt(rules);
  http_answer answer{200, {{"Content-Type", "application/json"}}, std::string(text_of(data, size))};
  auto said = parse_json_object(answer.body);

  if (auto alone = process_introspection_answer(answer, rules, {}, from_unix(at))) {
    require(said.has_value() && said->at("active").as_bool());
    require(alone->is_for("https://mcp.example.com/mcp") &&
            alone->claims().audience == "https://mcp.example.com/mcp");
    require(alone->claims().issuer == rules.issuer);
    require(!alone->claims().subject.empty() && alone->claims().subject == text_member(*said, "sub"));
    require(said->at("exp").to_number<double>() > static_cast<double>(at) - 60);
    for (const auto& scope : alone->claims().scopes)
      require(answer.body.size() >= scope.size() && !scope.empty());
  }
  if (auto both = process_introspection_answer(jwt, answer, rules, from_unix(at))) {
    require(said.has_value() && said->at("active").as_bool());
    require(both->claims().subject == "ada" && both->claims().expires <= jwt.claims().expires);
    require(both->details()->key_thumbprint == "key");
    auto sub = text_member(*said, "sub");
    require(sub.empty() || sub == "ada");
    if (!said->contains("scope") && !said->contains("scp")) require(both->claims().scopes.empty());
  }
  return 0;
}
