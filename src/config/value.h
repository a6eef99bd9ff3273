#pragma once

#include "base/time.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// What is wrong with one value, and what to write instead. Only an element of a
// list is ever quoted.
struct config_flaw {
  std::string rule;
  std::string hint = {};
};

using environment_fn = std::function<std::optional<std::string>(std::string_view)>;

// "90" in `unit`, or a whole number followed by ms, s, m, h or d. Nothing when
// it is neither or out of range.
std::optional<milliseconds> parse_duration(std::string_view text, milliseconds unit);
// "65536", "64KiB", "16MiB", "1GiB".
std::optional<std::uint64_t> parse_size(std::string_view text);
// Millionths of "12.5" percent, of "0" to "100" with at most four decimals: 125000.
std::optional<std::uint32_t> parse_percentage(std::string_view text);
// true or false, in any case.
std::optional<bool> parse_bool(std::string_view text);
// Words apart by commas or blanks, or a JSON array of texts.
std::vector<std::string> parse_words(std::string_view text);
// Whether there are none though nobody said so: `[]` does.
bool is_without_words(std::string_view text);

// Replaces `${NAME}` by the environment's value, `${NAME:-text}` by that or
// `text` where it is unset or empty, and
// `$$` by one dollar; any other dollar stays. What comes in is not expanded
// again. Flaw: an unset NAME without a default, a name that is none, a brace
// that does not close.
tl::expected<std::string, config_flaw> expand_variables(std::string_view text,
                                                        const environment_fn& environment);

// The 32 bytes of a key in hex (64 digits), base64 or base64url with or without
// padding. Nothing else.
std::optional<std::string> decode_encryption_key(std::string_view text);

}  // namespace mcp_oauth
