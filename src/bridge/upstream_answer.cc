#include "bridge/upstream_answer.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_field = 16, longest_value = 8 * 1024, most_of_event = 16 * 1024;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::size_t no_mark = 4;
constexpr std::uint64_t longest_retry_ms = 3'600'000;

// Where the first CR or LF is, or npos. A search for either is no search in a set: that one is ten times as
// slow.
std::size_t find_line_end(std::string_view text) {
  auto lf = text.find('\n');
  return std::min(lf, text.substr(0, lf).find('\r'));
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

result<void> upstream_answer::feed(std::string_view piece, std::vector<answer_part>& parts) {
  if (form_ == form::events) {
    feed_events(piece, parts);
    return {};
  }
  if (failure_) return tl::unexpected<error>(*failure_);
  if (!past_mark(piece)) return {};
  if (empty_ && !is_blank(piece)) empty_ = false;
  if (empty_) return {};
  add(piece);
  hand_on(parts);
  if (failure_) return tl::unexpected<error>(*failure_);
  return {};
}

result<void> upstream_answer::finish(std::vector<answer_part>& parts) {
  if (form_ == form::events) {
    // What the end of the stream cuts off is no event (§9.2.6), but for what is out already.
    if (flowing_) {
      failure_ = error{errc::upstream_no_answer, "the stream ended in the middle of a message"};
      hand_on(parts);
    }
    return {};
  }
  if (failure_) return tl::unexpected<error>(*failure_);
  if (empty_) return {};
  return end_message(parts);
}

// Takes a byte order mark off the beginning, also where it comes in pieces. False: it may still be one.
bool upstream_answer::past_mark(std::string_view& piece) {
  if (mark_ == no_mark) return true;
  while (!piece.empty() && mark_ < byte_order_mark.size() && piece.front() == byte_order_mark[mark_]) {
    piece.remove_prefix(1);
    ++mark_;
  }
  if (mark_ == byte_order_mark.size()) {
    mark_ = no_mark;
    return true;
  }
  if (piece.empty()) return false;
  // What looked like one is the beginning itself, and none that any reader here could use.
  if (mark_ > 0) {
    field_.assign(byte_order_mark.substr(0, mark_));
    if (form_ == form::json) add(byte_order_mark.substr(0, mark_));
    empty_ = false;
  }
  mark_ = no_mark;
  return true;
}

void upstream_answer::begin_message() {
  scanner_ = message_scanner();
  text_.clear();
  flowing_ = false;
  judged_.reset();
  failure_.reset();
}

void upstream_answer::add(std::string_view data) {
  bool read = !is_other_event() && !failure_;
  if (read) {
    auto fed = scanner_.feed(data);
    read = fed.has_value();
    if (!read) failure_ = error{errc::upstream_malformed, fed.error().detail};
  }
  // Also of what is no message: its type may come behind it.
  if (!read) {
    text_ += data.substr(0, most_of_event - std::min(text_.size(), most_of_event));
    return;
  }
  auto from = text_.size();
  text_ += data;
  // No string holds one in the clear, or the scanner had refused it.
  if (find_line_end(data) != std::string_view::npos) {
    auto begin = text_.begin() + static_cast<std::ptrdiff_t>(from);
    std::replace(begin, text_.end(), '\n', ' ');
    std::replace(begin, text_.end(), '\r', ' ');
  }
}

// What came as another event's data is that of a message: the last type counts (§9.2.6).
void upstream_answer::read_again(std::vector<answer_part>& parts) {
  bool lost = flowing_ || text_.size() >= most_of_event ||
              (failure_ && failure_->code == errc::upstream_answer_too_large);
  scanner_ = message_scanner();
  failure_.reset();
  if (lost) {
    failure_ = error{errc::upstream_answer_too_large, "an event that is large and has two types"};
  } else {
    add(std::exchange(text_, {}));
  }
  hand_on(parts);
}

// Of a message that is too large to be held, what there is by now; of one that failed, its end.
void upstream_answer::hand_on(std::vector<answer_part>& parts) {
  if (failure_) {
    if (!std::exchange(flowing_, false)) return;
    parts.push_back({answer_part::kind::broken, failure_->detail, {}, {}});
    text_.clear();
    return;
  }
  const auto& bounds = judged_ ? *judged_ : bounds_;
  if (!flowing_ && text_.size() <= bounds.hold) return;
  if (judge_ && bounds_.in_parts && !judged_ && !flowing_) {
    judged_ = judge_(scanner_.seen());
    return hand_on(parts);
  }
  if (!bounds.in_parts) {
    failure_ = error{errc::upstream_answer_too_large, std::to_string(bounds.hold) + " bytes"};
    text_.clear();
    return;
  }
  auto kind = flowing_ ? answer_part::kind::more : answer_part::kind::begin;
  if (text_.empty()) return;
  parts.push_back({kind, std::exchange(text_, {}), {}, flowing_ ? message_facts() : scanner_.seen()});
  flowing_ = true;
}

result<void> upstream_answer::end_message(std::vector<answer_part>& parts) {
  if (!failure_) {
    if (auto done = scanner_.finish(); !done) {
      failure_ = error{errc::upstream_malformed, done.error().detail};
    }
  }
  if (failure_) {
    hand_on(parts);
    return tl::unexpected<error>(*failure_);
  }
  auto kind = flowing_ ? answer_part::kind::end : answer_part::kind::message;
  parts.push_back({kind, std::move(text_), {}, scanner_.take()});
  begin_message();
  return {};
}

// ---- event streams

void upstream_answer::feed_events(std::string_view piece, std::vector<answer_part>& parts) {
  if (!past_mark(piece)) return;
  while (!piece.empty()) {
    if (std::exchange(after_cr_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    if (at_ == at::space) {
      at_ = field_ == "data" ? at::data : at::value;
      if (piece.front() == ' ') {
        piece.remove_prefix(1);
        continue;
      }
    }
    auto stop = at_ == at::field ? piece.find_first_of(":\r\n") : find_line_end(piece);
    auto part = piece.substr(0, stop);
    switch (at_) {
      case at::field:
        if (field_.size() < longest_field) field_ += part.substr(0, longest_field - field_.size());
        break;
      case at::data:
        if (!part.empty()) {
          if (empty_ && !is_blank(part)) empty_ = false;
          add(part);
          if (!is_other_event()) hand_on(parts);
        }
        break;
      case at::value:
        if (value_.size() < longest_value) value_ += part.substr(0, longest_value - value_.size());
        break;
      default: break;
    }
    if (stop == std::string_view::npos) return;
    char c = piece[stop];
    piece.remove_prefix(stop + 1);
    if (at_ == at::field && c == ':') {
      at_ = field_.empty() ? at::comment : at::space;
      if (field_ == "data") {
        if (has_data_) add("\n");
        has_data_ = true;
      }
      continue;
    }
    after_cr_ = c == '\r';
    end_line(parts);
  }
}

void upstream_answer::end_line(std::vector<answer_part>& parts) {
  bool blank = at_ == at::field && field_.empty();
  if (blank) {
    end_event(parts);
  } else if (at_ == at::value || at_ == at::space || at_ == at::field) {
    if (field_ == "event") {
      bool other = is_other_event();
      event_type_ = value_;
      if (has_data_ && other && !is_other_event()) read_again(parts);
    }
    if (field_ == "id" && value_.find('\0') == std::string::npos) {
      next_event_id_ = value_;
      has_next_id_ = true;
    }
    if (field_ == "retry") {
      if (auto ms = parse_decimal(value_))
        retry_ = milliseconds(static_cast<std::int64_t>(std::min(*ms, longest_retry_ms)));
    }
    if (field_ == "data" && at_ == at::field) {
      if (has_data_) add("\n");
      has_data_ = true;
    }
  }
  at_ = at::field;
  field_.clear();
  value_.clear();
}

void upstream_answer::end_event(std::vector<answer_part>& parts) {
  if (std::exchange(has_next_id_, false)) last_event_id_ = std::exchange(next_event_id_, {});
  if (has_data_ && is_other_event()) {
    // Its type came behind what is out already.
    if (std::exchange(flowing_, false))
      parts.push_back({answer_part::kind::broken, "an event of another type", {}, {}});
    parts.push_back({answer_part::kind::event, text_, event_type_, {}});
  } else if (has_data_ && (flowing_ || failure_ || !is_blank(text_))) {
    if (auto ended = end_message(parts); !ended)
      parts.push_back({answer_part::kind::unclear, ended.error().detail, {}, {}});
  }
  begin_message();
  event_type_.clear();
  has_data_ = false;
}

}  // namespace mcp_oauth
