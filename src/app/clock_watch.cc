#include "app/clock_watch.h"

#include "base/text.h"

#include <array>
#include <ctime>

namespace mcp_oauth {
namespace {

constexpr seconds tolerated{30};
constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<time_point> parse_http_date(std::string_view text) {
  constexpr std::string_view shape = "aaa, 00 aaa 0000 00:00:00 GMT";
  if (text.size() != shape.size()) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    bool fits = shape[i] == '0' ? digit : shape[i] == 'a' ? !digit : text[i] == shape[i];
    if (!fits) return std::nullopt;
  }
  auto number = [&](std::size_t at, std::size_t size) {
    return static_cast<int>(parse_decimal(text.substr(at, size)).value_or(0));
  };
  std::tm utc{};
  utc.tm_mon = -1;
  for (std::size_t m = 0; m < months.size(); ++m) {
    if (text.substr(8, 3) == months[m]) utc.tm_mon = static_cast<int>(m);
  }
  utc.tm_mday = number(5, 2);
  utc.tm_year = number(12, 4) - 1900;
  utc.tm_hour = number(17, 2);
  utc.tm_min = number(20, 2);
  utc.tm_sec = number(23, 2);
  bool possible = utc.tm_mon >= 0 && utc.tm_mday >= 1 && utc.tm_mday <= 31 && utc.tm_year >= 70 &&
                  utc.tm_hour < 24 && utc.tm_min < 60 && utc.tm_sec <= 60;
  if (!possible) return std::nullopt;
  return from_unix(timegm(&utc));
}

std::optional<time_point> clock_of(const http_answer& answer) {
  if (answer.fields.count("Age") != 0) return std::nullopt;
  return parse_http_date(answer.fields.first("Date"));
}

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
