#include "app/audit.h"

#include "base/json.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

namespace mcp_oauth {
namespace {

class Audit : public ::testing::Test {
 protected:
  Audit() {
    std::string pattern = (std::filesystem::temp_directory_path() / "audit_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    log_ = *log_sink::open(folder_ + "/proxy.log", log_level::info);
    trail_ = std::make_unique<audit_trail>(*log_);
    conf_.file = folder_ + "/deep/audit.log";
  }
  ~Audit() override {
    trail_.reset();
    log_.reset();
    std::filesystem::remove_all(folder_);
  }

  static std::string content(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string logged() {
    (void)log_->reopen();
    return content(folder_ + "/proxy.log");
  }

  std::string folder_;
  std::unique_ptr<log_sink> log_;
  std::unique_ptr<audit_trail> trail_;
  audit_settings conf_;
};

TEST_F(Audit, WithoutAFileNothingIsKeptAndNothingFails) {
  EXPECT_TRUE(trail_->record("a\n"));
  EXPECT_TRUE(trail_->reopen());
  EXPECT_FALSE(trail_->now().enabled);
  EXPECT_EQ(trail_->now().written, 0U);
}

TEST_F(Audit, ALineIsInTheFileWhenItIsSaidToBe) {
  ASSERT_TRUE(trail_->change(conf_));
  ASSERT_TRUE(trail_->record("{\"a\":1}\n"));
  EXPECT_EQ(content(conf_.file), "{\"a\":1}\n");
  struct stat seen{};
  ASSERT_EQ(::stat(conf_.file.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600U) << "only its owner reads it";
  EXPECT_EQ(trail_->now().written, 1U);
}

TEST_F(Audit, ALineThatAProcessBeforeLeftTornIsNotGoneOnWith) {
  conf_.file = folder_ + "/audit.log";
  std::ofstream(conf_.file) << "whole\nto";
  ASSERT_TRUE(trail_->change(conf_));
  ASSERT_TRUE(trail_->record("next\n"));
  ASSERT_TRUE(trail_->reopen());
  ASSERT_TRUE(trail_->record("last\n"));
  EXPECT_EQ(content(conf_.file), "whole\nto\nnext\nlast\n");
}

TEST_F(Audit, LinesOfManyThreadsStayWhole) {
  ASSERT_TRUE(trail_->change(conf_));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 200; ++i) (void)trail_->record(std::string(300, 'x') + "\n");
    });
  }
  for (auto& t : threads) t.join();
  std::istringstream lines(content(conf_.file));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_EQ(line.size(), 300U);
  EXPECT_EQ(count, 800);
}

TEST_F(Audit, AFileThatWasMovedOrRemovedIsMadeAnewAtTheNextLine) {
  ASSERT_TRUE(trail_->change(conf_));
  ASSERT_TRUE(trail_->record("1\n"));
  std::filesystem::rename(conf_.file, conf_.file + ".1");
  ASSERT_TRUE(trail_->record("2\n"));
  EXPECT_EQ(content(conf_.file + ".1"), "1\n");
  EXPECT_EQ(content(conf_.file), "2\n");
  std::filesystem::remove(conf_.file);
  ASSERT_TRUE(trail_->record("3\n"));
  EXPECT_EQ(content(conf_.file), "3\n");
  ASSERT_TRUE(trail_->reopen());
  ASSERT_TRUE(trail_->record("4\n"));
  EXPECT_EQ(content(conf_.file), "3\n4\n");
}

TEST_F(Audit, WhereNoFileCanBeMadeInItsPlaceALineIsLostAndCounted) {
  ASSERT_TRUE(trail_->change(conf_));
  std::filesystem::remove_all(folder_ + "/deep");
  std::ofstream(folder_ + "/deep") << "a file where the folder was";
  auto lost = trail_->record("1\n");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, errc::audit_unwritable);
  EXPECT_FALSE(trail_->reopen());
  trail_->retry();
  EXPECT_TRUE(trail_->now().failing);
  std::filesystem::remove(folder_ + "/deep");
  trail_->retry();
  EXPECT_FALSE(trail_->now().failing);
  EXPECT_NE(content(conf_.file).find("\"missing\":1"), std::string::npos);
}

TEST_F(Audit, AFullDiskIsAnErrorThatTheFileTellsOfAfterwards) {
  conf_.file = "/dev/full";
  ASSERT_TRUE(trail_->change(conf_));
  for (int i = 0; i < 3; ++i) {
    auto lost = trail_->record("x\n");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, errc::audit_unwritable);
    EXPECT_NE(lost.error().detail.find("No space left"), std::string::npos) << lost.error().detail;
  }
  trail_->lose("too many wait");
  trail_->retry();
  auto now = trail_->now();
  EXPECT_TRUE(now.failing);
  EXPECT_EQ(now.written, 0U);
  EXPECT_EQ(now.lost, 4U);
  conf_.file = folder_ + "/audit.log";
  ASSERT_TRUE(trail_->change(conf_));
  ASSERT_TRUE(trail_->record("{\"next\":1}\n"));
  std::istringstream lines(content(conf_.file));
  std::string gap, next, none;
  std::getline(lines, gap);
  std::getline(lines, next);
  EXPECT_FALSE(std::getline(lines, none));
  auto said = parse_json(gap);
  ASSERT_TRUE(said) << gap;
  EXPECT_EQ(said->at("verdict").as_string(), "unrecorded");
  EXPECT_EQ(said->at("missing").as_int64(), 4);
  EXPECT_EQ(next, "{\"next\":1}");
  EXPECT_FALSE(trail_->now().failing);
  auto log = logged();
  auto first = log.find("audit.file cannot be written");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(log.find("audit.file cannot be written", first + 1), std::string::npos) << "once, not for each";
  EXPECT_NE(log.find("4 decisions are missing in it"), std::string::npos);
}

TEST_F(Audit, SettingsThatCannotBeTakenUpLeaveTheOldFileInUse) {
  ASSERT_TRUE(trail_->change(conf_));
  auto other = conf_;
  other.file = folder_;
  auto refused = trail_->change(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::file_unwritable);
  EXPECT_NE(refused.error().detail.find("audit.file"), std::string::npos);
  ASSERT_TRUE(trail_->record("still\n"));
  EXPECT_EQ(content(conf_.file), "still\n");
  ASSERT_TRUE(trail_->change({}));
  EXPECT_FALSE(trail_->now().enabled);
}

}  // namespace
}  // namespace mcp_oauth
