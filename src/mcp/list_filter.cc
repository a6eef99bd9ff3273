#include "mcp/list_filter.h"

#include "mcp/folded.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_member = 1024, longest_name = 8192, longest_scope = 64;

struct known_list {
  std::string_view member;  // of the result
  listed what;
  std::string_view name;    // of an item
  std::string_view plural;  // for people
};
constexpr known_list lists[] = {{"tools", listed::tool, "name", "tools"},
                                {"resources", listed::resource, "uri", "resources"},
                                {"resourceTemplates", listed::resource_template, "uriTemplate", "templates"},
                                {"prompts", listed::prompt, "name", "prompts"}};

const known_list& row_of(listed what) { return lists[static_cast<std::size_t>(what)]; }

}  // namespace

bool lists_items(std::string_view method) {
  return method == "tools/list" || method == "resources/list" || method == "resources/templates/list" ||
         method == "prompts/list";
}

bool list_counts::any() const {
  return std::any_of(seen.begin(), seen.end(), [](std::size_t n) { return n > 0; });
}

std::string list_counts::describe() const {
  std::string text;
  for (const auto& row : lists) {
    auto i = static_cast<std::size_t>(row.what);
    if (seen[i] == 0) continue;
    if (!text.empty()) text += "; ";
    text +=
        std::to_string(seen[i]) + " " + std::string(row.plural) + ", " + std::to_string(kept[i]) + " visible";
  }
  return text;
}

void list_filter::begin_message() {
  json_ = json_scanner();
  place_ = place::start;
  next_ = next::other;
  batch_ = skipping_ = passing_ = false;
}

result<void> list_filter::feed(std::string_view piece, std::string& out) {
  if (passing_) {
    out += piece;
    return {};
  }
  while (why_ == nullptr) {
    auto before = piece;
    auto t = json_.next(piece);
    auto taken = before.substr(0, before.size() - piece.size());
    // Where it goes depends on where it began: an item's own bytes are held, those between items too.
    if (place_ == place::items) {
      gap_ += taken;
    } else if (place_ == place::item || next_ == next::scope) {
      held_ += taken;
      if (held_.size() > most_) refuse("an item of a list is too large");
    } else {
      out += taken;
    }
    if (gap_.size() > most_) refuse("too much between two items of a list");
    if (why_ != nullptr || t == token::more) break;
    if (t == token::error) {
      refuse(json_.why());
    } else {
      if (next_ == next::scope) end_scope(t, out);
      take(t, out);
    }
  }
  if (why_ == nullptr || pass_unread(piece, out)) return {};
  return fail(errc::list_unreadable, std::string(why_) + ", at byte " + std::to_string(json_.offset()));
}

result<void> list_filter::end_early(std::string& out) {
  refuse("a message in a stream ends early");
  if (pass_unread({}, out)) return {};
  return fail(errc::list_unreadable, why_);
}

// Not what is in a list, or what another message of a batch may be in.
bool list_filter::pass_unread(std::string_view rest, std::string& out) {
  if (how_ == unreadable::fails || batch_ || place_ == place::items || place_ == place::item) return false;
  out += held_;
  held_.clear();
  out += rest;
  why_ = nullptr;
  passing_ = true;
  return true;
}

bool list_filter::take(token t, std::string& out) {
  switch (t) {
    case token::name: return take_name();
    case token::begin_object:
    case token::begin_array: return open(t);
    case token::end_object:
    case token::end_array: return close(t, out);
    default: return take_text(t);
  }
}

