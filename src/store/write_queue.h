#pragma once

#include "base/error.h"
#include "base/time.h"
#include "store/sqlite.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mcp_oauth {

// The one writer of an SQLite file in this process: a thread that puts what waits into one transaction, so
// that one flush to disk serves many callers. Any thread may call `run`.
class write_queue final {
 public:
  // Runs on the writer's thread, inside a transaction. A failure undoes this write alone.
  using write = std::function<result<void>(sqlite&)>;

  explicit write_queue(sqlite db);
  // Finishes what waits. Nobody may call `run` any more.
  ~write_queue();
  write_queue(const write_queue&) = delete;
  write_queue& operator=(const write_queue&) = delete;

  // Blocks until the write is on disk, or why it is not. `work` may be run and undone before an error is
  // returned, so what it noted counts on success only.
  result<void> run(const write& work);

  // Transactions that reached the disk since the start.
  std::uint64_t commits() const { return commits_; }
  // Callers that wait now.
  std::size_t waiting() const { return waiting_; }

 private:
  struct job {
    const write& work;
    result<void> outcome;
    bool answered = false;
    std::condition_variable wake;
  };

  void serve();
  result<void> apply(const std::vector<job*>& batch);
  // False: the transaction is gone, and with it all that was written in it.
  bool apply_one(job& one);

  sqlite db_;
  std::atomic<std::uint64_t> commits_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<job*> queue_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mcp_oauth
