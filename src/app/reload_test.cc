#include "app/reload.h"

#include "app/config_watch.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

namespace mcp_oauth {
namespace {

class ConfigWatch : public testing::Test {
 protected:
  ConfigWatch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "watch_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~ConfigWatch() override { std::filesystem::remove_all(folder); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
  }
  static bool stirs(const config_watch& watch) {
    pollfd one{watch.descriptor(), POLLIN, 0};
    return ::poll(&one, 1, 5000) == 1;
  }

  std::string folder;
};

TEST_F(ConfigWatch, SeesAFileThatIsWrittenInPlace) {
  write("config.yaml", "port: 1\n");
  config_watch watch(folder + "/config.yaml");
  write("config.yaml", "port: 2\n");
  EXPECT_TRUE(stirs(watch));
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed());
}

TEST_F(ConfigWatch, SeesAFileThatIsRenamedOverIt) {
  write("config.yaml", "port: 1\n");
  config_watch watch(folder + "/config.yaml");
  write("config.yaml~", "port: 2\n");
  std::filesystem::rename(folder + "/config.yaml~", folder + "/config.yaml");
  EXPECT_TRUE(stirs(watch));
  EXPECT_TRUE(watch.changed());
}

TEST_F(ConfigWatch, SeesALinkBeingSwappedAsKubernetesDoesIt) {
  std::filesystem::create_directory(folder + "/..1");
  std::filesystem::create_directory(folder + "/..2");
  write("..1/config.yaml", "port: 1\n");
  write("..2/config.yaml", "port: 2\n");
  std::filesystem::create_directory_symlink("..1", folder + "/..data");
  std::filesystem::create_symlink("..data/config.yaml", folder + "/config.yaml");
  config_watch watch(folder + "/config.yaml");
  std::filesystem::create_directory_symlink("..2", folder + "/..data_tmp");
  std::filesystem::rename(folder + "/..data_tmp", folder + "/..data");
  EXPECT_TRUE(stirs(watch));
  EXPECT_TRUE(watch.changed());
}

TEST_F(ConfigWatch, SeesAFileAppear) {
  config_watch watch(folder + "/config.yaml");
  write("config.yaml", "port: 1\n");
  EXPECT_TRUE(stirs(watch));
  EXPECT_TRUE(watch.changed());
}

TEST_F(ConfigWatch, TakesNoNoticeOfOtherFilesNorOfOneThatIsGoneOrEmpty) {
  write("config.yaml", "port: 1\n");
  config_watch watch(folder + "/config.yaml");
  write("oauth.db", "x");
  EXPECT_FALSE(watch.changed());
  write("config.yaml", "");
  EXPECT_FALSE(watch.changed());
  std::filesystem::remove(folder + "/config.yaml");
  EXPECT_FALSE(watch.changed());
  write("config.yaml", "port: 1\n");
  EXPECT_FALSE(watch.changed());
}

TEST(Reload, NamesWhatNeedsARestartAndKeepsIt) {
  settings running;
  running.encryption_key = secret(std::string(32, 'k'));
  running.database_url = "sqlite://oauth.db";
  settings wanted = running;
  wanted.log.level = "debug";
  wanted.timeouts.request = milliseconds(1);
  EXPECT_TRUE(cannot_change(running, wanted).empty());

  wanted.host = "0.0.0.0";
  wanted.port = 9090;
  wanted.workers = 3;
  wanted.database_url = "postgresql://user:password@db/name";
  wanted.encryption_key = secret(std::string(32, 'x'));
  wanted.tls = {"cert.pem", "key.pem"};
  std::string lines;
  auto pinned = cannot_change(running, wanted);
  for (const auto& one : pinned) lines += to_string(one) + "\n";
  EXPECT_EQ(lines,
            "host: 0.0.0.0 needs a restart; until then 127.0.0.1 stays\n"
            "port: 9090 needs a restart; until then 8080 stays\n"
            "workers: 3 needs a restart; until then 0 stays\n"
            "database_url: postgresql://***@db/name needs a restart; until then sqlite://oauth.db stays\n"
            "encryption_key: another value needs a restart\n"
            "tls.cert_file: cert.pem needs a restart; until then it stays unset\n"
            "tls.key_file: key.pem needs a restart; until then it stays unset\n");
  EXPECT_EQ(
      flags_of(pinned, running),
      (config_flags{{"host", "127.0.0.1"}, {"port", "8080"}, {"tls.cert_file", ""}, {"tls.key_file", ""}}));
  keep_fixed(running, wanted);
  EXPECT_TRUE(cannot_change(running, wanted).empty());
  EXPECT_EQ(wanted.log.level, "debug");
}

TEST(Reload, NeverTurnsAGatewayIntoAGuard) {
  settings running, wanted;
  running.mode = "gateway";
  wanted.mode = "native";
  auto pinned = cannot_change(running, wanted);
  ASSERT_EQ(pinned.size(), 1U);
  EXPECT_EQ(to_string(pinned[0]), "mode: native needs a restart; until then gateway stays");
  EXPECT_EQ(flags_of(pinned, running), (config_flags{{"mode", "gateway"}}));
}

TEST(Reload, KeepsTheFileOfFailuresWhereItWasOpened) {
  auto said = [](const settings& running, const settings& wanted) {
    std::string lines;
    for (const auto& one : cannot_change(running, wanted)) lines += to_string(one) + "\n";
    return lines;
  };
  settings gateway, other;
  other.explain.file = "failures.db";
  EXPECT_EQ(said(gateway, other), "explain.file: failures.db needs a restart; until then it stays unset\n");
  EXPECT_EQ(flags_of(cannot_change(gateway, other), gateway), (config_flags{{"explain.file", ""}}));
  keep_fixed(gateway, other);
  EXPECT_EQ(other.explain.file, "");

  // That of a guard is beside its log, which may move.
  settings guard;
  guard.mode = "native";
  guard.log.output = "file";
  guard.log.file = "logs/proxy.log";
  auto moved = guard;
  moved.log.file = "elsewhere/proxy.log";
  EXPECT_EQ(said(guard, moved),
            "explain.file: elsewhere/explain.db needs a restart; until then logs/explain.db stays\n");
  auto few = guard;
  few.explain.most = 10;
  EXPECT_EQ(said(guard, few), "");
  auto none = guard;
  none.explain.most = 0;
  EXPECT_EQ(said(guard, none), "");
  EXPECT_EQ(said(none, guard), "explain.most: 1000 needs a restart; until then 0 stays\n");
  gateway.explain.most = 0;
  EXPECT_EQ(said(gateway, settings()), "") << "the database is there anyway";
}

TEST(Reload, TakesAnotherCertificateWithoutARestart) {
  settings running;
  running.tls = {"a.pem", "a.key"};
  settings wanted;
  wanted.tls = {"b.pem", "b.key"};
  EXPECT_TRUE(cannot_change(running, wanted).empty());
  keep_fixed(running, wanted);
  EXPECT_EQ(wanted.tls.cert_file, "b.pem");
}

}  // namespace
}  // namespace mcp_oauth
