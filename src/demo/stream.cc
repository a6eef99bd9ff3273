#include "demo/stream.h"

#include "mcp/sse.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr milliseconds slice{100};
constexpr milliseconds between_comments{15'000};

}  // namespace

std::string event_of(const std::string& message) {
  sse_event event;
  event.type = "message";
  event.data = message;
  return write_event(event);
}

timed_stream::timed_stream(std::vector<timed_message> messages, framing framed, ending end,
                           std::shared_ptr<std::atomic<bool>> cancelled,
                           std::shared_ptr<demo_counters> counters)
    : messages_(std::move(messages)),
      framing_(framed),
      ending_(end),
      cancelled_(std::move(cancelled)),
      counters_(std::move(counters)) {
  if (!messages_.empty()) left_ = messages_.front().wait;
}

timed_stream::~timed_stream() {
  if (!finished_) ++counters_->abandoned;
}

demo_stream::item timed_stream::next() {
  if (cancelled_ && *cancelled_) {
    if (!finished_) ++counters_->cancelled;
    return finish({});
  }
  if (at_ == messages_.size()) {
    if (ending_ != ending::open) return finish({});
    return {between_comments, std::string(sse_keep_alive), false, false};
  }
  auto wait = std::min(left_, slice);
  left_ -= wait;
  if (left_ > milliseconds(0)) return {wait, "", false, false};
  const auto& message = messages_[at_].json;
  item out{wait, framing_ == framing::events ? event_of(message) : message, false, false};
  ++at_;
  if (at_ < messages_.size()) {
    left_ = messages_[at_].wait;
    return out;
  }
  // An abort is a step of its own, so that what was said before it arrives.
  if (ending_ == ending::complete) return finish(std::move(out));
  return out;
}

demo_stream::item timed_stream::finish(item last) {
  finished_ = true;
  last.last = true;
  last.abort = ending_ == ending::abort && at_ == messages_.size();
  return last;
}

}  // namespace mcp_oauth
