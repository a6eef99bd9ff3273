#include "base/file_words.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

std::string user_of(uid_t id) {
  const passwd* entry = ::getpwuid(id);
  return entry != nullptr ? entry->pw_name : "user " + std::to_string(id);
}

}  // namespace

std::string file_words(int os, const std::string& path) {
  std::string text = std::generic_category().message(os);
  struct stat found{};
  if (os != EACCES || ::stat(path.c_str(), &found) != 0) return text;
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", found.st_mode & 07777U);
  return text + " (owner " + user_of(found.st_uid) + ", mode " + mode + "; this runs as " +
         user_of(::geteuid()) + ")";
}

std::string why_unreadable(const std::string& path) {
  int open = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (open < 0) return file_words(errno, path);
  struct stat found{};
  bool folder = ::fstat(open, &found) == 0 && S_ISDIR(found.st_mode);
  ::close(open);
  return folder ? "is a folder, not a file" : "";
}

}  // namespace mcp_oauth
