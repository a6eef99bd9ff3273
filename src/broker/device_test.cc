#include "broker/fixture.h"
#include "broker/rate_limits.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* right = "correct horse battery";

class Device : public BrokerTest {
 protected:
  Device() {
    add_user("ada", right);
    add_user("bob", right);
    client_ = register_public();
  }
  http_response page(test_browser& b) {
    // Signed in anew: what is tested is the password.
    auto request = authorization(client_);
    request.add("prompt", "login");
    auto p = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
    return open_sign_in(b, approve(b, p));
  }
  http_response enter_in(test_browser& b, const std::string& user, const std::string& password) {
    return enter(b, page(b), user, password);
  }
  // A browser in which the user has signed in.
  test_browser home_of(const std::string& user) {
    test_browser b;
    EXPECT_EQ(enter_in(b, user, right).status, 303);
    return b;
  }
  static std::string device_cookie(const test_browser& b) {
    for (const auto& [name, value] : b.cookies) {
      if (name.starts_with("__Host-mop_device_")) return name;
    }
    return "";
  }
  // Guesses from a browser of somebody else until the account has to wait.
  void attack(const std::string& user) {
    test_browser b;
    auto p = page(b);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(enter(b, p, user, "guess").status, 401);
    EXPECT_EQ(enter(b, p, user, right).status, 429);
    EXPECT_EQ(log.limited, rate_limit::account);
  }

  std::string client_;
};

TEST_F(Device, WhoeverGuessesElsewhereDoesNotKeepTheOwnerOut) {
  auto home = home_of("ada");
  attack("ada");
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
  test_browser elsewhere;
  EXPECT_EQ(enter_in(elsewhere, "ada", right).status, 429) << "others wait on";
}

TEST_F(Device, TheOwnersSignInDoesNotForgiveTheGuesses) {
  auto home = home_of("ada");
  attack("ada");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(enter_in(home, "ada", right).status, 303);
  test_browser stranger;
  EXPECT_EQ(enter_in(stranger, "ada", "guess").status, 429);
}

TEST_F(Device, ABrowserWithoutTheCookieIsAStranger) {
  auto home = home_of("ada");
  home.cookies.erase(device_cookie(home));
  attack("ada");
  EXPECT_EQ(enter_in(home, "ada", right).status, 429);
}

TEST_F(Device, TheCookieIsForThisHostAloneAndOutOfReachOfScripts) {
  test_browser b;
  auto answer = enter_in(b, "ada", right);
  std::string found;
  for (const auto& [name, value] : answer.fields) {
    if (value.starts_with("__Host-mop_device_")) found = value;
  }
  for (auto part : {"; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age=15552000"})
    EXPECT_THAT(found, HasSubstr(part));
  EXPECT_THAT(found, Not(HasSubstr("Domain")));
  EXPECT_THAT(found, Not(HasSubstr("ada")));
  EXPECT_THAT(dump(), Not(HasSubstr(b.cookies[device_cookie(b)])));
}

TEST_F(Device, ACookieThatIsNotOursIsNone) {
  auto home = home_of("ada");
  attack("ada");
  auto name = device_cookie(home);
  auto good = home.cookies[name];
  auto changed = good;
  changed[good.size() / 2] = changed[good.size() / 2] == 'A' ? 'B' : 'A';
  auto of_another_key = *sealer::of({secret(std::string(32, 'x'))});
  auto forged = base64url_encode(of_another_key.seal("device-cookie", "ada\n", "0123456789abcdef", random));
  for (const auto& value : {std::string("x"), changed, good.substr(1), good + "A", forged,
                            base64url_encode("ada"), std::string(4000, 'A'), std::string("%00")}) {
    home.cookies[name] = value;
    EXPECT_EQ(enter_in(home, "ada", right).status, 429) << value;
  }
  home.cookies[name] = good;
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
}

