// rooms: gateway
// Lines `name: value` of a client's request: none that speaks for us reaches an MCP server however it is
// spelled, and nothing that a token says can begin a line of its own.

#include "base/text.h"
#include "gateway/headers.h"
#include "require.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace mcp_oauth;

namespace {

// As a CGI variable: the spelling in which two names become one.
std::string variable(std::string_view name) {
  std::string out;
  for (char c : name) out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

bool speaks_for_us(std::string_view name) {
  auto v = variable(name);
  for (auto exact : {"AUTHORIZATION", "COOKIE", "FORWARDED", "X_REAL_IP", "X_REQUEST_ID", "REMOTE_USER",
                     "X_CLIENT_ID", "ORIGIN", "MCP_SESSION_ID", "HOST", "CONNECTION", "TRANSFER_ENCODING",
                     "CONTENT_LENGTH", "TE", "TRAILER", "UPGRADE", "PROXY_AUTHORIZATION", "EXPECT"}) {
    if (v == exact) return true;
  }
  return v.starts_with("X_USER_") || v.starts_with("X_FORWARDED_") || v.starts_with("X_REMOTE_");
}

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Such as the parser of requests lets through.
std::vector<field> read_fields(std::string_view text) {
  std::vector<field> fields;
  while (!text.empty() && fields.size() < 100) {
    auto [line, rest] = first_line(text);
    text = rest;
    auto colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) continue;
    auto name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    bool name_ok = std::all_of(name.begin(), name.end(), is_token_character);
    bool value_ok = value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
    if (name_ok && value_ok) fields.push_back({name, value});
  }
  return fields;
}

void request_fields(const std::vector<field>& fields, const header_rules& rules) {
  std::string out;
  append_request_fields(out, fields, rules);
  std::vector<std::string> dropped;
  for (const auto& f : fields) {
    if (variable(f.name) != "CONNECTION") continue;
    for (const auto& word : split_words(f.value, ',')) dropped.push_back(to_lower(trim(word)));
  }
  std::size_t next = 0;
  for (std::string_view left = out; !left.empty();) {
    auto end = left.find("\r\n");
    require(end != std::string_view::npos);
    auto line = left.substr(0, end);
    left.remove_prefix(end + 2);
    // Each is one of those that came, in their order.
    while (next < fields.size() &&
           line != std::string(fields[next].name) + ": " + std::string(fields[next].value))
      ++next;
    require(next < fields.size());
    auto name = fields[next++].name;
    require(!speaks_for_us(name));
    bool named = std::find(dropped.begin(), dropped.end(), to_lower(name)) != dropped.end();
    require(!named || to_lower(name) == "close" || to_lower(name) == "keep-alive");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const header_rules everything{header_settings{}};
  static const header_rules listed{header_settings{{"X-*", "authorization*"}, {"x-internal-*"}}};
  auto text = text_of(data, size);
  auto fields = read_fields(text);
  request_fields(fields, everything);
  request_fields(fields, listed);
  for (const auto& f : fields) {
    if (listed.passes(f.name))
      require(everything.passes(f.name) && !variable(f.name).starts_with("X_INTERNAL_"));
    if (response_field_passes(f.name)) require(!variable(f.name).starts_with("ACCESS_CONTROL_"));
  }

  access_claims who;
  auto [name, rest] = first_line(text);
  who.subject = "local:ada";
  who.name = text;
  who.email = name;
  who.client_id = rest;
  auto lines = identity_lines(who);
  std::size_t count = 0;
  for (std::size_t at = 0; at < lines.size(); at = lines.find("\r\n", at) + 2, ++count) {
    require(lines.compare(at, 7, "X-User-") == 0 || lines.compare(at, 12, "X-Client-Id:") == 0);
  }
  require(count == 1 + std::size_t{!who.name.empty()} + std::size_t{!who.email.empty()} +
                       std::size_t{!who.client_id.empty()});
  for (char c : lines) require((c >= 0x20 && c < 0x7F) || c == '\r' || c == '\n');
  return 0;
}
