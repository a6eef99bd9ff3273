#pragma once

#include "app/audit.h"
#include "app/clock_watch.h"
#include "app/gateway_service.h"
#include "app/login_openings.h"
#include "app/policy_source.h"
#include "app/reload.h"
#include "app/span_exporter.h"
#include "app/story_keeper.h"
#include "net/server.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mcp_oauth {

// What serves until it is told to stop, as the command line sees it.
class running_app {
 public:
  running_app() = default;
  running_app(const running_app&) = delete;
  running_app& operator=(const running_app&) = delete;
  virtual ~running_app() = default;

  virtual const settings& conf() const = 0;
  // Takes up another configuration, without a connection or a stream noticing. A bad one leaves the one in
  // use; what cannot change while we run stays as it is. The log says all of that, and so does the report.
  virtual reload_report reload(const settings_source& read) = 0;
  // Opens the log file again, after somebody moved it away. Errors: file_unwritable; the old one stays in
  // use.
  virtual result<void> reopen_log() = 0;
  // Lets requests in flight end, then ends. Idempotent.
  virtual void stop() = 0;
};

// What a gateway and a guard have alike: threads, log, counts, and the rules in use.
struct running {
  settings asked;  // as they were loaded: `conf` before the port was known
  settings conf;
  std::unique_ptr<log_sink> log;
  std::unique_ptr<audit_trail> audit;
  metrics counts;
  login_openings openings;
  std::unique_ptr<record_store> own_stories;  // where they are not in the database
  std::unique_ptr<story_keeper> stories;      // what failed, for `explain`
  std::atomic<topics> watched{};
  std::unique_ptr<span_exporter> spans;     // from the first settings on that want traces
  std::unique_ptr<policy_source> policies;  // where the settings name a URL
  std::unique_ptr<net::blocking_pool> blocking;
  std::unique_ptr<net::blocking_pool> naming;
  std::unique_ptr<net::blocking_pool> fetching;
  std::unique_ptr<net::blocking_pool> strangers;
  std::unique_ptr<net::blocking_pool> introspecting;
  std::unique_ptr<net::blocking_pool> auditing;
  gateway_parts shared;
  std::shared_ptr<const snapshot> rules;
  secret session_key;
  std::vector<std::string> noticed;  // at the start or a reload: what works and is amiss, for whoever asked
  std::mutex changing;               // of `rules`, `conf` and `asked`, once the threads run
  std::unique_ptr<net::server> server;

  clock_watch clocks;
  std::mutex saying;
  std::set<std::string> said;  // of the MCP servers of the configuration, and a few things of each

  std::thread housekeeping;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::atomic<bool> stopped{false};

  // ---- to start, in this order
  result<void> open_log(const settings& of);
  // Pools, and what the workers share.
  void make_threads();
  // After `make_threads`. `where` outlives `stories`.
  void keep_stories(record_store& where, const settings& of);
  // A file of their own; nullptr where there is none, or it cannot be opened, which `noticed` says.
  std::unique_ptr<record_store> open_stories(const settings& of);
  // The port decides about addresses of our own when it was left open, so it comes before all that uses them.
  result<net::listeners> take_port(settings of);
  // With `rules` made. `prepare` sees the service of each worker before it serves.
  result<void> serve(net::listeners open, const std::function<void(gateway_service&)>& prepare = {});

  // ---- while it runs
  // Runs `job` with each worker's service on its own thread, and waits for all of them.
  void on_every_worker(const std::function<void(gateway_service&)>& job);
  // Adds to `noticed`.
  void look_at_certificate(const settings& of, const net::tls_context& ours);
  // What the snapshots point to; it outlives them all.
  span_exporter* exporter_for(const settings& of);
  void adopt(std::shared_ptr<const snapshot> next);
  // Where the policy comes from under other settings. What is not used any more goes with this, so make it
  // before anything is locked: the source may just be taking up what it heard.
  struct policy_change {
    bool same = true;
    std::unique_ptr<policy_source> other;  // asked once already; null where the file says it all
  };
  policy_change policies_for(const settings& next) const;
  const policy_source* source_of(const policy_change& then) const;
  std::unique_ptr<policy_source> source_for(const settings& of) const;
  // Goes on under `effective`, of which `fresh` was made; all or nothing. `changing` is held.
  result<void> take_up(const settings& next, settings effective, std::shared_ptr<const snapshot> fresh,
                       policy_change& then);
  // Scopes of the policy in use that the gateway gives to nobody, for the log.
  void say_what_is_out_of_reach() const;
  // The policy of policy.url says something else. Whether it is in use now.
  bool adopt_policy();
  // Reads, compares with what cannot change, and hands the rest to `take`.
  reload_report reload(const settings_source& read, const std::function<result<void>(const settings&)>& take);
  result<void> reopen_log();
  // Until `stopping`: `job` now and then, at least every `pause`, and at once when woken while `hurry`.
  void keep_house(milliseconds pause, const std::function<bool()>& hurry, const std::function<void()>& job);

  // The clock of somebody else, who is told of when it differs.
  void saw_clock(std::string_view whose, time_point theirs);
  bool first_time_of(std::string_view whom, std::string_view what);

  // ---- to end
  // False, and nothing happens, after the first time. `cut` ends what could still call us.
  bool stop(const std::function<void()>& cut);
};

time_point wall_clock();

}  // namespace mcp_oauth
