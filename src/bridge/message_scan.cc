#include "bridge/message_scan.h"

#include "base/json.h"
#include "mcp/envelope.h"

#include <charconv>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_method = 256, longest_id = 1024, longest_name = 8192, longest_version = 64,
                      longest_state = 4096, longest_error = 1024;

}  // namespace

result<void> message_scanner::feed(std::string_view piece) {
  while (why_ == nullptr) {
    auto t = json_.next(piece);
    if (t == token::more) return {};
    if (t == token::error) {
      why_ = json_.why();
      break;
    }
    take_token(t);
  }
  return fail(errc::body_not_json, std::string(why_) + " at byte " + std::to_string(json_.offset()));
}

result<void> message_scanner::finish() {
  if (why_ == nullptr && !json_.whole()) why_ = "the text ends early";
  if (why_ == nullptr) return {};
  return fail(errc::body_not_json, std::string(why_) + " at byte " + std::to_string(json_.offset()));
}

void message_scanner::take_token(token t) {
  switch (t) {
    case token::name: return take_name();
    case token::begin_object:
    case token::begin_array: return open(t);
    case token::end_object:
    case token::end_array: return close();
    default: return take_value(t);
  }
}

void message_scanner::open(token t) {
  bool object = t == token::begin_object;
  if (place_ == place::start) {
    place_ = object ? place::message : place::batch;
    if (object) {
      expect_name();
    } else {
      seen_.kind = message_facts::kind::batch;
    }
    return;
  }
  auto entered = place::other;
  if (place_ == place::batch) {
    seen_.items.push_back({here() - 1, 0});
  } else if (object && place_ == place::message) {
    if (slot_ == slot::params) {
      entered = place::params;
      seen_.params_at = here();
    } else if (slot_ == slot::result) {
      entered = place::result;
      has_result_ = true;
      seen_.result_at = here();
    } else if (slot_ == slot::error) {
      entered = place::error;
      seen_.is_error = true;
    }
  } else if (object && place_ == place::params && slot_ == slot::meta) {
    entered = place::meta;
    seen_.meta_place = {here() - 1, 0};
  }
  if (entered != place::other) {
    place_ = entered;
    expect_name();
    return;
  }
  if (slot_ == slot::result) has_result_ = true;
  if (place_ == place::message && slot_ == slot::id) take_id("", false);
  json_.skip();
  skipping_ = true;
}

void message_scanner::close() {
  if (skipping_) {
    skipping_ = false;
    if (place_ == place::batch) seen_.items.back().size = here() - seen_.items.back().at;
    expect_name();
    return;
  }
  switch (place_) {
    case place::meta:
      seen_.meta_place.size = here() - seen_.meta_place.at;
      place_ = place::params;
      break;
    case place::params:
    case place::result:
    case place::error: place_ = place::message; break;
    default:
      if (place_ == place::message) settle();
      place_ = place::end;
      return;
  }
  expect_name();
}

void message_scanner::take_name() {
  auto name = json_.overlong() ? std::string_view() : json_.text();
  slot_ = slot::other;
  switch (place_) {
    case place::message:
      seen_.message_empty = false;
      if (name == "jsonrpc") seen_.has_version = true;
      if (name == "id") slot_ = slot::id;
      if (name == "method") slot_ = slot::method;
      if (name == "params") slot_ = slot::params;
      if (name == "result") slot_ = slot::result;
      if (name == "error") slot_ = slot::error;
      break;
    case place::params:
      seen_.params_empty = false;
      if (name == "name") slot_ = slot::name;
      if (name == "uri") slot_ = slot::uri;
      if (name == "protocolVersion") slot_ = slot::version;
      if (name == "progressToken") slot_ = slot::progress_token;
      if (name == "requestId") slot_ = slot::request_id;
      if (name == "requestState") slot_ = slot::request_state;
      if (name == "_meta") slot_ = slot::meta;
      break;
    case place::meta:
      if (name == "progressToken") slot_ = slot::progress_token;
      if (name == "io.modelcontextprotocol/protocolVersion") slot_ = slot::meta_version;
      break;
    case place::result:
      seen_.result_empty = false;
      if (name == "resultType") slot_ = slot::result_type;
      break;
    case place::error:
      if (name == "code") slot_ = slot::code;
      if (name == "message") slot_ = slot::message;
      break;
    default: break;
  }
  keep_value();
}

