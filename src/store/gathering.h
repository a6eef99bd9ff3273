#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace mcp_oauth {

// Whoever comes while others are at work waits, and is served together with all who wait by then: at most so
// many serve at a time, so that one flush to disk serves many callers. Nobody waits who comes alone.
class gathering final {
 public:
  // Derive from it what is to be done, and what came of it.
  class job {
   public:
    job() = default;
    job(const job&) = delete;
    job& operator=(const job&) = delete;
    ~job() = default;

   private:
    friend class gathering;
    bool taken_ = false;
    bool answered_ = false;
    std::condition_variable wake_;
  };
  // Called on the thread of one of them. Must not throw.
  using serve_fn = std::function<void(std::span<job* const>)>;

  gathering(std::size_t most_serving, std::size_t most_together, serve_fn serve)
      : most_serving_(most_serving), most_together_(most_together), serve_(std::move(serve)) {}

  // Blocks until it is served. From any thread.
  void run(job& mine);

 private:
  std::size_t most_serving_;
  std::size_t most_together_;
  serve_fn serve_;
  std::mutex mutex_;
  std::vector<job*> waiting_;
  std::size_t serving_ = 0;
};

}  // namespace mcp_oauth
