#pragma once

#include "base/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// "2026-11-21 06:05:04": UTC, whole seconds rounded down. Compares as text with SQLite's datetime('now', …).
std::string to_sql_time(time_point t);

// Exactly that form; nothing otherwise. What no time_point can hold becomes the nearest that one can.
std::optional<time_point> from_sql_time(std::string_view text);

}  // namespace mcp_oauth
