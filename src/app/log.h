#pragma once

#include "app/append_file.h"
#include "base/error.h"
#include "base/time.h"
#include "base/trace.h"
#include "config/settings.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace mcp_oauth {

enum class log_level { error, warn, info, debug, trace };
enum class log_format { json, text };

// How a line looks, and what stands on each.
struct log_style {
  log_format format = log_format::json;
  std::string constants = {};  // the fields of every line, as the format has them

  static log_style of(const log_settings& conf);
};

// Builds one line: of JSON, or of text, `time level [component] message name=value …`. Names are ours and
// need no escaping. Values are foreign: controls, and bytes that are no UTF-8, are written as \u00XX.
class log_line {
 public:
  log_line(std::string& out, log_level level, std::string_view component, time_point now,
           const log_style& style = plain_json());
  ~log_line();
  log_line(const log_line&) = delete;
  log_line& operator=(const log_line&) = delete;

  log_line& text(std::string_view name, std::string_view value);  // left out when empty
  log_line& number(std::string_view name, std::uint64_t value);
  log_line& milliseconds_of(std::string_view name, std::uint64_t microseconds);  // "duration_ms":1.25

 private:
  static const log_style& plain_json();
  void name_of(std::string_view name);

  std::string& out_;
  const log_style& style_;
};

// A line about one of the topics that DEBUG names, at level debug whatever the level of the log is.
void append_trace(std::string& out, const log_style& style, const trace_note& note,
                  std::string_view request_id, time_point now);

// Where log lines go: a file that only its owner may read, standard output, or standard error. Lines are
// handed over in batches and written by a thread of its own, so that a slow disk or a full pipe holds no
// request up; what does not fit into its bounded queue is dropped and counted in the next line. What a file
// does not take (a full disk) goes to standard error for as long as that lasts and somebody reads it.
class log_sink {
 public:
  // The folder of a file is made. Errors: file_unwritable.
  static result<std::unique_ptr<log_sink>> open(const log_settings& conf);
  // `file`: "" or "-" for standard output.
  static result<std::unique_ptr<log_sink>> open(const std::string& file, log_level level);
  ~log_sink();
  log_sink(const log_sink&) = delete;
  log_sink& operator=(const log_sink&) = delete;

  // Opens the file anew under its name, for whoever has moved it away; one that is gone from its name is
  // noticed without this, within seconds of the next line. Errors: file_unwritable; the old one stays in use.
  // Waits until what was handed over before is written.
  result<void> reopen();
  // Goes on as other settings say. Errors: file_unwritable; everything stays as it was.
  result<void> change(const log_settings& conf);

  bool wants(log_level level) const { return level <= level_.load(std::memory_order_relaxed); }
  void write(std::string_view lines);
  // One line outside of a request.
  void event(log_level level, std::string_view component, std::string_view message,
             const error* why = nullptr);
  // A line of detail outside of a request.
  void trace(const trace_note& note);

 private:
  log_sink(const log_settings& conf, int descriptor);
  static result<int> open_target(const log_settings& conf);
  void swap_target(std::unique_lock<std::mutex>& lock, const log_settings& conf, int descriptor);
  file_state state_of_file() const;
  void follow_name();
  bool is_torn() const;
  void put(int descriptor, std::string_view lines, const log_style& style, bool copies);
  void run();

  log_settings conf_;
  int descriptor_;
  std::atomic<log_level> level_;
  log_style style_;
  std::chrono::steady_clock::time_point looked_{};  // when the file was last compared with its name
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable written_;
  std::string queue_;
  std::uint64_t dropped_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  // Of a file that took nothing, or half a line; touched by whoever may write.
  std::uint64_t diverted_ = 0;  // lines that went to standard error
  bool torn_;                   // the file ends within a line
  std::thread thread_;
};

log_level parse_log_level(std::string_view name);

}  // namespace mcp_oauth
