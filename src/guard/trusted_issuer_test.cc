#include "guard/trusted_issuer.h"

#include "base/json.h"
#include "guard/test_world.h"
#include "jose/test_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using test_world::an_issuer;
using test_world::introspecting;
using testing::HasSubstr;

std::string complaints_about(std::vector<trusted_issuer> issuers) {
  std::string all;
  for (const auto& one : check_trusted_issuers(issuers)) {
    EXPECT_EQ(one.code, errc::config_invalid);
    all += one.detail + "\n";
  }
  return all;
}
std::string complaints_about(trusted_issuer issuer) {
  return complaints_about(std::vector{std::move(issuer)});
}

TEST(TrustedIssuer, IsFineAsMostAreConfigured) {
  EXPECT_EQ(complaints_about(an_issuer()), "");
  EXPECT_EQ(complaints_about(introspecting(validation_mode::either)), "");
  auto by_url = an_issuer();
  by_url.keys = keys_by_url{"http://keycloak:8080/keys"};
  EXPECT_EQ(complaints_about(by_url), "");
  auto fixed = an_issuer();
  fixed.keys = fixed_keys{test_issuer::keys()};
  EXPECT_EQ(complaints_about(fixed), "");
  auto shared = an_issuer();
  shared.keys = shared_secret{secret(std::string(32, 'k'))};
  shared.rules.algorithms = {algorithm::hs256};
  EXPECT_EQ(complaints_about(shared), "");
  auto none = introspecting(validation_mode::introspection);
  none.keys = no_keys{};
  none.introspection_url = "https://idp.example.com/introspect";
  EXPECT_EQ(complaints_about(none), "");
  auto entra = an_issuer();
  entra.rules.issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
  entra.keys =
      keys_by_discovery{"https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"};
  EXPECT_EQ(complaints_about(entra), "");
}

TEST(TrustedIssuer, ThatCannotWorkIsToldInWords) {
  auto with = [](auto change, validation_mode mode = validation_mode::jwt) {
    auto issuer = introspecting(mode);
    change(issuer);
    return complaints_about(issuer);
  };
  EXPECT_THAT(with([](auto& i) { i.rules.audiences.clear(); }), HasSubstr("no audience"));
  EXPECT_THAT(with([](auto& i) { i.rules.issuer.clear(); }), HasSubstr("no issuer"));
  EXPECT_THAT(with([](auto& i) { i.rules.issuer = "idp"; }), HasSubstr("name its jwks_url"));
  EXPECT_THAT(with([](auto& i) { i.rules.issuer = "https://a.example/{tenantid}/"; }),
              HasSubstr("needs the URL of its metadata"));
  EXPECT_THAT(with([](auto& i) { i.keys = keys_by_discovery{"idp"}; }), HasSubstr("metadata 'idp'"));
  EXPECT_THAT(with([](auto& i) { i.keys = keys_by_url{"ftp://a"}; }), HasSubstr("jwks_url 'ftp://a'"));
  EXPECT_THAT(with([](auto& i) { i.keys = fixed_keys{}; }), HasSubstr("no key"));
  EXPECT_THAT(with([](auto& i) { i.keys = no_keys{}; }), HasSubstr("no keys"));
  EXPECT_THAT(with([](auto& i) { i.rules.algorithms = {algorithm::hs256}; }),
              HasSubstr("need the shared secret"));
  EXPECT_THAT(with([](auto& i) { i.keys = shared_secret{secret(std::string(32, 'k'))}; }),
              HasSubstr("HS256, HS384 or HS512"));
  EXPECT_THAT(with([](auto& i) {
                i.keys = shared_secret{secret("your-secret")};
                i.rules.algorithms = {algorithm::hs256};
              }),
              HasSubstr("shorter than the hash of HS256"));
  EXPECT_THAT(with([](auto& i) {
                i.keys = shared_secret{secret(std::string(47, 'k') + "\n")};
                i.rules.algorithms = {algorithm::hs256};
              }),
              HasSubstr("line break"));
  EXPECT_THAT(with([](auto& i) { i.introspection.client_id.clear(); }, validation_mode::introspection),
              HasSubstr("introspection_client_id"));
  EXPECT_THAT(with([](auto& i) { i.introspection.client_secret.clear(); }, validation_mode::introspection),
              HasSubstr("introspection_client_secret"));
  EXPECT_THAT(with([](auto& i) { i.introspection.method = endpoint_authentication::private_key_jwt; },
                   validation_mode::either),
              HasSubstr("private key"));
  EXPECT_THAT(with([](auto& i) { i.keys = keys_by_url{"https://a.example/keys"}; }, validation_mode::either),
              HasSubstr("introspection_url"));
  EXPECT_THAT(with([](auto& i) { i.introspection_url = "nowhere"; }, validation_mode::either),
              HasSubstr("introspection_url"));
}

TEST(TrustedIssuer, IsToldApartFromOthers) {
  auto one = introspecting(validation_mode::either), other = introspecting(validation_mode::introspection);
  auto words = complaints_about({one, other});
  EXPECT_THAT(words, HasSubstr("name stands twice"));
  EXPECT_THAT(words, HasSubstr("'https://idp.example.com' stands twice"));
  EXPECT_THAT(words, HasSubstr("each would see the tokens of the other"));
}

TEST(KeysFromText, AreASetOrPem) {
  auto set = keys_from_text(test_issuer::jwks());
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->has_kid("k1"));
  EXPECT_EQ(keys_from_text(R"({"keys":[]})").error().code, errc::key_malformed);
  EXPECT_EQ(keys_from_text("secret").error().code, errc::key_malformed);
  EXPECT_EQ(keys_from_text(test_issuer::key().to_pem().reveal()).error().code, errc::key_malformed);
}

}  // namespace
}  // namespace mcp_oauth
