#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace mcp_oauth {

// Something that one request does and others wait for. Safe from every thread.
class pending final {
 public:
  // Called once: by the thread that settles it, or at once when it is settled. `wake` must be short and may
  // not throw; it is expected to hand the waiting request back to its own thread.
  void when_settled(std::function<void()> wake);
  bool settled() const;
  // The first call wakes everybody; later ones do nothing.
  void settle();

 private:
  mutable std::mutex mutex_;
  bool settled_ = false;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace mcp_oauth
