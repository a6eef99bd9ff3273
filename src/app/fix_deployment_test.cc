#include "app/fix_deployment.h"

#include "app/file_access.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

class file_of_test {
 public:
  explicit file_of_test(const std::string& text) {
    static int made = 0;
    path = (std::filesystem::temp_directory_path() /
            ("mop-fix-" + std::to_string(::getpid()) + "-" + std::to_string(made++)))
               .string();
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0640);
  }
  file_of_test(const file_of_test&) = delete;
  file_of_test& operator=(const file_of_test&) = delete;
  ~file_of_test() { std::filesystem::remove(path); }
  std::string text() const { return read_file_text(path).value_or("?"); }
  unsigned mode() const {
    struct stat about{};
    ::stat(path.c_str(), &about);
    return about.st_mode & 07777;
  }
  std::string path;
};

examination with(proposed_change change) {
  examination made;
  made.findings.emplace_back();
  made.findings.back().change = std::move(change);
  return made;
}

TEST(FixDeployment, ChangesTheOneLineThatHoldsTheValue) {
  struct row {
    const char *before, *after;
  };
  for (auto [before, after] :
       {row{"a: 1\nurl: http://h/x  # why\nb: 2\n", "a: 1\nurl: http://h/y  # why\nb: 2\n"},
        row{"url: \"http://h/x\"\n", "url: \"http://h/y\"\n"},
        row{"  - url: 'http://h/x'", "  - url: 'http://h/y'"},
        row{"{\n  \"url\": \"http://h/x\",\n}", "{\n  \"url\": \"http://h/y\",\n}"}}) {
    file_of_test file(before);
    auto changes = changes_of(with({proposed_change::kind::value, file.path, "http://h/x", "http://h/y"}));
    ASSERT_EQ(changes.size(), 1u) << before;
    EXPECT_NE(to_text(changes, false).find("Nothing was changed"), std::string::npos);
    EXPECT_EQ(file.text(), before);
    make_changes(changes);
    EXPECT_TRUE(changes.front().made) << changes.front().failure;
    EXPECT_EQ(file.text(), after);
    EXPECT_EQ(file.mode(), 0640u);
  }
}

TEST(FixDeployment, TouchesNothingThatItIsNotSureOf) {
  for (const char* text :
       {"url: http://h/xy\n", "url: http://h/x\nother: http://h/x\n", "# url: http://h/z\n", "http://h/x\n",
        "url: ${URL}\n", "url: http://h/x and more\n"}) {
    file_of_test file(text);
    EXPECT_TRUE(
        changes_of(with({proposed_change::kind::value, file.path, "http://h/x", "http://h/y"})).empty())
        << text;
  }
}

TEST(FixDeployment, LeavesAFileThatWasChangedMeanwhile) {
  file_of_test file("url: http://h/x\n");
  auto changes = changes_of(with({proposed_change::kind::value, file.path, "http://h/x", "http://h/y"}));
  std::ofstream(file.path) << "url: http://h/z\n";
  make_changes(changes);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes.front().made);
  EXPECT_EQ(file.text(), "url: http://h/z\n");
  EXPECT_NE(to_text(changes, true).find("not changed"), std::string::npos);
}

TEST(FixDeployment, NarrowsAMode) {
  file_of_test file("x");
  auto changes = changes_of(with({proposed_change::kind::mode, file.path, "0640", "0600"}));
  make_changes(changes);
  EXPECT_EQ(file.mode(), 0600u);
  auto gone = changes_of(with({proposed_change::kind::mode, "/nonexistent/file", "0640", "0600"}));
  make_changes(gone);
  EXPECT_FALSE(gone.front().made);
  EXPECT_EQ(to_json(gone).front().as_object().at("made").as_bool(), false);
}

}  // namespace
}  // namespace mcp_oauth
