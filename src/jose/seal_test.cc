#include "jose/seal.h"

#include "base/base64url.h"
#include "jose/digest.h"
#include "jose/random.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

secret master(char c) { return secret(std::string(32, c)); }

random_fn counter() {
  return [n = 0](std::size_t size) mutable { return std::string(size, static_cast<char>(++n)); };
}

TEST(Sealer, OpensWhatItSealed) {
  auto s = sealer::of({master('a')});
  ASSERT_TRUE(s);
  for (const std::string& plain :
       {std::string(), std::string("x"), std::string("a\0b", 3), std::string(5000, 'p')}) {
    auto sealed = s->seal("token", "row 1", plain, random_bytes);
    EXPECT_EQ(sealed.size(), plain.size() + 1 + 4 + 12 + 16);
    EXPECT_EQ(s->open("token", "row 1", sealed), plain);
    EXPECT_TRUE(plain.size() < 3 || sealed.find(plain) == std::string::npos);
  }
}

// What lies on disk must be readable for ever. Computed by another implementation from the layout in seal.h.
TEST(Sealer, KeepsItsLayout) {
  auto s = sealer::of({master('a')});
  EXPECT_EQ(hex_encode(s->seal("token", "row 1", "plain", counter())),
            "01c1b507f3010101010101010101010101fce12be363d550f0e6ae0dbe1fe7ee363ee210bf5d");
  EXPECT_EQ(hex_encode(seal_with(std::string(32, 'k'), "token", "row 1", "plain", counter())),
            "020101010101010101010101010723823dd2f5856bba8b027025e1713f72ef69dce4");
}

TEST(Sealer, NeverSealsTwiceAlike) {
  auto s = sealer::of({master('a')});
  EXPECT_NE(s->seal("p", "", "x", random_bytes), s->seal("p", "", "x", random_bytes));
}

TEST(Sealer, OpensForTheSamePurposeAndRowOnly) {
  auto s = sealer::of({master('a')});
  auto sealed = s->seal("token", "row 1", "plain", counter());
  for (auto [purpose, associated] : {std::pair{"token", "row 2"},
                                     {"token", ""},
                                     {"signing-key", "row 1"},
                                     {"", "row 1"},
                                     {"tokenr", "ow 1"}}) {
    auto opened = s->open(purpose, associated, sealed);
    ASSERT_FALSE(opened) << purpose << associated;
    EXPECT_EQ(opened.error().code, errc::seal_broken);
  }
}

TEST(Sealer, RefusesEveryChangedByteAndEveryOtherLength) {
  auto s = sealer::of({master('a')});
  const auto sealed = s->seal("token", "row", "plain", counter());
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    auto opened = s->open("token", "row", changed);
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code, errc::seal_broken);
    EXPECT_FALSE(s->open("token", "row", sealed.substr(0, i))) << i;
  }
  EXPECT_FALSE(s->open("token", "row", sealed + '\0'));
}

TEST(Sealer, SealsWithTheFirstKeyAndOpensWithAll) {
  auto old = sealer::of({master('a')});
  auto both = sealer::of({master('b'), master('a')});
  auto fresh = sealer::of({master('b')});
  auto sealed = old->seal("p", "r", "plain", counter());
  EXPECT_EQ(both->open("p", "r", sealed), "plain");
  EXPECT_TRUE(both->is_outdated(sealed));
  EXPECT_FALSE(old->is_outdated(sealed));
  auto unknown = fresh->open("p", "r", sealed);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, errc::seal_broken);
  auto again = both->seal("p", "r", "plain", counter());
  EXPECT_EQ(fresh->open("p", "r", again), "plain");
  EXPECT_FALSE(both->is_outdated(again));
}

TEST(Sealer, NeedsKeysOf32Bytes) {
  EXPECT_EQ(sealer::of({}).error().code, errc::key_weak);
  EXPECT_EQ(sealer::of({secret()}).error().code, errc::key_weak);
  EXPECT_EQ(sealer::of({secret(std::string(31, 'a'))}).error().code, errc::key_weak);
  EXPECT_EQ(sealer::of({master('a'), secret(std::string(33, 'a'))}).error().code, errc::key_weak);
}

TEST(SealWith, OpensUnderTheSameKeyOnly) {
  const auto key = hkdf_sha256("token", "", "row", 32);
  const auto sealed = seal_with(key, "p", "r", "plain", counter());
  EXPECT_EQ(open_with(key, "p", "r", sealed), "plain");
  EXPECT_FALSE(open_with(hkdf_sha256("tokem", "", "row", 32), "p", "r", sealed));
  EXPECT_FALSE(open_with(key, "q", "r", sealed));
  EXPECT_FALSE(open_with(key, "p", "s", sealed));
  EXPECT_FALSE(open_with(key, "p", "r", ""));
  EXPECT_FALSE(open_with(key.substr(1), "p", "r", sealed));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 0x80);
    auto opened = open_with(key, "p", "r", changed);
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code, errc::seal_broken);
  }
}

TEST(SealWith, IsNotTakenForASealersWork) {
  const std::string key(32, 'a');
  auto s = sealer::of({secret(key)});
  EXPECT_FALSE(s->open("p", "r", seal_with(key, "p", "r", "plain", counter())));
  EXPECT_FALSE(open_with(key, "p", "r", s->seal("p", "r", "plain", counter())));
}

}  // namespace
}  // namespace mcp_oauth
