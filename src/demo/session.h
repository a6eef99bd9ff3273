#pragma once

#include "base/random.h"
#include "base/time.h"
#include "demo/stream.h"
#include "mcp/revision.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What the server remembers of one client between its requests. Safe to use from several threads.
class demo_session {
 public:
  demo_session(std::string id, revision spoken) : id_(std::move(id)), spoken_(spoken) {}

  const std::string& id() const { return id_; }
  revision spoken() const { return spoken_; }

  // For the session's own stream. What nobody listens for is kept, up to a bound.
  void push(std::string event);
  void push(std::unique_ptr<demo_stream> events);
  // What was pushed since the last call.
  struct pushed {
    std::string events;
    std::vector<std::unique_ptr<demo_stream>> streams;
  };
  pushed take();

  // A flag that `cancel` of the same request id sets.
  std::shared_ptr<std::atomic<bool>> running(std::string_view raw_id);
  void cancel(std::string_view raw_id);

  void close() { closed_ = true; }
  bool closed() const { return closed_; }
  // A session has one stream of its own; a new one takes the place of the last.
  std::uint64_t open_stream() { return ++stream_; }
  bool is_current(std::uint64_t stream) const { return stream_ == stream; }

 private:
  const std::string id_;
  const revision spoken_;
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> stream_{0};
  std::mutex mutex_;
  std::deque<std::string> events_;
  std::vector<std::unique_ptr<demo_stream>> streams_;
  std::map<std::string, std::weak_ptr<std::atomic<bool>>, std::less<>> running_;
};

// The sessions there are. At most `most`; the one that was silent longest goes first, and one silent for an
// hour anyway.
class demo_sessions {
 public:
  explicit demo_sessions(random_fn random, std::size_t most = 10'000)
      : random_(std::move(random)), most_(most) {}

  std::shared_ptr<demo_session> create(revision spoken, time_point now);
  // Nothing when there is none of that id, or no more.
  std::shared_ptr<demo_session> find(std::string_view id, time_point now);
  void remove(std::string_view id);

 private:
  struct entry {
    std::shared_ptr<demo_session> session;
    time_point last_used;
  };
  void make_room(time_point now);

  random_fn random_;
  std::size_t most_;
  std::mutex mutex_;
  std::map<std::string, entry, std::less<>> sessions_;
};

// The session's own stream: what is pushed to it, and every pushed stream side by side.
class session_stream final : public demo_stream {
 public:
  // `opening` is sent first. `owner`, where given, loses the session when the stream goes.
  session_stream(std::shared_ptr<demo_session> session, std::string opening,
                 std::shared_ptr<demo_sessions> owner);
  ~session_stream() override;
  session_stream(const session_stream&) = delete;
  session_stream& operator=(const session_stream&) = delete;

  item next() override;

 private:
  struct part {
    std::unique_ptr<demo_stream> stream;
    item due;  // its next step; `wait` is what is left of it
  };

  std::shared_ptr<demo_session> session_;
  std::string opening_;
  std::shared_ptr<demo_sessions> owner_;
  std::uint64_t number_;
  std::vector<part> parts_;
};

}  // namespace mcp_oauth
