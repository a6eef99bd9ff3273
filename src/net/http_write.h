#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_oauth::net {

// Pieces of an HTTP/1.1 head, appended to `out`.
void append_status_line(std::string& out, int status);
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_decimal(std::string& out, std::uint64_t value);
// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second and thread.
std::string_view http_date();

}  // namespace mcp_oauth::net
