#include "mcp/envelope.h"

#include "mcp/folded.h"

#include <optional>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_method = 256, longest_id = 256, longest_name = 8192, longest_version = 64,
                      longest_traceparent = 256;
constexpr std::size_t longest_member = 1024, most_members = 256, most_items = 64;

}  // namespace

name_member name_of(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return name_member::name;
  if (method == "resources/read" || method == "resources/subscribe" || method == "resources/unsubscribe") {
    return name_member::uri;
  }
  return name_member::none;
}

result<void> envelope_scanner::feed(std::string_view piece) {
  if (why_ != nullptr) return failure();
  for (;;) {
    auto t = json_.next(piece);
    if (t == token::more) return {};
    if (t == token::error ? !refuse(json_.why(), errc::body_not_json) : !take(t)) return failure();
  }
}

result<void> envelope_scanner::finish() {
  if (why_ == nullptr && (place_ != place::end || !json_.whole())) {
    refuse("the body ends early", errc::body_not_json);
  }
  if (why_ != nullptr) return failure();
  for (auto& item : seen_.items) item.complete = true;
  seen_.complete = true;
  return {};
}

bool envelope_scanner::decided() const {
  if (why_ != nullptr) return false;
  if (seen_.complete) return true;
  if (batch_) return false;
  if (seen_.kind == envelope::kind::response) return true;
  return !seen_.method.empty() && (seen_.has_name || name_of(seen_.method) == name_member::none);
}

bool envelope_scanner::take(token t) {
  switch (t) {
    case token::name: return take_name();
    case token::begin_object:
    case token::begin_array: return open(t);
    case token::end_object:
    case token::end_array: return close();
    default: return take_value(t);
  }
}

bool envelope_scanner::open(token t) {
  bool object = t == token::begin_object;
  if (place_ == place::start && !object) {
    batch_ = true;
    seen_.kind = envelope::kind::batch;
    place_ = place::batch;
    return true;
  }
  if (place_ == place::start || place_ == place::batch) {
    if (!object) return refuse("an item of the batch is no object");
    if (seen_.items.size() == most_items) return refuse("more than 64 messages in a batch");
    place_ = place::message;
    expect_name();
    return true;
  }
  if (object && slot_ == slot::params) {
    place_ = place::params;
    expect_name();
    return true;
  }
  if (object && slot_ == slot::meta) {
    place_ = place::meta;
    expect_name();
    return true;
  }
  json_.skip();
  skipping_ = true;
  return take_value(t);
}

bool envelope_scanner::close() {
  if (skipping_) {
    skipping_ = false;
    expect_name();
    return true;
  }
  switch (place_) {
    case place::meta:
      place_ = place::params;
      expect_name();
      return true;
    case place::params:
      place_ = place::message;
      expect_name();
      return true;
    case place::message: return end_message();
    default: break;
  }
  // JSON-RPC 2.0 §6: an array of nothing is no batch.
  if (seen_.items.empty()) return refuse("an empty batch");
  place_ = place::end;
  return true;
}

void envelope_scanner::expect_name() { json_.keep_next(json_scanner::keep::text, longest_member); }

bool envelope_scanner::take_name() {
  if (json_.overlong()) return refuse("a member name is too long");
  struct known_member {
    place where;
    slot meaning;
    std::string_view name;
  };
  static constexpr known_member known[] = {
      {place::message, slot::jsonrpc, "jsonrpc"},
      {place::message, slot::id, "id"},
      {place::message, slot::method, "method"},
      {place::message, slot::params, "params"},
      {place::message, slot::result, "result"},
      {place::message, slot::error, "error"},
      {place::params, slot::name, "name"},
      {place::params, slot::uri, "uri"},
      {place::params, slot::version, "protocolVersion"},
      {place::params, slot::meta, "_meta"},
      {place::meta, slot::meta_version, "io.modelcontextprotocol/protocolVersion"},
  };
  auto name = json_.text();
  auto& members = message_.members[place_ == place::message ? 0 : place_ == place::params ? 1 : 2];
  slot_ = slot::other;
  for (const auto& k : known) {
    if (k.where != place_) continue;
    if (name == k.name) {
      slot_ = k.meaning;
      break;
    }
    if (equal_folded(k.name, name)) return refuse("a member name differs from ours in case only");
  }
  // Not among the known ones, since no decision looks at it: a spelling of its own does no harm.
  if (place_ == place::meta && slot_ == slot::other && name == "traceparent") slot_ = slot::meta_traceparent;
  if (slot_ == slot::other ? !members.insert(name) : !members.insert(slot_)) {
    return refuse("a member stands twice, or there are too many");
  }

  using keep = json_scanner::keep;
  switch (slot_) {
    case slot::jsonrpc: json_.keep_next(keep::text, longest_version); break;
    case slot::id: json_.keep_next(keep::raw, longest_id); break;
    case slot::method: json_.keep_next(keep::text, longest_method); break;
    case slot::name:
    case slot::uri: json_.keep_next(keep::text, longest_name); break;
    case slot::version:
    case slot::meta_version: json_.keep_next(keep::text, longest_version); break;
    case slot::meta_traceparent: json_.keep_next(keep::text, longest_traceparent); break;
    case slot::result:
    case slot::error: seen_.kind = batch_ ? seen_.kind : envelope::kind::response; break;
    case slot::other:
    case slot::params:
    case slot::meta: break;
  }
  if (members.has(slot::method) && (members.has(slot::result) || members.has(slot::error))) {
    return refuse("a request and a response in one");
  }
  return true;
}

