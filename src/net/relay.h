#pragma once

#include "base/error.h"
#include "net/exchange.h"
#include "net/http_head.h"
#include "net/upstream.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mcp_oauth::net {

// What the layer above says while a message passes. Everything it is shown is borrowed for the call.
class relay_watcher {
 public:
  virtual ~relay_watcher() = default;

  // The next content of the request, about to go upstream. An error stops it there: the upstream never sees
  // the end of the message, so it cannot act on it. `last`: it is all.
  virtual result<void> on_request_piece(std::string_view content, bool last) = 0;

  enum class verdict { pass, resize, hold, replace };
  // The upstream's head. `out` is to get the status line and the fields for the client, without framing,
  // X-Request-Id and the empty line. `resize`: what goes out of the stream is not as long as what comes, so
  // its length is not announced. `hold`: nothing goes out before `on_held_end`. `replace`: the caller will
  // answer itself; nothing of the upstream's answer goes out.
  virtual verdict on_response_head(const response_head& head, std::string& out) = 0;

  // All that one read brought of an event stream. Returns what is to go out for it, valid until the next
  // call: the content itself, or bytes kept in the watcher. An error cuts the stream off.
  virtual result<std::string_view> on_stream_piece(std::string_view content) = 0;
  // Of an answer that is held back: the next content; and, once it has ended, all that is to go out for it,
  // valid until the relay ends. An error keeps the answer back for good, so that the caller can give another.
  virtual result<void> on_held_piece(std::string_view) { return fail(errc::internal); }
  virtual result<std::string_view> on_held_end() { return fail(errc::internal); }

  // Whether the stream stands between two events, so that a comment may be put in.
  virtual bool between_events() const = 0;
};

struct relay_limits {
  milliseconds first_byte{30'000};
  milliseconds idle{300'000};
  milliseconds stream_keep_alive{15'000};
  milliseconds write{60'000};
};

struct relay_order {
  const upstream_target& target;
  std::string head;         // request line and fields, without framing and the empty line
  std::string_view held;    // content already read from the client
  bool may_repeat = false;  // a second attempt does no harm, should a kept connection prove dead
};

struct relay_outcome {
  result<void> ended;         // why the client did not get the whole answer
  int status = 0;             // of the upstream; 0: none came
  bool answer_begun = false;  // bytes of the answer are out: too late for another one
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  bool reused = false;
  bool stream = false;
};

// Sends the request of `x` upstream and its answer back, both as they come. Neither side is buffered beyond
// one read, but for an answer that the watcher holds. Takes what it needs out of `order`, which has to stay
// until the end. Errors in `ended`: upstream_*, client_gone, http_*, and what the watcher said.
task<relay_outcome> relay(exchange& x, upstream_pool& pool, relay_order& order, const relay_limits& limits,
                          relay_watcher& watcher);

}  // namespace mcp_oauth::net
