#include "gateway/issuers.h"

#include "oauth/test_issuer.h"

#include <map>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

settings guard_of(std::vector<issuer_settings> issuers) {
  settings conf;
  conf.mode = "native";
  for (auto& i : issuers) {
    if (i.validation.empty()) i.validation = "jwt";
  }
  conf.issuers = std::move(issuers);
  upstream_settings one, open;
  one.resource = "http://127.0.0.1:8080/mcp";
  open.resource = "http://127.0.0.1:8080/open";
  open.require_auth = false;
  conf.upstreams = {one, open};
  return conf;
}

issuer_settings an_issuer(const std::string& url = "https://idp.example.com") {
  issuer_settings i;
  i.issuer = url;
  return i;
}

auto plan(const settings& conf, std::map<std::string, std::string> files = {}) {
  return plan_issuers(conf, [files](const std::string& path) -> result<std::string> {
    auto found = files.find(path);
    if (found == files.end()) return fail(errc::file_unreadable, "No such file or directory");
    return found->second;
  });
}

TEST(IssuerPlan, WithoutAnAudienceItIsTheResourceUnderEachNameOfThisMachine) {
  auto made = plan(guard_of({an_issuer()}));
  ASSERT_TRUE(made);
  EXPECT_THAT(made->issuers[0].rules.audiences,
              ElementsAre("http://127.0.0.1:8080/mcp", "http://localhost:8080/mcp", "http://[::1]:8080/mcp"));
  for (const auto& audience : made->issuers[0].rules.audiences)
    EXPECT_THAT(made->resources[audience], ElementsAre("http://127.0.0.1:8080/mcp"));
  EXPECT_THAT(made->authorization_servers, ElementsAre("https://idp.example.com"));
  EXPECT_THAT(names_of_resource("https://mcp.example.com/mcp"), ElementsAre("https://mcp.example.com/mcp"));
}

TEST(IssuerPlan, WithAnAudienceNothingElseCounts) {
  auto of = an_issuer();
  of.audience = {"api://a", "api://b"};
  auto made = plan(guard_of({of}));
  ASSERT_TRUE(made);
  EXPECT_THAT(made->issuers[0].rules.audiences, ElementsAre("api://a", "api://b"));
  EXPECT_THAT(made->resources, IsEmpty());
}

TEST(IssuerPlan, KeysComeFromWhereItIsSaid) {
  auto by_url = an_issuer("https://a.example");
  by_url.jwks_url = "https://a.example/keys";
  auto by_file = an_issuer("https://b.example");
  by_file.keys_file = "keys.json";
  auto by_secret = an_issuer("https://c.example");
  by_secret.jwt_secret = secret("JfPoQ0wbVqJ9bKpS1y6mXvQp0aZrT3uE");
  by_secret.algorithms = {"HS256"};
  auto elsewhere = an_issuer("http://keycloak:8080/realms/x");
  elsewhere.token_issuer = "https://id.example.com/realms/x";
  auto made = plan(guard_of({an_issuer(), by_url, by_file, by_secret, elsewhere}),
                   {{"keys.json", test_issuer::jwks()}});
  ASSERT_TRUE(made) << made.error().front().detail;
  EXPECT_TRUE(std::holds_alternative<keys_by_discovery>(made->issuers[0].keys));
  EXPECT_EQ(std::get<keys_by_url>(made->issuers[1].keys).jwks_url, "https://a.example/keys");
  EXPECT_EQ(std::get<fixed_keys>(made->issuers[2].keys).keys.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<shared_secret>(made->issuers[3].keys));
  EXPECT_EQ(made->issuers[4].rules.issuer, "https://id.example.com/realms/x");
  EXPECT_EQ(std::get<keys_by_discovery>(made->issuers[4].keys).url,
            "http://keycloak:8080/realms/x/.well-known/openid-configuration");
}

