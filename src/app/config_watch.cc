#include "app/config_watch.h"

#include "app/file_access.h"

#include <array>
#include <filesystem>
#include <set>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr int settled_after_ms = 100;
// A folder in which somebody writes all the time does not keep us from looking.
constexpr int most_rounds = 20;

// The folders in which a change could change what stands under the name: its own, and those of what its
// links lead to.
std::set<std::string> folders_of(const std::string& file) {
  namespace fs = std::filesystem;
  std::set<std::string> folders;
  fs::path at = fs::path(absolute_path(file));
  for (int links = 0; links < 16; ++links) {
    folders.insert(at.parent_path().string());
    std::error_code failed;
    if (!fs::is_symlink(at, failed)) break;
    auto to = fs::read_symlink(at, failed);
    if (failed) break;
    at = to.is_absolute() ? to : at.parent_path() / to;
  }
  return folders;
}

}  // namespace

config_watch::config_watch(std::string file) : file_(std::move(file)) {
  if (file_.empty()) return;
  descriptor_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor_ < 0) return;
  for (const auto& folder : folders_of(file_)) {
    ::inotify_add_watch(descriptor_, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
  }
  remember();
}

config_watch::~config_watch() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::string> config_watch::text() const {
  auto now = read_file_text(file_);
  if (!now || now->empty()) return std::nullopt;
  return std::move(*now);
}

void config_watch::remember() {
  if (auto now = text()) known_ = std::move(now);
}

bool config_watch::changed() {
  std::array<char, 4096> events;
  for (int round = 0; round < most_rounds; ++round) {
    while (::read(descriptor_, events.data(), events.size()) > 0) {
    }
    pollfd one{descriptor_, POLLIN, 0};
    if (::poll(&one, 1, settled_after_ms) <= 0) break;
  }
  auto now = text();
  if (!now || now == known_) return false;
  known_ = std::move(now);
  return true;
}

}  // namespace mcp_oauth
