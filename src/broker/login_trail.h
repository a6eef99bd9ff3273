#pragma once

#include "base/json.h"
#include "broker/exchange.h"
#include "broker/pending_login.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The way of a sign-in through its requests, which travels in the records that it writes anyway, so that a
// failure at its end can tell of all of it and a success costs nothing.

// What the requests of one sign-in have in common: client and challenge, as a digest.
std::string login_key(std::string_view client_id, std::string_view code_challenge);

// One more of them; nothing where there are very many.
void add_step(std::vector<login_step>& steps, std::string_view hop, std::string_view id, time_point now);

// Tells the log what is known of the sign-in that this request belongs to.
void tell_log(broker_log& log, const approved_access& access);
// The same, and this request becomes a step of it.
void walk(const exchange& x, approved_access& access, std::string_view hop);

json::array to_json(const std::vector<login_step>& steps);
// What cannot be read is left out: the way is for people, and nothing depends on it.
std::vector<login_step> steps_from(const json::object& o, std::string_view name);

// How far a sign-in came, as a record of it says.
struct login_progress {
  enum class stage { signing_in, code_given, ended };
  std::string login;
  std::vector<login_step> steps;
  stage how = stage::signing_in;
  time_point until;  // then it is over, unless it ended
};
// Of a record of kind "login" or "code"; nothing: of another, of one that cannot be read, or of a login that
// led to a code, which says more.
std::optional<login_progress> progress_of(const record& r);

}  // namespace mcp_oauth
