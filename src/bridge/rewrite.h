#pragma once

#include "base/json.h"
#include "bridge/message_scan.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Changes to messages on their way between two revisions. What is not named stays byte by byte as it was, so
// that numbers, escapes and order survive.

// The text as a tree: lenient about members that stand twice, deep enough for every message that
// `message_scanner` takes; numbers beyond those of a double are its largest. Nothing for what is no JSON.
std::optional<json::value> read_tree(std::string_view text);

// The text with those members (JSON, without braces) as the first of the object whose brace is before `at`.
std::string with_members(std::string_view text, std::size_t at, bool object_is_empty,
                         std::string_view members);
// The text with something else in that place.
std::string with_replaced(std::string_view text, text_place where, std::string_view by);
// The message under another id (raw). Not for a message without one.
std::string with_id(std::string_view text, const message_facts& facts, std::string_view raw_id);

// Who the client is, as it says in `initialize` or in the `_meta` of its requests.
struct client_profile {
  std::string info;                 // raw JSON object, or ""
  std::string capabilities = "{}";  // raw JSON object
  std::string log_level;            // "": not asked for
};
client_profile profile_of_initialize(std::string_view request);
client_profile profile_of_meta(std::string_view request);

// A request or notification with those members in its `params._meta`.
std::string with_meta_members(std::string_view text, const message_facts& facts, std::string_view members);
// A request or notification of a revision with sessions, with the `_meta` that one without them wants.
std::string with_request_meta(std::string_view text, const message_facts& facts,
                              const client_profile& client);
// The other way round: without what only a revision without sessions knows of.
std::string without_request_meta(std::string_view text, const message_facts& facts);
// A request again, with what the server wanted to know. `state` is left out when it is absent.
std::string with_input(std::string_view text, const message_facts& facts, const json::object& responses,
                       const json::value* state);

// Requests of our own.
std::string make_request(std::string_view raw_id, std::string_view method, std::string_view raw_params);
std::string initialize_request(std::string_view raw_id, const client_profile& client);
inline constexpr std::string_view initialized_notification =
    R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

// {"jsonrpc":"2.0","id":…,"result":…}, and a notification.
std::string make_result(std::string_view raw_id, std::string_view raw_result);
std::string make_notification(std::string_view method, std::string_view raw_params);

// The answer to `initialize` made of one to `server/discover`, under the revision that the client offered
// where there is one with sessions of that name.
std::string initialize_result_of(const json::object& discovered, std::string_view offered);
// The answer to `server/discover` made of one to `initialize`.
std::string discover_result_of(const json::object& initialized);

// The members that a result has in the revision without sessions: that it is complete, and, for what may be
// kept, that it may not.
std::string_view result_members_for(std::string_view method);

// A string as JSON.
std::string in_quotes(std::string_view text);

}  // namespace mcp_oauth
