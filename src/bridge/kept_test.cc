#include "bridge/kept.h"

#include "bridge/sign_in_fixture.h"
#include "jose/seal.h"

#include <set>

namespace mcp_oauth {
namespace {

const std::string key32(32, 'k');
const auto random = [](std::size_t n) { return random_bytes(n); };

kept_sign_in whole() {
  kept_sign_in kept;
  kept.server = "https://mcp.example/mcp";
  kept.settings = "--client-id c";
  auto client = client_kept();
  client.client_secret = secret("s");
  client.until = from_unix(1'900'000'000);
  kept.keep(client);
  kept.tokens = tokens_kept();
  kept.tokens->granted = "g";
  kept.tokens->dpop = true;
  kept.tokens->dpop_key = secret("pem");
  kept.tokens->id_token = secret("id");
  kept.tokens->revocation_endpoint = "https://as.example/revoke";
  return kept;
}

TEST(Kept, ComesBackAsItWas) {
  auto sealed = seal_kept(whole(), "name", key32, random);
  EXPECT_EQ(sealed.find("refresh-0"), std::string::npos);
  auto kept = open_kept(sealed, "name", key32);
  ASSERT_TRUE(kept) << kept.error().detail;
  auto was = whole();
  EXPECT_EQ(kept->server, was.server);
  EXPECT_EQ(kept->settings, was.settings);
  ASSERT_EQ(kept->clients.size(), 1U);
  EXPECT_EQ(kept->clients[0].client_secret.reveal(), "s");
  EXPECT_EQ(kept->clients[0].until, was.clients[0].until);
  EXPECT_EQ(kept->clients[0].redirect_uri, was.clients[0].redirect_uri);
  EXPECT_TRUE(kept->clients[0].registered);
  ASSERT_TRUE(kept->tokens);
  EXPECT_EQ(kept->tokens->refresh_token.reveal(), "refresh-0");
  EXPECT_EQ(kept->tokens->access_token.reveal(), "access-0");
  EXPECT_EQ(kept->tokens->dpop_key.reveal(), "pem");
  EXPECT_EQ(kept->tokens->id_token.reveal(), "id");
  EXPECT_EQ(kept->tokens->lifetime, was.tokens->lifetime);
  EXPECT_EQ(kept->tokens->obtained, was.tokens->obtained);
  EXPECT_EQ(kept->tokens->scope, "tools:read");
  EXPECT_EQ(kept->tokens->granted, "g");
}

TEST(Kept, EveryDamageIsNoticed) {
  auto sealed = seal_kept(whole(), "name", key32, random);
  for (std::size_t i = 0; i < sealed.size(); i += 7) {
    auto damaged = sealed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(open_kept(damaged, "name", key32)) << i;
  }
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{28}, sealed.size() - 1}) {
    EXPECT_FALSE(open_kept(sealed.substr(0, size), "name", key32)) << size;
  }
  EXPECT_FALSE(open_kept(sealed + "x", "name", key32));
  EXPECT_FALSE(open_kept(sealed, "another name", key32));
  EXPECT_FALSE(open_kept(sealed, "name", std::string(32, 'x')));
  EXPECT_FALSE(open_kept(sealed, "name", "short"));
}

TEST(Kept, WhatAnotherVersionWroteIsNotGuessedAt) {
  for (const char* text :
       {"", "[]", R"({"version":2,"clients":[]})", R"({"clients":[]})", R"({"version":1})",
        R"({"version":1,"clients":[7]})", R"({"version":1,"clients":[{"client_id":"x"}]})",
        R"({"version":1,"clients":[{"client_id":"x","auth":99,"registered":true,"since":1}]})",
        R"({"version":1,"clients":[],"tokens":[]})", R"({"version":1,"clients":[],"tokens":{}})"}) {
    // Sealed rightly, by the layer below.
    auto sealed = seal_with(key32, "bridge sign-in", "name", text, random);
    auto kept = open_kept(sealed, "name", key32);
    ASSERT_FALSE(kept) << text;
    EXPECT_EQ(kept.error().code, errc::sign_in_cache_unusable) << text;
  }
}

TEST(Kept, IsApartForEachServerClientAndWish) {
  std::set<std::string> names;
  auto name = [&](auto change) {
    bridge_settings s;
    s.upstream.url = "https://mcp.example/mcp";
    change(s);
    auto made = kept_name(s);
    EXPECT_EQ(made.size(), 32U);
    names.insert(made);
    return made;
  };
  auto plain = name([](auto&) {});
  name([](auto& s) { s.upstream.url = "https://mcp.example/other"; });
  name([](auto& s) { s.sign_in.client_id = "a"; });
  name([](auto& s) { s.sign_in.scope = "a"; });
  name([](auto& s) { s.sign_in.scope = ""; });
  name([](auto& s) { s.sign_in.resource = "a"; });
  name([](auto& s) { s.sign_in.audience = "a"; });
  name([](auto& s) { s.sign_in.token_url = "a"; });
  name([](auto& s) { s.sign_in.grant = bridge_grant::client_credentials; });
  name([](auto& s) { s.sign_in.refresh_token = secret("a"); });
  name([](auto& s) { s.sign_in.identity_client_id = "a"; });
  name([](auto& s) { s.sign_in.identity_token_url = "a"; });
  name([](auto& s) { s.sign_in.issuer = "a"; });
  EXPECT_EQ(names.size(), 13U);
  EXPECT_EQ(name([](auto& s) { s.sign_in.grant = bridge_grant::device_code; }), plain);
  EXPECT_EQ(name([](auto& s) { s.sign_in.callback_port = 1; }), plain);
}

// Two entries of one client's configuration, with one folder: what was given to one is not the other's.
TEST(AdvisoryBridge, OneWorkloadsTokenIsNotSentForAnother) {
  std::set<std::string> names;
  auto name = [&](auto change) {
    bridge_settings s;
    s.upstream.url = "https://mcp.example/mcp";
    change(s);
    auto made = kept_name(s);
    names.insert(made);
    return made;
  };
  using pairs = std::vector<std::pair<std::string, std::string>>;
  name([](auto&) {});
  for (const char* who : {"alice", "bob"}) {
    name([&](auto& s) { s.sign_in.assertion_file = who; });
    name([&](auto& s) { s.sign_in.assertion_command = who; });
    name([&](auto& s) { s.sign_in.authorize_params = pairs{{"login_hint", who}}; });
    name([&](auto& s) { s.sign_in.extra_params = pairs{{"login_hint", who}}; });
    name([&](auto& s) { s.upstream.headers.emplace_back("X-Tenant", secret(who)); });
    name([&](auto& s) { s.upstream.headers.emplace_back("X-Other", secret(who)); });
  }
  EXPECT_EQ(names.size(), 13U);
  // The order in which they stand says nothing, and neither does the case of a header.
  auto one = name([](auto& s) {
    s.sign_in.authorize_params = pairs{{"a", "1"}, {"b", "2"}};
    s.upstream.headers.emplace_back("X-A", secret("1"));
    s.upstream.headers.emplace_back("X-B", secret("2"));
  });
  auto other = name([](auto& s) {
    s.sign_in.authorize_params = pairs{{"b", "2"}, {"a", "1"}};
    s.upstream.headers.emplace_back("x-b", secret("2"));
    s.upstream.headers.emplace_back("x-a", secret("1"));
  });
  EXPECT_EQ(one, other);
  // Nor can one value be written so that it looks like two.
  EXPECT_NE(name([](auto& s) { s.sign_in.authorize_params = pairs{{"a", "1&b=2"}}; }),
            name([](auto& s) { s.sign_in.authorize_params = pairs{{"a", "1"}, {"b", "2"}}; }));
}

TEST(Kept, ATokenIsFreshByTheClockAndNotBeyondIt) {
  auto tokens = tokens_kept();
  tokens.obtained = from_unix(1000);
  tokens.lifetime = seconds(100);
  auto fresh = [&](std::int64_t at) { return is_fresh(tokens, seconds(30), from_unix(at)); };
  EXPECT_TRUE(fresh(1000));
  EXPECT_TRUE(fresh(1074));
  EXPECT_FALSE(fresh(1075));  // never more than a quarter of its life
  EXPECT_TRUE(is_alive(tokens, from_unix(1099)));
  EXPECT_FALSE(is_alive(tokens, from_unix(1100)));
  // The clock went back: what it says of the token's age means nothing, and the server decides.
  EXPECT_TRUE(fresh(100));
  tokens.lifetime = seconds(20);
  EXPECT_TRUE(fresh(1014));  // a short life is not used up by the margin
  tokens.lifetime.reset();
  EXPECT_TRUE(fresh(4'000'000'000));
  tokens.access_token.clear();
  EXPECT_FALSE(fresh(1000));
}

TEST(Kept, HoldsOneClientAnIssuer) {
  auto kept = whole();
  auto other = client_kept();
  other.client_id = "second";
  kept.keep(other);
  EXPECT_EQ(kept.clients.size(), 1U);
  EXPECT_EQ(kept.client_of("https://as.example")->client_id, "second");
  EXPECT_EQ(kept.client_of("https://as.example/"), nullptr);
  kept.forget_client("https://as.example");
  EXPECT_TRUE(kept.clients.empty());
}

}  // namespace
}  // namespace mcp_oauth
