#pragma once

#include "mcp/envelope.h"
#include "mcp/list_filter.h"
#include "net/relay.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Whether an answer to the request may hold a list: to a list that is asked for, alone or in a batch, and
// what a stream of its own brings, since answers arrive there in 2024-11-05 and after a resumption.
bool may_hold_lists(std::string_view http_method, const envelope& message);

// Whether a message of a client is to be answered, or may be when it is read. Where two have one id, a server
// may give the answer to one of them, and so a list, to the other.
bool asks_for_answers(const envelope& message);

// Has a head of ours ask for content as it is: what is compressed cannot be filtered.
void ask_for_plain_content(std::string& request_head);

// Takes out of one answer what the caller may not see. Nothing that cannot be read passes, but for what is no
// list in answers to other calls.
class list_answers {
 public:
  // A stream of its own (GET) that turns out to be none holds no messages, and so no list. Answers to other
  // calls pass while they are read.
  enum class asked { list, stream, other };
  // `most`: bytes that may be held.
  list_answers(asked what, keep_listed keep, std::size_t most)
      : asked_(what), keep_(std::move(keep)), most_(most) {}
  list_answers(const list_answers&) = delete;
  list_answers& operator=(const list_answers&) = delete;

  // Errors: list_unreadable, for content that is neither JSON nor events, or is compressed, in place of a
  // list. Answers that say that something went wrong pass as they are.
  result<void> on_head(const net::response_head& head);
  net::relay_watcher::verdict how() const;
  // Whether a field of the head would say something that is not so any more.
  bool changes(std::string_view field) const;

  // Of an answer that is held.
  result<void> on_piece(std::string_view content);
  result<std::string_view> on_end();
  // Of what is not held; valid until the next call.
  result<std::string_view> on_stream_piece(std::string_view content);

  const list_counts& counts() const;

 private:
  asked asked_;
  keep_listed keep_;
  std::size_t most_;
  std::optional<list_filter> json_;
  std::optional<event_list_filter> events_;
  std::string passed_;
};

}  // namespace mcp_oauth