TEST(IssuerPlan, ClaimsMayHaveSeveralValues) {
  auto of = an_issuer();
  of.required_claims = {"tenant=a", "email", "tenant=b"};
  of.scope_claims = {"permissions"};
  of.subject_claim = "oid";
  auto made = plan(guard_of({of}));
  ASSERT_TRUE(made);
  const auto& required = made->issuers[0].rules.required;
  ASSERT_EQ(required.size(), 2U);
  EXPECT_EQ(required[0].name, "tenant");
  EXPECT_THAT(required[0].any_of, ElementsAre("a", "b"));
  EXPECT_THAT(required[1].any_of, IsEmpty());
  EXPECT_THAT(made->issuers[0].rules.claims.scopes, ElementsAre("permissions"));
  EXPECT_THAT(made->issuers[0].rules.claims.subject, ElementsAre("oid"));
}

TEST(IssuerPlan, WhatFilesLackIsToldForAllOfThem) {
  auto one = an_issuer("https://a.example");
  one.keys_file = "absent.json";
  auto two = an_issuer("https://b.example");
  two.keys_file = "no keys";
  auto three = an_issuer("https://c.example");
  three.validation = "introspection";
  three.introspection_client_id = "rs";
  three.introspection_key_file = "no key";
  auto made = plan(guard_of({one, two, three}), {{"no keys", "<html>"}, {"no key", "x"}});
  ASSERT_FALSE(made);
  ASSERT_EQ(made.error().size(), 3U);
  EXPECT_EQ(made.error()[0].code, errc::file_unreadable);
  EXPECT_THAT(made.error()[0].detail, HasSubstr("issuers[0]: keys_file absent.json"));
  EXPECT_THAT(made.error()[1].detail, HasSubstr("issuers[1]: keys_file no keys"));
  EXPECT_THAT(made.error()[2].detail, HasSubstr("issuers[2]: introspection_key_file no key"));
}

TEST(IssuerPlan, TheFingerprintIsOfAllThatCountsAndOfNothingElse) {
  auto conf = guard_of({an_issuer()});
  auto print = [](const settings& of, const std::string& file = "") {
    auto made = plan(of, {{"keys.json", file.empty() ? test_issuer::jwks() : file}});
    if (!made) ADD_FAILURE() << made.error().at(0).detail;
    return made ? made->fingerprint : std::string();
  };
  auto first = print(conf);
  auto other = conf;
  other.log.level = "debug";
  EXPECT_EQ(print(other), first);
  other.issuers[0].audience = {"x"};
  EXPECT_NE(print(other), first);
  other = conf;
  other.binding.dpop = "off";
  EXPECT_NE(print(other), first);
  other = conf;
  other.issuers[0].jwt_secret = secret("JfPoQ0wbVqJ9bKpS1y6mXvQp0aZrT3uE");
  other.issuers[0].algorithms = {"HS256"};
  auto with_secret = print(other);
  other.issuers[0].jwt_secret = secret("KfPoQ0wbVqJ9bKpS1y6mXvQp0aZrT3uE");
  EXPECT_NE(print(other), with_secret);
  other = conf;
  other.issuers[0].keys_file = "keys.json";
  EXPECT_NE(print(other), print(other, test_issuer::jwks() + " "));
}

TEST(IssuerPlan, EachIssuerHasAFingerprintOfWhatItIsMadeOf) {
  auto one = an_issuer("https://a.example"), two = an_issuer("https://b.example");
  one.keys_file = "a.json";
  two.keys_file = "b.json";
  two.audience = {"api://b"};
  auto conf = guard_of({one, two});
  auto prints = [](const settings& of, const std::string& a = "", const std::string& b = "") {
    auto made = plan(of, {{"a.json", test_issuer::jwks() + a}, {"b.json", test_issuer::jwks() + b}});
    if (!made) ADD_FAILURE() << made.error().at(0).detail;
    return made ? made->issuer_fingerprints : std::vector<std::string>(2);
  };
  auto first = prints(conf);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_NE(first[0], first[1]);
  auto which_change = [&](const std::vector<std::string>& now) {
    return std::pair(now[0] != first[0], now[1] != first[1]);
  };
  const std::pair none(false, false), only_first(true, false), only_second(false, true), both(true, true);
  EXPECT_EQ(which_change(prints(conf)), none);
  EXPECT_EQ(which_change(prints(conf, " ")), only_first);
  EXPECT_EQ(which_change(prints(conf, "", " ")), only_second);
  auto other = conf;
  other.issuers[1].required_claims = {"tenant=acme"};
  EXPECT_EQ(which_change(prints(other)), only_second);
  other = conf;
  other.issuers[0].introspection_client_secret = secret("another");
  EXPECT_EQ(which_change(prints(other)), only_first);
  other = conf;
  other.upstreams[0].resource += "/other";
  EXPECT_EQ(which_change(prints(other)), only_first) << "whose audience that is";
  other = conf;
  other.leeway += seconds(1);
  EXPECT_EQ(which_change(prints(other)), both);
  other = conf;
  other.token_cache.introspection += seconds(1);
  EXPECT_EQ(which_change(prints(other)), both);
  other = conf;
  std::swap(other.issuers[0], other.issuers[1]);
  EXPECT_EQ(prints(other), (std::vector{first[1], first[0]}));
  other = conf;
  other.binding.dpop = "off";
  EXPECT_EQ(which_change(prints(other)), none) << "is no matter of an issuer";
}

