#include "app/bridge_credentials.h"

#include "app/bridge_store.h"

#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

class BridgeCredentials : public testing::Test {
 protected:
  BridgeCredentials() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bridge_credentials_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    settings.upstream.url = "http://127.0.0.1:1/mcp";
    settings.sign_in.token_cache_dir = folder;
    settings.sign_in.key_place = bridge_key_place::file;
    settings.sign_in.discovery = false;
    settings.sign_in.client_id = "c";
    // Where nobody listens: whoever is asked there has not been told that there is nothing to ask for.
    settings.sign_in.token_url = "http://127.0.0.1:1/token";
    settings.sign_in.authorization_url = "http://127.0.0.1:1/authorize";
  }
  ~BridgeCredentials() override { std::filesystem::remove_all(folder); }

  // A token that is good for an hour, and what another one is got with.
  kept_sign_in signed_in() const {
    kept_sign_in made;
    made.server = settings.upstream.url;
    made.tokens.emplace();
    auto& tokens = *made.tokens;
    tokens.client_id = "c";
    tokens.token_endpoint = settings.sign_in.token_url;
    tokens.access_token = secret("an access token");
    tokens.refresh_token = secret("a refresh token");
    tokens.obtained = std::chrono::system_clock::now();
    tokens.lifetime = seconds(3'600);
    return made;
  }

  struct seen {
    std::optional<result<bridge_token>> first, next;
    bool over = false;
  };
  static net::task<void> ask(bridge_credentials& of, seen& to) {
    auto got = co_await of.acquire(false);
    to.first = std::move(got);
    to.over = true;
  }
  static net::task<void> log_out_between(bridge_credentials& of, bridge_store& store, seen& to) {
    auto got = co_await of.acquire(false);
    auto generation = got ? got->generation : 0;
    to.first = std::move(got);
    store.remove();
    auto again = co_await of.renew(generation, 401, "Bearer", "", false);
    to.next = std::move(again);
    to.over = true;
  }
  // Until it is over. Ends what waits for another process, so that a test which would wait for ever fails.
  static net::task<void> watch(bridge_credentials& of, seen& until, net::worker& w) {
    while (!until.over) {
      if (of.waiting_for()) of.stop();
      net::sleep pause(w, milliseconds(5));
      co_await pause;
    }
    w.stop();
  }
  void run(bridge_credentials& of, net::task<void> what, seen& until) {
    net::spawn(std::move(what));
    net::spawn(watch(of, until, worker));
    worker.run();
  }

  static std::optional<std::string> nothing(std::string_view) { return std::nullopt; }

  std::string folder;
  bridge_settings settings;
  bridge_log log{bridge_log_level::fatal};
  net::worker worker{0};
  net::blocking_pool pool{1};
};

TEST_F(BridgeCredentials, WhoLoggedOutWhileABridgeRunsIsNotSignedInAgainByIt) {
  bridge_store store(settings, log, nothing);
  ASSERT_TRUE(store.write(signed_in()));
  bridge_credentials credentials(settings, worker, pool, log);
  seen got;
  run(credentials, log_out_between(credentials, store, got), got);
  ASSERT_TRUE(*got.first) << got.first->error().detail;
  EXPECT_EQ((*got.first)->value.reveal(), "an access token");
  ASSERT_FALSE(*got.next);
  EXPECT_EQ(got.next->error().code, errc::sign_in_person_needed) << got.next->error().detail;
  EXPECT_TRUE(store.is_gone());
  EXPECT_EQ(credentials.token_words(), "there is no token");
}

TEST_F(BridgeCredentials, ALockInAFolderWhereEverybodyMayWriteHoldsNobodyBack) {
  bridge_store store(settings, log, nothing);
  auto held = bridge_lock::take(store.lock_file());
  ASSERT_TRUE(held);
  held->write({::getpid(), "signing in", "https://evil.example/", "http://127.0.0.1:1/cb", 0, 0, 0, ""});
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  bridge_credentials credentials(settings, worker, pool, log);
  seen got;
  run(credentials, ask(credentials, got), got);
  ASSERT_FALSE(*got.first);
  EXPECT_EQ(got.first->error().code, errc::sign_in_person_needed) << got.first->error().detail;
}

TEST_F(BridgeCredentials, ALockInAFolderOfOnesOwnIsWaitedFor) {
  bridge_store store(settings, log, nothing);
  auto held = bridge_lock::take(store.lock_file());
  ASSERT_TRUE(held);
  bridge_credentials credentials(settings, worker, pool, log);
  seen got;
  run(credentials, ask(credentials, got), got);
  ASSERT_FALSE(*got.first);
  EXPECT_EQ(got.first->error().code, errc::bridge_ending) << got.first->error().detail;
}

}  // namespace
}  // namespace mcp_oauth
