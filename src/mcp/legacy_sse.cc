#include "mcp/legacy_sse.h"

namespace mcp_oauth {

result<std::string> endpoint_rewriter::feed(std::string_view piece) {
  if (done_) return std::string(piece);
  std::string out;
  while (!piece.empty()) {
    auto byte = piece.substr(0, 1);
    piece.remove_prefix(1);
    held_ += byte;
    if (held_.size() > most_) return fail(errc::upstream_malformed, "no event at the start of the stream");
    auto events = parser_.feed(byte);
    if (!events) return tl::unexpected<error>(events.error());
    boundary_.feed(byte);
    if (events->empty()) {
      // A comment or a bare field before the event: nothing to rewrite in it.
      if (boundary_.between_events()) out += std::exchange(held_, {});
      continue;
    }
    done_ = true;
    auto& first = events->front();
    if (first.type == "endpoint") {
      auto mapped = map_(first.data);
      if (!mapped) return tl::unexpected<error>(mapped.error());
      first.data = std::move(*mapped);
      out += write_event(first);
    } else {
      out += held_;
    }
    held_.clear();
    out += piece;
    return out;
  }
  return out;
}

}  // namespace mcp_oauth