TEST(IssuerPlan, ATokenIsForAResourceUnderEveryNameOfThisMachine) {
  auto rules = test_issuer::rules();
  rules.audiences = {"http://127.0.0.1:8080/mcp", "http://localhost:8080/mcp", "http://127.0.0.1:8080/files"};
  const std::string mcp = "http://127.0.0.1:8080/mcp", files = "http://127.0.0.1:8080/files";
  resource_audiences resources{{mcp, {mcp}}, {"http://localhost:8080/mcp", {mcp}}, {files, {files}}};
  auto token = verify_issuer_token(test_issuer::mint_with(R"({"aud":"http://localhost:8080/mcp"})"),
                                   test_issuer::keys(), rules, test_issuer::now);
  ASSERT_TRUE(token);
  EXPECT_TRUE(check_for_resource(*token, rules, resources, mcp));
  auto other = check_for_resource(*token, rules, resources, files);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, errc::token_audience_mismatch);
  EXPECT_THAT(other.error().detail,
              testing::AllOf(HasSubstr("aud http://localhost:8080/mcp"), HasSubstr("is " + files)));
  rules.danger_any_audience = true;
  EXPECT_TRUE(check_for_resource(*token, rules, resources, files)) << "which is what that opens";
}

TEST(IssuerPlan, AnAudienceThatIsAResourceHereIsOfThatOneAlsoWhereItIsWrittenDown) {
  auto of = an_issuer();
  of.audience = {"api://all", "http://localhost:8080/mcp/", "http://127.0.0.1:8080/open",
                 "http://127.0.0.1:8080"};
  auto made = plan(guard_of({of}));
  ASSERT_TRUE(made);
  const std::string mcp = "http://127.0.0.1:8080/mcp", open = "http://127.0.0.1:8080/open";
  EXPECT_EQ(made->resources, (resource_audiences{{"http://localhost:8080/mcp/", {mcp}}, {open, {open}}}));
  const auto& rules = made->issuers[0].rules;
  EXPECT_THAT(audiences_for(rules, made->resources, mcp),
              ElementsAre("api://all", "http://localhost:8080/mcp/", "http://127.0.0.1:8080"));
  auto fits = [&](const std::string& audience, const std::string& resource) {
    auto checked = test_issuer::rules();
    checked.audiences = rules.audiences;
    auto token = verify_issuer_token(test_issuer::mint_with(R"({"aud":)" + audience + "}"),
                                     test_issuer::keys(), checked, test_issuer::now);
    EXPECT_TRUE(token) << audience;
    return token && check_for_resource(*token, rules, made->resources, resource).has_value();
  };
  EXPECT_TRUE(fits(R"("http://localhost:8080/mcp/")", mcp));
  EXPECT_FALSE(fits(R"("http://localhost:8080/mcp/")", open));
  EXPECT_FALSE(fits(R"("http://127.0.0.1:8080/open")", mcp));
  EXPECT_TRUE(fits(R"("api://all")", mcp));
  EXPECT_TRUE(fits(R"("api://all")", open));
  EXPECT_TRUE(fits(R"(["http://127.0.0.1:8080/open","api://all"])", mcp));
  EXPECT_TRUE(fits(R"("http://127.0.0.1:8080")", open)) << "no resource of its own";
}

}  // namespace
}  // namespace mcp_oauth
