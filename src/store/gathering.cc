#include "store/gathering.h"

#include <algorithm>

namespace mcp_oauth {

void gathering::run(job& mine) {
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  while (!mine.answered_) {
    mine.wake_.wait(lock, [&] { return mine.answered_ || (!mine.taken_ && serving_ < most_serving_); });
    if (mine.answered_) return;
    ++serving_;
    auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), most_together_));
    std::vector<job*> together(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    for (job* one : together) one->taken_ = true;
    lock.unlock();
    serve_(together);
    lock.lock();
    --serving_;
    for (job* one : together) {
      one->answered_ = true;
      // Under the lock: whoever waits may not return, and take the job along, before this call is over.
      if (one != &mine) one->wake_.notify_one();
    }
    if (!waiting_.empty()) waiting_.front()->wake_.notify_one();
  }
}

}  // namespace mcp_oauth
