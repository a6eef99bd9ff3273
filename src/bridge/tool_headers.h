#pragma once

#include "base/error.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Which arguments of which tool are mirrored into `Mcp-Param-*` headers (MCP 2026-07-28, streamable HTTP,
// "Custom Headers from Tool Parameters"): learned from the lists of tools that pass by.
class tool_headers {
 public:
  struct lesson {
    std::string text;                  // the response without the tools that must not be used
    std::vector<std::string> dropped;  // "name: reason", for the log
    std::string next_cursor;           // where the list goes on; "" at its end
  };
  // Reads the response to tools/list. Tools whose x-mcp-header breaks a rule are taken out of it, and so are
  // those that `ignored` matches; the text stays as it is where that is none. Errors: upstream_malformed, of
  // what is no list of tools.
  result<lesson> learn(std::string_view response, const std::vector<std::string>& ignored);

  // The header lines, each with CR LF, that a tools/call with this text needs; "" for a tool without any.
  std::string fields_for(std::string_view tool, std::string_view request) const;

 private:
  struct mirrored {
    std::string header;             // what stands behind "Mcp-Param-"
    std::vector<std::string> path;  // of member names within the arguments
  };
  static constexpr std::size_t most_tools = 10'000;
  std::map<std::string, std::vector<mirrored>, std::less<>> tools_;
};

}  // namespace mcp_oauth
