#pragma once

#include "base/error.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// What an SQLSTATE of PostgreSQL means to us (its appendix A). `internal` for what only a bug of ours causes.
errc meaning_of_sqlstate(std::string_view sqlstate);

// Whether the same thing, tried again in a moment, may work.
bool is_passing(errc code);

// What libpq says of an attempt to connect, with its error verbosity at "verbose":
// "ECONNREFUSED 127.0.0.1:5432", or the server's own words with their meaning. Of several addresses the last
// one counts. Never repeats the URL, nor a password.
error connection_failure(std::string_view message);

// "postgresql://user:***@host/name": for messages. Without its parameters.
std::string redacted_postgres_url(std::string_view url);

}  // namespace mcp_oauth
