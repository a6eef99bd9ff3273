#pragma once

// What DEBUG shows of a call: built only for topics that are watched. No line holds a credential.

#include "app/snapshot.h"
#include "base/error.h"
#include "base/trace.h"
#include "gateway/token_cache.h"
#include "mcp/envelope.h"
#include "net/http_head.h"
#include "policy/policy.h"

#include <string_view>
#include <vector>

namespace mcp_oauth {

// proxy:headers: a line for each field that came, kept or dropped and by which rule, and for each that is
// set. `sent` is the head that goes to the MCP server.
std::vector<trace_note> header_notes(std::span<const field> came, const header_rules& rules,
                                     std::string_view sent);

// The names of the fields in a head that was sent, apart by commas.
std::string field_names(std::string_view sent);

// proxy:request and mcp:message
trace_note request_note(std::string_view sent, const upstream& to);
trace_note message_note(const envelope& message);
// proxy:response
trace_note response_note(const net::response_head& head, const upstream& to);
// token:validate
trace_note validated_note(const credential& who);
trace_note refused_note(const error& why);
// policy:decision: a line for each rule that was looked at, and what came of it.
std::vector<trace_note> decision_notes(const refusal& why);

}  // namespace mcp_oauth
