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

// The calls that one worker has under way, the event streams that some of them became, and whose they are.
// What was allowed once ends when it is no longer: by a revocation at once, by the end of its token soon
// after.
class open_streams {
  struct entry {
    std::string grant;
    net::exchange* x;
    bool is_open = false;  // it is a stream: what follows is set
    bool waits = false;
    bool filtered = false;
    std::string server = {};
    time_point until = {};  // end of the token's life, leeway included
    std::weak_ptr<net::channel> client = {};
    std::optional<error> ended_for = {};  // set of a call as well, which goes on for as long as it is none
  };

 public:
  struct kind {
    bool waits = false;       // opened by GET: it has no end of its own, and its client opens it again
    bool filtered = false;    // lists in it are held to the rules in force
    std::string server = {};  // its name
  };

  // A call, from the moment when its token was found good. Whether its answer is a stream is known when the
  // answer's head comes, which a server may keep back for long: what is revoked until then counts.
  class call {
   public:
    // Both have to stay as long as this does.
    call(open_streams& of, std::string grant, net::exchange& x);
    ~call();
    call(const call&) = delete;
    call& operator=(const call&) = delete;

    // The head of a stream came. `until`: the end of the token's life, leeway included. Errors:
    // token_revoked; then nothing of the stream may go out.
    result<void> open(time_point until, kind of);
    // Why we ended the stream, if it was us; nothing for an answer that is none.
    std::optional<error> ended_for() const;

   private:
    open_streams& of_;
    std::list<entry>::iterator place_;
  };

  // Ends all streams of the grant, and those that its calls under way would become.
  void revoke(std::string_view grant);
  // Ends those that wait and have outlived their token, unless `renewed` knows a later end for their grant. A
  // stream that answers a call runs on: the call was allowed when it was made.
  void expire(time_point now,
              const std::function<std::optional<time_point>(std::string_view grant)>& renewed);
  // Other rules are in force. Ends those that wait and pass every list on, of servers whose lists `filters`
  // now names: their clients open them again, under the rules.
  void hold_to_rules(const std::function<bool(std::string_view server)>& filters);

 private:
  std::list<entry> under_way_;
};

}  // namespace mcp_oauth
