#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mcp_oauth {

// So many events per key and window, refilled evenly (a token bucket). Bounded: beyond `most_keys` the key
// that was silent longest is forgotten. Safe from every thread. Counts within one process only.
class limiter final {
 public:
  limiter(std::uint32_t events, seconds window, std::size_t most_keys = 20'000);

  // Nothing: the event may happen, and is counted. Otherwise how long to wait, at least one second.
  std::optional<seconds> refuse(std::string_view key, time_point now);

  std::size_t size() const;

 private:
  struct bucket {
    std::string key;
    double level;  // events still allowed
    time_point filled;
  };

  const double capacity_;
  const double per_second_;
  const std::size_t most_keys_;
  mutable std::mutex mutex_;
  std::list<bucket> recent_;  // the front is the key seen last
  std::unordered_map<std::string_view, std::list<bucket>::iterator> by_key_;
};

// What one registrant or attacker is counted under: an IPv4 address as it is, of an IPv6 address its /64,
// since a single subscriber holds all of that.
std::string limiter_key(std::string_view peer);

}  // namespace mcp_oauth
