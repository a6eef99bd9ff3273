#pragma once

// For fuzz targets: a property that does not hold is a crash.

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What stands before the first line feed, and what comes behind it; without one, all of it and nothing.
inline std::pair<std::string_view, std::string_view> first_line(std::string_view text) {
  auto end = text.find('\n');
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), text.substr(end + 1)};
}
