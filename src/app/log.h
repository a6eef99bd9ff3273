#pragma once

#include "base/error.h"
#include "base/time.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace mcp_oauth {

enum class log_level { error, warn, info, debug };

// Builds one line of JSON. Names are ours and need no escaping. Values are foreign: controls, and bytes that
// are no UTF-8, are written as \u00XX.
class log_line {
 public:
  log_line(std::string& out, log_level level, std::string_view component, time_point now);
  ~log_line() { out_ += "}\n"; }
  log_line(const log_line&) = delete;
  log_line& operator=(const log_line&) = delete;

  log_line& text(std::string_view name, std::string_view value);  // left out when empty
  log_line& number(std::string_view name, std::uint64_t value);
  log_line& milliseconds_of(std::string_view name, std::uint64_t microseconds);  // "duration_ms":1.25

 private:
  std::string& out_;
};

// Where log lines go: a file that only its owner may read, or standard output. Lines are handed over in
// batches and written by a thread of its own, so that a slow disk or a full pipe holds no request up; what
// does not fit into its bounded queue is dropped and counted in the next line.
class log_sink {
 public:
  // `file`: "" or "-" for standard output; its folder is made. Errors: file_unwritable.
  static result<std::unique_ptr<log_sink>> open(const std::string& file, log_level level);
  ~log_sink();
  log_sink(const log_sink&) = delete;
  log_sink& operator=(const log_sink&) = delete;

  // Opens the file anew under its name, for whoever has moved it away. Errors: file_unwritable; the old one
  // stays in use. Waits until what was handed over before is written.
  result<void> reopen();

  bool wants(log_level level) const { return level <= level_; }
  void write(std::string_view lines);
  // One line outside of a request.
  void event(log_level level, std::string_view component, std::string_view message,
             const error* why = nullptr);

 private:
  log_sink(std::string file, int descriptor, log_level level);
  static result<int> open_file(const std::string& file);
  void run();

  std::string file_;
  int descriptor_;
  log_level level_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable written_;
  std::string queue_;
  std::uint64_t dropped_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

log_level parse_log_level(std::string_view name);

}  // namespace mcp_oauth
