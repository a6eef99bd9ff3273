#include "gateway/media_type.h"

#include "base/text.h"
#include "gateway/headers.h"

#include <algorithm>
#include <string>

namespace mcp_oauth {

result<void> check_media_type(std::span<const field> fields) {
  auto refuse = [](std::string_view name, std::string_view value) {
    return fail(errc::http_media_type_unsupported, std::string(name) + " " + std::string(value));
  };
  std::string_view type;
  auto named = std::find_if(fields.begin(), fields.end(),
                            [](const field& f) { return equal_ignoring_case(f.name, "content-type"); });
  if (named != fields.end()) type = named->value;
  if (!equal_ignoring_case(trim(type.substr(0, type.find(';'))), "application/json"))
    return refuse("Content-Type", type.empty() ? "none" : type);
  for (const auto& parameter : split_words(type.substr(std::min(type.find(';'), type.size())), ';')) {
    auto text = trim(parameter);
    if (!starts_with_ignoring_case(text, "charset")) continue;
    auto value = trim(text.substr(std::min(text.find('=') + 1, text.size())));
    if (!equal_ignoring_case(value, "utf-8") && !equal_ignoring_case(value, "\"utf-8\""))
      return refuse("Content-Type", type);
  }
  int types = 0;
  for (const auto& f : fields) {
    if (may_be_read_as(f.name, "content-type") && ++types > 1) return refuse(f.name, f.value);
    if (may_be_read_as(f.name, "content-encoding") && !equal_ignoring_case(f.value, "identity"))
      return refuse(f.name, f.value);
  }
  return {};
}

}  // namespace mcp_oauth
