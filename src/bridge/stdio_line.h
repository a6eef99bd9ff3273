#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Takes what comes on standard input apart into lines, by LF or CR LF. Blank lines are no lines. A line that
// is longer than the bound is passed over up to its end, and reported once.
class line_splitter {
 public:
  explicit line_splitter(std::size_t most) : most_(most) {}

  struct line {
    std::string text;
    bool too_long = false;  // then `text` is empty
  };
  void feed(std::string_view piece) { input_ += piece; }
  // The next whole line.
  std::optional<line> next();
  // After the end of the input: what stands there without a line end.
  std::optional<line> rest();
  // Bytes that were fed and not handed out.
  std::size_t held() const { return input_.size() - at_; }

 private:
  void forget_taken();

  std::size_t most_;
  std::string input_;
  std::size_t at_ = 0;        // where the next line begins
  std::size_t searched_ = 0;  // no line end before that
  bool passing_over_ = false;
};

}  // namespace mcp_oauth
