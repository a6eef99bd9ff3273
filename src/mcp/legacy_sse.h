#pragma once

#include "base/error.h"
#include "mcp/sse.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_oauth {

// From the URI that the server announces to the one that the client shall post to. It may refuse, for
// instance a URI of another origin.
using endpoint_map = std::function<result<std::string>(std::string_view announced)>;

// Puts another URI into the `endpoint` event that opens a stream of MCP 2024-11-05 (HTTP with SSE). All other
// bytes pass untouched. Bytes are held back only while the first event may still be an `endpoint`: as soon as
// it names another type, or grows beyond any URI, the stream passes as it is.
class endpoint_rewriter {
 public:
  // `most`: bytes held back until the first event is whole.
  explicit endpoint_rewriter(endpoint_map map, std::size_t most = 16 * 1024)
      : map_(std::move(map)), most_(most) {}

  // What may be forwarded now, in place of `piece`. Errors: what `map` fails with; the stream is then of no
  // use, since its client would post to nowhere.
  result<std::string> feed(std::string_view piece);
  // From now on bytes pass by unchanged and need not be fed.
  bool done() const { return done_; }

 private:
  bool rules_endpoint_out(std::string_view line) const;

  endpoint_map map_;
  std::size_t most_;
  bool done_ = false;
  std::string held_;            // of the event that is under way
  std::size_t line_start_ = 0;  // in `held_`
  event_boundary boundary_;
  sse_parser parser_;
};

}  // namespace mcp_oauth
