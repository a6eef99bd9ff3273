#pragma once

#include "base/error.h"
#include "base/time.h"
#include "bridge/message_scan.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// A piece of what an MCP server's answer says.
struct answer_part {
  enum class kind {
    message,  // a whole one: one line without line ends, and its facts
    begin,    // of a message too large to be held: its first bytes, and what is known of it by now
    more,     // of that message
    end,      // of that message, with all its facts; `text` is the rest of it
    broken,   // ends that message: what came of it is no JSON
    event,    // an event of another type than "message": `type` and, up to 16 KiB, its data
    unclear,  // an event that is no JSON, or too large; `text` says why. The stream goes on.
  };
  enum kind kind = kind::message;
  std::string text;
  std::string type;
  message_facts facts;
};

// How much of a message is kept before it is handed on.
struct answer_bounds {
  std::size_t hold = 256 * 1024;  // more than that goes out in parts, or, where that is not wanted, fails
  bool in_parts = true;
};

// Reads the messages out of the body of an answer, application/json or text/event-stream, while it comes in
// pieces of any size. Line ends between tokens become spaces, so that a message is a line; bytes of UTF-8
// stay together because nothing is decoded. Of an event stream (WHATWG HTML §9.2.6): CR, LF and CRLF, a byte
// order mark, comments; data of several lines is one text.
class upstream_answer {
 public:
  enum class form { json, events };
  upstream_answer(form f, answer_bounds bounds) : form_(f), bounds_(bounds) {}
  // From now on each message that outgrows what is held gets the bounds that are said of it then, by what is
  // known of it by then: its id may come last.
  void judge_large(std::function<answer_bounds(const message_facts&)> judge) { judge_ = std::move(judge); }

  // Appends to `parts`. Errors, of a JSON body only: upstream_malformed (no JSON), upstream_answer_too_large;
  // of no use after that. A message that had begun to go out is ended by `broken` first.
  result<void> feed(std::string_view piece, std::vector<answer_part>& parts);
  // The body has ended, properly or cut off: what stands half is reported as in `feed`.
  result<void> finish(std::vector<answer_part>& parts);

  // Whether anything but white space came.
  bool empty() const { return empty_; }
  // Whether parts of a message are out whose end is not.
  bool in_message() const { return flowing_; }
  // Of an event stream: the id of the last event that had one ("" resets it), and the server's wish.
  const std::string& last_event_id() const { return last_event_id_; }
  std::optional<milliseconds> retry() const { return retry_; }

 private:
  void add(std::string_view data);
  result<void> end_message(std::vector<answer_part>& parts);
  void hand_on(std::vector<answer_part>& parts);
  void begin_message();
  void read_again(std::vector<answer_part>& parts);
  bool past_mark(std::string_view& piece);
  bool is_other_event() const { return !event_type_.empty() && event_type_ != "message"; }

  void feed_events(std::string_view piece, std::vector<answer_part>& parts);
  void end_line(std::vector<answer_part>& parts);
  void end_event(std::vector<answer_part>& parts);

  form form_;
  answer_bounds bounds_;
  std::function<answer_bounds(const message_facts&)> judge_;
  bool empty_ = true;
  std::size_t mark_ = 0;  // bytes of a byte order mark so far; 4: past it

  // of the message under way
  message_scanner scanner_;
  std::string text_;
  bool flowing_ = false;
  std::optional<answer_bounds> judged_;
  std::optional<error> failure_;

  // of the event stream
  enum class at { field, space, data, value, comment };
  at at_ = at::field;
  bool after_cr_ = false;
  bool has_data_ = false;
  std::string field_, value_;
  std::string event_type_, last_event_id_, next_event_id_;
  bool has_next_id_ = false;
  std::optional<milliseconds> retry_;
};

}  // namespace mcp_oauth
