#include "bridge/stdio_line.h"

#include "base/text.h"

namespace mcp_oauth {

std::optional<line_splitter::line> line_splitter::next() {
  for (;;) {
    auto end = input_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = input_.size();
      if (passing_over_ || input_.size() - at_ > most_) {
        bool first = !passing_over_;
        passing_over_ = true;
        input_.clear();
        at_ = searched_ = 0;
        if (first) return line{{}, true};
      }
      forget_taken();
      return std::nullopt;
    }
    auto text = std::string_view(input_).substr(at_, end - at_);
    at_ = searched_ = end + 1;
    if (passing_over_) {
      passing_over_ = false;
      continue;
    }
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (trim(text).empty()) continue;
    if (text.size() > most_) return line{{}, true};
    return line{std::string(text), false};
  }
}

std::optional<line_splitter::line> line_splitter::rest() {
  if (auto whole = next()) return whole;
  auto text = trim(std::string_view(input_).substr(at_));
  while (text.ends_with('\r')) text.remove_suffix(1);
  std::optional<line> last;
  if (!passing_over_ && !text.empty()) last = line{std::string(text), false};
  input_.clear();
  at_ = searched_ = 0;
  return last;
}

// What one large line needed is not kept for the next small one.
void line_splitter::forget_taken() {
  if (at_ == 0) return;
  input_.erase(0, at_);
  at_ = 0;
  searched_ = input_.size();
  constexpr std::size_t usual = 64 * 1024;
  if (input_.capacity() > 4 * usual && input_.size() < usual) input_.shrink_to_fit();
}

}  // namespace mcp_oauth
