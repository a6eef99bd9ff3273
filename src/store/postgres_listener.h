#pragma once

#include "base/error.h"
#include "base/time.h"
#include "store/postgres.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace mcp_oauth {

// The channel on which a commit tells which records of announced kinds it wrote: "KIND ID", or "KIND".
constexpr std::string_view announcements = "mcp_oauth_changes";

// A connection and a thread of its own that hear what other processes announce, and say so to `changed`.
// After every connection, the first one too, it says that anything may have changed.
class postgres_listener final {
 public:
  using changed_fn = std::function<void(std::string_view kind, std::string_view id)>;

  postgres_listener(std::string url, milliseconds silence, changed_fn changed);
  ~postgres_listener();
  postgres_listener(const postgres_listener&) = delete;
  postgres_listener& operator=(const postgres_listener&) = delete;

 private:
  void listen();
  // Until the connection is lost, or the end.
  void hear(postgres& db);
  void pass_on(std::string_view payload);

  std::string url_;
  milliseconds silence_;
  changed_fn changed_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_ = false;
  int bell_ = -1;  // readable when the thread is to end
  std::thread thread_;
};

}  // namespace mcp_oauth
