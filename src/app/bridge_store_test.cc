#include "app/bridge_store.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

class BridgeStore : public testing::Test {
 protected:
  BridgeStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bridge_store_XXXXXX").string();
    root = ::mkdtemp(pattern.data());
  }
  ~BridgeStore() override { std::filesystem::remove_all(root); }

  bridge_settings settings(const std::string& server, const std::string& folder) const {
    bridge_settings made;
    made.upstream.url = server;
    made.sign_in.token_cache_dir = root + "/" + folder;
    made.sign_in.key_place = bridge_key_place::file;
    return made;
  }
  static kept_sign_in sign_in(const std::string& server) {
    kept_sign_in made;
    made.server = server;
    made.tokens.emplace();
    made.tokens->client_id = "c";
    made.tokens->access_token = secret("an access token");
    return made;
  }
  static std::optional<std::string> nothing(std::string_view) { return std::nullopt; }
  static std::string server(std::size_t number) { return "https://mcp.example/" + std::to_string(number); }

  std::string root;
  bridge_log log{bridge_log_level::fatal};
};

// A desktop whose secret service is a file.
class fake_desktop {
 public:
  explicit fake_desktop(std::string folder)
      : folder_(std::move(folder)), path_(process_environment("PATH").value_or("/usr/bin:/bin")) {
    std::filesystem::create_directory(folder_);
    auto program = folder_ + "/secret-tool";
    std::ofstream(program) << "#!/bin/sh\ncase $1 in\nstore) cat > " << folder_ << "/ring ;;\nlookup) cat "
                           << folder_ << "/ring ;;\nesac\n";
    ::chmod(program.c_str(), 0700);
    ::setenv("PATH", (folder_ + ":" + path_).c_str(), 1);
  }
  ~fake_desktop() { ::setenv("PATH", path_.c_str(), 1); }
  fake_desktop(const fake_desktop&) = delete;
  fake_desktop& operator=(const fake_desktop&) = delete;

 private:
  std::string folder_, path_;
};

TEST_F(BridgeStore, SignInsToManyServersAtTheSameMomentCanAllBeReadAgain) {
  constexpr std::size_t many = 6;
  fake_desktop desktop(root + "/bin");
  auto environment = [](std::string_view name) {
    return name == "DBUS_SESSION_BUS_ADDRESS" ? std::optional<std::string>("a bus")
                                              : process_environment(name);
  };
  for (auto place : {bridge_key_place::file, bridge_key_place::secret_service}) {
    auto own = [&](std::size_t number) {
      auto made = settings(server(number), place == bridge_key_place::file ? "file" : "service");
      made.sign_in.key_place = place;
      return made;
    };
    std::vector<std::thread> all;
    for (std::size_t i = 0; i < many; ++i) {
      all.emplace_back([&, i] {
        auto mine = own(i);
        bridge_store store(mine, log, environment);
        EXPECT_TRUE(store.write(sign_in(server(i))));
      });
    }
    for (auto& one : all) one.join();
    auto first = own(0);
    bridge_store store(first, log, environment);
    EXPECT_EQ(store.all().size(), many) << "sealed with another key than the one that is kept";
  }
}

TEST_F(BridgeStore, AKeyThatAnotherOneMakesForEverIsNotWaitedForByWhoEnds) {
  auto own = settings(server(0), "given_up");
  std::atomic<bool> given_up{true};
  bridge_store store(own, log, nothing, &given_up);
  ASSERT_TRUE(store.prepare_folder());
  auto held = bridge_lock::take(store.folder() + "/key.lock");
  ASSERT_TRUE(held);
  auto written = store.write(sign_in(server(0)));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, errc::file_unwritable);
  EXPECT_TRUE(store.is_gone());
}

TEST_F(BridgeStore, IsGoneWhenSomebodyLoggedOutAndNotWhenItIsDamaged) {
  auto own = settings(server(0), "gone");
  bridge_store store(own, log, nothing);
  EXPECT_TRUE(store.is_gone());
  ASSERT_TRUE(store.write(sign_in(server(0))));
  EXPECT_FALSE(store.is_gone());
  std::ofstream(store.file()) << "damaged";
  EXPECT_FALSE(store.read());
  EXPECT_FALSE(std::filesystem::exists(store.file()));
  EXPECT_FALSE(store.is_gone());
  EXPECT_TRUE(store.remove());
  EXPECT_TRUE(store.is_gone());
}

TEST_F(BridgeStore, ALockIsHeldByOneAndItsNoteIsRead) {
  auto path = root + "/a.lock";
  auto held = bridge_lock::take(path);
  ASSERT_TRUE(held);
  EXPECT_FALSE(bridge_lock::take(path));
  bridge_lock::note said;
  said.pid = ::getpid();
  said.doing = "signing in";
  said.address = "https://as.example/authorize";
  held->write(said);
  EXPECT_EQ(bridge_lock::read(path).address, said.address);
}

TEST_F(BridgeStore, ALockOfSomebodyElseHoldsNobodyBackAndItsNoteIsNotBelieved) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  auto path = root + "/a.lock";
  auto held = bridge_lock::take(path);
  ASSERT_TRUE(held);
  held->write({::getpid(), "signing in", "https://evil.example/", "http://127.0.0.1:1/cb", 0, 0, 0, ""});
  ASSERT_EQ(::chown(path.c_str(), 65'534, 65'534), 0);
  EXPECT_TRUE(bridge_lock::take(path));
  EXPECT_EQ(bridge_lock::read(path).address, "");
}

TEST_F(BridgeStore, ALockThatIsNoFileHoldsNobodyBack) {
  auto path = root + "/a.lock";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto first = bridge_lock::take(path);
  EXPECT_TRUE(first);
  EXPECT_TRUE(bridge_lock::take(path));
  EXPECT_EQ(bridge_lock::read(path).pid, 0);
}

}  // namespace
}  // namespace mcp_oauth
