#pragma once

#include "base/error.h"
#include "base/time.h"
#include "net/exchange.h"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// The event streams that one worker has open, and whose they are. What was allowed once ends when it is no
// longer: by a revocation at once, by the end of its token soon after.
class open_streams {
 public:
  struct stream {
    std::string grant;
    time_point until;  // end of the token's life, leeway included
    bool waits;        // opened by GET: it has no end of its own, and its client opens it again
    bool filtered;     // lists in it are held to the rules in force
    std::string server;
    net::exchange* x;
    std::weak_ptr<net::channel> client;
    std::optional<error> ended_for;
  };
  using place = std::list<stream>::iterator;

  // The exchange must stay until `erase`.
  struct kind {
    bool waits = false, filtered = false;
    std::string server = {};  // its name
  };
  place add(std::string grant, time_point until, net::exchange& x, kind of);
  void erase(place p) { open_.erase(p); }

  // Ends all streams of the grant.
  void revoke(std::string_view grant);
  // Ends those that wait and have outlived their token, unless `renewed` knows a later end for their grant. A
  // stream that answers a call runs on: the call was allowed when it was made.
  void expire(time_point now,
              const std::function<std::optional<time_point>(std::string_view grant)>& renewed);
  // Other rules are in force. Ends those that wait and pass every list on, of servers whose lists `filters`
  // now names: their clients open them again, under the rules.
  void hold_to_rules(const std::function<bool(std::string_view server)>& filters);
  std::size_t size() const { return open_.size(); }

 private:
  std::list<stream> open_;
};

}  // namespace mcp_oauth
