#pragma once

// How the text of an option becomes a value. Each returns what is wrong, to stand behind the option's name.

#include "base/secret.h"
#include "base/time.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth::option_values {

using flaw = std::optional<std::string>;
using pairs = std::vector<std::pair<std::string, std::string>>;
inline constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();

// A whole number from `low` to `high`, or with a unit (ms, s, m, h) in place of the option's own.
flaw number(std::string_view text, std::int64_t low, std::int64_t high, std::int64_t unit_ms,
            std::int64_t& into);
flaw put(milliseconds& into, std::string_view text, std::int64_t low);          // given in milliseconds
flaw put_seconds(milliseconds& into, std::string_view text, std::int64_t low);  // given in seconds
flaw put(seconds& into, std::string_view text, std::int64_t low);
// 1, true, yes, on; 0, false, no, off.
flaw put(bool& into, std::string_view text);
flaw put(std::string& into, std::string_view text);  // not empty
flaw put(secret& into, std::string_view text);       // not empty
// A JSON object of strings, or k=v,k=v.
flaw put(pairs& into, std::string_view text);
// A JSON array of strings, or words apart by commas.
flaw put(std::vector<std::string>& into, std::string_view text);
// An absolute http(s) URL. Whether it may be in clear is asked later, when the override is known.
flaw put_url(std::string& into, std::string_view text);

template <class E>
struct choice {
  std::string_view name;
  E value;
};
template <class E, std::size_t N>
flaw put(E& into, std::string_view text, const choice<E> (&choices)[N]) {
  std::string all;
  for (const auto& one : choices) {
    if (one.name == text) {
      into = one.value;
      return std::nullopt;
    }
    all += (all.empty() ? "" : ", ") + std::string(one.name);
  }
  return ": Invalid value \"" + std::string(text.substr(0, 60)) + "\"; it is one of " + all;
}

}  // namespace mcp_oauth::option_values
