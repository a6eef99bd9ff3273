#pragma once

#include "base/http.h"
#include "broker/users.h"
#include "broker/world.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// A browser in which a built-in user has signed in before. Wrong passwords from elsewhere make an account
// wait, for its owner as well; in such a browser they are counted apart, so that nobody keeps the owner out
// by guessing. It is known by a cookie that only we can make, for one account, and by a record of kind
// "device" that counts its own failures. It proves nothing else: the password is asked for all the same.

// What ends it: as many wrong passwords as `most` and the waits behind them, in a row, or 180 days without a
// sign-in, or the next sign-in, which gets another one. An account has at most 20; the oldest go.

struct device {
  std::string record_id;
};

// The device that the request comes from, if it is one of that user.
std::optional<device> known_device(const broker_world& world, const http_request& request, const user& who,
                                   time_point now);

// What became of an attempt in a known browser.
struct device_verdict {
  bool known = true;            // false: it had too many failures and is a stranger's from now on
  std::optional<seconds> wait;  // nothing: it may be judged, and was counted as a failure
};
result<device_verdict> begin_attempt(const broker_world& world, const device& from, time_point now);

// The user has signed in: adds a new device, and the end of the one before, to `c`. Returns the Set-Cookie.
std::string renew_device(const broker_world& world, const http_request& request, const user& who,
                         time_point now, change& c);

}  // namespace mcp_oauth
