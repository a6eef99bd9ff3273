#include "app/bridge_log.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/time.h"
#include "oauth/displayable.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>

#include <poll.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t shortest_hidden = 6;
constexpr std::size_t most_hidden = 256;
constexpr std::size_t longest_line = 2048;
constexpr std::array<std::string_view, 6> names = {"fatal", "error", "warn ", "info ", "debug", "trace"};

void mask(std::string& text, std::string_view value) {
  if (value.size() < shortest_hidden) return;
  for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + 3))
    text.replace(at, value.size(), "***");
}

}  // namespace

void bridge_log::hide(const secret& value) { add(value, true); }

void bridge_log::hide_here(const secret& value) { add(value, false); }

bool bridge_log::hide_for_now(const secret& value) { return add(value, true); }

bool bridge_log::add(const secret& value, bool everywhere) {
  if (value.reveal().size() < shortest_hidden) return false;
  const std::lock_guard lock(mutex_);
  auto known = std::find_if(hidden_.begin(), hidden_.end(),
                            [&](const hidden& one) { return one.value.reveal() == value.reveal(); });
  if (known != hidden_.end()) {
    known->everywhere = known->everywhere || everywhere;
    return false;
  }
  if (hidden_.size() >= most_hidden) hidden_.erase(hidden_.begin());
  hidden_.push_back({value, everywhere});
  return true;
}

void bridge_log::show(const secret& value) {
  const std::lock_guard lock(mutex_);
  std::erase_if(hidden_, [&](const hidden& one) { return one.value.reveal() == value.reveal(); });
}

std::string bridge_log::redacted(std::string_view text) const { return masked(text, true); }

std::string bridge_log::without_secrets(std::string_view text) const { return masked(text, false); }

std::string bridge_log::masked(std::string_view text, bool all) const {
  std::string out(text);
  const std::lock_guard lock(mutex_);
  for (const auto& one : hidden_) {
    if (!all && !one.everywhere) continue;
    mask(out, one.value.reveal());
    mask(out, percent_encode(one.value.reveal()));
    mask(out, base64_encode(one.value.reveal()));
  }
  return out;
}

void bridge_log::write(bridge_log_level level, std::string_view component, std::string_view message,
                       fields values) {
  if (!wants(level)) return;
  auto line = to_iso8601(std::chrono::system_clock::now()) + ' ' +
              std::string(names[static_cast<std::size_t>(level)]) + " [" + std::string(component) + "] ";
  line += without_controls(redacted(message));
  for (const auto& [name, value] : values) {
    if (value.empty()) continue;
    line += ' ';
    line += name;
    line += '=';
    line += without_controls(redacted(value));  // one line, whatever a server sends
  }
  if (line.size() > longest_line) {
    auto cut = longest_line;
    while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0U) == 0x80) --cut;  // a character is whole
    line.resize(cut);
    line += "…";
  }
  put(line + '\n');
}

void bridge_log::tell(std::string_view text) { put(without_controls(std::string(text), true) + '\n'); }

void bridge_log::put(std::string text) {
  const std::lock_guard lock(mutex_);
  auto has_room = [this] {
    pollfd room{descriptor_, POLLOUT, 0};
    return ::poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0;
  };
  if (!has_room()) {
    ++dropped_;
    return;
  }
  std::string before;
  if (broken_off_) before = "\n";
  if (dropped_ > 0) before += "(" + std::to_string(dropped_) + " lines were dropped: nobody read them)\n";
  text.insert(0, before);
  dropped_ = 0;
  broken_off_ = false;
  std::string_view rest = text;
  while (!rest.empty()) {
    // A pipe that has room has room for that much and promises no more: what is longer would wait for a
    // reader.
    auto n = ::write(descriptor_, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
    if (!rest.empty() && !has_room()) break;
  }
  if (rest.empty()) return;
  ++dropped_;
  broken_off_ = true;
}

}  // namespace mcp_oauth
