#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// ASCII only, on purpose: header names, schemes and hosts are ASCII, and locale has no say.
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
std::string to_lower(std::string_view text);
inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

// Without leading and trailing SP and HTAB (RFC 9110 §5.6.3, OWS).
std::string_view trim(std::string_view text);

// "a b  c" by ' ' gives {"a","b","c"}: empty parts are dropped.
std::vector<std::string> split_words(std::string_view text, char separator = ' ');
// Whether the list has exactly that.
bool holds(const std::vector<std::string>& list, std::string_view value);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Decimal digits only, no sign, no space, no overflow.
std::optional<std::uint64_t> parse_decimal(std::string_view digits);

// `*` matches any run of characters; everything else matches itself.
bool matches_wildcard(std::string_view pattern, std::string_view text);

// Number of single-character edits between two words; for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);

// "8-4-4-4-12" hexadecimal digits.
bool is_guid(std::string_view text);

bool is_valid_utf8(std::string_view bytes);

}  // namespace mcp_oauth
