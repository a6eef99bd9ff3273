#pragma once

#include "base/error.h"
#include "mcp/json_scanner.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What a JSON-RPC message is about: as much of it as decisions, headers and logs need.
struct envelope {
  enum class kind { unknown, request, notification, response, batch };

  enum kind kind = kind::unknown;  // certain once `complete`; before that, `unknown` may become any
  std::string method;              // "" for a response or a batch
  std::string id;                  // as written, quotes included, at most 256 bytes; "" when there is none
  // The tool, prompt or resource that the call is about: the member that `name_of` says for `method`.
  bool has_name = false;
  std::string name;
  // The revision that the message itself names: `params._meta["io.modelcontextprotocol/protocolVersion"]`, or
  // `params.protocolVersion` of `initialize`; "" when neither is there.
  std::string protocol_version;
  bool version_in_meta = false;  // it stood in `_meta`, so that MCP-Protocol-Version has to mirror it
  std::string traceparent;  // of `params._meta` (MCP, trace context); "" when there is none, or no short text
  bool complete = false;    // the whole body was read, and is well-formed
  std::vector<envelope> items;  // of a batch, in order, at most 64
};

// The member of `params` that names what a method acts on.
enum class name_member { none, name, uri };
name_member name_of(std::string_view method);

// Reads the envelope out of a body while the body passes by in pieces of any size; the bytes themselves are
// not kept. Everything is strict, so that no reader after us can see another message than we do: the whole of
// RFC 8259
// (`json_scanner`); in the message, in `params` and in `params._meta` no member twice, escapes resolved, and
// none that equals one of ours but for its case; `jsonrpc` is "2.0". Members elsewhere may repeat: no
// decision looks at them.
class envelope_scanner {
 public:
  // Takes the next piece. Errors: body_not_json, body_malformed, from then on for ever; the bytes of a piece
  // that failed must not be passed on.
  result<void> feed(std::string_view piece);
  // Says that the body ends here. Errors: as of feed; a body that ends early is body_not_json. Until this has
  // succeeded, the end of the body must not be passed on.
  result<void> finish();

  // Whether all that a decision needs is known and can no longer change: the method, and the name if the
  // method has one (or, after `finish`, that it is missing); that the message is a response; of a batch, all
  // of it. What contradicts it later in the body makes `feed` or `finish` fail.
  bool decided() const;
  // What is known so far.
  const envelope& seen() const { return seen_; }

 private:
  enum class place : std::uint8_t { start, batch, message, params, meta, end };
  enum class slot : std::uint8_t {
    other,
    jsonrpc,
    id,
    method,
    params,
    result,
    error,
    name,
    uri,
    version,
    meta,
    meta_version,
    meta_traceparent
  };
  using token = json_scanner::token;
  // The members that one object has had so far.
  class member_names {
   public:
    bool insert(std::string_view name);  // false when it stands there already, or there are too many
    bool insert(slot known);
    bool has(slot known) const { return (known_ >> static_cast<unsigned>(known) & 1U) != 0; }

   private:
    std::uint32_t known_ = 0;
    std::size_t count_ = 0;
    std::string others_;  // two bytes of length before each
  };
  struct text_value {
    bool present = false, usable = false;  // usable: a string that is not too long
    std::string text;
  };
  struct message {
    std::array<member_names, 3> members;  // of the message, of params, of params._meta
    text_value name, uri, version, meta_version;
    bool id_is_null = false;
    envelope about;
  };

  bool take(token t);
  bool take_name();
  bool take_value(token t);
  bool take_text(token t, text_value& into);
  bool open(token t);
  bool close();
  bool settle();
  bool end_message();
  void expect_name();
  bool refuse(const char* why, errc code = errc::body_malformed);
  tl::unexpected<error> failure() const;

  json_scanner json_;
  place place_ = place::start;
  slot slot_ = slot::other;
  bool skipping_ = false;
  bool batch_ = false;
  const char* why_ = nullptr;
  errc code_ = errc::body_malformed;  // what failure() says
  message message_;
  envelope seen_;
};

}  // namespace mcp_oauth
