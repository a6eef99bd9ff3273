#include "app/key_file.h"

#include "store/memory_store.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace mcp_oauth {
namespace {

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "key_file_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    path = folder + "/oauth.db.key";
  }
  ~KeyFile() override { std::filesystem::remove_all(folder); }
  result<secret> key() { return key_from_file(path, store, now, warnings); }
  void write(const std::string& text) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0600);
  }

  time_point now = std::chrono::system_clock::now();
  std::string folder, path;
  memory_store store;
  std::vector<std::string> warnings;
};

TEST_F(KeyFile, IsMadeOnceForItsOwnerAndNothingElseIsLeft) {
  auto first = key();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reveal().size(), 32U);
  auto second = key();
  ASSERT_TRUE(second);
  EXPECT_EQ(first->reveal(), second->reveal());
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  EXPECT_TRUE(warnings.empty());
}

TEST_F(KeyFile, IsReadAsTheSettingIs) {
  for (const char* same :
       {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"}) {
    write(same);
    auto got = key();
    ASSERT_TRUE(got) << same << got.error().detail;
    EXPECT_EQ(got->reveal().size(), 32U);
    EXPECT_EQ(got->reveal().substr(0, 4), std::string_view("\0\1\2\3", 4)) << same;
  }
}

TEST_F(KeyFile, IsOneForAllWhoMakeItAtOnce) {
  std::vector<std::string> keys(8);
  std::vector<std::thread> threads;
  for (auto& k : keys) {
    threads.emplace_back([&] {
      std::vector<std::string> none;
      auto made = key_from_file(path, store, now, none);
      if (made) k = made->reveal();
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& k : keys) EXPECT_EQ(k, keys.front());
  EXPECT_EQ(keys.front().size(), 32U);
}

TEST_F(KeyFile, IsNotReplacedWhileTheStoreHoldsWhatItSealed) {
  record sealed;
  sealed.kind = "signing_key";
  sealed.id = "1";
  sealed.created = now;
  sealed.expires = now + seconds(60);
  change c;
  c.put.push_back(sealed);
  ASSERT_TRUE(store.commit(c, now));
  auto missing = key();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, errc::seal_broken);
  EXPECT_NE(missing.error().detail.find(path + " is missing"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(KeyFile, IsRefusedWhenItHoldsNoKey) {
  struct row {
    const char* text;
    errc code;
  };
  for (const auto& r : {row{"", errc::seal_broken}, row{"\n", errc::seal_broken},
                        row{"short", errc::file_unreadable}, row{"not base64url!", errc::file_unreadable}}) {
    write(r.text);
    auto refused = key();
    ASSERT_FALSE(refused) << r.text;
    EXPECT_EQ(refused.error().code, r.code) << r.text;
    EXPECT_EQ(refused.error().detail.find("short"), std::string::npos) << "the content stays out of the log";
  }
}

TEST_F(KeyFile, IsWarnedAboutWhenOthersCanReadIt) {
  ASSERT_TRUE(key());
  ::chmod(path.c_str(), 0644);
  ASSERT_TRUE(key());
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("chmod 600 " + path), std::string::npos);
}

}  // namespace
}  // namespace mcp_oauth
