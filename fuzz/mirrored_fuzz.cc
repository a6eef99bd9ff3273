// rooms: mcp
// Header lines, an empty line, a JSON-RPC message: headers that are accepted say what another reader finds in
// the message.

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "mcp/headers.h"
#include "require.h"

#include <string>
#include <vector>

using namespace mcp_oauth;

namespace {

std::optional<envelope> read_body(std::string_view body) {
  envelope_scanner scanner;
  if (!scanner.feed(body) || !scanner.finish()) return std::nullopt;
  return scanner.seen();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = text_of(data, size);
  std::vector<field> fields;
  while (!text.empty()) {
    auto [line, rest] = first_line(text);
    text = rest;
    if (line.empty()) break;
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    fields.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
    auto value = decode_mirrored_value(fields.back().value);
    if (!value || value == fields.back().value) continue;
    require(is_valid_utf8(*value));
    require("=?base64?" + base64_encode(*value) + "?=" == fields.back().value);
  }
  auto body = read_body(text);
  auto parsed = parse_json(text);
  if (!body || !parsed || !parsed->is_object() || !check_mirrored_headers(*body, fields)) return 0;
  const auto& message = parsed->as_object();
  for (const auto& f : fields) {
    if (equal_ignoring_case(f.name, "mcp-method")) {
      require(decode_mirrored_value(f.value) == text_member(message, "method"));
    }
    bool named = body->has_name && equal_ignoring_case(f.name, "mcp-name");
    if (named) require(decode_mirrored_value(f.value) == body->name);
    require(to_lower(f.name) != "mcp_method" && to_lower(f.name) != "mcp_name");
  }
  // Said twice, somebody else may read the other one.
  auto twice = fields;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, "mcp-method")) continue;
    twice.push_back(f);
    require(!check_mirrored_headers(*body, twice));
    break;
  }
  return 0;
}