bool list_filter::open(token t) {
  bool object = t == token::begin_object;
  auto expect_name = [&] { json_.keep_next(json_scanner::keep::text, longest_member); };
  switch (place_) {
    case place::start:
      if (!object) batch_ = true;
      place_ = object ? place::message : place::batch;
      if (object) expect_name();
      return true;
    case place::batch:
      if (!object) return refuse("an answer in a batch is no object");
      place_ = place::message;
      expect_name();
      return true;
    case place::message:
      if (object && next_ == next::result) {
        place_ = place::result;
        expect_name();
        return true;
      }
      break;
    case place::result:
      if (!object && next_ == next::list) {
        place_ = place::items;
        wrote_item_ = false;
        gap_.clear();
        return true;
      }
      break;
    case place::items:
      if (!object) return refuse("an item of a list is no object");
      place_ = place::item;
      has_name_ = false;
      held_ = "{";
      gap_.pop_back();
      gap_.erase(std::remove(gap_.begin(), gap_.end(), ','), gap_.end());
      expect_name();
      return true;
    case place::item:
      if (next_ == next::name) return refuse("the name of an item is no text");
      break;
    case place::end: break;
  }
  json_.skip();
  skipping_ = true;
  return true;
}

bool list_filter::close(token t, std::string& out) {
  auto expect_name = [&] { json_.keep_next(json_scanner::keep::text, longest_member); };
  if (skipping_) {
    skipping_ = false;
    expect_name();
    return true;
  }
  switch (place_) {
    case place::item:
      if (!end_item(out)) return false;
      place_ = place::items;
      return true;
    case place::items:
      out += gap_;
      gap_.clear();
      place_ = place::result;
      expect_name();
      return true;
    case place::result:
      place_ = place::message;
      expect_name();
      return true;
    case place::message: place_ = batch_ ? place::batch : place::end; return true;
    case place::batch: place_ = place::end; return true;
    case place::start:
    case place::end: break;
  }
  return t == token::end_array || refuse("nothing was open");
}

bool list_filter::take_name() {
  if (json_.overlong()) {
    if (place_ == place::item || place_ == place::result) return refuse("a member name is too long");
    next_ = next::other;
    return true;
  }
  auto name = json_.text();
  next_ = next::other;
  if (place_ == place::message) {
    if (equal_folded("result", name)) next_ = next::result;
  } else if (place_ == place::result) {
    for (const auto& row : lists) {
      if (!equal_folded(row.member, name)) continue;
      next_ = next::list;
      list_ = row.what;
    }
    if (equal_folded("cacheScope", name)) {
      next_ = next::scope;
      json_.keep_next(json_scanner::keep::text, longest_scope);
    }
  } else if (place_ == place::item && equal_folded(row_of(list_).name, name)) {
    if (has_name_) return refuse("an item of a list has two names");
    next_ = next::name;
    json_.keep_next(json_scanner::keep::text, longest_name);
  }
  return true;
}

bool list_filter::take_text(token t) {
  switch (place_) {
    case place::start: return refuse("neither an object nor an array");
    case place::batch: return refuse("an answer in a batch is no object");
    case place::items: return refuse("an item of a list is no object");
    case place::item:
      if (next_ == next::name) {
        if (t != token::string || json_.overlong())
          return refuse("the name of an item is no text, or too long");
        has_name_ = true;
        name_ = json_.text();
      }
      break;
    default: break;
  }
  json_.keep_next(json_scanner::keep::text, longest_member);
  return true;
}

bool list_filter::end_item(std::string& out) {
  if (!has_name_) return refuse("an item of a list has no name");
  auto i = static_cast<std::size_t>(list_);
  ++counts_.seen[i];
  if ((*keep_)(list_, name_)) {
    ++counts_.kept[i];
    if (wrote_item_) out += ',';
    out += gap_;
    out += held_;
    wrote_item_ = true;
  }
  gap_.clear();
  held_.clear();
  return true;
}

// A shared cache must not give one caller's list to another.
void list_filter::end_scope(token t, std::string& out) {
  bool shared = t == token::string && !json_.overlong() && equal_folded("public", json_.text());
  out += shared ? held_.substr(0, held_.find('"')) + "\"private\"" : held_;
  held_.clear();
  next_ = next::other;
}

