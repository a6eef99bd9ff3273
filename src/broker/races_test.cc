// What happens between two lines of a request: another request, or a disk that is full.

#include "broker/fixture.h"
#include "broker/grants.h"

#include <thread>

namespace mcp_oauth {
namespace {

class Races : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
  }
  json::object tokens() { return body_of(redeem(client, code_for(client))); }
  http_response revoke(const json::object& t) {
    return ask(endpoint::revoke,
               post_request("/oauth/revoke",
                            make_form({{"client_id", client}, {"token", text_member(t, "refresh_token")}})));
  }
  http_response page(test_browser& b) {
    return open_sign_in(
        b, approve(b, visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)))));
  }
  std::string client;
};

TEST_F(Races, ARefreshDoesNotReviveAGrantThatIsRevokedMeanwhile) {
  auto t = tokens();
  watched.before_commit = [&] { EXPECT_EQ(revoke(t).status, 200); };
  auto answer = refresh(client, text_member(t, "refresh_token"));
  EXPECT_EQ(error_of(answer), "invalid_grant") << answer.body;
  EXPECT_EQ(*store.count("grant", now), 0u);
  EXPECT_EQ(*store.count("refresh", now), 0u);
}

TEST_F(Races, ARefreshDoesNotReviveAGrantWhoseRevocationStopsHalfWay) {
  auto t = tokens();
  watched.before_commit = [&] {
    watched.erase_grant_fails = true;
    EXPECT_EQ(revoke(t).status, 503);
    watched.erase_grant_fails = false;
  };
  EXPECT_EQ(error_of(refresh(client, text_member(t, "refresh_token"))), "invalid_grant");
  EXPECT_EQ(*store.count("grant", now), 0u);
}

TEST_F(Races, ARefreshThatComesWhileARevocationIsHalfDoneIsRefused) {
  auto t = tokens();
  watched.erase_grant_fails = true;
  EXPECT_EQ(revoke(t).status, 503);
  EXPECT_EQ(revoked.size(), 1u) << "validators know";
  EXPECT_EQ(error_of(refresh(client, text_member(t, "refresh_token"))), "invalid_grant");
  EXPECT_FALSE(introspects_as_active(client, text_member(t, "access_token")));
  watched.erase_grant_fails = false;
  EXPECT_EQ(revoke(t).status, 200) << "and it can be done again";
  EXPECT_EQ(*store.count("refresh", now), 0u);
}

TEST_F(Races, ARevocationLeavesNothingOfTheGrantBehind) {
  auto t = tokens();
  refresh(client, text_member(t, "refresh_token"));
  EXPECT_EQ(revoke(t).status, 200);
  for (auto kind : {"grant", "refresh", "code"}) EXPECT_EQ(*store.count(kind, now), 0u) << kind;
  EXPECT_EQ(*store.count("revoked", now), 1u);
  now += conf.access_token_lifetime + conf.refresh_grace + 2 * conf.leeway;
  EXPECT_EQ(*store.count("revoked", now), 0u) << "not longer than a token may live";
}

// What an operator does after an incident: shorter lifetimes first, then the revocation.
TEST_F(Races, ARevocationCountsForTokensThatAreOlderThanTheConfiguration) {
  auto t = tokens();
  auto longest = now + conf.access_token_lifetime;
  auto before = conf.access_token_lifetime;
  conf.access_token_lifetime = seconds(10);
  conf.refresh_grace = conf.leeway = seconds(0);
  EXPECT_EQ(revoke(t).status, 200);
  EXPECT_GE(revoked.at(0).second, longest);
  EXPECT_EQ(revoke(t).status, 200) << "again, by whoever";
  for (const auto& [grant, until] : revoked) EXPECT_GE(until, longest) << grant;
  now = longest - seconds(1);
  EXPECT_EQ(*store.count("revoked", now), 1u) << "for the next start";
  conf.access_token_lifetime = before;
}

TEST_F(Races, OfManySignInsWithOneFormOneGetsACode) {
  test_browser b;
  auto form_page = page(b);
  auto request = post_request("/auth/signin", make_form({{"login", value_on(form_page.body, "login")},
                                                         {"form", value_on(form_page.body, "form")},
                                                         {"user", "ada"},
                                                         {"password", "correct horse battery"}}));
  b.send(request);
  watched.before_commit = [&] {
    // By the time of the first write of this request, the other has read the same login.
    broker_log mine;
    as->handle(endpoint::sign_in, request, now, mine);
  };
  ask(endpoint::sign_in, request);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      broker_log mine;
      as->handle(endpoint::sign_in, request, now, mine);
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(*store.count("code", now), 1u);
}

TEST_F(Races, GuessesSentAtOnceCountOneByOne) {
  test_browser b;
  auto form_page = page(b);
  auto request = post_request("/auth/signin", make_form({{"login", value_on(form_page.body, "login")},
                                                         {"form", value_on(form_page.body, "form")},
                                                         {"user", "ada"},
                                                         {"password", "wrong"}}));
  b.send(request);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask(endpoint::sign_in, request).status, 401);
  watched.before_commit = [&] {
    broker_log mine;
    EXPECT_EQ(std::get<http_response>(as->handle(endpoint::sign_in, request, now, mine)).status, 401);
  };
  EXPECT_EQ(ask(endpoint::sign_in, request).status, 429) << "the fifth came in between";
}

TEST_F(Races, AFullDiskIsSaidToBeTemporaryAndNothingIsHalfWritten) {
  auto t = tokens();
  auto code = code_for(client);
  test_browser b;
  auto consent_page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  auto before = dump();
  watched.fails = true;
  for (const auto& answer :
       {redeem(client, code), refresh(client, text_member(t, "refresh_token")), revoke(t),
        ask(endpoint::register_client,
            registration({{"redirect_uris", json::array{"http://127.0.0.1/"}}}))}) {
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(error_of(answer), "temporarily_unavailable");
    EXPECT_NE(answer.fields.first("retry-after"), "");
  }
  EXPECT_EQ(parameter_of(approve(b, consent_page).fields.first("location"), "error"),
            "temporarily_unavailable");
  EXPECT_EQ(dump(), before);
  EXPECT_TRUE(revoked.empty());
  watched.fails = false;
  EXPECT_EQ(redeem(client, code).status, 200) << "and then everything goes on";
  EXPECT_EQ(refresh(client, text_member(t, "refresh_token")).status, 200);
}

}  // namespace
}  // namespace mcp_oauth
