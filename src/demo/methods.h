#pragma once

#include "base/http.h"
#include "base/json.h"
#include "demo/stream.h"
#include "mcp/revision.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// One JSON-RPC request, as the methods of the demo server see it.
struct demo_request {
  revision spoken = newest_revision;
  std::string id;  // raw JSON
  std::string method;
  json::object params;
  const http_fields* fields = nullptr;  // of the HTTP request that carried it
};

// What comes of it. Either messages (the last one is the response), or an HTTP answer that is none of MCP's.
struct demo_reply {
  std::vector<timed_message> messages;
  timed_stream::ending end = timed_stream::ending::complete;
  std::optional<http_response> instead;
  bool method_unknown = false;      // the only message is a -32601 error
  std::vector<std::string> pushed;  // messages for the session's own stream, where there is one

  // Whether it can be sent as one JSON document now.
  bool at_once() const {
    return end == timed_stream::ending::complete && messages.size() == 1 &&
           messages[0].wait == milliseconds(0);
  }
};

// Every request but `initialize`, which needs a session.
demo_reply answer_request(const demo_request& request);

// The result of `initialize` under that revision.
json::object initialize_result(revision spoken);

// {"jsonrpc":"2.0","id":…,"result":…}
std::string jsonrpc_result(std::string_view raw_id, json::object result);

}  // namespace mcp_oauth
