#include "guard/pending.h"

#include <utility>

namespace mcp_oauth {

void pending::when_settled(std::function<void()> wake) {
  {
    std::lock_guard lock(mutex_);
    if (!settled_) {
      waiting_.push_back(std::move(wake));
      return;
    }
  }
  wake();
}

bool pending::settled() const {
  std::lock_guard lock(mutex_);
  return settled_;
}

void pending::settle() {
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    if (settled_) return;
    settled_ = true;
    waiting.swap(waiting_);
  }
  for (auto& wake : waiting) wake();
}

}  // namespace mcp_oauth
