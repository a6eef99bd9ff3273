#include "guard/issuer_keys.h"

#include "guard/test_world.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using namespace test_world;
using test_issuer::now;

struct IssuerKeys : testing::Test {
  // Performs what is due until nothing is.
  void fetch_all(issuer_keys& keys, time_point at) {
    for (auto fetch = keys.due(at); fetch; fetch = keys.due(at))
      keys.learned(*fetch, net.answer(fetch->call), at);
  }
  network net;
};

TEST_F(IssuerKeys, AreFetchedByTheMetadataThatTheIssuerPublishes) {
  issuer_keys keys(an_issuer());
  EXPECT_FALSE(keys.status(now).ready);
  EXPECT_EQ(keys.now_known(now).keys, nullptr);
  EXPECT_EQ(keys.now_known(now).missing.code, errc::issuer_unreachable);
  fetch_all(keys, now);
  EXPECT_THAT(net.asked, testing::ElementsAre(metadata_url, keys_url));
  auto status = keys.status(now);
  EXPECT_TRUE(status.ready);
  EXPECT_EQ(status.name, "corp");
  EXPECT_EQ(status.issuer, issuer_url);
  EXPECT_EQ(status.keys, 1u);
  EXPECT_EQ(status.jwks_uri, keys_url);
  EXPECT_EQ(status.last_success, now);
  EXPECT_FALSE(status.last_failure);
  EXPECT_EQ(keys.metadata()->document, metadata_document());
}

TEST_F(IssuerKeys, AreLookedForAtEveryPlaceOfTheMetadata) {
  net.set(metadata_url, http_answer{404, {}, ""});
  net.set(other_metadata_url, json_answer(metadata_document()));
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  EXPECT_THAT(net.asked, testing::ElementsAre(metadata_url, other_metadata_url, keys_url));
  EXPECT_TRUE(keys.status(now).ready);
}

TEST_F(IssuerKeys, SayWhereTheMetadataWasLookedForInVain) {
  net.set(metadata_url, json_answer("<html>"));
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  EXPECT_THAT(net.asked, testing::ElementsAre(metadata_url, other_metadata_url));
  auto failure = keys.status(now).failure.value();
  EXPECT_EQ(failure.code, errc::issuer_metadata_invalid);
  EXPECT_THAT(failure.detail, HasSubstr("a web page"));
  EXPECT_THAT(failure.detail, HasSubstr("status 404 from " + other_metadata_url));
  EXPECT_EQ(keys.now_known(now).missing.detail, failure.detail);
}

TEST_F(IssuerKeys, TakeNoDocumentOfAnotherIssuer) {
  net.set(metadata_url, json_answer(metadata_document(issuer_url + "/")));
  net.set(other_metadata_url, json_answer(metadata_document()));
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  EXPECT_THAT(net.asked, testing::ElementsAre(metadata_url));
  EXPECT_FALSE(keys.status(now).ready);
  EXPECT_THAT(keys.status(now).failure->detail, HasSubstr("configure 'https://idp.example.com/'"));
}

