#include "store/sql_time.h"

#include "base/text.h"

#include <array>
#include <cstdio>

namespace mcp_oauth {

std::string to_sql_time(time_point t) {
  auto second = std::chrono::floor<seconds>(t);
  auto midnight = std::chrono::floor<std::chrono::days>(second);
  std::chrono::year_month_day date(midnight);
  std::chrono::hh_mm_ss clock(second - midnight);
  std::array<char, 32> text{};
  auto length =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02u %02d:%02d:%02d", int(date.year()),
                    unsigned(date.month()), unsigned(date.day()), static_cast<int>(clock.hours().count()),
                    static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::optional<time_point> from_sql_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00 00:00:00";
  if (text.size() != form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) return std::nullopt;
  }
  auto part = [&](std::size_t at, std::size_t size) {
    return static_cast<unsigned>(parse_decimal(text.substr(at, size)).value_or(0));
  };
  std::chrono::year_month_day date(std::chrono::year(static_cast<int>(part(0, 4))),
                                   std::chrono::month(part(5, 2)), std::chrono::day(part(8, 2)));
  unsigned hour = part(11, 2);
  unsigned minute = part(14, 2);
  unsigned second = part(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  // Signed before adding: a date before 1970 counts down.
  auto since_midnight = seconds(static_cast<std::int64_t>(hour * 3600 + minute * 60 + second));
  auto exact = std::chrono::sys_days(date) + since_midnight;

  constexpr auto latest = std::chrono::floor<seconds>(time_point::max());
  constexpr auto earliest = std::chrono::ceil<seconds>(time_point::min());
  if (exact > latest) return time_point(latest);
  if (exact < earliest) return time_point(earliest);
  return time_point(exact);
}

}  // namespace mcp_oauth
