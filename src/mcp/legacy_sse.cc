#include "mcp/legacy_sse.h"

namespace mcp_oauth {

bool endpoint_rewriter::rules_endpoint_out(std::string_view line) const {
  constexpr std::string_view name = "event:";
  if (line.substr(0, name.size()) != name) return false;
  auto value = line.substr(name.size());
  if (value.starts_with(' ')) value.remove_prefix(1);
  return value != "endpoint";
}

result<std::string> endpoint_rewriter::feed(std::string_view piece) {
  if (done_) return std::string(piece);
  std::string out;
  auto pass_the_rest = [&] {
    done_ = true;
    out += std::exchange(held_, {});
    out += piece;
    return std::move(out);
  };
  while (!piece.empty()) {
    auto byte = piece.substr(0, 1);
    piece.remove_prefix(1);
    held_ += byte;
    if (held_.size() > most_) return pass_the_rest();
    auto events = parser_.feed(byte);
    if (!events) return pass_the_rest();
    boundary_.feed(byte);
    if (!events->empty()) {
      auto& first = events->front();
      if (first.type != "endpoint") return pass_the_rest();
      auto mapped = map_(first.data);
      if (!mapped) return tl::unexpected<error>(mapped.error());
      first.data = std::move(*mapped);
      held_ = write_event(first);
      return pass_the_rest();
    }
    if (byte != "\n" && byte != "\r") continue;
    auto line = std::string_view(held_).substr(line_start_, held_.size() - 1 - line_start_);
    if (rules_endpoint_out(line)) return pass_the_rest();
    bool comment_alone = line_start_ == 0 && (line.empty() || line.starts_with(':'));
    line_start_ = held_.size();
    // A comment before the event, or bare fields: nothing to rewrite in it.
    if (comment_alone || boundary_.between_events()) {
      out += std::exchange(held_, {});
      line_start_ = 0;
    }
  }
  return out;
}

}  // namespace mcp_oauth
