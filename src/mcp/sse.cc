#include "mcp/sse.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {

std::string write_event(const sse_event& event) {
  std::string out;
  auto line = [&out](std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += '\n';
  };
  if (!event.type.empty()) line("event", event.type);
  if (event.id) line("id", *event.id);
  if (event.retry) line("retry", std::to_string(event.retry->count()));
  std::string_view rest = event.data;
  for (;;) {
    auto end = rest.find_first_of("\r\n");
    line("data", rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + (rest.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  out += '\n';
  return out;
}

result<std::vector<sse_event>> sse_parser::feed(std::string_view piece) {
  std::vector<sse_event> events;
  while (!piece.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (piece.front() == '\n') {
        piece.remove_prefix(1);
        continue;
      }
    }
    auto end = piece.find_first_of("\r\n");
    auto part = piece.substr(0, end);
    size_ += part.size();
    if (size_ > most_) return fail(errc::upstream_malformed, "an event of the stream is too large");
    line_ += part;
    if (end == std::string_view::npos) break;
    after_cr_ = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    end_line(events);
  }
  return events;
}

void sse_parser::end_line(std::vector<sse_event>& events) {
  std::string_view line = line_;
  if (at_start_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  at_start_ = false;
  if (line.empty()) {
    if (has_data_) {
      events.push_back(std::move(event_));
      event_ = {};
    }
    // Without data nothing is dispatched; the type is forgotten, id and retry stay in force.
    event_.type.clear();
    event_.data.clear();
    has_data_ = false;
    size_ = 0;
    line_.clear();
    return;
  }
  auto colon = line.find(':');
  auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.type = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) event_.id = std::string(value);
  } else if (name == "retry") {
    constexpr std::uint64_t longest = 1ULL << 53;
    if (auto ms = parse_decimal(value))
      event_.retry = milliseconds(static_cast<std::int64_t>(std::min(*ms, longest)));
  }
  // A line of its own costs one more, so that a flood of empty fields is bounded too.
  ++size_;
  line_.clear();
}

void event_boundary::feed(std::string_view forwarded) {
  // Four line ends hold a blank line, and any other byte says where the line stands: more than the last four
  // bytes cannot matter.
  constexpr std::size_t window = 4;
  if (forwarded.size() >= window) {
    forwarded.remove_prefix(forwarded.size() - window);
    line_is_empty_ = between_ = after_cr_ = false;
  }
  for (char c : forwarded) {
    if (c == '\n' && after_cr_) {
      after_cr_ = false;
      continue;
    }
    after_cr_ = c == '\r';
    bool line_end = c == '\n' || c == '\r';
    between_ = line_end && line_is_empty_;
    line_is_empty_ = line_end;
  }
}

}  // namespace mcp_oauth
