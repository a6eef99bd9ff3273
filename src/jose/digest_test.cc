#include "jose/digest.h"

#include "base/base64url.h"
#include "jose/random.h"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Sha256, AnswersAsTheStandardDoes) {
  EXPECT_EQ(hex_encode(sha256_bytes("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_encode(sha256_bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_encode(sha256_bytes(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameInBothForms) {
  auto digest = sha256("token");
  EXPECT_EQ(std::string(digest.begin(), digest.end()), sha256_bytes("token"));
}

TEST(Sha256, WorksOnManyThreads) {
  const auto expected = sha256("abc");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) wrong[t] += sha256("abc") != expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

// RFC 4231 §4.2, §4.3, §4.7; the empty key by another implementation.
TEST(Hmac, AnswersAsTheStandardDoes) {
  struct row {
    std::string key, data, expected;
  };
  const row rows[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (const auto& r : rows) EXPECT_EQ(hex_encode(hmac_sha256(r.key, r.data)), r.expected);
  EXPECT_EQ(hmac_sha256({}, {}), hmac_sha256("", ""));
}

// RFC 5869 appendix A.1 and A.3.
TEST(Hkdf, AnswersAsTheStandardDoes) {
  std::string salt;
  for (int i = 0; i <= 0x0c; ++i) salt += static_cast<char>(i);
  std::string info;
  for (int i = 0xf0; i <= 0xf9; ++i) info += static_cast<char>(i);
  const std::string key(22, '\x0b');
  EXPECT_EQ(hex_encode(hkdf_sha256(key, salt, info, 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(hex_encode(hkdf_sha256(key, "", "", 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(RandomBytes, AreAsManyAsAskedForAndNeverTheSame) {
  std::set<std::string> seen;
  for (int i = 0; i < 64; ++i) {
    auto bytes = random_bytes(16);
    EXPECT_EQ(bytes.size(), 16u);
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 64u);
  EXPECT_EQ(random_bytes(0), "");
}

}  // namespace
}  // namespace mcp_oauth
