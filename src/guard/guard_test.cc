#include "guard/guard.h"

#include "base/base64url.h"
#include "base/form.h"
#include "guard/test_world.h"
#include "oauth/certificate_binding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace test_world;
using test_issuer::claims;
using test_issuer::mint;
using test_issuer::mint_with;
using test_issuer::now;

struct Guard : testing::Test {
  network net;

  guard of(std::vector<trusted_issuer> issuers, guard_rules rules = {}) {
    return guard(std::move(issuers), std::move(rules), counted);
  }
  guard of(trusted_issuer issuer, guard_rules rules = {}) {
    return of(std::vector{std::move(issuer)}, std::move(rules));
  }
  verdict judge(guard& g, const presented& p, time_point at = now) {
    return net.finish(g.validate(p, at), at);
  }
  verdict judge(guard& g, const std::string& token, time_point at = now) {
    return judge(g, presented{token}, at);
  }
  void expect_refused(guard& g, const std::string& token, errc code, std::string_view words = "",
                      time_point at = now) {
    auto told = judge(g, token, at);
    ASSERT_FALSE(told) << words;
    EXPECT_EQ(static_cast<int>(told.error().code), static_cast<int>(code)) << told.error().detail;
    EXPECT_THAT(told.error().detail, HasSubstr(words));
  }
};

TEST_F(Guard, TakesATokenOfItsIssuerAndAsksForKeysOnce) {
  auto g = of(an_issuer());
  auto told = judge(g, mint(claims()));
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_EQ((*told)->token.claims().subject, "ada");
  EXPECT_EQ((*told)->issuer, "corp");
  EXPECT_FALSE((*told)->introspected);
  EXPECT_TRUE(judge(g, mint_with(R"({"sub":"eve"})")));
  EXPECT_THAT(net.asked, ElementsAre(metadata_url, keys_url));
}

TEST_F(Guard, KnowsATokenAgainUntilItIsOver) {
  auto g = of(an_issuer());
  auto token = mint(claims());
  auto first = judge(g, token);
  auto second = judge(g, token, now + seconds(299));
  EXPECT_EQ(first->get(), second->get());
  auto third = judge(g, token, now + seconds(300));  // judged anew
  ASSERT_TRUE(third);
  EXPECT_NE(first->get(), third->get());
  EXPECT_TRUE(judge(g, token, now + seconds(599)));
  expect_refused(g, token, errc::token_expired, "", now + seconds(660));
  EXPECT_TRUE(std::holds_alternative<verdict>(g.validate(presented{token}, now + seconds(661))));
}

TEST_F(Guard, IsNoLongerContentWithATokenThatIsTooOldBecauseItKnewIt) {
  auto issuer = an_issuer();
  issuer.rules.max_age = seconds(60);
  issuer.rules.leeway = seconds(5);
  auto g = of(issuer);
  auto token = mint_with(R"({"exp":1790086400})");
  EXPECT_TRUE(judge(g, token, now));
  EXPECT_TRUE(judge(g, token, now + seconds(64)));
  expect_refused(g, token, errc::token_expired, "max_age", now + seconds(66));
}

TEST_F(Guard, SeesARevocationAlsoWhenTheClockWasSetBack) {
  auto g = of(introspecting(validation_mode::introspection));
  net.set(introspection_url, json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp",
                                             "exp":1790086400,"scope":"x"})"));
  EXPECT_TRUE(judge(g, "opaque", now + seconds(4 * 3600)));
  net.set(introspection_url, json_answer(R"({"active":false})"));
  expect_refused(g, "opaque", errc::token_inactive, "", now);
}

