#include "broker/limiter.h"

#include "base/ip_address.h"

#include <algorithm>
#include <cmath>

namespace mcp_oauth {

limiter::limiter(std::uint32_t events, seconds window, std::size_t most_keys)
    : capacity_(std::max<double>(1, events)),
      per_second_(capacity_ / static_cast<double>(std::max<seconds::rep>(1, window.count()))),
      most_keys_(std::max<std::size_t>(1, most_keys)) {}

std::optional<seconds> limiter::refuse(std::string_view key, time_point now) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (recent_.size() == most_keys_) {
      by_key_.erase(recent_.back().key);
      recent_.pop_back();
    }
    recent_.push_front({std::string(key), capacity_, now});
    by_key_.emplace(recent_.front().key, recent_.begin());
  } else {
    recent_.splice(recent_.begin(), recent_, found->second);
  }
  auto& b = recent_.front();
  if (now > b.filled) {
    b.level =
        std::min(capacity_, b.level + std::chrono::duration<double>(now - b.filled).count() * per_second_);
    b.filled = now;
  }
  if (b.level >= 1) {
    b.level -= 1;
    return std::nullopt;
  }
  return seconds(
      std::max<seconds::rep>(1, static_cast<seconds::rep>(std::ceil((1 - b.level) / per_second_))));
}

std::size_t limiter::size() const {
  std::lock_guard lock(mutex_);
  return recent_.size();
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
