#pragma once

#include "base/error.h"
#include "mcp/json_scanner.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// A stretch of a message's text.
struct text_place {
  std::size_t at = 0, size = 0;
};

// What a bridge needs to know of a JSON-RPC message in order to route it, and where its text can be changed.
// Everything "raw" is JSON text as it was written.
struct message_facts {
  enum class kind : std::uint8_t { unknown, request, notification, response, batch };

  enum kind kind = kind::unknown;
  bool has_version = false;  // a member `jsonrpc`, whatever it says
  std::string method;
  std::string id;            // raw; "" when there is none or it is null
  bool id_unusable = false;  // a request whose id can name no answer; then `kind` is unknown
  text_place id_place;       // in the text
  // Of a request or notification: of `params`.
  bool has_name = false;
  std::string name;              // the tool, prompt or resource, decoded
  std::string protocol_version;  // of `_meta`, or of initialize
  bool version_in_meta = false;
  std::string progress_token;  // raw: by which progress of this request, or what a progress is about
  std::string request_id;      // raw: what notifications/cancelled is about
  std::string request_state;   // decoded
  std::size_t params_at = 0;   // behind the brace that opens `params`; 0: no object there
  bool params_empty = true;
  text_place meta_place;  // of the object `params._meta`, braces included; size 0: none
  // Of a response.
  bool is_error = false;
  std::int64_t error_code = 0;
  std::string error_message;  // decoded, when it is short
  std::string result_type;    // decoded
  std::size_t result_at = 0;  // behind the brace that opens `result`; 0: no object there
  bool result_empty = true;
  std::size_t closing_at = 0;  // of the brace that closes the message
  bool message_empty = true;

  std::vector<text_place> items;  // of a batch
};

// Reads the facts out of a text that comes in pieces of any size and is not kept. The whole text has to be
// well-formed JSON (`json_scanner`). Of a member that stands twice the last counts.
class message_scanner {
 public:
  // Errors: body_not_json, from then on for ever.
  result<void> feed(std::string_view piece);
  // Says that the text ends here. Errors: body_not_json.
  result<void> finish();
  const message_facts& seen() const { return seen_; }
  message_facts take() { return std::move(seen_); }

 private:
  enum class place : std::uint8_t { start, batch, message, params, meta, result, error, other, end };
  enum class slot : std::uint8_t {
    other,
    id,
    method,
    params,
    result,
    error,
    name,
    uri,
    version,
    progress_token,
    request_id,
    request_state,
    meta,
    meta_version,
    result_type,
    code,
    message
  };
  using token = json_scanner::token;

  void take_token(token t);
  void take_name();
  void take_value(token t);
  void take_id(std::string_view raw, bool null);
  void open(token t);
  void close();
  void settle();
  void keep_value();
  void expect_name() { json_.keep_next(json_scanner::keep::text, 64); }
  std::size_t here() const { return static_cast<std::size_t>(json_.offset()); }

  json_scanner json_;
  place place_ = place::start;
  slot slot_ = slot::other;
  bool skipping_ = false;
  bool has_id_ = false, has_null_id_ = false, has_result_ = false;
  std::string uri_, plain_name_;
  bool has_uri_ = false, has_plain_name_ = false;
  const char* why_ = nullptr;
  message_facts seen_;
};

// The facts of a whole text. Errors: body_not_json.
result<message_facts> scan_message(std::string_view text);

// Whether two raw ids are the same JSON value: written alike, or the same string in other escapes, or the
// same number in another form.
bool same_id(std::string_view a, std::string_view b);

}  // namespace mcp_oauth
