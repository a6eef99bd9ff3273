#pragma once

#include "base/random.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Which trace a request belongs to, and which span of it is its parent (W3C Trace Context §3.2).
struct trace_context {
  std::array<std::uint8_t, 16> trace{};  // never all zero
  std::array<std::uint8_t, 8> span{};    // never all zero
  bool sampled = false;

  friend bool operator==(const trace_context&, const trace_context&) = default;
};

// The value of a `traceparent` field. Of a version that we do not know only what version 00 has is read
// (§3.2.2.3, §4.3). Nothing when it is malformed: the caller begins a trace of its own, and passes no
// `tracestate` on.
std::optional<trace_context> parse_traceparent(std::string_view value);

// "00-<trace>-<span>-01".
std::string to_traceparent(const trace_context& context);

// Lower case, two digits a byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

// How many of a million traces that begin here are recorded, and whether the caller's word about it counts.
struct trace_sampling {
  std::uint32_t per_million = 1'000'000;
  bool believes_parent = false;  // the request comes from a proxy that we trust
};

// A span of ours: in the trace of `parent`, or in one that begins here. A believed parent decides whether it
// is sampled. Of anybody else only the trace is taken over: neither their flag nor the trace that they chose
// has a say, so that nobody outside can have more recorded than the share, or less. A trace that begins here
// is drawn by its own last bytes, and so all who sample alike choose the same ones.
trace_context child_of(const std::optional<trace_context>& parent, trace_sampling how,
                       const random_fn& random);
// Another span in the trace of `span`, below it; recorded when that is.
trace_context span_below(const trace_context& span, const random_fn& random);

// What of a request's `tracestate` goes on beside a valid traceparent: all its lines as one list, or nothing
// when it is longer than 512 characters or no list of printable characters (§3.3.1).
std::string passed_tracestate(std::span<const std::string_view> lines);

}  // namespace mcp_oauth
