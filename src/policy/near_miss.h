#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// A name from outside, fit for a log line: at most 128 bytes, and `?` for what is not printable ASCII.
std::string printable(std::string_view name);

// "; the token has tools:Write, which differs from tools:write in case only", for each such pair; else "".
std::string case_hints(std::span<const std::string> missing, std::span<const std::string> held);

// "; near: echo, echo2": at most three of `known` that the name is probably a misspelling of, those that
// differ in case only first; else "". Bounded, however many names there are.
std::string near_names(std::string_view name, std::span<const std::string_view> known);

}  // namespace mcp_oauth