bool list_filter::refuse(const char* why) {
  if (why_ == nullptr) why_ = why;
  return false;
}

// Whether the line may still turn out to be one of data, is one, or is another.
event_list_filter::line event_list_filter::kind_of(std::string_view start) const {
  constexpr std::string_view field = "data:", marked =
                                                  "\xEF\xBB\xBF"
                                                  "data:";
  if (start == field || (first_line_ && start == marked)) return line::data;
  bool undecided = field.starts_with(start) || (first_line_ && marked.starts_with(start));
  return undecided ? line::start : line::other;
}

result<void> event_list_filter::feed(std::string_view piece, std::string& out) {
  while (!piece.empty() && why_.empty()) {
    char c = piece.front();
    if (std::exchange(after_cr_, false) && c == '\n') {
      if (!deferred_) out += c;
      piece.remove_prefix(1);
      continue;
    }
    bool line_end = c == '\r' || c == '\n';
    if (line_ == line::start && !line_end) {
      start_ += c;
      piece.remove_prefix(1);
      line_ = kind_of(start_);
      if (line_ != line::start) begin_line(out);
      continue;
    }
    auto end = std::min(piece.find_first_of("\r\n"), piece.size());
    if (line_ == line::data) {
      data(piece.substr(0, end), out);
    } else {
      out += piece.substr(0, end);
    }
    if (end < piece.size() && why_.empty()) end_line(piece[end], out);
    piece.remove_prefix(std::min(end + 1, piece.size()));
  }
  if (why_.empty()) return {};
  return fail(errc::list_unreadable, why_);
}

void event_list_filter::begin_line(std::string& out) {
  if (deferred_ && line_ != line::data) {
    auto passed = messages_.end_early(out);
    if (!passed) {
      why_ = passed.error().detail;
      return;
    }
    out += '\n';
    deferred_ = false;
  }
  after_colon_ = line_ == line::data;
  if (deferred_) {
    // JSON goes on over a line end; where the filter lets that pass, there is one in the stream as well.
    over_lines_ = true;
    message_bytes("\n", out);
  } else {
    out += start_;
  }
  start_.clear();
}

void event_list_filter::end_line(char ending, std::string& out) {
  after_cr_ = ending == '\r';
  first_line_ = false;
  if (line_ == line::start) {  // blank, or too short for any field that matters here
    bool blank = start_.empty();
    line_ = line::other;
    begin_line(out);
    if (!why_.empty()) return;
    if (blank) {
      content_ = content::none;
      over_lines_ = false;
      messages_.begin_message();
    }
  }
  deferred_ = line_ == line::data && content_ == content::json && !messages_.whole();
  if (!deferred_) out += ending;
  line_ = line::start;
}

void event_list_filter::data(std::string_view bytes, std::string& out) {
  if (after_colon_ && bytes.starts_with(' ')) {
    if (!deferred_) out += ' ';
    bytes.remove_prefix(1);
    after_colon_ = false;
  }
  if (bytes.empty()) return;
  after_colon_ = deferred_ = false;
  if (content_ == content::none) {
    auto first = bytes.find_first_not_of(" \t");
    // What a lenient reader might skip before a message makes it none: it fails as what it pretends to be.
    auto is_plain = [](char c) { return c > ' ' && c < 0x7F && c != '{' && c != '['; };
    if (first != std::string_view::npos) content_ = is_plain(bytes[first]) ? content::plain : content::json;
  }
  if (content_ == content::json) return message_bytes(bytes, out);
  out += bytes;
}

void event_list_filter::message_bytes(std::string_view bytes, std::string& out) {
  passed_.clear();
  auto fed = messages_.feed(bytes, over_lines_ ? passed_ : out);
  if (!fed) why_ = fed.error().detail;
  for (char c : passed_) {
    out += c;
    if (c == '\n') out += "data: ";
  }
}

}  // namespace mcp_oauth