TEST_F(Guard, ChoosesAmongIssuersByTheOneThatTheTokenNames) {
  auto other = an_issuer();
  other.name = "partner";
  other.rules.issuer = "https://partner.example";
  other.keys = fixed_keys{test_issuer::keys()};
  auto g = of({an_issuer(), other});
  auto told = judge(g, mint_with(R"({"iss":"https://partner.example"})"));
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_EQ((*told)->issuer, "partner");
  EXPECT_TRUE(net.asked.empty());
  expect_refused(g, mint_with(R"({"iss":"https://partner.example/"})"), errc::token_issuer_mismatch, "slash");
  expect_refused(g, mint_with(R"({"iss":"https://evil.example"})"), errc::token_issuer_mismatch,
                 "https://partner.example");
  expect_refused(g, mint_with(R"({"iss":null})"), errc::token_claim_missing);
  expect_refused(g, "opaque", errc::token_opaque);
  expect_refused(g, "", errc::token_missing);
  expect_refused(g, std::string(16 * 1024 + 1, 'a'), errc::token_malformed);
  EXPECT_TRUE(net.asked.empty());
}

TEST_F(Guard, AnIssuerThatIsNamedInFullHasItsRulesWhereverAFormStands) {
  const std::string directory = "11111111-2222-3333-4444-555555555555";
  auto any = an_issuer(), own = an_issuer();
  any.name = "any";
  any.rules.issuer = "https://login.example.com/{tenantid}/v2.0";
  own.name = "own";
  own.rules.issuer = "https://login.example.com/" + directory + "/v2.0";
  own.rules.required = {{"roles", {"mcp-user"}}};
  any.keys = own.keys = fixed_keys{test_issuer::keys()};
  auto of_directory = [](const std::string& tenant, const std::string& more = "") {
    return mint_with(R"({"iss":"https://login.example.com/)" + tenant + R"(/v2.0","tid":")" + tenant + "\"" +
                     more + "}");
  };
  for (const auto& issuers : {std::vector{any, own}, std::vector{own, any}}) {
    auto g = of(issuers);
    expect_refused(g, of_directory(directory), errc::token_claim_missing, "no roles");
    auto told = judge(g, of_directory(directory, R"(,"roles":["mcp-user"])"));
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_EQ((*told)->issuer, "own");
    told = judge(g, of_directory("99999999-2222-3333-4444-555555555555"));
    ASSERT_TRUE(told) << told.error().detail;
    EXPECT_EQ((*told)->issuer, "any");
  }
}

TEST_F(Guard, WithoutIssuersTakesNothing) {
  auto g = of(std::vector<trusted_issuer>{});
  expect_refused(g, mint(claims()), errc::token_issuer_mismatch);
  expect_refused(g, "opaque", errc::token_opaque);
}

TEST_F(Guard, SaysThatTheIssuerIsAwayAndNotThatTheTokenIsWrong) {
  net.cut();
  auto g = of(an_issuer());
  expect_refused(g, mint(claims()), errc::issuer_unreachable, "connection refused");
  // Not asked again at once, and not remembered against the token.
  auto asked = net.asked.size();
  expect_refused(g, mint(claims()), errc::issuer_unreachable, "", now + seconds(1));
  EXPECT_EQ(net.asked.size(), asked);
  net = network();
  EXPECT_TRUE(judge(g, mint(claims()), now + seconds(6)));
}

TEST_F(Guard, TellsMetadataAndKeysThatAreNoneApart) {
  net.set(metadata_url, json_answer(metadata_document("https://evil.example")));
  auto g = of(an_issuer());
  expect_refused(g, mint(claims()), errc::issuer_metadata_invalid, "evil.example");
  net = network();
  net.set(keys_url, json_answer("<html>"));
  auto h = of(an_issuer());
  expect_refused(h, mint(claims()), errc::issuer_keys_unavailable, "a web page");
}

TEST_F(Guard, GoesOnWithTheKeysItHasWhileTheIssuerIsAway) {
  auto g = of(an_issuer());
  EXPECT_TRUE(judge(g, mint(claims())));
  net.cut();
  auto later = now + seconds(4000);
  auto token = mint_with(R"({"exp":1790009999})");
  EXPECT_TRUE(judge(g, token, later));
  EXPECT_GT(net.asked.size(), 2u);  // this one tried first
}

TEST_F(Guard, TakesNothingOfKeysThatTheIssuerTookBack) {
  auto g = of(an_issuer());
  auto token = mint_with(R"({"exp":1790090000})");
  const auto later = now + seconds(3600);
  EXPECT_TRUE(judge(g, token, later - seconds(1)));
  net.set(keys_url, json_answer(R"({"keys":[]})"));
  net.run_errands(g, later + seconds(3600));
  expect_refused(g, token, errc::issuer_keys_unavailable, "without a key", later + seconds(3601));
}

TEST_F(Guard, DoesNotBlameATokenWhoseKeyCouldNotBeFetched) {
  auto g = of(an_issuer());
  EXPECT_TRUE(judge(g, mint(claims())));
  net.cut();
  auto token = mint(claims(), "at+jwt", "k2");
  expect_refused(g, token, errc::issuer_keys_unavailable, "could not be fetched again", now + seconds(30));
}

TEST_F(Guard, FetchesKeysAgainForOneThatIsUnknown) {
  auto g = of(an_issuer());
  EXPECT_TRUE(judge(g, mint(claims())));
  auto rotated = key_set::of({test_issuer::key().public_part().with_kid("k2")});
  net.set(keys_url, json_answer(json::serialize(rotated.to_json())));
  auto token = mint(claims(), "at+jwt", "k2");
  expect_refused(g, token, errc::token_key_unknown, "known are k1", now + seconds(29));
  EXPECT_TRUE(judge(g, token, now + seconds(30)));
  // What the old key signed counts no longer, also where it was known.
  expect_refused(g, mint(claims()), errc::token_key_unknown, "", now + seconds(31));
}

TEST_F(Guard, FetchesKeysAgainWhereTheyHaveNoNamesAndNoneFits) {
  struct row {
    std::string of_set, of_token;
    bool asks;
  };
  for (const auto& [of_set, of_token, asks] :
       {row{"", "", true}, row{"", "k2", true}, row{"k1", "", true}, row{"k1", "k1", false}}) {
    network world;
    auto g = of(an_issuer());
    auto before = signing_key::generate_es256(), after = signing_key::generate_es256();
    auto publish = [&, name = of_set](const signing_key& key) {
      auto jwk = key.public_part().with_kid(name).to_jwk();
      if (name.empty()) jwk.erase("kid");
      world.set(keys_url, json_answer(json::serialize(json::object{{"keys", json::array{jwk}}})));
    };
    auto token = [name = of_token](const signing_key& key, const std::string& id) {
      auto made = claims();
      made["jti"] = id;
      return sign_jws(key, "at+jwt", name, json::serialize(made));
    };
    auto told = [&](const std::string& of, time_point at) {
      return world.finish(g.validate(presented{of}, at), at);
    };
    publish(before);
    EXPECT_TRUE(told(token(before, "a"), now)) << of_set << of_token;
    publish(after);
    auto soon = told(token(after, "b"), now + seconds(29));
    ASSERT_FALSE(soon);
    EXPECT_EQ(static_cast<int>(soon.error().code), static_cast<int>(errc::token_signature_invalid));
    EXPECT_EQ(world.times_asked(keys_url), 1u) << "not more often than for unknown names";
    EXPECT_EQ(told(token(after, "c"), now + seconds(31)).has_value(), asks) << of_set << of_token;
    EXPECT_EQ(world.times_asked(keys_url), asks ? 2u : 1u) << of_set << of_token;
    EXPECT_EQ(told(token(signing_key::generate_es256(), "d"), now + seconds(32)).has_value(), false);
    EXPECT_EQ(world.times_asked(keys_url), asks ? 2u : 1u) << "a token of nobody's asks once in 30 s at most";
  }
}

TEST_F(Guard, IntrospectsOpaqueTokens) {
  auto g = of(introspecting(validation_mode::introspection));
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790000600,
                                       "scope":"a"})"));
  auto told = judge(g, "opaque");
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_TRUE((*told)->introspected);
  EXPECT_EQ((*told)->token.claims().issuer, issuer_url);
  EXPECT_THAT(net.asked, ElementsAre(metadata_url, introspection_url));
  EXPECT_EQ(form::parse(net.bodies.back())->find("token"), "opaque");
  EXPECT_TRUE(judge(g, "opaque", now + seconds(29)));
  EXPECT_EQ(net.times_asked(introspection_url), 1u);
  net.set(introspection_url, json_answer(R"({"active":false})"));
  expect_refused(g, "opaque", errc::token_inactive, "", now + seconds(30));
  expect_refused(g, "opaque", errc::token_inactive, "", now + seconds(39));
  EXPECT_EQ(net.times_asked(introspection_url), 2u);
  expect_refused(g, "opaque", errc::token_inactive, "", now + seconds(40));
  EXPECT_EQ(net.times_asked(introspection_url), 3u);
}

TEST_F(Guard, AcceptsNothingWhileIntrospectionIsAway) {
  for (auto mode : {validation_mode::introspection, validation_mode::jwt_and_introspection}) {
    auto g = of(introspecting(mode));
    for (auto answer :
         {result<http_answer>(fail(errc::fetch_timeout)), result<http_answer>(http_answer{500, {}, ""}),
          result<http_answer>(http_answer{401, {}, ""}), result<http_answer>(json_answer("<html>")),
          result<http_answer>(json_answer("[true]"))}) {
      net.set(introspection_url, answer);
      expect_refused(g, mint(claims()), errc::introspection_failed);
    }
  }
  auto either = of(introspecting(validation_mode::either));
  net.set(introspection_url, fail(errc::fetch_failed));
  expect_refused(either, "opaque", errc::introspection_failed);
  net.set(metadata_url,
          json_answer(R"({"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/keys"})"));
  auto silent = of(introspecting(validation_mode::introspection));
  expect_refused(silent, "opaque", errc::introspection_failed, "names no introspection_endpoint");
  net.cut();
  auto cut = of(introspecting(validation_mode::introspection));
  expect_refused(cut, "opaque", errc::issuer_unreachable);
}

TEST_F(Guard, LetsIntrospectionDecideAboutAJwt) {
  auto g = of(introspecting(validation_mode::jwt_and_introspection));
  net.set(introspection_url, json_answer(R"({"active":true,"sub":"ada"})"));
  auto told = judge(g, mint(claims()));
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_TRUE((*told)->token.claims().scopes.empty());
  EXPECT_THAT(net.asked, ElementsAre(metadata_url, keys_url, introspection_url));
  // What is not signed is not shown to anybody.
  auto forged = mint(claims());
  forged.replace(forged.rfind('.') + 5, 3, "AAA");
  expect_refused(g, forged, errc::token_signature_invalid);
  expect_refused(g, "opaque", errc::token_opaque);
  EXPECT_EQ(net.times_asked(introspection_url), 1u);
  net.set(introspection_url, json_answer(R"({"active":true,"sub":"eve"})"));
  expect_refused(g, mint_with(R"({"jti":"2"})"), errc::token_subject_mismatch);
}

TEST_F(Guard, TellsByFormWhatEitherMeans) {
  auto g = of(introspecting(validation_mode::either));
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790000600})"));
  EXPECT_FALSE((*judge(g, mint(claims())))->introspected);
  EXPECT_EQ(net.times_asked(introspection_url), 0u);
  EXPECT_TRUE((*judge(g, "opaque"))->introspected);
  EXPECT_TRUE((*judge(g, base64url_encode(R"({"alg":"dir","enc":"A256GCM"})") + ".a.b.c.d"))->introspected);
  // A bad signature is not made good by asking.
  auto forged = mint(claims());
  forged.replace(forged.rfind('.') + 5, 3, "AAA");
  expect_refused(g, forged, errc::token_signature_invalid);
  expect_refused(g, mint_with(R"({"exp":1})"), errc::token_expired);
  EXPECT_EQ(net.times_asked(introspection_url), 2u);
}

TEST_F(Guard, ShowsAnOpaqueTokenToNobodyWhenSeveralMightBeItsIssuer) {
  auto one = introspecting(validation_mode::either), other = introspecting(validation_mode::introspection);
  other.name = "partner";
  other.rules.issuer = "https://partner.example";
  auto g = of({one, other});
  expect_refused(g, "opaque", errc::token_opaque, "none may see another's");
  EXPECT_TRUE(net.asked.empty());
}

TEST_F(Guard, IntrospectsAJwtThatNamesNoIssuerWhereOnlyThatIsDone) {
  auto g = of(introspecting(validation_mode::introspection));
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790000600})"));
  EXPECT_TRUE(judge(g, mint_with(R"({"iss":null})")));
  expect_refused(g, mint_with(R"({"iss":"https://evil.example"})"), errc::token_issuer_mismatch);
}

TEST_F(Guard, SaysThatTooManyQuestionsWaitAndBlamesNoIssuerForIt) {
  auto g = of(introspecting(validation_mode::introspection));
  net.set(introspection_url, fail(errc::overloaded, "too many jobs wait for a thread"));
  expect_refused(g, "opaque", errc::overloaded, "too many jobs");
}

TEST_F(Guard, LetsOneRequestAskWhileOthersWait) {
  auto g = of(introspecting(validation_mode::introspection));
  g.issuers()[0]->status(now);
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790000600})"));
  net.run_errands(g, now);
  auto first = g.validate(presented{"opaque"}, now);
  auto second = g.validate(presented{"opaque"}, now);
  ASSERT_TRUE(std::holds_alternative<ask>(first));
  ASSERT_TRUE(std::holds_alternative<wait>(second));
  bool woken = false;
  std::get<wait>(second).on->when_settled([&] { woken = true; });
  EXPECT_TRUE(net.finish(std::move(first), now));
  EXPECT_TRUE(woken);
  EXPECT_TRUE(net.finish(std::move(second), now));
  EXPECT_EQ(net.times_asked(introspection_url), 1u);
}

