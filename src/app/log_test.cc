#include "app/log.h"

#include "app/descriptor_limit.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

std::string written(std::string_view value) {
  std::string out;
  {
    log_line(out, log_level::info, "t", time_point()).text("v", value);
  }
  auto at = out.find("\"v\":\"") + 5;
  return out.substr(at, out.size() - at - 3);
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(LogLine, PassesTextAndEscapesEverythingElse) {
  struct row {
    std::string value, line;
  };
  for (const auto& r :
       {row{"plain", "plain"},
        row{"Ad\xC3\xA4 \xE6\x97\xA5 \xF0\x9F\x98\x80", "Ad\xC3\xA4 \xE6\x97\xA5 \xF0\x9F\x98\x80"},
        row{"a\"b\\c", "a\\\"b\\\\c"}, row{"\n\x1b[31m\x7f", "\\u000a\\u001b[31m\\u007f"},
        row{"\xC2\x9B", "\\u009b"}, row{"\xC3", "\\u00c3"}, row{"\xFFx", "\\u00ffx"},
        row{"\xC0\xAF", "\\u00c0\\u00af"}, row{"\xED\xA0\x80", "\\u00ed\\u00a0\\u0080"},
        row{"\xE6\x97", "\\u00e6\\u0097"}}) {
    EXPECT_EQ(written(r.value), r.line);
  }
}

TEST(LogSink, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  std::string pattern = (std::filesystem::temp_directory_path() / "log_XXXXXX").string();
  std::string folder = ::mkdtemp(pattern.data());
  auto file = folder + "/proxy.log";
  {
    auto log = log_sink::open(file, log_level::info);
    ASSERT_TRUE(log);
    (*log)->event(log_level::info, "t", "before");
    std::filesystem::rename(file, file + ".1");
    ASSERT_TRUE((*log)->reopen());
    (*log)->event(log_level::info, "t", "after");
  }
  EXPECT_NE(content(file + ".1").find("before"), std::string::npos);
  EXPECT_EQ(content(file + ".1").find("after"), std::string::npos);
  EXPECT_NE(content(file).find("after"), std::string::npos);
  EXPECT_EQ(content(file).find("before"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(LogLine, OfTextIsReadByPeopleAndHasOneLineWhateverAClientSent) {
  log_settings conf;
  conf.format = "text";
  conf.fields = {{"service", "gate"}, {"where", "a b"}};
  auto style = log_style::of(conf);
  std::string out;
  {
    log_line line(out, log_level::warn, "proxy", time_point(), style);
    line.text("message", "it\nhappened").text("path", "/a b\"").text("empty", "").number("status", 7);
  }
  EXPECT_EQ(
      out,
      "1970-01-01T00:00:00.000Z warn  [proxy] it\\u000ahappened path=\"/a b\\\"\" status=7 service=gate "
      "where=\"a b\"\n");
}

TEST(LogLine, HasTheConfiguredFieldsAsJson) {
  log_settings conf;
  conf.fields = {{"service", "a \"gate\""}};
  auto style = log_style::of(conf);
  std::string out;
  append_trace(out, style, {topic::oauth_pkce, "m", {{"x", "y"}}}, "id", time_point());
  auto line = parse_json_object(out);
  ASSERT_TRUE(line) << out;
  EXPECT_EQ(text_member(*line, "service"), "a \"gate\"");
  EXPECT_EQ(text_member(*line, "namespace"), "oauth:pkce");
  EXPECT_EQ(text_member(*line, "component"), "oauth");
  EXPECT_EQ(text_member(*line, "request_id"), "id");
}

TEST(LogSink, WritesToAFileOfItsNameAgainWhenThatWasRemoved) {
  std::string pattern = (std::filesystem::temp_directory_path() / "log_XXXXXX").string();
  std::string folder = ::mkdtemp(pattern.data());
  auto file = folder + "/proxy.log";
  {
    auto log = log_sink::open(file, log_level::info);
    ASSERT_TRUE(log);
    std::filesystem::remove(file);
    (*log)->event(log_level::info, "t", "after");
  }
  EXPECT_NE(content(file).find("after"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(LogSink, ChangesItsLevelAndItsFileWhileItRuns) {
  std::string pattern = (std::filesystem::temp_directory_path() / "log_XXXXXX").string();
  std::string folder = ::mkdtemp(pattern.data());
  log_settings conf;
  conf.file = folder + "/one.log";
  {
    auto log = log_sink::open(conf);
    ASSERT_TRUE(log);
    (*log)->event(log_level::debug, "t", "unheard");
    (*log)->event(log_level::info, "t", "first");
    conf.file = folder + "/two.log";
    conf.level = "debug";
    ASSERT_TRUE((*log)->change(conf));
    (*log)->event(log_level::debug, "t", "second");
    conf.file = folder;
    EXPECT_FALSE((*log)->change(conf));
    (*log)->event(log_level::debug, "t", "third");
  }
  EXPECT_NE(content(folder + "/one.log").find("first"), std::string::npos);
  EXPECT_EQ(content(folder + "/one.log").find("unheard"), std::string::npos);
  EXPECT_NE(content(folder + "/two.log").find("second"), std::string::npos);
  EXPECT_NE(content(folder + "/two.log").find("third"), std::string::npos);
  std::filesystem::remove_all(folder);
}

// A limit on file sizes stands for the full disk. In a process of its own, since it is the process's.
TEST(LogSink, SaysOnStandardErrorWhatAFullDiskDoesNotTake) {
  std::string pattern = (std::filesystem::temp_directory_path() / "log_XXXXXX").string();
  std::string folder = ::mkdtemp(pattern.data());
  auto file = folder + "/proxy.log";
  std::array<int, 2> said{};
  ASSERT_EQ(::pipe(said.data()), 0);
  auto child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::dup2(said[1], STDERR_FILENO);
    auto log = log_sink::open(file, log_level::info);
    auto limit = [](rlim_t bytes) {
      rlimit of_files{};
      ::getrlimit(RLIMIT_FSIZE, &of_files);
      of_files.rlim_cur = bytes;
      ::setrlimit(RLIMIT_FSIZE, &of_files);
    };
    // Opening it anew waits for what was handed over.
    (*log)->event(log_level::info, "t", "with room");
    (void)(*log)->reopen();
    limit(std::filesystem::file_size(file) + 20);
    (*log)->event(log_level::info, "t", "cut in the middle");
    (void)(*log)->reopen();
    (*log)->event(log_level::info, "t", "without room");
    (void)(*log)->reopen();
    limit(RLIM_INFINITY);
    (*log)->event(log_level::info, "t", "with room again");
    log->reset();
    ::_exit(0);
  }
  ::close(said[1]);
  std::string errors;
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::read(said[0], piece.data(), piece.size())) > 0;)
    errors.append(piece.data(), static_cast<std::size_t>(n));
  ::close(said[0]);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);

  std::istringstream lines(errors);
  std::vector<std::string> messages;
  for (std::string line; std::getline(lines, line);) {
    auto members = parse_json_object(line);
    ASSERT_TRUE(members) << line;
    messages.push_back(text_member(*members, "message"));
    if (messages.size() == 1) {
      EXPECT_EQ(text_member(*members, "detail"), "File too large");
    }
  }
  EXPECT_EQ(messages, (std::vector<std::string>{
                          "the log cannot be written: its lines go to standard error until it can",
                          "cut in the middle", "without room"}));
  auto kept = content(file);
  EXPECT_NE(kept.find("with room again"), std::string::npos);
  EXPECT_EQ(kept.find("without room"), std::string::npos);
  EXPECT_NE(kept.find("went to standard error\",\"lines\":2"), std::string::npos) << kept;
  // The line that was cut has an end, so that the next is one of its own.
  auto after = kept.find("with room again");
  EXPECT_TRUE(parse_json_object(
      kept.substr(kept.rfind('\n', after) + 1, kept.find('\n', after) - kept.rfind('\n', after) - 1)))
      << kept;
  std::filesystem::remove_all(folder);
}

// It would hold up a reload, and the end.
TEST(LogSink, WaitsForNobodyWhoDoesNotReadStandardError) {
  std::string pattern = (std::filesystem::temp_directory_path() / "log_XXXXXX").string();
  std::string folder = ::mkdtemp(pattern.data());
  std::array<int, 2> unread{};
  ASSERT_EQ(::pipe(unread.data()), 0);
  auto child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::dup2(unread[1], STDERR_FILENO);
    auto log = log_sink::open(folder + "/proxy.log", log_level::info);
    rlimit of_files{};
    ::getrlimit(RLIMIT_FSIZE, &of_files);
    of_files.rlim_cur = 1;
    ::setrlimit(RLIMIT_FSIZE, &of_files);
    (*log)->write(std::string(1 << 20, 'x') + "\n");
    (void)(*log)->reopen();
    log->reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (int end : unread) ::close(end);
  std::filesystem::remove_all(folder);
}

TEST(DescriptorLimit, IsRaisedToWhatTheSystemAllows) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lowered{std::min<rlim_t>(before.rlim_max, 256), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
  auto raised = raise_descriptor_limit();
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(raised, after.rlim_cur == RLIM_INFINITY ? SIZE_MAX : after.rlim_cur);
}

TEST(DescriptorLimit, IsWarnedAboutWhenItDoesNotCarryTheConnections) {
  EXPECT_FALSE(descriptor_warning(20'000, 20'000));
  auto warning = descriptor_warning(1024, 20'000);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("1024"), std::string::npos);
  EXPECT_NE(warning->find("20000"), std::string::npos);
}

}  // namespace
}  // namespace mcp_oauth
