#include "app/list_answers.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {

bool may_hold_lists(std::string_view http_method, const envelope& message) {
  if (http_method == "GET") return true;
  if (message.kind != envelope::kind::batch) return lists_items(message.method);
  return std::any_of(message.items.begin(), message.items.end(),
                     [](const envelope& item) { return lists_items(item.method); });
}

bool asks_for_answers(const envelope& message) {
  auto asks = [](const envelope& one) { return !one.complete || one.kind == envelope::kind::request; };
  if (message.kind != envelope::kind::batch) return asks(message);
  return std::any_of(message.items.begin(), message.items.end(), asks);
}

void ask_for_plain_content(std::string& request_head) {
  constexpr std::string_view name = "accept-encoding:";
  auto line = request_head.find("\r\n");
  while (line != std::string::npos) {
    auto next = request_head.find("\r\n", line + 2);
    if (next == std::string::npos) break;
    if (starts_with_ignoring_case(std::string_view(request_head).substr(line + 2), name)) {
      request_head.erase(line + 2, next - line);
    } else {
      line = next;
    }
  }
  // Without the field any coding would be acceptable (RFC 9110 §12.5.3).
  request_head += "Accept-Encoding: identity\r\n";
}

result<void> list_answers::on_head(const net::response_head& head) {
  if (head.status < 200 || head.status > 299 || head.status == 204) return {};
  auto type = head.find("content-type").value_or("");
  auto coding = head.find("content-encoding").value_or("identity");
  bool plain = equal_ignoring_case(coding, "identity");
  auto name = trim(type.substr(0, type.find(';')));
  bool events = equal_ignoring_case(name, "text/event-stream");
  bool json = equal_ignoring_case(name, "application/json");
  if (asked_ == asked::stream && !events) return {};
  if (asked_ == asked::other && !plain) return {};
  // "Accepted", of a server whose answer comes over a stream: nobody reads a list there.
  if (head.status == 202 && !events && !json) return {};
  auto how = asked_ == asked::other ? list_filter::unreadable::passes : list_filter::unreadable::fails;
  if (events && plain) {
    events_.emplace(keep_, most_, how);
    return {};
  }
  if (json && plain) {
    json_.emplace(keep_, most_, how);
    return {};
  }
  if (asked_ == asked::other) return {};
  return fail(errc::list_unreadable,
              plain ? "the answer is " + (type.empty() ? "of no type" : std::string(type))
                    : "the answer is compressed: " + std::string(coding));
}

net::relay_watcher::verdict list_answers::how() const {
  using verdict = net::relay_watcher::verdict;
  if (json_ && asked_ == asked::list) return verdict::hold;
  return json_ || events_ ? verdict::resize : verdict::pass;
}

bool list_answers::changes(std::string_view field) const {
  constexpr std::array<std::string_view, 5> of_the_content = {"content-digest", "repr-digest", "digest",
                                                              "content-md5", "etag"};
  return (json_ || events_) && std::any_of(of_the_content.begin(), of_the_content.end(),
                                           [&](auto name) { return equal_ignoring_case(field, name); });
}

result<void> list_answers::on_piece(std::string_view content) {
  auto fed = json_->feed(content, passed_);
  if (fed && passed_.size() > most_)
    return fail(errc::list_unreadable,
                "the answer is larger than limits.list (" + std::to_string(most_) + ")");
  return fed;
}

result<std::string_view> list_answers::on_end() {
  if (!json_->whole()) return fail(errc::list_unreadable, "the answer ends early");
  return std::string_view(passed_);
}

result<std::string_view> list_answers::on_stream_piece(std::string_view content) {
  if (!events_ && !json_) return content;
  passed_.clear();
  auto fed = events_ ? events_->feed(content, passed_) : json_->feed(content, passed_);
  if (!fed) return tl::unexpected<error>(fed.error());
  return std::string_view(passed_);
}

const list_counts& list_answers::counts() const {
  static const list_counts none;
  return json_ ? json_->counts() : events_ ? events_->counts() : none;
}

}  // namespace mcp_oauth