TEST_F(Guard, SharesAFailureWithThoseWhoWait) {
  auto g = of(introspecting(validation_mode::introspection));
  net.run_errands(g, now);
  net.set(introspection_url, fail(errc::fetch_timeout));
  auto first = g.validate(presented{"opaque"}, now);
  auto second = g.validate(presented{"opaque"}, now);
  EXPECT_EQ(net.finish(std::move(first), now).error().code, errc::introspection_failed);
  EXPECT_EQ(net.finish(std::move(second), now).error().code, errc::introspection_failed);
  EXPECT_EQ(net.times_asked(introspection_url), 1u);
}

TEST_F(Guard, LetsAnotherGoOnWhenTheOneThatAskedIsGone) {
  auto g = of(introspecting(validation_mode::introspection));
  net.run_errands(g, now);
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790000600})"));
  auto second = [&] {
    auto first = g.validate(presented{"opaque"}, now);
    return g.validate(presented{"opaque"}, now);
  }();
  ASSERT_TRUE(std::get<wait>(second).on->settled());
  EXPECT_TRUE(net.finish(std::move(second), now));
}

TEST_F(Guard, WaitsForTheKeysThatAnotherFetches) {
  auto g = of(an_issuer());
  auto errands = g.due(now);
  ASSERT_EQ(errands.size(), 1u);
  auto step = g.validate(presented{mint(claims())}, now);
  ASSERT_TRUE(std::holds_alternative<wait>(step));
  g.learned(errands[0], net.answer(errands[0].fetch.call), now);
  EXPECT_TRUE(std::get<wait>(step).on->settled());
  EXPECT_TRUE(net.finish(std::move(step), now));
}

