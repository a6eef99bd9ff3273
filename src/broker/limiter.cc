#include "broker/limiter.h"

#include "base/ip_address.h"
#include "jose/digest.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

using std::chrono::nanoseconds;

// Between a request's look at the clock and its being counted.
constexpr std::int64_t longest_under_way = nanoseconds(seconds(30)).count();

std::int64_t count_of(std::chrono::system_clock::duration d) {
  return std::chrono::duration_cast<nanoseconds>(d).count();
}

}  // namespace

limiter::limiter(const random_fn& random) : hash_key_(random(32)) {}

std::optional<seconds> limiter::refuse(std::string_view key, rate allowed, time_point now) {
  return judge(key, allowed, now, true);
}

std::optional<seconds> limiter::is_spent(std::string_view key, rate allowed, time_point now) {
  return judge(key, allowed, now, false);
}

// The generic cell rate algorithm: one moment per key in place of a level and the time of its last change.
std::optional<seconds> limiter::judge(std::string_view key, rate allowed, time_point now, bool count) {
  if (allowed.events == 0) return std::nullopt;
  auto window = count_of(std::max(allowed.window, seconds(1)));
  auto each = std::max<std::int64_t>(1, window / allowed.events);
  auto moment = count_of(now.time_since_epoch());
  auto cells = cells_of(key);
  std::lock_guard lock(mutex_);
  if (until_.empty()) until_.resize(rows * width);
  auto used = std::max(used_until(cells, moment, window), moment);
  auto wait = used + each - window - moment;
  if (wait > 0) {
    auto whole = std::chrono::ceil<seconds>(nanoseconds(wait));
    return std::max(whole, seconds(1));
  }
  if (count) {
    for (auto cell : cells) until_[cell] = std::max(until_[cell], used + each);
  }
  return std::nullopt;
}

std::int64_t limiter::used_until(const std::array<std::size_t, rows>& cells, std::int64_t moment,
                                 std::int64_t window) {
  const auto latest = moment + window;  // nobody has used more than that
  auto least = latest;
  for (auto cell : cells) {
    // Written by a clock that was ahead. A little beyond `latest` is usual: whoever is counted first may have
    // looked at the clock last.
    if (until_[cell] > latest + longest_under_way) until_[cell] = 0;
    least = std::min(least, until_[cell]);
  }
  return least;
}

std::array<std::size_t, limiter::rows> limiter::cells_of(std::string_view key) const {
  auto hash = hmac_sha256(hash_key_, key);
  std::array<std::size_t, rows> cells{};
  for (std::size_t row = 0; row < rows; ++row) {
    auto high = static_cast<unsigned char>(hash[2 * row]);
    auto low = static_cast<unsigned char>(hash[2 * row + 1]);
    cells[row] = row * width + (static_cast<std::size_t>(high) << 8 | low) % width;
  }
  return cells;
}

std::string limiter_key(std::string_view peer) {
  auto address = ip_address::parse(peer);
  if (!address) return std::string(peer);
  auto real = address->unmapped();
  if (real.kind == ip_address::family::v4) return real.to_string();
  std::fill(real.bytes.begin() + 8, real.bytes.end(), std::uint8_t{0});
  return real.to_string() + "/64";
}

}  // namespace mcp_oauth
