#pragma once

#include "base/time.h"
#include "store/record_store.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mcp_oauth {

// Attempts to sign in, counted per account whether it exists or not, in records of kind "attempts" that every
// replica sees. After `most` in a row each further one has to wait: 5 s, 10 s, 20 s, … up to 15 minutes.
// Forgotten by a success, or an hour after the last.

inline constexpr seconds longest_wait{900};
// How long to wait after the last of so many attempts in a row.
seconds wait_after(std::int64_t count, std::uint32_t most);

// Counts one. Nothing: it may be judged. Otherwise how long to wait, and it was not counted.
result<std::optional<seconds>> begin_attempt(record_store& store, std::string_view account,
                                             std::uint32_t most, time_point now);
// The attempt was a success.
result<void> forget_attempts(record_store& store, std::string_view account, time_point now);

}  // namespace mcp_oauth
