#include "app/file_access.h"

#include "base/file_words.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace mcp_oauth {
result<std::string> read_file_text(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(errc::file_unreadable, "is a folder, not a file");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errc::file_unreadable, file_words(errno, path));
  std::ostringstream text;
  // An empty file leaves the stream failed without being one.
  if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (file.bad()) return fail(errc::file_unreadable, "the file ends early");
  return text.str();
}

result<void> check_writable(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(errc::file_unwritable, path + " is a folder, not a file");
  }
  if (std::filesystem::exists(path, ignored)) {
    if (::access(path.c_str(), R_OK | W_OK) == 0) return {};
    return fail(errc::file_unwritable, path + ": " + file_words(errno, path));
  }
  auto folder = std::filesystem::path(absolute_path(path)).parent_path();
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path())
    folder = folder.parent_path();
  if (!std::filesystem::is_directory(folder, ignored)) {
    return fail(errc::file_unwritable, path + ": " + folder.string() + " is no folder");
  }
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return fail(errc::file_unwritable, path + ": nothing can be made in " + folder.string() + ": " +
                                         file_words(errno, folder.string()));
}

std::string absolute_path(const std::string& path) {
  std::error_code failed;
  auto full = std::filesystem::absolute(path, failed);
  return failed ? path : full.lexically_normal().string();
}

}  // namespace mcp_oauth
