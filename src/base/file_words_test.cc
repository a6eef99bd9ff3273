#include "base/file_words.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(FileWords, AreTheSystemsAndNameTheOwnerWhereThatMatters) {
  auto folder = std::filesystem::temp_directory_path() / ("mop-words-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  auto file = (folder / "key.pem").string();
  EXPECT_EQ(why_unreadable(file), "No such file or directory");
  std::ofstream(file) << "x";
  EXPECT_EQ(why_unreadable(file), "");
  EXPECT_EQ(why_unreadable(folder.string()), "is a folder, not a file");
  std::filesystem::permissions(file, std::filesystem::perms::none);
  EXPECT_THAT(file_words(EACCES, file),
              MatchesRegex(R"(Permission denied \(owner [^,]+, mode 0000; this runs as .+\))"));
  if (::geteuid() != 0) {
    EXPECT_THAT(why_unreadable(file), HasSubstr("Permission denied (owner "));
  }
  EXPECT_EQ(file_words(EACCES, (folder / "none").string()), "Permission denied");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace mcp_oauth
