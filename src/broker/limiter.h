#pragma once

#include "base/random.h"
#include "base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// So many events in a window, which come back evenly.
struct rate {
  std::uint32_t events = 0;  // 0: no limit
  seconds window{60};
};

// Counts events by key, in 512 KiB that are taken at the first event and never grow. Each key has one cell in
// each of four rows, under a hash that nobody outside can compute, and its count is the least of the four.
// Other keys add to a cell and never take from it: no number of them makes a key forgotten, and it takes
// hundreds of thousands at once to count anybody too high. Safe from every thread. Counts within one process
// only. A clock that steps back far lets everybody begin anew; otherwise it costs a wait of half a minute at
// most.
class limiter final {
 public:
  explicit limiter(const random_fn& random);

  // Nothing: the event may happen, and is counted. Otherwise how long to wait, at least one second. A key is
  // to be asked with one rate only, but for a changed configuration.
  std::optional<seconds> refuse(std::string_view key, rate allowed, time_point now);
  // The same without counting.
  std::optional<seconds> is_spent(std::string_view key, rate allowed, time_point now);

 private:
  static constexpr std::size_t rows = 4;
  static constexpr std::size_t width = 16'384;

  // When all that the key has used will have come back, in nanoseconds of the clock.
  std::int64_t used_until(const std::array<std::size_t, rows>& cells, std::int64_t moment,
                          std::int64_t window);
  std::array<std::size_t, rows> cells_of(std::string_view key) const;
  std::optional<seconds> judge(std::string_view key, rate allowed, time_point now, bool count);

  const std::string hash_key_;
  std::mutex mutex_;
  std::vector<std::int64_t> until_;  // the rows, one behind the other
};

// What one registrant or attacker is counted under: an IPv4 address as it is, of an IPv6 address its /64,
// since a single subscriber holds all of that.
std::string limiter_key(std::string_view peer);

}  // namespace mcp_oauth