bool envelope_scanner::take_value(token t) {
  auto& about = batch_ ? message_.about : seen_;
  switch (place_) {
    case place::start: return refuse("neither an object nor an array");
    case place::batch: return refuse("an item of the batch is no object");
    default: break;
  }
  switch (slot_) {
    case slot::jsonrpc:
      if (t != token::string || json_.overlong() || json_.text() != "2.0")
        return refuse("jsonrpc is not \"2.0\"");
      break;
    case slot::id:
      // JSON-RPC 2.0 §4: a string, a number, or null (which MCP allows on an error only).
      if (t != token::string && t != token::number && t != token::null)
        return refuse("id is of a wrong type");
      if (json_.overlong()) return refuse("id is too long");
      message_.id_is_null = t == token::null;
      if (t != token::null) about.id = json_.text();
      break;
    case slot::method:
      if (t != token::string) return refuse("method is no string");
      if (json_.overlong() || json_.text().empty()) return refuse("method is empty or too long");
      about.method = json_.text();
      break;
    case slot::params:
      if (t != token::null) return refuse("params is no object");
      break;
    case slot::meta:
      if (t != token::null) return refuse("params._meta is no object");
      break;
    case slot::name: take_text(t, message_.name); break;
    case slot::uri: take_text(t, message_.uri); break;
    case slot::version: take_text(t, message_.version); break;
    case slot::meta_version:
      if (!take_text(t, message_.meta_version))
        return refuse("the protocol version in _meta is no short string");
      break;
    case slot::meta_traceparent:
      if (t == token::string && !json_.overlong()) about.traceparent = json_.text();
      break;
    case slot::result:
    case slot::error:
    case slot::other: break;
  }
  if (!skipping_) expect_name();
  return slot_ == slot::other || settle();
}

bool envelope_scanner::take_text(token t, text_value& into) {
  into.present = true;
  into.usable = t == token::string && !json_.overlong();
  if (into.usable) into.text = json_.text();
  return into.usable;
}

// What follows from two members that may stand in either order.
bool envelope_scanner::settle() {
  auto& about = batch_ ? message_.about : seen_;
  if (about.method.empty()) return true;
  if (!about.id.empty()) about.kind = envelope::kind::request;

  auto which = name_of(about.method);
  if (which != name_member::none && !about.has_name) {
    auto& value = which == name_member::name ? message_.name : message_.uri;
    if (value.present && !value.usable) return refuse("the name of the call is no string, or too long");
    if (value.present) {
      about.has_name = true;
      about.name = std::move(value.text);
    }
  }

  bool initialize = about.method == "initialize";
  const auto& meta = message_.meta_version;
  const auto& offered = message_.version;
  if (initialize && offered.present && !offered.usable) return refuse("protocolVersion is no short string");
  if (initialize && offered.present && meta.present && offered.text != meta.text) {
    return refuse("two protocol versions");
  }
  if (meta.present) {
    about.protocol_version = meta.text;
    about.version_in_meta = true;
  } else if (initialize && offered.present) {
    about.protocol_version = offered.text;
  }
  return true;
}

bool envelope_scanner::end_message() {
  auto& about = batch_ ? message_.about : seen_;
  const auto& members = message_.members[0];
  bool has_result = members.has(slot::result), has_error = members.has(slot::error);
  if (!members.has(slot::jsonrpc)) return refuse("no jsonrpc");
  if (members.has(slot::method)) {
    if (message_.id_is_null) return refuse("the id of a request is null");
    about.kind = about.id.empty() ? envelope::kind::notification : envelope::kind::request;
  } else if (has_result || has_error) {
    if (has_result && has_error) return refuse("a result and an error in one");
    if (has_result && about.id.empty()) return refuse("a result without an id");
    about.kind = envelope::kind::response;
  } else {
    return refuse("neither a method nor a result nor an error");
  }
  place_ = batch_ ? place::batch : place::end;
  if (batch_) {
    seen_.items.push_back(std::move(message_.about));
    message_ = {};
  }
  return true;
}

bool envelope_scanner::refuse(const char* why, errc code) {
  why_ = why;
  code_ = code;
  return false;
}

tl::unexpected<error> envelope_scanner::failure() const {
  return fail(code_, std::string(why_) + ", at byte " + std::to_string(json_.offset()));
}

bool envelope_scanner::member_names::insert(slot known) {
  std::uint32_t bit = 1U << static_cast<unsigned>(known);
  bool fresh = (known_ & bit) == 0;
  known_ |= bit;
  return fresh;
}

bool envelope_scanner::member_names::insert(std::string_view name) {
  if (++count_ > most_members) return false;
  for (std::size_t at = 0; at < others_.size();) {
    auto size = static_cast<std::size_t>(static_cast<unsigned char>(others_[at]) << 8 |
                                         static_cast<unsigned char>(others_[at + 1]));
    if (size == name.size() && others_.compare(at + 2, size, name) == 0) return false;
    at += 2 + size;
  }
  others_ += static_cast<char>(name.size() >> 8);
  others_ += static_cast<char>(name.size() & 0xFF);
  others_ += name;
  return true;
}

}  // namespace mcp_oauth
