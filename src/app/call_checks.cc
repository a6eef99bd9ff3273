#include "app/call_checks.h"

#include "base/text.h"
#include "gateway/headers.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {

result<void> check_media_type(const net::request_head& head) {
  auto type = head.find("content-type").value_or("");
  int types = 0;
  auto refuse = [](std::string_view name, std::string_view value) {
    return fail(errc::http_media_type_unsupported, std::string(name) + " " + std::string(value));
  };
  if (!equal_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json"))
    return refuse("Content-Type", type.empty() ? "none" : type);
  for (const auto& parameter : split_words(type.substr(std::min(type.find(';'), type.size())), ';')) {
    auto text = trim(parameter);
    if (!starts_with_ignoring_case(text, "charset")) continue;
    auto value = trim(text.substr(std::min(text.find('=') + 1, text.size())));
    if (!equal_ignoring_case(value, "utf-8") && !equal_ignoring_case(value, "\"utf-8\""))
      return refuse("Content-Type", type);
  }
  for (const auto& f : head.fields) {
    if (may_be_read_as(f.name, "content-type") && ++types > 1) return refuse(f.name, f.value);
    if (may_be_read_as(f.name, "content-encoding") && !equal_ignoring_case(f.value, "identity"))
      return refuse(f.name, f.value);
  }
  return {};
}

bool may_repeat(std::string_view http_method, const envelope& message) {
  if (http_method != "POST") return http_method == "GET";
  constexpr std::array<std::string_view, 9> harmless = {
      "initialize",     "ping",         "tools/list",  "resources/list", "resources/templates/list",
      "resources/read", "prompts/list", "prompts/get", "server/discover"};
  return std::find(harmless.begin(), harmless.end(), message.method) != harmless.end();
}

std::string without_parameter(std::string_view query, std::string_view name) {
  std::string kept;
  for (const auto& pair : split_words(query, '&')) {
    if (std::string_view(pair).substr(0, pair.find('=')) == name) continue;
    if (!kept.empty()) kept += '&';
    kept += pair;
  }
  return kept;
}

}  // namespace mcp_oauth
