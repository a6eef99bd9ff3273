#pragma once

#include "base/error.h"

#include <span>
#include <string_view>

namespace mcp_oauth {

// One row for everything that can go wrong. From this table come the answer on the wire, the words of pages
// and log lines, and the reference in docs/reference/errors.
struct symptom {
  errc code;
  std::string_view id;           // stable for ever: "MOP-AUD-002"
  std::string_view name;         // the code as a word, for logs and metrics: "token_audience_mismatch"
  int status;                    // HTTP status of the answer; 0 where no answer is possible
  std::string_view oauth_error;  // RFC 6749 §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2; "" where none may be sent
  std::string_view description;  // what a client may read: no detail, no secret
  std::string_view cause;        // the likely cause, for the operator
  std::string_view fix;          // what to do about it
};

const symptom& explain(errc code);
std::span<const symptom> catalogue();

}  // namespace mcp_oauth
