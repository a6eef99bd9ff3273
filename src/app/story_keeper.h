#pragma once

#include "app/log.h"
#include "config/settings.h"
#include "doctor/failure_story.h"
#include "store/record_store.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

namespace mcp_oauth {

// The kind of record that a story is.
inline constexpr std::string_view story_kind = "story";

// Where the stories of a deployment are, as a database_url; "" where nobody can look into: in memory, or
// nowhere.
std::string stories_place(const settings& conf);

struct story_pace {
  milliseconds batch{200};          // how long a story waits for others before it is written
  milliseconds again{2000};         // between two writes of a story that happens again and again
  seconds one{600};                 // the same failure after that much time without is another story
  seconds between_looks{10};        // at how much is kept
  std::uint32_t new_a_minute = 60;  // stories of one source; more are counted and left out
};

// Writes what failed into a store, from a thread of its own: no request waits for it. What does not fit into
// the bounded queue is dropped and counted. Safe from every thread; one lives as long as the process.
// The end writes what is queued; a process that is killed loses that, and no more.
class story_keeper final {
 public:
  // `store` and `log` outlive it; `log` hears when stories cannot be written, and when they can again.
  story_keeper(record_store& store, const explain_settings& conf, log_sink& log, story_pace pace = {});
  ~story_keeper();
  story_keeper(const story_keeper&) = delete;
  story_keeper& operator=(const story_keeper&) = delete;

  void change(const explain_settings& conf);

  // Whether a story would be taken: they are kept at all, and there is room in the queue. One read.
  bool wants() const { return wants_.load(std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  // `same`: failures with this number are one story (a hash of who and why). `source`: whose, for fairness.
  void add(std::uint64_t same, std::string source, failure_story story);
  // It happened so many times more.
  struct repeated {
    std::uint64_t same, times;
    std::vector<std::string> ids;  // of the last of them, the last one last
    std::int64_t last_at;
  };
  void again(repeated more);
  // A sign-in ended well, with that request; whose failures were told says so.
  void ended(std::string_view login, std::string_view id, std::int64_t at);
  // One that is not told of, as there was no room.
  void dropped() { dropped_.fetch_add(1, std::memory_order_relaxed); }

  struct counts {
    std::uint64_t kept = 0, collapsed = 0, dropped = 0;
  };
  counts now() const;
  // How often its thread has looked at the queue: it sleeps while there is nothing to do.
  std::uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }

 private:
  struct fresh {
    std::uint64_t same;
    std::string source;
    failure_story story;
  };
  struct good_end {
    std::string login, id;
    std::int64_t at;
  };
  using item = std::variant<fresh, repeated, good_end>;
  struct one {
    failure_story story;
    std::string source;
    bool unwritten = true;
    std::chrono::steady_clock::time_point written;
  };

  void run();
  void queue(item&& what);  // with the mutex held
  bool has_unwritten() const;
  void take(item&& what);
  void take(fresh&& what);
  void take(repeated&& what);
  void take(good_end&& what);
  bool is_too_much_of(const std::string& source, std::int64_t at);
  void write(bool all);
  void forget_old(std::int64_t now_ms);
  void hold_to_bounds();
  void note(const error* why);

  record_store& store_;
  log_sink& log_;
  const story_pace pace_;
  std::atomic<bool> enabled_{false}, wants_{false};
  std::atomic<std::uint64_t> kept_{0}, collapsed_{0}, dropped_{0}, rounds_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  explain_settings conf_;
  std::vector<item> queue_;
  bool stopping_ = false;

  // The thread's own.
  std::unordered_map<std::uint64_t, one> recent_;
  struct minute {
    std::int64_t which = 0;
    std::uint32_t stories = 0;
  };
  std::unordered_map<std::string, minute> sources_;
  std::int64_t swept_ = 0;  // the minute in which sources were last forgotten
  bool wrote_since_look_ = false;
  bool forgot_ = false;  // since the queue was looked at
  std::chrono::steady_clock::time_point next_look_;
  bool failing_ = false;

  std::thread thread_;
};

}  // namespace mcp_oauth
