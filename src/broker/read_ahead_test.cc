#include "broker/read_ahead.h"

#include "broker/fixture.h"

#include <array>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReadAhead : public BrokerTest {
 protected:
  record make(std::string kind, std::string id) const {
    record r;
    r.kind = std::move(kind);
    r.id = std::move(id);
    r.created = now;
    r.expires = now + seconds(60);
    return r;
  }
  void put(const record& r) {
    change c;
    c.put.push_back(r);
    ASSERT_TRUE(store.commit(c, now).value());
  }
  static record_name name(std::string kind, std::string id) { return {std::move(kind), std::move(id)}; }
};

TEST_F(ReadAhead, GivesWithoutAskingWhatItFetchedOrGaveBefore) {
  put(make("a", "1"));
  put(make("b", "2"));
  watched.asked.clear();
  read_ahead ahead(watched);
  ASSERT_TRUE(ahead.fetch(std::array{name("a", "1"), name("c", "absent")}, now));
  EXPECT_TRUE(ahead.get("a", "1", now)->has_value());
  EXPECT_TRUE(ahead.get("b", "2", now)->has_value());
  EXPECT_TRUE(ahead.get("b", "2", now)->has_value());
  EXPECT_THAT(watched.asked, ElementsAre("get_each a c", "get b"));
  EXPECT_FALSE(ahead.get("a", "1", now + seconds(60))->has_value()) << "expired meanwhile";
  watched.asked.clear();
  put(make("c", "absent"));
  EXPECT_TRUE(ahead.get("c", "absent", now)->has_value()) << "it may have come since";
}

TEST_F(ReadAhead, KnowsNothingAnyMoreAfterAWrite) {
  for (int how = 0; how < 5; ++how) {
    put(make("a", "1"));
    read_ahead ahead(watched);
    ASSERT_TRUE(ahead.get("a", "1", now)->has_value());
    change c;
    c.erase.emplace_back("a", "1");
    ASSERT_TRUE(store.commit(c, now).value());
    ASSERT_TRUE(ahead.get("a", "1", now)->has_value());
    if (how == 0) {
      EXPECT_TRUE(ahead.commit({}, now));
    }
    if (how == 1) {
      EXPECT_TRUE(ahead.take("a", "none", now));
    }
    if (how == 2) {
      EXPECT_TRUE(ahead.erase_grant("none"));
    }
    if (how == 3) {
      EXPECT_TRUE(ahead.sweep(now, 1));
    }
    if (how == 4) ahead.forget();
    EXPECT_FALSE(ahead.get("a", "1", now)->has_value()) << how;
  }
}

TEST_F(ReadAhead, ATokenRequestAsksAFarStoreAsRarelyAsItCan) {
  conf.rates.user_tokens_per_minute = 1000;
  restart();
  add_user("ada", "correct horse battery");
  auto client = register_public();
  ASSERT_EQ(redeem(client, code_for(client)).status, 200);
  // What follows a code of a client that was used before.
  auto code = code_for(client);
  watched.asked.clear();
  auto tokens = body_of(redeem(client, code));
  EXPECT_THAT(watched.asked, ElementsAre("get_each client code", "get user", "commit"));
  watched.asked.clear();
  auto answer = refresh(client, text_member(tokens, "refresh_token"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(watched.asked, ElementsAre("get_each client refresh", "get_each grant user", "commit"));
}

TEST_F(ReadAhead, AClientIdThatCannotBeOneIsNotLookedFor) {
  watched.asked.clear();
  EXPECT_EQ(refresh("no client\nid", "x").status, 400);
  EXPECT_THAT(watched.asked, IsEmpty());
}

TEST_F(ReadAhead, AsksEachTimeForWhatIsNoSingleRecord) {
  put(make("a", "1"));
  read_ahead ahead(watched);
  EXPECT_EQ(ahead.count("a", now).value(), 1U);
  EXPECT_EQ(ahead.list("a", now, 10, {}).value().size(), 1U);
  put(make("a", "2"));
  EXPECT_EQ(ahead.count("a", now).value(), 2U);
  EXPECT_EQ(ahead.list("a", now, 10, {}).value().size(), 2U);
  EXPECT_TRUE(ahead.check());
}

}  // namespace
}  // namespace mcp_oauth
