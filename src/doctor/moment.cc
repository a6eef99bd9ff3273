#include "doctor/moment.h"

#include "base/text.h"

#include <chrono>

namespace mcp_oauth {
namespace {

// The digits at that place, and behind them that separator.
std::optional<unsigned> number_at(std::string_view text, std::size_t at, std::size_t digits, char separator) {
  if (text.size() <= at + digits || text[at + digits] != separator) return std::nullopt;
  auto number = parse_decimal(text.substr(at, digits));
  if (!number) return std::nullopt;
  return static_cast<unsigned>(*number);
}

}  // namespace

std::optional<time_point> parse_moment(std::string_view text) {
  constexpr std::uint64_t latest = 9'000'000'000;  // what a time_point can say
  if (auto unix_time = parse_decimal(text)) {
    if (*unix_time > latest) return std::nullopt;
    return from_unix(static_cast<std::int64_t>(*unix_time));
  }
  auto fraction = text.find('.');
  std::string plain(text);
  if (fraction == 19 && text.ends_with('Z') && parse_decimal(text.substr(20, text.size() - 21)))
    plain = std::string(text.substr(0, fraction)) + "Z";
  if (plain.size() != 20) return std::nullopt;
  auto year = number_at(plain, 0, 4, '-'), month = number_at(plain, 5, 2, '-'),
       day = number_at(plain, 8, 2, 'T');
  auto hour = number_at(plain, 11, 2, ':'), minute = number_at(plain, 14, 2, ':'),
       second = number_at(plain, 17, 2, 'Z');
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                   std::chrono::day(*day)};
  bool possible = date.ok() && *year >= 1970 && *year < 2250 && *hour < 24 && *minute < 60 && *second < 60;
  if (!possible) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         seconds(*second);
}

}  // namespace mcp_oauth
