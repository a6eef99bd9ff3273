#pragma once

#include "app/story_keeper.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mcp_oauth {

// Of one worker: the failures that it told of within the last second, so that the same one again costs a look
// and a count. Not safe from other threads.
class story_front final {
 public:
  explicit story_front(story_keeper* keeper) : keeper_(keeper) {}

  // Whether a story has to be made for the failure: it is new, and there is room for it. Otherwise it is
  // counted already. `same`: what `story_keeper::add` calls so; `source`: a hash of whose it is.
  bool is_new(std::uint64_t same, std::uint64_t source, std::string_view id, std::int64_t at_ms);
  // Hands on what was counted. Called a few times a second, and at the end.
  void flush();

 private:
  static constexpr std::size_t most_ids = 16;
  struct cell {
    std::uint64_t same = 0;
    std::int64_t until = 0;
    std::uint64_t times = 0;  // not handed on yet
    std::int64_t last_at = 0;
    std::array<std::array<char, 13>, most_ids> ids{};  // of the last of those
  };
  struct table {
    std::array<cell, 256> cells{};
    std::array<std::uint8_t, 256> made_of{};  // of each source in this second; some share a place
  };
  bool is_too_much(std::uint64_t source, std::int64_t at_ms);
  void hand_on(cell& c);

  story_keeper* keeper_;
  std::unique_ptr<table> table_;  // from the first failure on
  std::int64_t second_ = 0;
  std::uint32_t made_ = 0;  // in that second
  bool counted_ = false;
};

}  // namespace mcp_oauth
