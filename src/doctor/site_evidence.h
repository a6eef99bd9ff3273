#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/reached.h"
#include "base/time.h"
#include "base/url.h"

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What was asked of a server that is examined, and what came. Values only: the checks judge them, and nothing
// else decides anything.

// A request that the plan wants to be sent. No token of anybody is in it, what it asks for cannot be granted,
// and sessions that a server opens for it are ended.
struct site_errand {
  std::string what;  // stable name of the question: "mcp.post", "resource.path"
  http_call call;
  fetch_rules rules;
  std::size_t events = 1;  // of an event stream, how many are waited for
};

struct site_exchange {
  std::string what;
  http_call call;
  result<http_answer> answer;
  time_point at;                          // by our clock, when it had come
  std::string cut = {};                   // why we read no further, for people; "" where we had the end of it
  std::vector<milliseconds> events = {};  // when those of a stream had come, from the beginning

  bool answered() const { return answer.has_value(); }
  int status() const { return answer ? answer->status : 0; }
};

struct site_evidence {
  url target;
  bool by_proxy = false;        // the environment names a proxy for the target: what is asked goes by it
  std::vector<reached> places;  // looks at the addresses of hosts
  std::deque<site_exchange> exchanges;  // in the order in which they came; pointers into it stay good

  const site_exchange* find(std::string_view what, std::string_view at = "") const;
  const reached* place(std::string_view host, std::uint16_t port) const;
  // A look with TLS at an address that is to be reached without.
  const reached* secure_place(std::string_view host, std::uint16_t port) const;
};

// The names of questions that more than one file knows.
namespace asked {
inline constexpr std::string_view post = "mcp.post", stateless = "mcp.stateless", follow = "mcp.follow",
                                  get = "mcp.get", made_up = "mcp.made_up_token",
                                  unsigned_one = "mcp.unsigned_token", preflight = "mcp.preflight",
                                  browser = "mcp.browser", other_path = "mcp.other_path",
                                  resource = "resource", server = "server",
                                  server_of_origin = "server.origin", keys = "keys", token = "token",
                                  token_preflight = "token.preflight", registration = "registration",
                                  authorize = "authorize", resource_browser = "resource.browser",
                                  server_browser = "server.browser", moved = "moved", end = "mcp.end";
// What our gateways have to show whether streams pass (docs/guide/operations.md), asked until they do: that
// two events came together can be chance.
inline constexpr std::array<std::string_view, 3> stream = {"stream", "stream.second", "stream.third"};
}  // namespace asked

// The origin that a client in a browser is taken to have: that of the MCP Inspector.
inline constexpr std::string_view browser_origin = "http://localhost:6274";

}  // namespace mcp_oauth
