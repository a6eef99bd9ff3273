#pragma once

#include "net/task.h"

#include <chrono>
#include <coroutine>
#include <optional>
#include <utility>
#include <vector>

namespace mcp_oauth {

// A look at something else, shared by all who ask on one worker: whoever comes while it is under way gets its
// result, and so does whoever comes soon after. Questions from outside thus cost a bounded number of looks.
class probe {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds remembered{2};

  // The result of `look` (yields a task<bool>), or the one remembered. `look` must stay until the end.
  template <class F>
  net::task<bool> ask(clock::time_point now, F& look) {
    if (last_ && now - at_ < remembered) co_return *last_;
    if (looking_) {
      turn mine{*this};
      co_await mine;
      co_return last_.value_or(false);
    }
    looking_ = true;
    at_ = now;
    // Those who wait go on even when the look throws.
    struct ending {
      probe& of;
      ~ending() {
        of.looking_ = false;
        for (auto h : std::exchange(of.waiting_, {})) h.resume();
      }
    };
    last_.reset();
    ending at_the_end{*this};
    auto seen = look();
    last_ = co_await std::move(seen);
    co_return *last_;
  }

 private:
  struct turn {
    probe& of;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) { of.waiting_.push_back(h); }
    void await_resume() const {}
  };

  bool looking_ = false;
  std::optional<bool> last_;
  clock::time_point at_{};
  std::vector<std::coroutine_handle<>> waiting_;
};

}  // namespace mcp_oauth
