#pragma once

#include "config/settings.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What the operator changes in the head of an MCP server's answer. What `why_kept` speaks of it never
// touches, not even by a wildcard.
class response_transform final {
 public:
  explicit response_transform(const transform_settings& conf);

  bool empty() const { return empty_; }
  // The name under which a field goes on to the client; "" when it does not. Borrowed from `name` or from
  // here.
  std::string_view name_for(std::string_view name) const;
  // The lines that are added, each with its end.
  std::string_view added() const { return added_; }

 private:
  bool empty_;
  std::vector<std::string> removed_;                          // lower case, with `*`
  std::vector<std::pair<std::string, std::string>> renamed_;  // from in lower case
  std::vector<std::string> replaced_;                         // by an added one, in lower case
  std::string added_;
};

}  // namespace mcp_oauth
