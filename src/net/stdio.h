#pragma once

#include "net/worker.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mcp_oauth::net {

// How a descriptor that somebody else gave us can be read and written without waiting. Flags of an open file
// are shared with whoever else has it, so they are left alone where there is another way.
enum class stdio_kind {
  socket,  // asked without waiting, call by call
  pipe,    // becomes non-blocking
  other,   // a terminal: asked only when it is ready
  file,    // is always ready, and cannot be waited for
};

// What comes on standard input.
class stdio_input final : private watcher {
 public:
  // `on_bytes` gets what was read; `on_end` comes once, at the end or a failure.
  stdio_input(worker& w, int descriptor, std::function<void(std::string_view)> on_bytes,
              std::function<void()> on_end);
  ~stdio_input() override;

  void start();
  // While paused, nothing is read.
  void pause(bool now);
  void stop();

 private:
  void on_events(std::uint32_t events) override;
  void read_some(bool ready);

  worker& worker_;
  int descriptor_;
  stdio_kind kind_;
  bool flows_;
  std::function<void(std::string_view)> on_bytes_;
  std::function<void()> on_end_;
  bool paused_ = false, ended_ = false, posted_ = false, hung_up_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Standard output. Takes all at once, and writes as fast as it is read.
class stdio_output final : private watcher {
 public:
  // `on_drained`: what was held has gone; `on_gone`, once: nobody reads it any more.
  stdio_output(worker& w, int descriptor, std::function<void()> on_drained, std::function<void()> on_gone);
  ~stdio_output() override;

  void start();
  // Takes the bytes out of `bytes`, and may leave its memory there.
  void write(std::string& bytes);
  // The same when all that has happened by now has been looked at, so that what comes of it goes out
  // together: an answer that waits for its neighbours a microsecond saves them a write and their reader a
  // wake-up. `bytes` has to live as long as this; what is added to it until then goes along.
  void write_soon(std::string& bytes);
  std::size_t backlog() const { return held_.size() - at_; }
  bool gone() const { return gone_; }

 private:
  void on_events(std::uint32_t events) override;
  void flush();
  bool write_some(std::string_view& bytes);
  bool enlarge();

  worker& worker_;
  int descriptor_;
  stdio_kind kind_;
  std::function<void()> on_drained_, on_gone_;
  std::string held_;
  std::size_t at_ = 0;
  std::string* soon_ = nullptr;
  bool gone_ = false, enlarged_ = false;
};

}  // namespace mcp_oauth::net
