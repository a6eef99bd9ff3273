#include "app/file_access.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

std::string user_of(uid_t id) {
  const passwd* entry = ::getpwuid(id);
  return entry != nullptr ? entry->pw_name : "user " + std::to_string(id);
}

// "Permission denied (/etc/x: owner root, mode 0600; this runs as daemon)"
std::string cause(int os, const std::string& path) {
  std::string text = std::generic_category().message(os);
  struct stat found{};
  if (os != EACCES || ::stat(path.c_str(), &found) != 0) return text;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", found.st_mode & 07777U);
  return text + " (owner " + user_of(found.st_uid) + ", mode " + mode + "; this runs as " +
         user_of(::geteuid()) + ")";
}

}  // namespace

result<std::string> read_file_text(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(errc::file_unreadable, "is a folder, not a file");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errc::file_unreadable, cause(errno, path));
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
    return fail(errc::file_unwritable, path + ": " + cause(errno, path));
  }
  auto folder = std::filesystem::path(absolute_path(path)).parent_path();
  while (!std::filesystem::exists(folder, ignored) && folder.has_relative_path())
    folder = folder.parent_path();
  if (!std::filesystem::is_directory(folder, ignored)) {
    return fail(errc::file_unwritable, path + ": " + folder.string() + " is no folder");
  }
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return fail(errc::file_unwritable,
              path + ": nothing can be made in " + folder.string() + ": " + cause(errno, folder.string()));
}

std::string absolute_path(const std::string& path) {
  std::error_code failed;
  auto full = std::filesystem::absolute(path, failed);
  return failed ? path : full.lexically_normal().string();
}

}  // namespace mcp_oauth
