#pragma once

#include "app/log.h"
#include "base/error.h"
#include "base/http.h"
#include "config/settings.h"
#include "policy/remote_policy.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mcp_oauth {

// What the answer of `policy.url` says. Errors: policy_unavailable (its status), policy_document_invalid.
result<policy_document> process_policy_answer(const http_answer& answer);

// Of a gateway: the scopes that a fetched policy asks for and that it gives to nobody. A guard only tells
// clients of them, and gives none.
std::vector<std::string> scopes_out_of_reach(const settings& conf, const policy_document& said);

// The age of a policy is told by a clock that nobody sets: it counts no longer when the wall clock steps
// back.
using policy_clock = std::chrono::steady_clock;

// Until when a policy that was fetched counts. Shared by everything that was made of it, and prolonged by
// every answer that says the same again.
class policy_freshness {
 public:
  bool holds_at(policy_clock::time_point now) const { return now < until_.load(std::memory_order_relaxed); }
  void prolong(policy_clock::time_point until) { until_.store(until, std::memory_order_relaxed); }

 private:
  std::atomic<policy_clock::time_point> until_{policy_clock::time_point::min()};
};

// What it means for calls that the policy could not be had, or is not finished; nothing where all is well.
std::optional<std::string> policy_trouble(const policy_settings& of, const result<policy_document>& got);

// Fetches the policy of `policy.url` again and again, on a thread of its own. Safe from every thread.
class policy_source final {
 public:
  // Ends soon after `given_up` has become true.
  using fetch_fn = std::function<result<http_answer>(const http_call&, const std::atomic<bool>& given_up)>;

  // Asks once before it returns. `log` outlives it; it hears what the source says about itself, and when it
  // goes away and comes back.
  policy_source(const policy_settings& of, fetch_fn fetch, log_sink& log);
  ~policy_source();
  policy_source(const policy_source&) = delete;
  policy_source& operator=(const policy_source&) = delete;

  // From now on it is asked in its pace; `changed` is called, on that thread, when it says something else,
  // and again while it returns false: until it is taken up, the policy of before grows old.
  void follow(std::function<bool()> changed);
  // What it said last, and until when that counts; null when nothing ever came.
  struct policy_in_force {
    std::shared_ptr<const policy_document> document;
    std::shared_ptr<const policy_freshness> fresh;
  };
  policy_in_force latest() const;
  // `policy_trouble` of the last answer.
  std::optional<std::string> trouble() const;
  // Whether other settings would ask the same place in the same way.
  bool is_for(const policy_settings& of) const;

 private:
  bool ask();
  void note(const error* why);
  void run();

  const policy_settings of_;
  const fetch_fn fetch_;
  log_sink& log_;
  std::shared_ptr<policy_freshness> fresh_;  // of the document, and of no other
  std::function<bool()> changed_;
  bool taken_up_ = true;  // of whoever asks
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  remote_policy_by<policy_clock> known_;
  bool stopping_ = false;
  std::optional<std::string> told_;  // why there is none, as it was logged; of whoever asks
  std::atomic<bool> given_up_{false};
  std::thread thread_;
};

}  // namespace mcp_oauth
