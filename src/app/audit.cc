#include "app/audit.h"

#include "app/append_file.h"
#include "base/time.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace mcp_oauth {
namespace {

time_point wall_clock() { return std::chrono::system_clock::now(); }

}  // namespace

audit_trail::~audit_trail() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

result<void> audit_trail::change(const audit_settings& conf) {
  std::lock_guard lock(mutex_);
  int fresh = -1;
  if (conf.enabled()) {
    auto opened = open_to_append(conf.file, "audit.file");
    if (!opened) return tl::unexpected<error>(opened.error());
    fresh = *opened;
  }
  if (int old = std::exchange(descriptor_, fresh); old >= 0) ::close(old);
  torn_ = fresh >= 0 && ends_within_a_line(conf.file);
  conf_ = conf;
  enabled_ = conf.enabled();
  refuses_ = conf.on_failure == "refuse";
  return {};
}

result<void> audit_trail::reopen() {
  std::lock_guard lock(mutex_);
  if (!conf_.enabled()) return {};
  auto fresh = open_to_append(conf_.file, "audit.file");
  if (!fresh) return tl::unexpected<error>(fresh.error());
  ::close(std::exchange(descriptor_, *fresh));
  torn_ = ends_within_a_line(conf_.file);
  return {};
}

result<void> audit_trail::record(std::string_view line) {
  std::lock_guard lock(mutex_);
  if (!conf_.enabled()) return {};
  auto written = settle();
  if (written) written = write(line);
  if (written) {
    ++written_;
    return {};
  }
  ++lost_;
  ++missing_;
  failed(written.error().detail);
  return written;
}

void audit_trail::lose(std::string_view why) {
  ++lost_;
  ++missing_;
  failed(std::string(why));
}

void audit_trail::retry() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock && conf_.enabled() && failing_since_ != 0) (void)settle();
}

audit_trail::condition audit_trail::now() const {
  return {enabled_, enabled_ && failing_since_ != 0, written_, lost_};
}

// Has the file take lines again, which after a failure begin with one that says what is missing.
result<void> audit_trail::settle() {
  auto state = state_of(descriptor_, conf_.file);
  if (state != file_state::in_place) {
    auto fresh = open_to_append(conf_.file, "audit.file");
    if (fresh) {
      ::close(std::exchange(descriptor_, *fresh));
      torn_ = ends_within_a_line(conf_.file);
    } else if (state == file_state::removed) {
      // What is written to a file without a name is lost.
      return fail(errc::audit_unwritable, fresh.error().detail);
    }
  }
  std::int64_t since = failing_since_;
  if (since == 0) return {};
  auto missing = missing_.exchange(0);
  std::string gap;
  {
    log_line line(gap, log_level::error, "audit", wall_clock());
    line.text("verdict", "unrecorded")
        .text("message", "decisions are missing here: the file could not be written")
        .text("since", to_iso8601(from_unix(since)))
        .number("missing", missing);
  }
  auto written = write(gap);
  if (!written) {
    missing_ += missing;
    return written;
  }
  failing_since_ = 0;
  log_.event(log_level::warn, "audit",
             "audit.file is written again; " + std::to_string(missing) + " decisions are missing in it");
  // One that was lost meanwhile is told of in the next such line.
  if (missing_ != 0) failing_since_ = to_unix(wall_clock());
  return {};
}

// In one piece, so that lines of several processes stay whole.
result<void> audit_trail::write(std::string_view lines) {
  std::string whole = torn_ ? "\n" : "";
  whole += lines;
  std::string_view left = whole;
  while (!left.empty()) {
    auto n = ::write(descriptor_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return fail(errc::audit_unwritable,
                  conf_.file + ": " + (n < 0 ? std::strerror(errno) : "nothing was taken"));
    }
    left.remove_prefix(static_cast<std::size_t>(n));
    torn_ = whole[whole.size() - left.size() - 1] != '\n';
  }
  return {};
}

void audit_trail::failed(std::string why) {
  std::int64_t not_yet = 0;
  if (!failing_since_.compare_exchange_strong(not_yet, to_unix(wall_clock()))) return;
  error what{errc::audit_unwritable, std::move(why)};
  log_.event(log_level::error, "audit",
             refuses_ ? "audit.file cannot be written: calls whose decision has to be recorded are refused"
                      : "audit.file cannot be written: what is decided goes unrecorded",
             &what);
}

}  // namespace mcp_oauth
