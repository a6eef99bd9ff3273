#pragma once

#include "app/bridge_log.h"
#include "base/error.h"
#include "bridge/settings.h"

#include <functional>
#include <string>
#include <vector>

namespace mcp_oauth {

// Whether the program was called by the name of the bridge that it stands in for.
bool is_drop_in_name(const std::string& program);

// What a bridge is ended with before it could begin, or afterwards (docs/guide/bridge.md). As
// mcp-oauth2-proxy every failure of configuration, grant or token at the start is 2.
enum class bridge_exit : int {
  ok = 0,
  usage = 2,       // the command line, the configuration; for the drop-in also grant and token
  dependency = 4,  // the authorization server or the network is not there: worth another try
  sign_in = 5,     // the sign-in was refused, or nobody signed in
};
bridge_exit exit_of(const error& why, bool drop_in);
// What is said of a start without a token: the guide's line under its name, with the explanation behind.
std::string told_of_start(const error& why, const bridge_settings& settings);

// `[login|logout|status|URL] …`, everything behind `bridge` or behind the drop-in's name. `serve` runs the
// bridge with settings that were read; it gets the log, too, and returns what the shell gets.
int run_bridge_command(const std::vector<std::string>& arguments, bool drop_in,
                       const std::function<int(const bridge_settings&, bridge_log&)>& serve);

}  // namespace mcp_oauth
