#include "mcp/params.h"

#include <utility>

namespace mcp_oauth {

result<message_params> message_params::read(std::string_view text) {
  auto root = parse_json(text);
  if (!root) return fail(errc::body_malformed, "read whole: " + root.error().detail);
  return message_params(std::move(*root));
}

const json::object* message_params::of(std::size_t item) const {
  const auto* message = &root_;
  if (root_.is_array()) {
    if (item >= root_.as_array().size()) return nullptr;
    message = &root_.as_array()[item];
  } else if (item != 0) {
    return nullptr;
  }
  if (!message->is_object()) return nullptr;
  const auto* params = message->as_object().if_contains("params");
  return params != nullptr && params->is_object() ? &params->as_object() : nullptr;
}

}  // namespace mcp_oauth
