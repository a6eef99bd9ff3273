#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What one server set as cookies, for the same server (RFC 6265, of one origin and one process: what lives
// longer or is for other hosts is of no use here). Load balancers keep a session at one replica that way.
class cookie_jar {
 public:
  // The value of one Set-Cookie. One that is over at once (Max-Age) is taken out.
  void take(std::string_view set_cookie);
  // The value of Cookie for a request to that path; "" when there is none.
  std::string value_for(std::string_view path) const;

 private:
  struct cookie {
    std::string name, value, path;
  };
  static constexpr std::size_t most = 50, longest = 4096;
  std::vector<cookie> cookies_;
};

}  // namespace mcp_oauth