TEST_F(IssuerKeys, NeedAPlaceForThem) {
  net.set(metadata_url, json_answer(R"({"issuer":"https://idp.example.com"})"));
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  EXPECT_THAT(keys.status(now).failure->detail, HasSubstr("without jwks_uri"));
  // Who only introspects needs none.
  auto by_question = introspecting(validation_mode::introspection);
  by_question.introspection_url = introspection_url;
  issuer_keys none(by_question);
  fetch_all(none, now);
  EXPECT_TRUE(none.status(now).ready);
  EXPECT_EQ(none.status(now).jwks_uri, "");
}

TEST_F(IssuerKeys, MayBeConfiguredInPlaceOfMetadata) {
  auto issuer = an_issuer();
  issuer.keys = keys_by_url{keys_url};
  issuer_keys by_url(issuer);
  fetch_all(by_url, now);
  EXPECT_THAT(net.asked, testing::ElementsAre(keys_url));
  EXPECT_TRUE(by_url.status(now).ready);
  issuer.keys = fixed_keys{test_issuer::keys()};
  issuer_keys fixed(issuer);
  EXPECT_FALSE(fixed.due(now) || fixed.needed(now) || fixed.unknown_key(now));
  EXPECT_TRUE(fixed.status(now).ready);
  issuer.keys = shared_secret{secret(std::string(32, 'k'))};
  issuer.rules.algorithms = {algorithm::hs256};
  EXPECT_EQ(issuer_keys(issuer).now_known(now).keys->size(), 1u);
}

TEST_F(IssuerKeys, AreRefreshedAheadOfTheirTime) {
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  EXPECT_FALSE(keys.due(now + seconds(2879)));
  EXPECT_FALSE(keys.needed(now + seconds(3599)));
  EXPECT_TRUE(keys.due(now + seconds(2880)));
  EXPECT_TRUE(keys.needed(now + seconds(3600)));
  EXPECT_TRUE(keys.due(now - seconds(1)));  // the clock was set back
}

TEST_F(IssuerKeys, StayWhileTheIssuerIsAwayButNotForEver) {
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  net.cut();
  auto later = now + seconds(7200);
  fetch_all(keys, later);
  auto status = keys.status(later);
  EXPECT_TRUE(status.ready);
  EXPECT_EQ(status.last_success, now);
  EXPECT_EQ(status.last_failure, later);
  EXPECT_THAT(status.failure->detail, HasSubstr("connection refused"));
  EXPECT_NE(keys.now_known(now + seconds(3600 + 24 * 3600 - 1)).keys, nullptr);
  EXPECT_EQ(keys.now_known(now + seconds(3600 + 24 * 3600)).keys, nullptr);
  EXPECT_FALSE(keys.status(now + seconds(3600 + 24 * 3600)).ready);
}

TEST_F(IssuerKeys, AreAskedForMoreRarelyWhileTheIssuerIsAway) {
  net.cut();
  issuer_keys keys(an_issuer());
  std::vector<std::int64_t> asked_at;
  for (int second = 0; second < 1000; ++second) {
    auto at = now + seconds(second);
    if (auto fetch = keys.due(at)) {
      keys.learned(*fetch, net.answer(fetch->call), at);
      asked_at.push_back(second);
    }
  }
  EXPECT_THAT(asked_at, testing::ElementsAre(0, 10, 30, 70, 150, 310, 610, 910));
}

TEST_F(IssuerKeys, AreAskedForByRequestsNotAtOnceAgain) {
  net.cut();
  issuer_keys keys(an_issuer());
  auto fetch = keys.needed(now);
  keys.learned(*fetch, net.answer(fetch->call), now);
  EXPECT_FALSE(keys.needed(now + seconds(4)));
  EXPECT_TRUE(keys.needed(now + seconds(5)));
}

TEST_F(IssuerKeys, AreFetchedByOneAtATime) {
  issuer_keys keys(an_issuer());
  auto fetch = keys.due(now);
  ASSERT_TRUE(fetch);
  EXPECT_FALSE(keys.due(now) || keys.needed(now));
  ASSERT_TRUE(keys.now_known(now).in_flight);
  bool woken = false;
  keys.now_known(now).in_flight->when_settled([&] { woken = true; });
  fetch.reset();  // whoever had it went away
  EXPECT_TRUE(woken);
  EXPECT_FALSE(keys.now_known(now).in_flight);
  auto again = keys.needed(now);
  ASSERT_TRUE(again);
  keys.learned(*again, net.answer(again->call), now);
  EXPECT_TRUE(again->others->settled());
  EXPECT_TRUE(keys.needed(now));  // the keys, now that their place is known
}

TEST_F(IssuerKeys, ChangeTheirGenerationWhenOneGoes) {
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  auto first = keys.generation();
  auto second_key = signing_key::generate_es256();
  auto both =
      key_set::of({test_issuer::key().public_part().with_kid("k1"), second_key.public_part().with_kid("k2")});
  net.set(keys_url, json_answer(json::serialize(both.to_json())));
  fetch_all(keys, now + seconds(3600));
  EXPECT_EQ(keys.generation(), first);
  EXPECT_EQ(keys.now_known(now + seconds(3600)).keys->size(), 2u);
  auto only_second = key_set::of({second_key.public_part().with_kid("k2")});
  net.set(keys_url, json_answer(json::serialize(only_second.to_json())));
  fetch_all(keys, now + seconds(7200));
  EXPECT_NE(keys.generation(), first);
}

TEST_F(IssuerKeys, AreGoneWhenTheIssuerTakesThemAllBackAndNotWhenItIsAway) {
  const auto later = now + seconds(3600);
  for (auto [answer, stay] : {std::pair{json_answer(R"({"keys":[]})"), false},
                              {json_answer(R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})"), false},
                              {json_answer("{}"), true},
                              {json_answer("<html>"), true},
                              {json_answer(""), true},
                              {http_answer{404, {}, R"({"keys":[]})"}, true},
                              {http_answer{503, {}, R"({"keys":[]})"}, true}}) {
    network own;
    issuer_keys keys(an_issuer());
    auto fetch_own = [&](time_point at) {
      for (auto fetch = keys.due(at); fetch; fetch = keys.due(at))
        keys.learned(*fetch, own.answer(fetch->call), at);
    };
    fetch_own(now);
    auto before = keys.generation();
    own.set(keys_url, answer);
    fetch_own(later);
    EXPECT_EQ(keys.now_known(later).keys != nullptr, stay) << answer.body;
    EXPECT_EQ(keys.generation() == before, stay) << answer.body;
    EXPECT_EQ(keys.status(later).ready, stay) << answer.body;
    ASSERT_TRUE(keys.status(later).failure) << answer.body;
    own.set(keys_url, json_answer(test_issuer::jwks()));
    fetch_own(later + seconds(10));
    EXPECT_NE(keys.now_known(later + seconds(10)).keys, nullptr) << answer.body;
  }
}

TEST_F(IssuerKeys, MoveWithTheMetadata) {
  issuer_keys keys(an_issuer());
  fetch_all(keys, now);
  net.set(metadata_url,
          json_answer(R"({"issuer":"https://idp.example.com","jwks_uri":"https://idp.example.com/new"})"));
  net.set("https://idp.example.com/new", json_answer(test_issuer::jwks()));
  fetch_all(keys, now + seconds(3000));
  EXPECT_EQ(net.asked.back(), "https://idp.example.com/new");
}

TEST_F(IssuerKeys, SayWhyADocumentDidNotCome) {
  issuer_keys keys(an_issuer());
  auto fetch = keys.due(now);
  keys.learned(*fetch, fail(errc::fetch_timeout), now);
  EXPECT_EQ(keys.status(now).failure->code, errc::issuer_unreachable);
  EXPECT_THAT(keys.status(now).failure->detail, HasSubstr("did not arrive in time, from " + metadata_url));
  fetch_all(keys, now + seconds(10));
  net.set(keys_url, fail(errc::fetch_failed, "no route"));
  fetch_all(keys, now + seconds(4000));
  EXPECT_EQ(keys.status(now).failure->code, errc::issuer_keys_unavailable);
  EXPECT_THAT(keys.status(now).failure->detail, HasSubstr("no route, from " + keys_url));
}

TEST_F(IssuerKeys, AreSharedByThreads) {
  issuer_keys keys(an_issuer());
  std::atomic<int> fetches = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      network own;
      for (int n = 0; n < 200; ++n) {
        auto at = now + seconds(n * 20);
        if (auto fetch = keys.due(at)) {
          ++fetches;
          keys.learned(*fetch, own.answer(fetch->call), at);
        }
        keys.now_known(at);
        keys.status(at);
        keys.unknown_key(at);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_GE(fetches, 2);
  EXPECT_TRUE(keys.status(now).ready);
}

}  // namespace
}  // namespace mcp_oauth
