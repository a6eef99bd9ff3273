// Records that cannot be read: of a store that was damaged, or written by hand.

#include "broker/fixture.h"

namespace mcp_oauth {
namespace {

class DamagedRecords : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
  }
  // Every record of that kind has those bytes from now on.
  void damage(const std::string& kind, const std::string& data) {
    change c;
    auto records = store.list(kind, now, 1000, {});
    ASSERT_FALSE(records->empty()) << kind;
    for (auto& r : *records) {
      r.data = data;
      c.put.push_back(r);
    }
    ASSERT_TRUE(*store.commit(c, now));
  }
  void expect_corrupt(const http_response& answer, const std::string& what) {
    EXPECT_EQ(answer.status, 500) << what;
    EXPECT_EQ(error_of(answer), "server_error") << what;
    EXPECT_EQ(noted(log, "result"), "store_corrupt") << what;
    EXPECT_EQ(answer.body.find("access_token"), std::string::npos) << what;
  }
  std::string client;
};

TEST_F(DamagedRecords, OfCodesGiveNoTokens) {
  auto code = code_for(client);
  for (auto data : {"", "[]", "{", "{}", R"({"access":{},"who":{},"expires":1,"used":false})",
                    R"({"access":1,"who":2,"expires":3,"used":4})"}) {
    damage("code", data);
    expect_corrupt(redeem(client, code), data);
  }
}

TEST_F(DamagedRecords, OfRefreshTokensGiveNoTokens) {
  auto tokens = body_of(redeem(client, code_for(client)));
  for (auto data : {"", "{}", R"({"scopes":"tools:read","expires":1})", R"({"scopes":[],"expires":"soon"})",
                    R"({"scopes":[],"expires":2000000000,"rotated":1799999999,"successor":"***"})"}) {
    damage("refresh", data);
    expect_corrupt(refresh(client, text_member(tokens, "refresh_token")), data);
  }
}

TEST_F(DamagedRecords, OfGrantsGiveNoTokens) {
  auto tokens = body_of(redeem(client, code_for(client)));
  for (auto data : {"", "{}", R"({"who":[],"scopes":[]})", R"({"who":{},"scopes":[1]})"}) {
    damage("grant", data);
    expect_corrupt(refresh(client, text_member(tokens, "refresh_token")), data);
  }
}

}  // namespace
}  // namespace mcp_oauth
