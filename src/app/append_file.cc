#include "app/append_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>

namespace mcp_oauth {

result<int> open_to_append(const std::string& file, std::string_view key) {
  std::error_code failed;
  auto folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  if (failed)
    return fail(errc::file_unwritable,
                std::string(key) + ": folder " + folder.string() + ": " + failed.message());
  int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return fail(errc::file_unwritable, std::string(key) + " " + file + ": " + std::strerror(errno));
  return descriptor;
}

bool ends_within_a_line(const std::string& file) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(file, unknown)) return false;
  std::ifstream text(file, std::ios::binary | std::ios::ate);
  if (!text || text.tellg() <= 0) return false;
  text.seekg(-1, std::ios::end);
  return text.get() != '\n';
}

file_state state_of(int descriptor, const std::string& file) {
  struct stat open{};
  struct stat named{};
  if (::fstat(descriptor, &open) != 0 || !S_ISREG(open.st_mode)) return file_state::in_place;
  if (open.st_nlink == 0) return file_state::removed;
  bool there = ::stat(file.c_str(), &named) == 0;
  bool same = there && open.st_dev == named.st_dev && open.st_ino == named.st_ino;
  return same ? file_state::in_place : file_state::renamed;
}

}  // namespace mcp_oauth
