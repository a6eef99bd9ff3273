#include "bridge/option_values.h"

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"

#include <array>

namespace mcp_oauth::option_values {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text.substr(0, 60)) out += c >= ' ' && c != 0x7F ? c : '?';
  return out + "\"";
}

struct unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr auto units = std::to_array<unit>({{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}});

}  // namespace

flaw number(std::string_view text, std::int64_t low, std::int64_t high, std::int64_t unit_ms,
            std::int64_t& into) {
  bool negative = text.starts_with('-');
  auto digits = text.substr(negative ? 1 : 0);
  std::int64_t factor_up = 1, factor_down = 1;
  if (unit_ms > 0) {
    auto end = digits.find_first_not_of("0123456789");
    auto name = end == std::string_view::npos ? std::string_view() : digits.substr(end);
    for (const auto& one : units) {
      if (name != one.name) continue;
      digits = digits.substr(0, end);
      factor_up = one.ms;
      factor_down = unit_ms;
    }
  }
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return " must be an integer, got " + in_quotes(text);
  auto value = parse_decimal(digits);
  if (!value || *value > static_cast<std::uint64_t>(most)) return " is out of range: " + in_quotes(text);
  auto whole = static_cast<std::int64_t>(*value) * factor_up / factor_down * (negative ? -1 : 1);
  if (whole < low || whole > high)
    return " is out of range: " + in_quotes(text) + "; it is " + std::to_string(low) + " to " +
           std::to_string(high);
  into = whole;
  return std::nullopt;
}

flaw put(milliseconds& into, std::string_view text, std::int64_t low) {
  std::int64_t value = 0;
  if (auto wrong = number(text, low, most, 1, value)) return wrong;
  into = milliseconds(value);
  return std::nullopt;
}

flaw put_seconds(milliseconds& into, std::string_view text, std::int64_t low) {
  seconds value{0};
  if (auto wrong = put(value, text, low)) return wrong;
  into = value;
  return std::nullopt;
}

flaw put(seconds& into, std::string_view text, std::int64_t low) {
  std::int64_t value = 0;
  if (auto wrong = number(text, low, most / 1000, 1000, value)) return wrong;
  into = seconds(value);
  return std::nullopt;
}

flaw put(bool& into, std::string_view text) {
  auto word = to_lower(text);
  bool yes = word == "1" || word == "true" || word == "yes" || word == "on";
  bool no = word == "0" || word == "false" || word == "no" || word == "off";
  if (!yes && !no) return " must be true or false, got " + in_quotes(text);
  into = yes;
  return std::nullopt;
}

flaw put(std::string& into, std::string_view text) {
  if (text.empty()) return ": must not be empty";
  into = std::string(text);
  return std::nullopt;
}

flaw put(secret& into, std::string_view text) {
  if (text.empty()) return ": must not be empty";
  into = secret(std::string(text));
  return std::nullopt;
}

flaw put(pairs& into, std::string_view text) {
  pairs made;
  if (text.starts_with('{')) {
    auto o = parse_json_object(text);
    if (!o) return " is not valid JSON: " + o.error().detail;
    for (const auto& one : *o) {
      if (!one.value().is_string())
        return ": every value must be a string, and " + in_quotes(one.key()) + " has none";
      made.emplace_back(one.key(), std::string(one.value().as_string()));
    }
  } else {
    for (const auto& part : split_words(text, ',')) {
      auto equals = part.find('=');
      if (equals == std::string::npos || equals == 0)
        return " is not valid JSON: neither an object nor name=value";
      made.emplace_back(std::string(trim(part.substr(0, equals))), part.substr(equals + 1));
    }
  }
  into = std::move(made);
  return std::nullopt;
}

flaw put(std::vector<std::string>& into, std::string_view text) {
  std::vector<std::string> made;
  if (text.starts_with('[')) {
    auto value = parse_json(text);
    if (!value || !value->is_array()) return " is not valid JSON";
    for (const auto& one : value->as_array()) {
      if (!one.is_string()) return ": every element must be a string";
      made.emplace_back(one.as_string());
    }
  } else {
    for (const auto& part : split_words(text, ',')) made.emplace_back(trim(part));
  }
  into = std::move(made);
  return std::nullopt;
}

flaw put_url(std::string& into, std::string_view text) {
  auto parsed = url::parse(text);
  if (!parsed) return ": Invalid url " + in_quotes(text) + ": " + parsed.error().detail;
  if (!parsed->is_http()) return " must use http or https, got \"" + parsed->scheme + ":\"";
  if (parsed->host.empty() || parsed->has_fragment)
    return ": Invalid url " + in_quotes(text) + ": no host, or a fragment";
  into = std::string(text);
  return std::nullopt;
}

}  // namespace mcp_oauth::option_values
