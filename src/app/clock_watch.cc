#include "app/clock_watch.h"

namespace mcp_oauth {
namespace {

constexpr seconds tolerated{30};

}  // namespace

std::optional<std::string> clock_difference(std::string_view whose, time_point theirs, time_point ours) {
  auto ahead = std::chrono::duration_cast<seconds>(theirs - ours);
  if (ahead <= tolerated && ahead >= -tolerated) return std::nullopt;
  auto apart = std::to_string(ahead.count() < 0 ? -ahead.count() : ahead.count());
  return "the clocks differ by " + apart + " s: " + std::string(whose) + " says " +
         to_iso8601(std::chrono::floor<seconds>(theirs)) + ", this machine " +
         to_iso8601(std::chrono::floor<seconds>(ours)) +
         "; tokens and sign-ins fail by that: set both by NTP (date; timedatectl)";
}

std::optional<std::string> clock_watch::compare(std::string_view whose, time_point theirs, time_point ours) {
  auto text = clock_difference(whose, theirs, ours);
  std::lock_guard lock(mutex_);
  auto told = told_.find(whose);
  if (!text) {
    if (told != told_.end()) told_.erase(told);
    return std::nullopt;
  }
  if (told != told_.end()) return std::nullopt;
  told_.emplace(whose);
  return text;
}

}  // namespace mcp_oauth
