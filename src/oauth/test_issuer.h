#pragma once

#include "base/json.h"
#include "base/time.h"
#include "jose/jws.h"
#include "jose/key_set.h"
#include "oauth/issuer_token.h"

#include <string>
#include <string_view>

// For tests: an authorization server of somebody else, as far as its tokens go.
namespace mcp_oauth::test_issuer {

inline constexpr std::int64_t issued_at = 1'790'000'000;
inline const time_point now = from_unix(issued_at);

inline const signing_key& key() {
  static const signing_key made = signing_key::generate_es256();
  return made;
}
inline key_set keys() { return key_set::of({key().public_part().with_kid("k1")}); }
inline std::string jwks() { return json::serialize(keys().to_json()); }

inline issuer_rules rules() {
  issuer_rules r;
  r.issuer = "https://idp.example.com";
  r.audiences = {"https://mcp.example.com/mcp"};
  return r;
}

inline json::object claims() {
  return parse_json_object(
             R"({"iss":"https://idp.example.com","sub":"ada","aud":"https://mcp.example.com/mcp",
      "exp":1790000600,"iat":1790000000,"jti":"t1","client_id":"inspector","scope":"tools:read tools:write",
      "email":"ada@example.com","name":"Ada"})")
      .value();
}

inline std::string sign(std::string_view payload, std::string_view typ = "at+jwt",
                        std::string_view kid = "k1") {
  return sign_jws(key(), typ, kid, payload);
}

inline std::string mint(const json::object& of, std::string_view typ = "at+jwt",
                        std::string_view kid = "k1") {
  return sign(json::serialize(of), typ, kid);
}

// A genuine token with some claims replaced: an object whose members go over the usual ones; null removes
// one.
inline std::string mint_with(std::string_view changes_json, std::string_view typ = "at+jwt",
                             std::string_view kid = "k1") {
  auto made = claims();
  auto changes = parse_json_object(changes_json).value();
  for (const auto& [name, value] : changes) {
    if (value.is_null()) {
      made.erase(name);
    } else {
      made[name] = value;
    }
  }
  return mint(made, typ, kid);
}

}  // namespace mcp_oauth::test_issuer
