#pragma once

#include "base/error.h"
#include "base/time.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// One event of a text/event-stream (WHATWG HTML §9.2).
struct sse_event {
  std::string type;               // "" means "message"
  std::string data;               // lines joined by LF
  std::optional<std::string> id;  // only when this event has an `id` of its own; "" resets the last one
  std::optional<milliseconds> retry;
};

// The event as it goes on the wire, its blank line included. `type` and `id` hold no line end and `id` no
// NUL; that is not checked.
std::string write_event(const sse_event& event);

// May be sent wherever `event_boundary` allows it; every reader ignores it.
inline constexpr std::string_view sse_keep_alive = ": keep-alive\n\n";

// Reads events out of a stream in pieces of any size by the rules of WHATWG HTML §9.2.6: CR, LF and CRLF, one
// leading byte order mark, comments, unknown fields, `id` with NUL ignored. An event without any `data` line
// is not an event, but its `id` and `retry` go with the next one. UTF-8 is not checked.
class sse_parser {
 public:
  // `most`: bytes that one event may take, its lines included.
  explicit sse_parser(std::size_t most = 4 * 1024 * 1024) : most_(most) {}

  // The events that this piece completes. Errors: upstream_malformed, when an event exceeds the bound.
  // What the end of the stream cuts off is no event.
  result<std::vector<sse_event>> feed(std::string_view piece);

 private:
  void end_line(std::vector<sse_event>& events);

  std::size_t most_;
  bool at_start_ = true;
  bool after_cr_ = false;
  bool has_data_ = false;
  std::size_t size_ = 0;  // of the event so far
  std::string line_;
  sse_event event_;
};

// Says whether a stream that passes by stands between two events, so that a comment may be put in. Costs a
// few instructions a piece, whatever its size. A comment put in before a leading byte order mark would spoil
// that mark; no MCP server sends one.
class event_boundary {
 public:
  void feed(std::string_view forwarded);
  bool between_events() const { return between_; }

 private:
  bool between_ = true;
  bool line_is_empty_ = true;
  bool after_cr_ = false;
};

}  // namespace mcp_oauth