void message_scanner::keep_value() {
  using keep = json_scanner::keep;
  switch (slot_) {
    case slot::id:
    case slot::progress_token:
    case slot::request_id: return json_.keep_next(keep::raw, longest_id);
    case slot::method: return json_.keep_next(keep::text, longest_method);
    case slot::name:
    case slot::uri: return json_.keep_next(keep::text, longest_name);
    case slot::version:
    case slot::meta_version:
    case slot::result_type: return json_.keep_next(keep::text, longest_version);
    case slot::request_state: return json_.keep_next(keep::text, longest_state);
    case slot::message: return json_.keep_next(keep::text, longest_error);
    case slot::code: return json_.keep_next(keep::raw, longest_version);
    default: return json_.keep_next(keep::nothing, 0);
  }
}

void message_scanner::take_value(token t) {
  if (place_ == place::batch) {
    seen_.items.push_back({here(), 0});  // no message, and empty as a text
    return;
  }
  if (place_ == place::start) {
    place_ = place::end;
    return;
  }
  bool text = t == token::string && !json_.overlong();
  bool scalar = (t == token::string || t == token::number) && !json_.overlong();
  auto value = json_.text();
  switch (slot_) {
    case slot::id: take_id(scalar ? value : std::string_view(), t == token::null); break;
    case slot::method:
      if (text) seen_.method.assign(value);
      break;
    case slot::result: has_result_ = true; break;
    case slot::name:
      has_plain_name_ = text;
      if (text) plain_name_.assign(value);
      break;
    case slot::uri:
      has_uri_ = text;
      if (text) uri_.assign(value);
      break;
    case slot::version:
      if (text && !seen_.version_in_meta) seen_.protocol_version.assign(value);
      break;
    case slot::meta_version:
      seen_.version_in_meta = text;
      if (text) seen_.protocol_version.assign(value);
      break;
    case slot::progress_token:
      if (scalar) seen_.progress_token.assign(value);
      break;
    case slot::request_id:
      if (scalar) seen_.request_id.assign(value);
      break;
    case slot::request_state:
      if (text) seen_.request_state.assign(value);
      break;
    case slot::result_type:
      if (text) seen_.result_type.assign(value);
      break;
    case slot::code: std::from_chars(value.data(), value.data() + value.size(), seen_.error_code); break;
    case slot::message:
      if (text) seen_.error_message.assign(value);
      break;
    default: break;
  }
  expect_name();
}

void message_scanner::take_id(std::string_view raw, bool null) {
  has_id_ = true;
  has_null_id_ = null;
  seen_.id.assign(raw);
  seen_.id_place = {here() - raw.size(), raw.size()};
}

void message_scanner::settle() {
  seen_.closing_at = here() - 1;
  using kind = enum message_facts::kind;
  if (!seen_.method.empty()) {
    // Some write `null` for the id that a notification does not have.
    bool none = !has_id_ || (has_null_id_ && seen_.method.starts_with("notifications/"));
    seen_.id_unusable = !none && seen_.id.empty();
    seen_.kind = none ? kind::notification : seen_.id_unusable ? kind::unknown : kind::request;
    auto by = name_of(seen_.method);
    seen_.has_name = by == name_member::name ? has_plain_name_ : by == name_member::uri && has_uri_;
    if (seen_.has_name) seen_.name = by == name_member::name ? plain_name_ : uri_;
  } else if (has_result_ || seen_.is_error) {
    seen_.kind = kind::response;
  }
}

result<message_facts> scan_message(std::string_view text) {
  message_scanner scanner;
  auto fed = scanner.feed(text);
  if (fed) fed = scanner.finish();
  if (!fed) return tl::unexpected<error>(fed.error());
  return scanner.take();
}

bool same_id(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (a.empty() || b.empty() || (a.front() == '"') != (b.front() == '"')) return false;
  auto left = parse_json(a), right = parse_json(b);
  if (!left || !right) return false;
  if (left->is_string()) return left->as_string() == right->as_string();
  // Whole numbers are compared as such: as floating point, large ones would be the same as their neighbours.
  auto is_whole = [](const json::value& v) { return v.is_int64() || v.is_uint64(); };
  auto has_digits_only = [](std::string_view raw) { return raw.find_first_of(".eE") == raw.npos; };
  if (is_whole(*left) && is_whole(*right)) return *left == *right;
  if (has_digits_only(a) && has_digits_only(b)) return false;
  boost::system::error_code ignored;
  return left->to_number<double>(ignored) == right->to_number<double>(ignored);
}

}  // namespace mcp_oauth
