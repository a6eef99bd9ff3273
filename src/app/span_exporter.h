#pragma once

#include "app/log.h"
#include "app/span_record.h"
#include "base/error.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace mcp_oauth {

struct export_pace {
  milliseconds batch{1000};   // how long a span waits for others
  milliseconds again{1000};   // before the first further try; doubled after each, up to half a minute
  milliseconds goodbye{300};  // how long the end waits for the collector to take what is left
};

// Sends ended spans to a collector, in batches, from a thread of its own. A collector that is away costs the
// requests nothing: what does not fit into the bounded queue is dropped and counted. Safe from every thread.
// One lives as long as the process: a reload only changes where it sends to.
class span_exporter final {
 public:
  // Ends soon after `given_up` has become true.
  using send_fn = std::function<result<http_answer>(const http_call&, const span_receiver&,
                                                    const std::atomic<bool>& given_up)>;

  // `log` outlives the exporter; it hears when the collector stops taking spans, and when it takes them
  // again.
  span_exporter(span_receiver to, send_fn send, log_sink& log, export_pace how = {});
  // Sends what is left, once, to a collector that took what came before.
  ~span_exporter();
  span_exporter(const span_exporter&) = delete;
  span_exporter& operator=(const span_exporter&) = delete;

  void send_to(span_receiver other);
  void add(span_record&& span);
  std::uint64_t dropped() const;
  std::uint64_t sent() const;

 private:
  enum class outcome { taken, refused, later };
  struct reply {
    outcome got = outcome::later;
    std::size_t rejected = 0;  // of a batch that was taken
    milliseconds wait{0};      // as the collector asks
  };
  reply send(const span_receiver& to, const std::vector<span_record>& batch);
  void note(const span_receiver& to, outcome got, const error& why);
  void run();

  std::shared_ptr<const span_receiver> to_;
  const send_fn send_;
  log_sink& log_;
  const export_pace pace_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<span_record> queue_;
  std::uint64_t dropped_ = 0;
  std::uint64_t sent_ = 0;
  bool stopping_ = false;
  bool ended_ = false;
  std::optional<std::chrono::steady_clock::time_point> sending_since_;
  std::condition_variable done_;
  std::atomic<bool> given_up_{false};
  bool failing_ = false;  // the thread's own
  std::thread thread_;
};

}  // namespace mcp_oauth
