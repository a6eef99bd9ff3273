#include "base/http_date.h"

#include "base/text.h"

#include <array>
#include <ctime>

namespace mcp_oauth {
namespace {

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

}  // namespace mcp_oauth
