#include "app/story_front.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::int64_t remembered = 1000;        // milliseconds
constexpr std::uint32_t most_in_a_second = 100;  // stories that one worker makes

}  // namespace

bool story_front::is_new(std::uint64_t same, std::string_view id, std::int64_t at_ms) {
  auto& c = cells_[same % cells_.size()];
  if (c.same == same && at_ms < c.until) {
    ++c.times;
    c.last_at = at_ms;
    c.length = std::min(id.size(), c.last_id.size());
    std::copy_n(id.data(), c.length, c.last_id.data());
    counted_ = true;
    return false;
  }
  if (at_ms / 1000 != second_) {
    second_ = at_ms / 1000;
    made_ = 0;
  }
  if (!keeper_->wants() || made_ >= most_in_a_second) {
    keeper_->dropped();
    return false;
  }
  ++made_;
  hand_on(c);
  c = cell();
  c.same = same;
  c.until = at_ms + remembered;
  return true;
}

void story_front::flush() {
  if (!counted_) return;
  counted_ = false;
  for (auto& c : cells_) hand_on(c);
}

void story_front::hand_on(cell& c) {
  if (c.times == 0) return;
  keeper_->again(c.same, c.times, std::string_view(c.last_id.data(), c.length), c.last_at);
  c.times = 0;
}

}  // namespace mcp_oauth
