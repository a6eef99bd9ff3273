#pragma once

#include "base/error.h"
#include "base/json.h"

#include <cstddef>
#include <string_view>

namespace mcp_oauth {

// The `params` of a message, or of the messages of a batch, read whole: for the few decisions that
// `envelope_scanner` sees too little for. No member may stand twice anywhere in the text.
class message_params {
 public:
  // `text`: a whole body that the scanner has found well-formed. Errors: body_malformed.
  static result<message_params> read(std::string_view text);

  // Of the message at that place of a batch; of the only message for 0. Null when it has none, or no object.
  const json::object* of(std::size_t item) const;

 private:
  explicit message_params(json::value root) : root_(std::move(root)) {}
  json::value root_;
};

}  // namespace mcp_oauth
