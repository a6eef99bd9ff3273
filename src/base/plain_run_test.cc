#include "base/plain_run.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

template <beyond_ascii Beyond, char... Stops>
std::size_t run_of(std::string_view text) {
  return static_cast<std::size_t>(pass_plain<Beyond, Stops...>(text.data(), text.data() + text.size()) -
                                  text.data());
}

// Every byte, at every place of a text that is longer than two steps, before and behind every other byte that
// stops.
TEST(PassPlain, StopsAtTheFirstByteThatIsNotPlainWhereverItStands) {
  for (int value = 0; value < 256; ++value) {
    bool control = value < 0x20;
    for (std::size_t size = 1; size <= 40; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(value);
        auto in_json = control || value >= 0x80 || value == '"' || value == '\\';
        EXPECT_EQ((run_of<beyond_ascii::stops, '"', '\\'>(text)), in_json ? at : size) << value;
        auto in_field = control || value == 0x7F;
        EXPECT_EQ((run_of<beyond_ascii::plain, '\x7F'>(text)), in_field ? at : size) << value;
      }
    }
  }
}

TEST(PassPlain, IsNotMisledByWhatStandsBehindTheFirst) {
  for (int first : {0x00, 0x1F, 0x22, 0x5C, 0x80, 0xFF}) {
    for (int second = 0; second < 256; ++second) {
      std::string text(24, 'a');
      text[5] = static_cast<char>(first);
      text[6] = static_cast<char>(second);
      EXPECT_EQ((run_of<beyond_ascii::stops, '"', '\\'>(text)), 5U) << first << ' ' << second;
      text[5] = 'a';
      text[19] = static_cast<char>(first);
      text[20] = static_cast<char>(second);
      text[6] = 'a';
      EXPECT_EQ((run_of<beyond_ascii::stops, '"', '\\'>(text)), 19U) << first << ' ' << second;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
