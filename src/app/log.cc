#include "app/log.h"

#include "base/plain_run.h"
#include "base/text.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t largest_queue = 8 * 1024 * 1024;

void append_byte_escape(std::string& out, unsigned char byte) {
  constexpr char hex[] = "0123456789abcdef";
  out += "\\u00";
  out += hex[byte >> 4];
  out += hex[byte & 15];
}

// How many bytes the character takes that the text begins with; 0 when they are no UTF-8.
std::size_t utf8_length(std::string_view text) {
  auto lead = static_cast<unsigned char>(text.front());
  std::size_t size = lead < 0x80   ? 1
                     : lead < 0xC2 ? 0
                     : lead < 0xE0 ? 2
                     : lead < 0xF0 ? 3
                     : lead < 0xF5 ? 4
                                   : 0;
  return size <= text.size() && is_valid_utf8(text.substr(0, size)) ? size : 0;
}

// A log line is valid JSON, and safe to look at in a terminal, whatever a client sent.
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const char* stop =
        pass_plain<beyond_ascii::stops, '"', '\\', '\x7F'>(text.data(), text.data() + text.size());
    auto run = static_cast<std::size_t>(stop - text.data());
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) return;
    auto byte = static_cast<unsigned char>(text.front());
    auto size = byte < 0x80 ? 1 : utf8_length(text);
    bool c1_control = size == 2 && byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text.front();
    } else if (byte < 0x20 || byte == 0x7F || size == 0) {
      append_byte_escape(out, byte);
    } else if (c1_control) {
      append_byte_escape(out, static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  auto* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

std::string_view level_name(log_level level) {
  switch (level) {
    case log_level::error: return "error";
    case log_level::warn: return "warn";
    case log_level::info: return "info";
    case log_level::debug: return "debug";
  }
  __builtin_unreachable();
}

// The second part is the same for a thousand lines a second.
void append_time(std::string& out, time_point now) {
  thread_local std::int64_t second = -1;
  thread_local std::string text;
  auto ms = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
  if (ms / 1000 != second) {
    second = ms / 1000;
    text = to_iso8601(now).substr(0, 20);
  }
  out += text;
  auto rest = static_cast<unsigned>(ms % 1000);
  out += static_cast<char>('0' + rest / 100);
  out += static_cast<char>('0' + rest / 10 % 10);
  out += static_cast<char>('0' + rest % 10);
  out += 'Z';
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nowhere left to say so
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

log_line::log_line(std::string& out, log_level level, std::string_view component, time_point now)
    : out_(out) {
  out_ += "{\"timestamp\":\"";
  append_time(out_, now);
  out_ += "\",\"level\":\"";
  out_ += level_name(level);
  out_ += "\",\"component\":\"";
  out_ += component;
  out_ += '"';
}

log_line& log_line::text(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  out_ += ",\"";
  out_ += name;
  out_ += "\":\"";
  append_escaped(out_, value);
  out_ += '"';
  return *this;
}

log_line& log_line::number(std::string_view name, std::uint64_t value) {
  out_ += ",\"";
  out_ += name;
  out_ += "\":";
  append_number(out_, value);
  return *this;
}

log_line& log_line::milliseconds_of(std::string_view name, std::uint64_t microseconds) {
  number(name, microseconds / 1000);
  auto rest = microseconds % 1000;
  out_ += '.';
  out_ += static_cast<char>('0' + rest / 100);
  out_ += static_cast<char>('0' + rest / 10 % 10);
  out_ += static_cast<char>('0' + rest % 10);
  return *this;
}

result<std::unique_ptr<log_sink>> log_sink::open(const std::string& file, log_level level) {
  auto descriptor = open_file(file);
  if (!descriptor) return tl::unexpected<error>(descriptor.error());
  return std::unique_ptr<log_sink>(new log_sink(file, *descriptor, level));
}

result<int> log_sink::open_file(const std::string& file) {
  if (file.empty() || file == "-") return STDOUT_FILENO;
  std::error_code ignored;
  auto folder = std::filesystem::path(file).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return fail(errc::file_unwritable, "logging.file " + file + ": " + std::strerror(errno));
  return descriptor;
}

result<void> log_sink::reopen() {
  auto fresh = open_file(file_);
  if (!fresh) return tl::unexpected<error>(fresh.error());
  if (*fresh == STDOUT_FILENO) return {};
  std::unique_lock lock(mutex_);
  // Lines handed over before go to the old file.
  written_.wait(lock, [this] { return queue_.empty() && !writing_; });
  ::close(std::exchange(descriptor_, *fresh));
  return {};
}

log_sink::log_sink(std::string file, int descriptor, log_level level)
    : file_(std::move(file)), descriptor_(descriptor), level_(level), thread_([this] { run(); }) {}

log_sink::~log_sink() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

void log_sink::write(std::string_view lines) {
  if (lines.empty()) return;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() + lines.size() > largest_queue) {
      ++dropped_;
      return;
    }
    queue_ += lines;
  }
  wake_.notify_one();
}

void log_sink::event(log_level level, std::string_view component, std::string_view message,
                     const error* why) {
  if (!wants(level)) return;
  std::string out;
  {
    log_line line(out, level, component, std::chrono::system_clock::now());
    line.text("message", message);
    if (why != nullptr) {
      const auto& row = explain(why->code);
      line.text("symptom", row.id).text("error", row.name).text("detail", why->detail).text("fix", row.fix);
    }
  }
  write(out);
}

void log_sink::run() {
  std::string batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty() && stopping_) return;
    batch.swap(queue_);
    auto dropped = std::exchange(dropped_, 0);
    int descriptor = descriptor_;
    writing_ = true;
    lock.unlock();
    write_all(descriptor, batch);
    if (dropped > 0) {
      std::string note;
      {
        log_line line(note, log_level::warn, "log", std::chrono::system_clock::now());
        line.text("message", "batches of log lines were dropped: the log could not be written fast enough")
            .number("dropped", dropped);
      }
      write_all(descriptor, note);
    }
    batch.clear();
    if (batch.capacity() > 256 * 1024) batch.shrink_to_fit();
    lock.lock();
    writing_ = false;
    written_.notify_all();
  }
}

log_level parse_log_level(std::string_view name) {
  if (name == "error") return log_level::error;
  if (name == "warn") return log_level::warn;
  if (name == "debug") return log_level::debug;
  return log_level::info;
}

}  // namespace mcp_oauth
