#pragma once

#include "app/span_record.h"
#include "base/error.h"
#include "base/http.h"
#include "config/settings.h"
#include "gateway/trace_context.h"
#include "mcp/envelope.h"
#include "net/http_head.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The trace that a request belongs to, and what was done for it besides.
struct call_trace {
  trace_context request;                 // of the span for the request itself
  std::array<std::uint8_t, 8> parent{};  // the caller's span; all zero: there is none
  std::string state;                     // `tracestate`, to be passed on
  std::string rpc_id;                    // of the message, without quotes; "" when it has none
  std::string_view revision;             // of MCP, when it is a published one
  std::vector<span_record> calls;        // to MCP servers and providers, ended

  trace_context call;  // of the span for the call under way; there is one at a time
  time_point call_began;
  std::chrono::steady_clock::time_point call_started;
};

// Whose word about sampling counts: that of proxies that the operator named, if the settings do not say
// otherwise.
enum class caller_trust { stranger, trusted_proxy };

// Goes on with the trace that the fields name, or else the message's `_meta`; begins one where neither does
// in a form that can be read.
call_trace begin_trace(std::span<const field> fields, const envelope& message, caller_trust who,
                       const telemetry_settings& conf, const random_fn& random);

// A call to somebody else begins.
void begin_call(call_trace& trace, const random_fn& random);
// A path as spans show it: without a query, one in disguise too, and without what looks like a credential.
std::string path_of_span(std::string_view path);
// The fields that tell an MCP server of it, one line each.
std::string trace_fields(const call_trace& trace, bool with_state);
// How it ended.
struct call_result {
  std::string_view method;       // of HTTP
  std::string_view address;      // no query and no user information is taken from it
  int status = 0;                // 0: none came
  std::optional<errc> why;       // it failed
  bool carries_message = false;  // of MCP; otherwise it was a step of a sign-in, or of what one gave
};
span_record call_span(const call_trace& trace, const call_result& end);

// The name of a span for a message: "tools/call search"; "" where it would not be one of few. Adds what the
// message is about to `span`, but no arguments, resource or session.
std::string describe_message(std::string_view method, std::string_view name, const call_trace& trace,
                             span_record& span);

// A method that HTTP knows, or "_OTHER".
std::string_view known_method(std::string_view method);

}  // namespace mcp_oauth
