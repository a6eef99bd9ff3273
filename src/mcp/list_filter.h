#pragma once

#include "base/error.h"
#include "mcp/json_scanner.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What the lists of an MCP server hold: the items of tools/list, resources/list, resources/templates/list and
// prompts/list.
enum class listed : std::uint8_t { tool, resource, resource_template, prompt };

// Whether the answer to that method holds one.
bool lists_items(std::string_view method);

// Whether the item stays; `name` is its name, URI or URI template.
using keep_listed = std::function<bool(listed what, std::string_view name)>;

struct list_counts {
  std::array<std::size_t, 4> seen{}, kept{};  // by `listed`

  bool any() const;
  std::string describe() const;  // "12 tools, 3 visible"
};

// Takes items out of the lists in a JSON-RPC message, or in a batch of them, while its bytes pass by. Lists
// are the members `tools`, `resources`, `resourceTemplates` and `prompts` of a result, in whichever answer
// they stand and however they are cased, since some reader could take them for that. What stays keeps its
// bytes, but for a `cacheScope` of a result (MCP 2026-07-28): "public" becomes "private", for the list is one
// caller's now. Nothing is held back but the item that is under way. Fails (list_unreadable) on what is
// no strict JSON (`json_scanner`), on an item that is no object or has no name, or two, and on one of more
// than `most` bytes: from then on for ever, and the end must not be passed on. For messages that need not
// hold a list (`unreadable::passes`) it fails within a list and in a batch only; elsewhere the rest of such a
// message passes as it is.
class list_filter {
 public:
  enum class unreadable : std::uint8_t { fails, passes };
  explicit list_filter(const keep_listed& keep, std::size_t most, unreadable how = unreadable::fails)
      : keep_(&keep), most_(most), how_(how) {}

  // Appends to `out` what may go on of `piece`.
  result<void> feed(std::string_view piece, std::string& out);
  // Whether a whole message has passed, or what cannot be read passes.
  bool whole() const { return passing_ || (place_ == place::end && json_.whole()); }
  // Of a message that ends here, though it is not whole. The same errors.
  result<void> end_early(std::string& out);
  // Ready for the next message; the counts go on.
  void begin_message();
  const list_counts& counts() const { return counts_; }

 private:
  enum class place : std::uint8_t { start, batch, message, result, items, item, end };
  enum class next : std::uint8_t { other, result, list, name, scope };
  using token = json_scanner::token;

  bool take(token t, std::string& out);
  bool open(token t);
  bool close(token t, std::string& out);
  bool take_name();
  bool take_text(token t);
  bool end_item(std::string& out);
  void end_scope(token t, std::string& out);
  bool refuse(const char* why);
  bool pass_unread(std::string_view rest, std::string& out);

  const keep_listed* keep_;
  std::size_t most_;
  unreadable how_;
  json_scanner json_;
  place place_ = place::start;
  next next_ = next::other;
  listed list_ = listed::tool;
  bool batch_ = false;
  bool skipping_ = false;
  bool passing_ = false;  // for it cannot be read
  bool has_name_ = false;
  bool wrote_item_ = false;
  const char* why_ = nullptr;
  std::string gap_;   // before an item
  std::string held_;  // of an item, or from the name of a cacheScope to its value
  std::string name_;
  list_counts counts_;
};

// The same for a stream of events (WHATWG HTML §9.2), whose `data` are messages. Data that is no JSON object
// or array passes as it is, and so does all that is no data.
class event_list_filter {
 public:
  event_list_filter(const keep_listed& keep, std::size_t most,
                    list_filter::unreadable how = list_filter::unreadable::fails)
      : messages_(keep, most, how) {}

  // Appends to `out` what may go on of `piece`. Errors: list_unreadable, for ever.
  result<void> feed(std::string_view piece, std::string& out);
  const list_counts& counts() const { return messages_.counts(); }

 private:
  enum class line : std::uint8_t { start, other, data };
  enum class content : std::uint8_t { none, json, plain };

  line kind_of(std::string_view start) const;
  void begin_line(std::string& out);
  void end_line(char ending, std::string& out);
  void data(std::string_view bytes, std::string& out);
  void message_bytes(std::string_view bytes, std::string& out);

  list_filter messages_;
  line line_ = line::start;
  content content_ = content::none;
  bool first_line_ = true;
  bool after_cr_ = false;
  bool after_colon_ = false;  // a blank there is no data
  bool deferred_ = false;     // the end of the last line waits, since its message is not whole
  bool over_lines_ = false;   // the message goes on over a line end
  std::string start_;         // of a line, until it says which one it is
  std::string passed_;
  std::string why_;
};

}  // namespace mcp_oauth
