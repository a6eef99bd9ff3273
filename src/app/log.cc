#include "app/log.h"

#include "base/plain_run.h"
#include "base/text.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <system_error>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t largest_queue = 8 * 1024 * 1024;
// How often the log file is compared with its name.
constexpr std::chrono::seconds look_every{1};

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
    case log_level::trace: return "trace";
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

// How many bytes were written; fewer than all where it failed, as errno says.
std::size_t write_all(int descriptor, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto n = ::write(descriptor, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

// To standard error in place of a file that takes nothing: as far as it is read. A pipe that nobody reads
// must hold neither a reload nor the end up. A pipe with room takes PIPE_BUF bytes at once (poll(2),
// pipe(7)).
std::size_t write_while_taken(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    pollfd place{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&place, 1, 100) != 1 || (place.revents & POLLOUT) == 0) break;
    auto piece = bytes.substr(done, PIPE_BUF);
    auto written = write_all(STDERR_FILENO, piece);
    done += written;
    if (written < piece.size()) break;
  }
  return done;
}

bool is_a_word(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
  });
}

void append_text_value(std::string& out, std::string_view value) {
  if (is_a_word(value)) {
    out += value;
    return;
  }
  out += '"';
  append_escaped(out, value);
  out += '"';
}

void append_constant(std::string& out, log_format format, std::string_view name, std::string_view value) {
  if (format == log_format::json) {
    out += ",\"";
    out += name;
    out += "\":\"";
    append_escaped(out, value);
    out += '"';
  } else {
    out += ' ';
    out += name;
    out += '=';
    append_text_value(out, value);
  }
}

std::string_view component_of(topic about) {
  auto name = to_name(about);
  return name.substr(0, name.find(':'));
}

}  // namespace

log_style log_style::of(const log_settings& conf) {
  log_style style;
  style.format = conf.format == "text" ? log_format::text : log_format::json;
  for (const auto& [name, value] : conf.fields) append_constant(style.constants, style.format, name, value);
  return style;
}

const log_style& log_line::plain_json() {
  static const log_style style;
  return style;
}

log_line::log_line(std::string& out, log_level level, std::string_view component, time_point now,
                   const log_style& style)
    : out_(out), style_(style) {
  if (style_.format == log_format::text) {
    append_time(out_, now);
    out_ += ' ';
    auto name = level_name(level);
    out_ += name;
    out_.append(6 - name.size(), ' ');
    out_ += '[';
    out_ += component;
    out_ += ']';
    return;
  }
  out_ += "{\"timestamp\":\"";
  append_time(out_, now);
  out_ += "\",\"level\":\"";
  out_ += level_name(level);
  out_ += "\",\"component\":\"";
  out_ += component;
  out_ += '"';
}

log_line::~log_line() {
  out_ += style_.constants;
  out_ += style_.format == log_format::json ? "}\n" : "\n";
}

void log_line::name_of(std::string_view name) {
  bool text = style_.format == log_format::text;
  auto before = text ? std::string_view(" ") : std::string_view(",\"");
  auto behind = text ? std::string_view("=") : std::string_view("\":");
  // One append for the three: a line has a dozen names, and each request a line.
  std::array<char, 64> piece;
  name = name.substr(0, piece.size() - before.size() - behind.size());  // ours are shorter
  auto* end = std::copy(before.begin(), before.end(), piece.data());
  end = std::copy(name.begin(), name.end(), end);
  end = std::copy(behind.begin(), behind.end(), end);
  out_.append(piece.data(), static_cast<std::size_t>(end - piece.data()));
}

log_line& log_line::text(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  if (style_.format == log_format::text) {
    if (name == "message") {
      out_ += ' ';
      append_escaped(out_, value);
      return *this;
    }
    name_of(name);
    append_text_value(out_, value);
    return *this;
  }
  name_of(name);
  out_ += '"';
  append_escaped(out_, value);
  out_ += '"';
  return *this;
}

