#pragma once

#include "base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace mcp_oauth {

namespace json = boost::json;

// Strict RFC 8259: duplicate member names, invalid UTF-8, trailing bytes, a depth over 32 and numbers out of
// range are refused (json_malformed), so that no two readers of one text can disagree about it.
// For cold code; the request path has `mcp/envelope.h`.
result<json::value> parse_json(std::string_view text);
result<json::object> parse_json_object(std::string_view text);

// Typed reads that say "absent" apart from "wrong type".
enum class member { absent, wrong_type, present };
member read(const json::object& o, std::string_view name, std::string& out);
member read(const json::object& o, std::string_view name,
            std::int64_t& out);  // whole seconds; 1.0 and 1.5 count, rounded down
member read(const json::object& o, std::string_view name, bool& out);
member read(const json::object& o, std::string_view name, std::vector<std::string>& out);  // array of strings
// The string, or "" when absent or of another type.
std::string text_member(const json::object& o, std::string_view name);

}  // namespace mcp_oauth