TEST_F(Device, TheCookieOfOneUserIsNoneForAnother) {
  auto home = home_of("bob");
  auto victim = home_of("ada");
  attack("ada");
  home.cookies[device_cookie(victim)] = home.cookies[device_cookie(home)];
  EXPECT_EQ(enter_in(home, "ada", right).status, 429);
}

TEST_F(Device, TwoPeopleAtOneBrowserDoNotTakeItFromEachOther) {
  auto home = home_of("ada");
  EXPECT_EQ(enter_in(home, "bob", right).status, 303);
  attack("ada");
  attack("bob");
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
  EXPECT_EQ(enter_in(home, "bob", right).status, 303);
}

TEST_F(Device, AStolenCookieIsGoodForAFewGuessesAndThenForNone) {
  auto thief = home_of("ada");
  attack("ada");
  int judged = 0;
  auto until = now + std::chrono::hours(24);
  while (now < until) {
    auto answer = enter_in(thief, "ada", "guess");
    if (answer.status == 401) {
      ++judged;
      continue;
    }
    ASSERT_EQ(answer.status, 429);
    if (log.limited == rate_limit::account) break;
    now += seconds(std::stoi(std::string(answer.fields.first("retry-after"))));
  }
  EXPECT_LE(judged, 13 + 1);
  EXPECT_GE(judged, 5);
  EXPECT_EQ(*store.count("device", now), 0u) << "it is a stranger's now";
}

TEST_F(Device, OnceTheOwnerHasSignedInAgainAStolenCookieIsGoodForNothing) {
  auto home = home_of("ada");
  auto thief = home;
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
  EXPECT_NE(home.cookies[device_cookie(home)], thief.cookies[device_cookie(thief)]);
  attack("ada");
  EXPECT_EQ(enter_in(thief, "ada", right).status, 429);
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
}

TEST_F(Device, MistypingAtHomeMakesNobodyElseWait) {
  auto home = home_of("ada");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter_in(home, "ada", "typo").status, 401);
  auto answer = enter_in(home, "ada", right);
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.fields.first("retry-after"), "5");
  EXPECT_EQ(log.limited, rate_limit::device);
  home_of("ada");
  now += seconds(5);
  EXPECT_EQ(enter_in(home, "ada", right).status, 303);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(enter_in(home, "ada", "typo").status, 401) << "a new count";
}

TEST_F(Device, AnAccountHasABoundedNumberOfThem) {
  for (int i = 0; i < 30; ++i) {
    now += seconds(1);
    home_of("ada");
  }
  EXPECT_EQ(*store.count("device", now), 20u);
  auto last = home_of("ada");
  attack("ada");
  EXPECT_EQ(enter_in(last, "ada", right).status, 303);
}

TEST_F(Device, EndsAfterHalfAYear) {
  auto home = home_of("ada");
  now += std::chrono::hours(24 * 180);
  client_ = register_public();
  attack("ada");
  EXPECT_EQ(enter_in(home, "ada", right).status, 429);
}

TEST_F(Device, EndsWithItsUser) {
  auto home = home_of("ada");
  change back;
  back.put = *store.list("device", now, 1, {});
  ASSERT_TRUE(*remove_user(store, "ada", now));
  EXPECT_EQ(*store.count("device", now), 0u);
  add_user("ada", right);
  ASSERT_TRUE(*store.commit(back, now)) << "whoever has the name now is somebody else";
  attack("ada");
  EXPECT_EQ(enter_in(home, "ada", right).status, 429);
}

TEST_F(Device, IsNoSignIn) {
  auto home = home_of("ada");
  auto name = device_cookie(home);
  test_browser thief;
  thief.cookies[name] = home.cookies[name];
  EXPECT_EQ(enter_in(thief, "ada", "").status, 401);
  auto p = visit(thief, endpoint::authorize, get_request("/oauth/authorize", authorization(client_)));
  EXPECT_THAT(std::string(approve(thief, p).fields.first("location")), StartsWith("/auth/signin?"));
}

}  // namespace
}  // namespace mcp_oauth