log_line& log_line::number(std::string_view name, std::uint64_t value) {
  name_of(name);
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

void append_trace(std::string& out, const log_style& style, const trace_note& note,
                  std::string_view request_id, time_point now) {
  log_line line(out, log_level::debug, component_of(note.about), now, style);
  line.text("namespace", to_name(note.about)).text("message", note.message).text("request_id", request_id);
  for (const auto& [name, value] : note.fields) line.text(name, value);
}

result<std::unique_ptr<log_sink>> log_sink::open(const log_settings& conf) {
  auto descriptor = open_target(conf);
  if (!descriptor) return tl::unexpected<error>(descriptor.error());
  return std::unique_ptr<log_sink>(new log_sink(conf, *descriptor));
}

result<std::unique_ptr<log_sink>> log_sink::open(const std::string& file, log_level level) {
  log_settings conf;
  conf.file = file;
  conf.output = file.empty() || file == "-" ? "stdout" : "file";
  conf.level = level_name(level);
  return open(conf);
}

result<int> log_sink::open_target(const log_settings& conf) {
  if (conf.output == "stdout") return STDOUT_FILENO;
  if (conf.output == "stderr") return STDERR_FILENO;
  return open_to_append(conf.file, "logging.file");
}

result<void> log_sink::reopen() {
  std::unique_lock lock(mutex_);
  auto conf = conf_;
  auto fresh = open_target(conf);
  if (!fresh) return tl::unexpected<error>(fresh.error());
  swap_target(lock, conf, *fresh);
  return {};
}

result<void> log_sink::change(const log_settings& conf) {
  auto fresh = open_target(conf);
  if (!fresh) return tl::unexpected<error>(fresh.error());
  std::unique_lock lock(mutex_);
  swap_target(lock, conf, *fresh);
  level_ = parse_log_level(conf.level);
  style_ = log_style::of(conf);
  return {};
}

void log_sink::swap_target(std::unique_lock<std::mutex>& lock, const log_settings& conf, int descriptor) {
  // Lines handed over before go to the old place.
  written_.wait(lock, [this] { return queue_.empty() && !writing_; });
  if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
  descriptor_ = descriptor;
  conf_ = conf;
  torn_ = is_torn();
}

file_state log_sink::state_of_file() const {
  if (descriptor_ <= STDERR_FILENO) return file_state::in_place;
  return state_of(descriptor_, conf_.file);
}

void log_sink::follow_name() {
  auto fresh = open_target(conf_);
  if (!fresh) return;
  ::close(std::exchange(descriptor_, *fresh));
  torn_ = is_torn();
}

bool log_sink::is_torn() const { return descriptor_ > STDERR_FILENO && ends_within_a_line(conf_.file); }

void log_sink::put(int descriptor, std::string_view lines, const log_style& style, bool copies) {
  if (torn_ && write_all(descriptor, "\n") == 1) torn_ = false;
  auto done = torn_ ? 0 : write_all(descriptor, lines);
  const int why = errno;
  if (copies) write_all(STDERR_FILENO, lines);
  auto note = [&](std::string_view message) {
    std::string out;
    {
      log_line line(out, log_level::error, "log", std::chrono::system_clock::now(), style);
      line.text("message", message);
      if (diverted_ > 0)
        line.number("lines", diverted_);
      else
        line.text("detail", std::generic_category().message(why));
    }
    return out;
  };
  if (done == lines.size()) {
    if (diverted_ == 0) return;
    auto told = note("the log could not be written for a while: its lines went to standard error");
    if (write_all(descriptor, told) == told.size()) diverted_ = 0;
    return;
  }
  // Of standard output and standard error themselves there is nowhere left to say so.
  if (descriptor <= STDERR_FILENO) return;
  if (done > 0) torn_ = lines[done - 1] != '\n';
  auto rest = lines.substr(done == 0 ? 0 : lines.rfind('\n', done - 1) + 1);
  if (!copies) {
    if (diverted_ == 0)
      write_while_taken(note("the log cannot be written: its lines go to standard error until it can"));
    write_while_taken(rest);
  }
  diverted_ += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
}

log_sink::log_sink(const log_settings& conf, int descriptor)
    : conf_(conf),
      descriptor_(descriptor),
      level_(parse_log_level(conf.level)),
      style_(log_style::of(conf)),
      torn_(is_torn()),
      thread_([this] { run(); }) {}

log_sink::~log_sink() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
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
    std::lock_guard lock(mutex_);
    log_line line(out, level, component, std::chrono::system_clock::now(), style_);
    line.text("message", message);
    if (why != nullptr) {
      const auto& row = explain(why->code);
      line.text("symptom", row.id).text("error", row.name).text("detail", why->detail).text("fix", row.fix);
    }
  }
  write(out);
}

void log_sink::trace(const trace_note& note) {
  std::string out;
  {
    std::lock_guard lock(mutex_);
    append_trace(out, style_, note, "", std::chrono::system_clock::now());
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
    // What is written to a file without a name is lost. One with another name still takes what was said
    // while it was ours.
    auto now = std::chrono::steady_clock::now();
    bool look = now - looked_ >= look_every;
    if (look) looked_ = now;
    auto state = look ? state_of_file() : file_state::in_place;
    if (state == file_state::removed) follow_name();
    int descriptor = descriptor_;
    bool copies = conf_.copy_to_stderr && descriptor != STDERR_FILENO;
    auto style = style_;
    writing_ = true;
    lock.unlock();
    if (dropped > 0) {
      log_line line(batch, log_level::warn, "log", std::chrono::system_clock::now(), style);
      line.text("message", "batches of log lines were dropped: the log could not be written fast enough")
          .number("dropped", dropped);
    }
    put(descriptor, batch, style, copies);
    batch.clear();
    if (batch.capacity() > 256 * 1024) batch.shrink_to_fit();
    lock.lock();
    // Unless somebody has opened it anew in the meantime.
    if (state == file_state::renamed && descriptor == descriptor_) follow_name();
    writing_ = false;
    written_.notify_all();
  }
}

log_level parse_log_level(std::string_view name) {
  if (name == "error") return log_level::error;
  if (name == "warn") return log_level::warn;
  if (name == "debug") return log_level::debug;
  if (name == "trace") return log_level::trace;
  return log_level::info;
}

}  // namespace mcp_oauth
