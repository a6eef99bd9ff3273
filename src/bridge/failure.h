#pragma once

#include "base/error.h"
#include "symptom/catalogue.h"

#include <functional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Codes of JSON-RPC under which a bridge tells its client what failed behind it, as bridges before ours do.
namespace bridge_code {
inline constexpr int transport_failed = -32000;  // there was no answer
inline constexpr int upstream_refused = -32001;  // there was one, and it is none to this request
}  // namespace bridge_code

// What is known of an exchange that failed.
struct bridge_failure {
  error why;
  int status = 0;    // of the answer; 0: there was none
  std::string said;  // of its body, at most `most_said` bytes of it count
  std::string hint;  // what to do here; "": what the catalogue says
};
inline constexpr std::size_t most_said = 500;

// The JSON-RPC error response that names the cause: for people in `message`, for programs in `data` (symptom,
// cause, fix, reason, status, body). `program` stands before the message. `raw_id` as in `jsonrpc_error`.
// `here` puts the commands of this bridge into the catalogue's words.
std::string failure_answer(std::string_view program, std::string_view raw_id, const bridge_failure& failure,
                           const std::function<std::string(std::string_view)>& here = {});
// The row of the catalogue, which speaks of a gateway's settings, in the words of a bridge.
symptom bridge_symptom(errc code);
// The same words for a log line.
std::string failure_words(const bridge_failure& failure);

// Where the text of `limit` bytes may be cut without cutting a character of UTF-8 apart.
std::string_view cut_text(std::string_view text, std::size_t limit);

}  // namespace mcp_oauth
