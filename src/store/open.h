#pragma once

#include "base/error.h"
#include "store/record_store.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The file that a database_url names: "sqlite://oauth.db" and "sqlite:///var/lib/oauth.db", taken literally
// (no
// %-decoding). "" for `sqlite::memory:`. config_invalid for everything else; the detail never repeats the
// URL, which may hold a password.
result<std::string> sqlite_path(std::string_view database_url);

// Opens the store, creating and migrating it as needed. Adds to `warnings` what the operator should know.
// config_invalid for a URL we cannot serve; otherwise the errors of sqlite_store::open.
result<std::unique_ptr<record_store>> open_store(std::string_view database_url,
                                                 std::vector<std::string>& warnings);

}  // namespace mcp_oauth
