#include "broker/fixture.h"

namespace mcp_oauth {
namespace {

class UnusedClients : public BrokerTest {
 protected:
  UnusedClients() {
    conf.rates.registrations_per_hour = 0;
    conf.registration.most_unused = 160;
    restart();
    add_user("ada", "correct horse battery");
  }
  void flood(int registrations) {
    for (int i = 0; i < registrations; ++i) {
      // The store keeps whole seconds, and the oldest go first.
      if (i % 10 == 0) now += seconds(1);
      register_public();
    }
  }
  bool is_known(const std::string& id) {
    return ask(endpoint::authorize, get_request("/oauth/authorize", authorization(id))).status == 200;
  }
  std::uint64_t unused() { return *store.count("unused_client", now); }
};

TEST_F(UnusedClients, AFloodOfRegistrationsLeavesKnownClientsAlone) {
  auto client = register_public();
  auto tokens = redeem(client, code_for(client));
  ASSERT_EQ(tokens.status, 200) << tokens.body;
  flood(10'000);
  EXPECT_LE(unused(), 160u);
  EXPECT_EQ(refresh(client, text_member(body_of(tokens), "refresh_token")).status, 200);
  EXPECT_EQ(redeem(client, code_for(client)).status, 200) << "and a whole login";
  auto late = register_public();
  EXPECT_EQ(redeem(late, code_for(late)).status, 200) << "and the login of one that came after them";
}

TEST_F(UnusedClients, TheOldestAreForgottenFirst) {
  auto old = register_public();
  flood(100);
  auto young = register_public();
  flood(100);
  EXPECT_FALSE(is_known(old));
  EXPECT_TRUE(is_known(young));
  EXPECT_LE(unused(), 160u);
}

TEST_F(UnusedClients, AreUsedOnceSomebodySignedIn) {
  auto client = register_public();
  auto code = code_for(client);
  flood(500);
  EXPECT_EQ(redeem(client, code).status, 200) << "the flood came before the code was redeemed";
}

TEST_F(UnusedClients, AreAnotherRecordBeforeAndAfter) {
  auto client = register_public();
  EXPECT_FALSE(*store.get("client", client, now));
  code_for(client);
  EXPECT_TRUE(*store.get("client", client, now));
  EXPECT_FALSE(*store.get("unused_client", client, now));
}

TEST_F(UnusedClients, HaveTheLifetimeThatIsConfigured) {
  conf.registration.unused_lifetime = std::chrono::minutes(5);
  restart();
  auto client = register_public();
  now += seconds(299);
  EXPECT_TRUE(is_known(client));
  now += seconds(1);
  EXPECT_FALSE(is_known(client));
}

TEST_F(UnusedClients, MayBeAnyNumber) {
  conf.registration.most_unused = 0;
  restart();
  flood(1000);
  EXPECT_EQ(unused(), 1000u);
}

TEST_F(UnusedClients, WorkWithSmallNumbers) {
  conf.registration.most_unused = 1;
  restart();
  flood(3);
  EXPECT_EQ(unused(), 1u);
  auto client = register_public();
  EXPECT_EQ(redeem(client, code_for(client)).status, 200);
}

}  // namespace
}  // namespace mcp_oauth
