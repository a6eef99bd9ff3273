#include "config/value.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace mcp_oauth {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A whole number and what follows it.
std::optional<std::pair<std::uint64_t, std::string_view>> leading_number(std::string_view text) {
  auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  auto digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  auto number = parse_decimal(digits);
  if (!number) return std::nullopt;
  return std::pair(*number, text.substr(digits.size()));
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_digit(c) || c == '_' || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
  });
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c = to_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text, milliseconds unit) {
  auto number = leading_number(text);
  if (!number) return std::nullopt;
  auto [count, suffix] = *number;
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  std::int64_t factor = suffix.empty() ? unit.count() : 0;
  for (auto [name, length] : units) {
    if (suffix == name) factor = length;
  }
  if (factor == 0) return std::nullopt;
  if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / factor))
    return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(count) * factor);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  auto number = leading_number(text);
  if (!number) return std::nullopt;
  auto [count, suffix] = *number;
  static constexpr std::array<std::pair<std::string_view, unsigned>, 4> units = {
      {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}}};
  for (auto [name, shift] : units) {
    if (suffix != name) continue;
    if (count > (std::numeric_limits<std::uint64_t>::max() >> shift)) return std::nullopt;
    return count << shift;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> parse_percentage(std::string_view text) {
  constexpr std::size_t decimals = 4;
  auto point = std::min(text.find('.'), text.size());
  std::string digits(text.substr(point == text.size() ? point : point + 1));
  auto whole = parse_decimal(text.substr(0, point));
  if (!whole || *whole > 100 || digits.size() > decimals || (point < text.size() && digits.empty()))
    return std::nullopt;
  digits.resize(decimals, '0');
  auto rest = parse_decimal(digits);
  if (!rest || *whole * 10'000 + *rest > 1'000'000) return std::nullopt;
  return static_cast<std::uint32_t>(*whole * 10'000 + *rest);
}

std::optional<bool> parse_bool(std::string_view text) {
  if (equal_ignoring_case(text, "true")) return true;
  if (equal_ignoring_case(text, "false")) return false;
  return std::nullopt;
}

std::vector<std::string> parse_words(std::string_view text) {
  if (text.starts_with('[')) {
    auto list = parse_json_object("{\"list\": " + std::string(text) + "}");
    std::vector<std::string> texts;
    if (list && read(*list, "list", texts) == member::present) return texts;
  }
  std::string blanks(text);
  for (char& c : blanks) {
    if (c == ',' || c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return split_words(blanks);
}

bool is_without_words(std::string_view text) {
  return !trim(text).starts_with('[') && parse_words(text).empty();
}

tl::expected<std::string, config_flaw> expand_variables(std::string_view text,
                                                        const environment_fn& environment) {
  std::string out;
  while (!text.empty()) {
    auto dollar = std::min(text.find('$'), text.size());
    out += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    if (text.starts_with("$$")) {
      out += '$';
      text.remove_prefix(2);
      continue;
    }
    if (!text.starts_with("${")) {
      out += '$';
      text.remove_prefix(1);
      continue;
    }
    auto end = text.find('}');
    if (end == std::string_view::npos) {
      return tl::unexpected(config_flaw{"has a ${ without its }", "write $${ for the characters themselves"});
    }
    auto inner = text.substr(2, end - 2);
    auto mark = inner.find(":-");
    auto name = inner.substr(0, mark);
    if (!is_variable_name(name)) {
      return tl::unexpected(config_flaw{"has a ${…} that names no environment variable",
                                        "${NAME}, ${NAME:-default}, or $${ for the characters themselves"});
    }
    auto value = environment ? environment(name) : std::nullopt;
    if (mark != std::string_view::npos && (!value || value->empty()))
      value = std::string(inner.substr(mark + 2));
    if (!value) {
      return tl::unexpected(
          config_flaw{"needs the environment variable " + std::string(name) + ", which is not set",
                      "set it, or write ${" + std::string(name) + ":-default}"});
    }
    out += *value;
    text.remove_prefix(end + 1);
  }
  return out;
}

std::optional<std::string> decode_encryption_key(std::string_view text) {
  constexpr std::size_t key_bytes = 32;
  if (text.size() == 2 * key_bytes) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
      int high = hex_value(text[i]), low = hex_value(text[i + 1]);
      if (high < 0 || low < 0) return std::nullopt;
      bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
  }
  std::string base64url(text);
  if (base64url.ends_with('=')) base64url.pop_back();
  if (base64url.size() != 43) return std::nullopt;
  for (char& c : base64url) c = c == '+' ? '-' : c == '/' ? '_' : c;
  auto bytes = base64url_decode(base64url);
  if (!bytes || bytes->size() != key_bytes) return std::nullopt;
  return bytes;
}

}  // namespace mcp_oauth
