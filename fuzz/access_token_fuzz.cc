// rooms: oauth
// First line: the Authorization field of a request; the rest: claims, under a genuine signature. What is
// accepted is for this resource, from this issuer and not over, as another reader of the claims finds.

#include "base/json.h"
#include "jose/jws.h"
#include "oauth/access_token.h"
#include "oauth/bearer.h"
#include "require.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace mcp_oauth;

namespace {

constexpr std::int64_t now = 1'800'000'000;

void authorization(std::string_view value) {
  std::vector<field> fields = {{"Authorization", value}};
  auto token = bearer_token(fields, "");
  if (token) {
    require(!token->empty() && token->data() >= value.data() &&
            token->data() + token->size() <= value.data() + value.size());
    for (char c : *token) require(c > 0x20 && c < 0x7F && c != ',' && c != '"');
    require(bearer_token(fields, "access_token=" + std::string(*token)).has_value() == false);
  }
  fields.push_back({"authorization", value});
  require(!bearer_token(fields, ""));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const signing_key key = signing_key::generate_es256();
  static const key_set keys = key_set::of({key.public_part().with_kid("k")});
  static const token_rules rules{
      "https://as.example", "https://as.example/mcp", seconds(60), {algorithm::es256}};
  auto [field_value, payload] = first_line(text_of(data, size));
  authorization(field_value);
  auto verified = verify_access_token(sign_jws(key, "at+jwt", "k", payload), keys, rules, from_unix(now));
  if (!verified) return 0;
  const auto& claims = verified->claims();
  auto said = parse_json_object(payload);
  require(said.has_value() && text_member(*said, "iss") == rules.issuer);
  const auto& aud = said->at("aud");
  require(aud.is_string() ? aud.get_string() == "https://as.example/mcp"
                          : std::any_of(aud.get_array().begin(), aud.get_array().end(), [](const auto& a) {
                              return a.is_string() && a.get_string() == "https://as.example/mcp";
                            }));
  require(said->at("exp").to_number<double>() > static_cast<double>(now) - 60);
  require(!claims.subject.empty() && claims.subject == text_member(*said, "sub"));
  require(!claims.client_id.empty() && claims.client_id == text_member(*said, "client_id"));
  // Written by us, it says the same.
  if (to_unix(claims.expires) <= now - 60) return 0;
  auto again = verify_access_token(mint_access_token(claims, key), keys, rules, from_unix(now));
  if (again) require(again->claims().subject == claims.subject && again->claims().scopes == claims.scopes);
  return 0;
}
