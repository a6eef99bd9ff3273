#pragma once

#include "app/log.h"
#include "base/error.h"
#include "config/settings.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The file of decisions. Unlike the log it drops nothing by itself: a line is in the file when `record` says
// so, and otherwise whoever asked knows, and the file says afterwards how many are missing and since when. A
// write blocks for as long as the disk does. Safe from every thread.
class audit_trail {
 public:
  // `log` outlives it; it hears when writing begins to fail, and when it works again.
  explicit audit_trail(log_sink& log) : log_(log) {}
  ~audit_trail();
  audit_trail(const audit_trail&) = delete;
  audit_trail& operator=(const audit_trail&) = delete;

  // Goes on as other settings say, in a file that is opened anew. Errors: file_unwritable; everything stays
  // as it was.
  result<void> change(const audit_settings& conf);
  // Opens the file anew under its name. One that was moved away or removed is noticed without this, at the
  // next line. Errors: file_unwritable; the old one stays in use.
  result<void> reopen();

  // `line` ends with a line feed. Errors: audit_unwritable, and the line counts as lost.
  result<void> record(std::string_view line);
  // A line that could not even be tried, since too many wait. This and the next two wait for no disk.
  void lose(std::string_view why);
  // Where the last write failed, whether one works again.
  void retry();

  struct condition {
    bool enabled = false, failing = false;
    std::uint64_t written = 0, lost = 0;
  };
  condition now() const;

 private:
  result<void> write(std::string_view lines);
  result<void> settle();
  void failed(std::string why);

  log_sink& log_;
  std::mutex mutex_;  // of the next three; held while the disk works
  audit_settings conf_;
  int descriptor_ = -1;
  bool torn_ = false;  // the file ends within a line
  std::atomic<bool> enabled_{false};
  std::atomic<bool> refuses_{true};
  std::atomic<std::uint64_t> written_{0}, lost_{0};
  std::atomic<std::uint64_t> missing_{0};       // of those, what the file was not told of yet
  std::atomic<std::int64_t> failing_since_{0};  // Unix time; 0: it is written
};

}  // namespace mcp_oauth
