// What went wrong where others kept keys and verdicts, done to ours: docs/past-mistakes.md has the whole
// list.

#include "base/base64url.h"
#include "guard/guard.h"
#include "guard/test_world.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using namespace test_world;
using test_issuer::claims;
using test_issuer::mint;
using test_issuer::mint_with;
using test_issuer::now;

struct AdvisoryGuard : testing::Test {
  network net;
  verdict judge(guard& g, const std::string& token, time_point at = now) {
    return net.finish(g.validate(presented{token}, at), at);
  }
  static errc code_of(const verdict& told) { return told ? errc::count_ : told.error().code; }
};

// A cached yes outlived the token.
TEST_F(AdvisoryGuard, Liboauth2_2026_06_AVerdictNeverOutlivesTheToken) {
  auto issuer = an_issuer();
  issuer.rules.leeway = seconds(0);
  guard g({issuer}, {}, counted);
  auto token = mint_with(R"({"exp":1790000030})");
  EXPECT_TRUE(judge(g, token));
  EXPECT_TRUE(judge(g, token, now + seconds(29)));
  EXPECT_EQ(code_of(judge(g, token, now + seconds(30))), errc::token_expired);
  auto asking = introspecting(validation_mode::introspection);
  asking.rules.leeway = seconds(0);
  asking.introspection_ttl = seconds(3600);
  guard h({asking}, {}, counted);
  net.set(introspection_url,
          json_answer(R"({"active":true,"sub":"a","aud":"https://mcp.example.com/mcp","exp":1790000030})"));
  EXPECT_TRUE(judge(h, "opaque"));
  EXPECT_EQ(code_of(judge(h, "opaque", now + seconds(30))), errc::token_expired);
}

// `kid`, `jku` and `x5u` chose what was fetched.
TEST_F(AdvisoryGuard, Liboauth2_2026_NothingInATokenIsFetched) {
  guard g({an_issuer()}, {}, counted);
  for (auto header :
       {R"({"alg":"ES256","kid":"https://evil.example/keys"})", R"({"alg":"ES256","kid":"../../evil"})",
        R"({"alg":"ES256","kid":"k9","jku":"https://evil.example/keys"})",
        R"({"alg":"ES256","kid":"k9","x5u":"http://169.254.169.254/"})"}) {
    auto input = base64url_encode(header) + "." + base64url_encode(json::serialize(claims()));
    auto token = input + "." + base64url_encode(test_issuer::key().sign(input));
    EXPECT_EQ(code_of(judge(g, token, now + seconds(60))), errc::token_key_unknown);
  }
  // And no `iss` but a configured one leads anywhere.
  EXPECT_EQ(code_of(judge(g, mint_with(R"({"iss":"http://169.254.169.254"})"))), errc::token_issuer_mismatch);
  for (const auto& url : net.asked) EXPECT_TRUE(url == metadata_url || url == keys_url) << url;
}

// Tokens with made-up key ids had the keys fetched for each of them; while the cache was down without any
// bound.
TEST_F(AdvisoryGuard, ModAuthOpenidc_2026_08_AStormOfUnknownKeysFetchesOnceAlsoWhileTheIssuerIsDown) {
  guard g({an_issuer()}, {}, counted);
  EXPECT_TRUE(judge(g, mint(claims())));
  ASSERT_EQ(net.times_asked(keys_url), 1u);
  int made_up = 0;
  auto storm = [&](time_point at, errc as) {
    for (int i = 0; i < 200; ++i) {
      auto told = judge(g, mint(claims(), "at+jwt", "made-up-" + std::to_string(++made_up)), at);
      EXPECT_EQ(code_of(told), as);
    }
  };
  storm(now + seconds(30), errc::token_key_unknown);
  storm(now + seconds(59), errc::token_key_unknown);
  EXPECT_EQ(net.times_asked(keys_url), 2u);
  net.cut();
  storm(now + seconds(60), errc::issuer_keys_unavailable);
  storm(now + seconds(89), errc::issuer_keys_unavailable);
  EXPECT_EQ(net.times_asked(keys_url), 3u);
  // Nothing known at all, and the issuer down.
  guard h({an_issuer()}, {}, counted);
  net.asked.clear();
  for (int i = 0; i < 200; ++i) {
    auto told = judge(h, mint(claims(), "at+jwt", "made-up-" + std::to_string(i)), now + seconds(4));
    EXPECT_EQ(code_of(told), errc::issuer_unreachable);
  }
  EXPECT_EQ(net.asked.size(), 1u);
}

// Short and well-known secrets were taken.
TEST_F(AdvisoryGuard, GHSA_8pcq_mx48_hjvj_AShortSharedSecretIsNone) {
  auto issuer = an_issuer();
  issuer.rules.algorithms = {algorithm::hs256};
  issuer.keys = shared_secret{secret("secret")};
  EXPECT_FALSE(check_trusted_issuers(std::vector{issuer}).empty());
  // Not even if nobody looked at the complaints.
  guard g({issuer}, {}, counted);
  auto input = base64url_encode(R"({"alg":"HS256"})") + "." + base64url_encode(json::serialize(claims()));
  EXPECT_FALSE(judge(g, input + "." + base64url_encode(hmac_sha256("secret", input))));
}

// Fetches followed redirects into the network, and metadata led there itself.
TEST_F(AdvisoryGuard, ContextForge_2026_NoRedirectAndNoMetadataLeadsInside) {
  for (auto answer :
       {http_answer{302, {{"Location", "http://169.254.169.254/"}}, ""},
        json_answer(R"({"issuer":"https://idp.example.com","jwks_uri":"http://169.254.169.254/"})"),
        json_answer(R"({"issuer":"https://idp.example.com","jwks_uri":"https://[::ffff:10.0.0.1]/"})"),
        json_answer(R"({"issuer":"https://idp.example.com","jwks_uri":"https://0x7f.1/"})")}) {
    net.set(metadata_url, answer);
    guard g({an_issuer()}, {}, counted);
    EXPECT_EQ(code_of(judge(g, mint(claims()))), errc::issuer_metadata_invalid);
  }
  for (const auto& url : net.asked)
    EXPECT_TRUE(url.starts_with("https://idp.example.com/.well-known/")) << url;
}

// An issuer that was away made every client sign in again; or its silence was taken for a yes.
TEST_F(AdvisoryGuard, AuthSec_2026_AnIssuerThatIsAwayIsNeitherAYesNorTheClientsFault) {
  for (auto mode : {validation_mode::jwt, validation_mode::introspection,
                    validation_mode::jwt_and_introspection, validation_mode::either}) {
    network away;
    away.cut();
    guard g({introspecting(mode)}, {}, counted);
    auto told = away.finish(g.validate(presented{mint(claims())}, now), now);
    EXPECT_EQ(code_of(told), errc::issuer_unreachable);
  }
  guard g({introspecting(validation_mode::jwt_and_introspection)}, {}, counted);
  net.set(introspection_url, fail(errc::fetch_timeout));
  EXPECT_EQ(code_of(judge(g, mint(claims()))), errc::introspection_failed);
}

// Opaque tokens and lists of keys were unbounded.
TEST_F(AdvisoryGuard, Tuannvm_2026_WhatIsRememberedIsBounded) {
  guard_rules rules;
  rules.memory.most = 100;
  guard g({introspecting(validation_mode::introspection)}, rules, counted);
  net.set(introspection_url, json_answer(R"({"active":false})"));
  for (int i = 0; i < 2000; ++i) judge(g, "opaque" + std::to_string(i));
  token_memory memory(memory_rules{.most = 100});
  for (int i = 0; i < 2000; ++i) {
    auto key = sha256(std::to_string(i));
    memory.settle(key, memory.begin(key, now).mine, fail(errc::token_inactive), now);
  }
  EXPECT_LE(memory.size(), 16u * 7);
}

// Caches were used by many threads without a lock.
TEST_F(AdvisoryGuard, ModAuthOpenidc_2026_08_ManyThreadsShareOneGuard) {
  guard g({introspecting(validation_mode::either)}, {}, [](std::size_t n) { return std::string(n, 'r'); });
  std::vector<std::string> tokens;
  for (int i = 0; i < 16; ++i) tokens.push_back(mint_with(R"({"jti":")" + std::to_string(i) + "\"}"));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      network own;
      for (int i = 0; i < 64; ++i) {
        const auto& token = tokens[static_cast<std::size_t>(i + t) % tokens.size()];
        auto step = g.validate(presented{token}, now);
        while (!std::holds_alternative<verdict>(step)) {
          if (auto* question = std::get_if<ask>(&step)) {
            auto then = question->then;
            auto came = own.answer(question->call);
            step = then(std::move(came), now);
          } else {
            auto waiting = std::get<wait>(step);
            while (!waiting.on->settled()) std::this_thread::yield();
            step = waiting.then(now);
          }
        }
        good += std::get<verdict>(step) ? 1 : 0;
        if (i % 16 == 0) g.sweep(now);
        if (i % 20 == 0) g.forget(token);
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 8 * 64);
}

}  // namespace
}  // namespace mcp_oauth
