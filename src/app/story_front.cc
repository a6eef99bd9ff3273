#include "app/story_front.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::int64_t remembered = 1000;        // milliseconds
constexpr std::uint32_t most_in_a_second = 100;  // stories that one worker makes
constexpr std::uint8_t most_of_one = 20;         // of those, for one source

}  // namespace

bool story_front::is_new(std::uint64_t same, std::uint64_t source, std::string_view id, std::int64_t at_ms) {
  if (!table_) table_ = std::make_unique<table>();
  auto& c = table_->cells[same % table_->cells.size()];
  if (c.same == same && at_ms < c.until) {
    auto& place = c.ids[c.times % most_ids];
    place.fill('\0');
    std::copy_n(id.begin(), std::min(id.size(), place.size()), place.data());
    ++c.times;
    c.last_at = at_ms;
    counted_ = true;
    return false;
  }
  if (!keeper_->wants() || is_too_much(source, at_ms)) {
    keeper_->dropped();
    return false;
  }
  hand_on(c);
  c = cell();
  c.same = same;
  c.until = at_ms + remembered;
  return true;
}

bool story_front::is_too_much(std::uint64_t source, std::int64_t at_ms) {
  if (at_ms / 1000 != second_) {
    second_ = at_ms / 1000;
    made_ = 0;
    table_->made_of.fill(0);
  }
  auto& its = table_->made_of[source % table_->made_of.size()];
  if (made_ >= most_in_a_second || its >= most_of_one) return true;
  ++made_;
  ++its;
  return false;
}

void story_front::flush() {
  if (!counted_) return;
  counted_ = false;
  for (auto& c : table_->cells) hand_on(c);
}

void story_front::hand_on(cell& c) {
  if (c.times == 0) return;
  story_keeper::repeated more{c.same, c.times, {}, c.last_at};
  auto known = std::min<std::uint64_t>(c.times, most_ids);
  for (auto at = c.times - known; at < c.times; ++at) {
    const auto& id = c.ids[at % most_ids];
    more.ids.emplace_back(id.begin(), std::find(id.begin(), id.end(), '\0'));
  }
  keeper_->again(std::move(more));
  c.times = 0;
}

}  // namespace mcp_oauth
