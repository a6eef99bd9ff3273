#pragma once

#include "base/json.h"
#include "broker/exchange.h"
#include "broker/pending_login.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The way of a sign-in through its requests, which travels in the records that it writes anyway, so that a
// failure at its end can tell of all of it and a success costs nothing.

// What the requests of one sign-in have in common: client and challenge, as a digest.
std::string login_key(std::string_view client_id, std::string_view code_challenge);

// Tells the log what is known of the sign-in that this request belongs to.
void tell_log(broker_log& log, const approved_access& access);
// The same, and this request becomes a step of it.
void walk(const exchange& x, approved_access& access, std::string_view hop);

json::array to_json(const std::vector<login_step>& steps);
// What cannot be read is left out: the way is for people, and nothing depends on it.
std::vector<login_step> steps_from(const json::object& o, std::string_view name);

}  // namespace mcp_oauth
