#include "app/key_file.h"

#include "app/file_access.h"
#include "base/base64url.h"
#include "config/value.h"
#include "jose/random.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t key_bytes = 32;

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int number() const { return fd_; }

 private:
  int fd_;
};

// Nothing: there is no such file.
result<std::optional<secret>> read_key(const std::string& path, std::vector<std::string>& warnings) {
  descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail(errc::file_unreadable, path + ": " + std::strerror(errno));
  struct stat about{};
  if (::fstat(file.number(), &about) == 0 && (about.st_mode & 077) != 0)
    warnings.push_back(path + " can be read by others than its owner: chmod 600 " + path);
  char text[128];
  auto n = ::read(file.number(), text, sizeof text);
  if (n < 0) return fail(errc::file_unreadable, path + ": " + std::strerror(errno));
  std::string_view seen(text, static_cast<std::size_t>(n));
  while (!seen.empty() && (seen.back() == '\n' || seen.back() == '\r' || seen.back() == ' '))
    seen.remove_suffix(1);
  if (seen.empty())
    return fail(errc::seal_broken, path + " is empty: restore it, or remove it to begin anew");
  auto key = decode_encryption_key(seen);
  if (!key || key->size() != key_bytes)
    return fail(errc::file_unreadable,
                path + ": does not hold a key of 32 bytes in base64, base64url or hex");
  return std::optional<secret>(secret(std::move(*key)));
}

bool write_and_sync(const std::string& path, std::string_view text) {
  descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file && ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         ::fsync(file.number()) == 0;
}

void sync_folder_of(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path();
  descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.number());
}

// Puts a whole key under the name, unless somebody else was first.
result<void> make_key(const std::string& path) {
  auto unfinished = path + "." + base64url_encode(random_bytes(9)) + ".new";
  bool written = write_and_sync(unfinished, base64url_encode(random_bytes(key_bytes)) + "\n");
  bool named = written && (::link(unfinished.c_str(), path.c_str()) == 0 || errno == EEXIST);
  int why = errno;
  ::unlink(unfinished.c_str());
  if (!named) return fail(errc::file_unwritable, path + ": " + std::strerror(why));
  sync_folder_of(path);
  return {};
}

}  // namespace

result<secret> key_from_file(const std::string& path, record_store& store, time_point now,
                             std::vector<std::string>& warnings) {
  auto known = read_key(path, warnings);
  if (!known) return tl::unexpected<error>(known.error());
  if (*known) return std::move(**known);
  auto sealed = store.list("signing_key", now, 1);
  if (!sealed) return tl::unexpected<error>(sealed.error());
  if (!sealed->empty())
    return fail(errc::seal_broken, path +
                                       " is missing, and the database holds keys sealed with it: restore it, "
                                       "or start with a new database");
  auto made = make_key(path);
  if (!made) return tl::unexpected<error>(made.error());
  known = read_key(path, warnings);
  if (!known) return tl::unexpected<error>(known.error());
  if (!*known) return fail(errc::file_unreadable, path + " vanished");
  return std::move(**known);
}

result<secret> read_key_file(const std::string& path) {
  auto text = read_file_text(path);
  if (!text) return fail(errc::file_unreadable, path + ": " + text.error().detail);
  while (text->ends_with('\n') || text->ends_with('\r') || text->ends_with(' ')) text->pop_back();
  if (auto key = decode_encryption_key(*text)) return secret(std::move(*key));
  return fail(errc::file_unreadable, path + ": does not hold a key of 32 bytes in base64, base64url or hex");
}

}  // namespace mcp_oauth