TEST_F(Guard, DoesNotWaitForEver) {
  auto g = of(an_issuer());
  auto errands = g.due(now);
  auto step = g.validate(presented{mint(claims())}, now);
  auto told = std::get<wait>(step).then(now + seconds(15));
  EXPECT_EQ(std::get<verdict>(told).error().code, errc::issuer_unreachable);
  auto h = of(introspecting(validation_mode::introspection));
  network().run_errands(h, now);
  auto first = h.validate(presented{"opaque"}, now), second = h.validate(presented{"opaque"}, now);
  told = std::get<wait>(second).then(now + seconds(15));
  EXPECT_EQ(std::get<verdict>(told).error().code, errc::issuer_unreachable);
}

TEST_F(Guard, ForgetsATokenWhenTold) {
  auto g = of(an_issuer());
  auto token = mint(claims());
  auto first = judge(g, token);
  g.forget(token);
  EXPECT_NE(first->get(), judge(g, token)->get());
  g.sweep(now + seconds(1000));
}

TEST_F(Guard, AForgottenTokenIsNotRememberedByAQuestionThatWasUnderWay) {
  auto g = of(introspecting(validation_mode::introspection));
  net.run_errands(g, now);
  const auto yes = json_answer(
      R"({"active":true,"sub":"ada","aud":"https://mcp.example.com/mcp","exp":1790086400,"scope":"x"})");
  auto first = g.validate(presented{"opaque"}, now);
  auto second = g.validate(presented{"opaque"}, now);
  g.forget("opaque");
  auto told = std::get<ask>(first).then(yes, now);
  EXPECT_TRUE(std::get<verdict>(told)) << "as it was asked before";
  EXPECT_TRUE(std::holds_alternative<ask>(std::get<wait>(second).then(now)));
  first = second = told = verdict(fail(errc::internal));
  EXPECT_TRUE(std::holds_alternative<ask>(g.validate(presented{"opaque"}, now + seconds(1))));
}

TEST_F(Guard, KnowsWhatTheOneBeforeItKnewOfAnIssuer) {
  auto other = an_issuer();
  other.name = "other";
  other.rules.issuer = "https://other.example.com";
  auto before = of(an_issuer());
  auto token = mint(claims());
  EXPECT_TRUE(judge(before, token));
  guard after({other, an_issuer()}, {}, counted, nullptr, {nullptr, before.issuers()[0]});
  net.cut();
  auto told = judge(after, token);
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_EQ((*told)->issuer, "corp");
  expect_refused(after, mint_with(R"({"iss":"https://other.example.com"})"), errc::issuer_metadata_invalid);
  EXPECT_EQ(net.times_asked(keys_url), 1u);
}

TEST_F(Guard, TellsHealthWhatItKnows) {
  guard_rules asked;
  asked.dpop = dpop_use::required;
  EXPECT_EQ(guard({an_issuer()}, asked, counted).rules().dpop, dpop_use::required);
  auto g = of(an_issuer());
  EXPECT_FALSE(g.status(now)[0].ready);
  net.run_errands(g, now);
  EXPECT_TRUE(g.status(now)[0].ready);
  EXPECT_TRUE(g.due(now).empty());
  EXPECT_EQ(g.fresh_nonce(now), "");
}

struct BoundToken : Guard {
  static std::string thumbprint() { return test_issuer::key().public_part().thumbprint(); }
  std::string bound = mint_with(R"({"cnf":{"jkt":")" + thumbprint() + "\"}}");
  std::string url = "https://mcp.example.com/mcp";

  static std::string proof(const std::string& token, const std::string& jti, const std::string& nonce = "",
                           const signing_key& by = test_issuer::key()) {
    auto jwk = by.public_part().to_jwk();
    for (auto name : {"kid", "alg", "use"}) jwk.erase(name);
    json::object header{{"typ", "dpop+jwt"}, {"alg", "ES256"}, {"jwk", jwk}};
    json::object said{
        {"htm", "POST"}, {"htu", "https://mcp.example.com/mcp"}, {"iat", test_issuer::issued_at}};
    said["jti"] = json::string(jti);
    said["ath"] = json::string(base64url_encode(sha256_bytes(token)));
    if (!nonce.empty()) said["nonce"] = json::string(nonce);
    auto input = base64url_encode(json::serialize(header)) + "." + base64url_encode(json::serialize(said));
    return input + "." + base64url_encode(by.sign(input));
  }
  presented with(const std::string& token, const std::string& a_proof) const {
    return presented{token, token_scheme::dpop, a_proof, "POST", url};
  }
  static guard_rules taking(dpop_use use, bool nonces = false) {
    guard_rules rules;
    rules.dpop = use;
    rules.dpop_nonces = nonces;
    return rules;
  }
};

TEST_F(BoundToken, ComesWithAFreshProofEachTime) {
  auto g = of(an_issuer(), taking(dpop_use::accepted));
  auto first = proof(bound, "1"), second = proof(bound, "2");
  EXPECT_TRUE(judge(g, with(bound, first)));
  EXPECT_EQ(judge(g, with(bound, first)).error().code, errc::dpop_proof_replayed);
  EXPECT_TRUE(judge(g, with(bound, second)));
}

TEST_F(BoundToken, AProofThatCameIsKnownToTheGuardThatTakesThePlaceOfAnother) {
  auto before = of(an_issuer(), taking(dpop_use::accepted));
  auto seen = proof(bound, "1"), fresh = proof(bound, "2");
  EXPECT_TRUE(judge(before, with(bound, seen)));
  guard after({an_issuer()}, taking(dpop_use::accepted), counted, before.proofs_seen());
  EXPECT_EQ(judge(after, with(bound, seen)).error().code, errc::dpop_proof_replayed);
  // Requests that are under way with the one before are seen by both.
  EXPECT_TRUE(judge(after, with(bound, fresh)));
  EXPECT_EQ(judge(before, with(bound, fresh)).error().code, errc::dpop_proof_replayed);
}

TEST_F(BoundToken, IsRefusedWithoutWhatItIsBoundTo) {
  auto stranger = signing_key::generate_es256();
  for (auto use : {dpop_use::off, dpop_use::accepted, dpop_use::required}) {
    auto g = of(an_issuer(), taking(use));
    for (int known = 0; known < 2; ++known) {
      EXPECT_EQ(judge(g, bound).error().code, errc::token_binding_missing);  // as Bearer
    }
  }
  auto g = of(an_issuer(), taking(dpop_use::accepted));
  EXPECT_EQ(judge(g, presented{bound, token_scheme::dpop, std::nullopt, "POST", url}).error().code,
            errc::dpop_proof_invalid);
  auto theirs = proof(bound, "1", "", stranger);
  auto told = judge(g, with(bound, theirs));
  EXPECT_EQ(told.error().code, errc::dpop_proof_invalid);
  EXPECT_THAT(told.error().detail, HasSubstr("not the one that the token is bound to"));
  auto of_another_token = proof(mint(claims()), "1");
  EXPECT_EQ(judge(g, with(bound, of_another_token)).error().code, errc::dpop_proof_invalid);
  auto off = of(an_issuer(), taking(dpop_use::off));
  auto good = proof(bound, "3");
  EXPECT_EQ(judge(off, with(bound, good)).error().code, errc::authorization_scheme_unsupported);
}

TEST_F(BoundToken, IsDemandedWhereThatIsConfigured) {
  auto plain = mint(claims());
  auto accepting = of(an_issuer(), taking(dpop_use::accepted));
  EXPECT_TRUE(judge(accepting, plain));
  auto good = proof(plain, "1");
  EXPECT_EQ(judge(accepting, with(plain, good)).error().code, errc::token_unbound);
  auto demanding = of(an_issuer(), taking(dpop_use::required));
  EXPECT_EQ(judge(demanding, plain).error().code, errc::token_unbound);
}

TEST_F(BoundToken, NeedsANonceWhereThatIsConfigured) {
  auto g = of(an_issuer(), taking(dpop_use::accepted, true));
  auto without = proof(bound, "1");
  EXPECT_EQ(judge(g, with(bound, without)).error().code, errc::dpop_nonce_needed);
  auto nonce = g.fresh_nonce(now);
  ASSERT_NE(nonce, "");
  auto good = proof(bound, "2", nonce);
  EXPECT_TRUE(judge(g, with(bound, good)));
  EXPECT_TRUE(judge(g, mint(claims())));
}

TEST_F(BoundToken, MayBeBoundToACertificate) {
  auto g = of(an_issuer());
  auto token = mint_with(R"({"cnf":{"x5t#S256":")" + certificate_thumbprint("DER") + "\"}}");
  auto thumbprint = certificate_thumbprint("DER"), other = certificate_thumbprint("other");
  presented p{token};
  EXPECT_EQ(judge(g, p).error().code, errc::token_certificate_missing);
  p.certificate_thumbprint = other;
  EXPECT_EQ(judge(g, p).error().code, errc::certificate_mismatch);
  p.certificate_thumbprint = thumbprint;
  EXPECT_TRUE(judge(g, p));
}

TEST_F(BoundToken, IsHeldToItsProofAlsoAfterAWait) {
  auto g = of(an_issuer(), taking(dpop_use::accepted));
  auto good = proof(bound, "1");
  auto first = g.validate(with(bound, good), now);
  auto second = g.validate(presented{bound}, now);
  auto third = g.validate(with(bound, good), now);
  EXPECT_TRUE(net.finish(std::move(first), now));
  EXPECT_EQ(net.finish(std::move(second), now).error().code, errc::token_binding_missing);
  EXPECT_EQ(net.finish(std::move(third), now).error().code, errc::dpop_proof_replayed);
}

}  // namespace
}  // namespace mcp_oauth
