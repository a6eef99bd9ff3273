#include "library/fetch.h"

#include "library/fixture.h"

#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;

struct lie {
  const char* what;
  std::function<v1::fetch_answer(library_world&, const v1::fetch_request&)> tell;
  const char* detail;
};

v1::fetch_answer with(int status, std::string body) { return {status, {}, std::move(body), ""}; }

// A host's fetch may be wrong in every way; the token is then not judged, and nobody is let in.
TEST(LibraryFetch, TrustsNothingThatAHostFetches) {
  const std::vector<lie> lies = {
      {"throws", [](auto&, const auto&) -> v1::fetch_answer { throw std::runtime_error("socket gone"); },
       "the fetch function threw: socket gone"},
      {"throws no exception", [](auto&, const auto&) -> v1::fetch_answer { throw 7; },
       "the fetch function threw"},
      {"says nothing", [](auto&, const auto&) { return v1::fetch_answer{}; }, "no answer"},
      {"fails", [](auto&, const auto&) { return v1::fetch_answer{0, {}, "", "no route\n to host"}; },
       "no route? to host"},
      {"an impossible status", [](auto&, const auto&) { return with(99, "{}"); }, "no answer"},
      {"a negative status", [](auto&, const auto&) { return with(-200, "{}"); }, "no answer"},
      {"a web page", [](auto&, const auto&) { return with(200, "<!doctype html><html></html>"); }, "HTML"},
      {"nothing at all", [](auto&, const auto&) { return with(200, ""); }, "an empty answer"},
      {"a redirect",
       [](auto&, const auto&) { return v1::fetch_answer{302, {{"Location", "http://a"}}, "", ""}; },
       "a redirect to 'http://a'"},
      {"a server in trouble", [](auto&, const auto&) { return with(503, "{}"); }, "status 503"},
      {"another issuer's document",
       [](auto&, const auto&) {
         return with(200,
                     R"({"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com/keys"})");
       },
       "https://evil.example.com"},
      {"keys in clear",
       [](auto&, const auto&) {
         return with(200, R"({"issuer":"https://idp.example.com","jwks_uri":"http://idp.example.com/keys"})");
       },
       "is not https"},
      {"a document twice over",
       [](auto&, const auto&) {
         return with(200, R"({"issuer":"https://idp.example.com","issuer":"https://idp.example.com"})");
       },
       "twice"},
      {"a huge document",
       [](auto&, const auto& asked) { return with(200, std::string(asked.most_bytes + 1, ' ')); },
       "over 524288 bytes"},
      {"a private key and no public one",
       [](library_world& w, const auto& asked) {
         if (asked.url.ends_with("/keys")) return with(200, R"({"keys":[{"kty":"oct","k":"AAAA"}]})");
         return w.answer(asked);
       },
       "key"},
      {"an endless depth", [](auto&, const auto&) { return with(200, std::string(100'000, '[')); }, ""},
  };
  for (const auto& l : lies) {
    library_world world;
    auto o = world.options();
    o.fetch = [&](const v1::fetch_request& asked) { return l.tell(world, asked); };
    auto g = v1::guard::make(o);
    ASSERT_TRUE(g);
    auto who = g->validate(world.token());
    ASSERT_FALSE(who) << l.what;
    EXPECT_EQ(who.error().status(), 503) << l.what;
    EXPECT_THAT(std::string(who.error().detail()), HasSubstr(l.detail)) << l.what;
  }
}

TEST(LibraryFetch, RecoversWhenTheIssuerDoes) {
  library_world world;
  world.away = true;
  auto g = v1::guard::make(world.options());
  auto token = world.token();
  ASSERT_FALSE(g->validate(token));
  world.away = false;
  world.seconds_now += 30;
  EXPECT_TRUE(g->validate(token));
}

TEST(LibraryFetch, AsksForNothingWithKeysOfItsOwn) {
  library_world world;
  auto o = world.options();
  o.server.keys = world.keys();
  auto g = v1::guard::make(o);
  ASSERT_TRUE(g);
  EXPECT_TRUE(g->validate(world.token()));
  EXPECT_EQ(world.fetches, 0);
}

TEST(LibraryFetch, HandsCredentialsToTheHostOnlyForTheirEndpoint) {
  library_world world;
  auto o = world.options();
  o.server.introspection_url = "https://idp.example.com/introspect";
  o.server.introspection_client_id = "rs";
  o.server.introspection_client_secret = "very secret";
  std::vector<std::string> with_credentials;
  std::string active = "true";
  o.fetch = [&](const v1::fetch_request& asked) {
    for (const auto& [name, value] : asked.headers) {
      if (name == "Authorization") with_credentials.push_back(asked.url);
    }
    if (asked.url == "https://idp.example.com/introspect") {
      EXPECT_EQ(asked.method, "POST");
      return with(200, R"({"active":)" + active + R"(,"sub":"ada","scope":""})");
    }
    return world.answer(asked);
  };
  auto g = v1::guard::make(o);
  ASSERT_TRUE(g) << g.error().text();
  auto who = g->validate(world.token());
  ASSERT_TRUE(who) << who.error().detail();
  EXPECT_EQ(with_credentials, std::vector<std::string>{"https://idp.example.com/introspect"});
  EXPECT_TRUE(who->scopes().empty());  // the answer decides, also when it says nothing

  active = "false";
  world.seconds_now += 31;
  EXPECT_EQ(g->validate(world.token()).error().reason(), "token_inactive");
}

TEST(LibraryFetch, LetsLibcurlFetchWhenNobodyElseDoes) {
  library_world world;
  auto o = world.options();
  o.fetch = nullptr;
  o.server.issuer = "http://127.0.0.1:1";  // nobody listens there
  auto g = v1::guard::make(o);
  ASSERT_TRUE(g) << g.error().text();
  auto why = g->prepare();
  ASSERT_TRUE(why);
  EXPECT_EQ(why->status(), 503);
  EXPECT_THAT(std::string(why->detail()), HasSubstr("http://127.0.0.1:1/.well-known/openid-configuration"));
}

}  // namespace
}  // namespace mcp_oauth
