#pragma once

#include "base/time.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace mcp_oauth {

// A body that comes in steps. Whoever sends it asks for one step after the other, waits as long as the step
// says, and then sends its bytes. Destroying it early is how the sender says that the client has gone.
class demo_stream {
 public:
  virtual ~demo_stream() = default;
  struct item {
    milliseconds wait{0};  // before the bytes
    std::string bytes;     // may be empty: then there is only something to wait for
    bool last = false;     // the body ends after these bytes
    bool abort = false;    // with `last`: break the connection instead of ending the body
  };
  virtual item next() = 0;
};

// A JSON-RPC message, and how long after the one before it is sent.
struct timed_message {
  milliseconds wait{0};
  std::string json;
};

// What the demo server counts, for tests and for /health.
struct demo_counters {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> abandoned{0};  // answers whose client went away before their end
  std::atomic<std::uint64_t> cancelled{0};  // answers ended by notifications/cancelled
};

// Sends messages at their times, until `*cancelled`. Waits are handed out in slices, so that a cancellation
// counts soon.
class timed_stream final : public demo_stream {
 public:
  enum class framing { events, json };          // text/event-stream, or the bare messages
  enum class ending { complete, abort, open };  // open: goes on with comments for ever

  timed_stream(std::vector<timed_message> messages, framing framed, ending end,
               std::shared_ptr<std::atomic<bool>> cancelled, std::shared_ptr<demo_counters> counters);
  ~timed_stream() override;
  timed_stream(const timed_stream&) = delete;
  timed_stream& operator=(const timed_stream&) = delete;

  item next() override;

 private:
  item finish(item last);

  std::vector<timed_message> messages_;
  framing framing_;
  ending ending_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  std::shared_ptr<demo_counters> counters_;
  std::size_t at_ = 0;
  milliseconds left_{0};  // to wait before the message at `at_`
  bool finished_ = false;
};

// As an event stream carries it.
std::string event_of(const std::string& message);

}  // namespace mcp_oauth
