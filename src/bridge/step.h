#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/time.h"
#include "bridge/kept.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace mcp_oauth {

struct sign_in_fetch;
struct sign_in_listen;
struct sign_in_visit;
struct sign_in_wait;

// What a sign-in wants next: to be over, a document fetched, a port for the callback, a person in a browser,
// or some time to pass. It never does any of it itself. Each `then` is called once; a step that is dropped
// ends the sign-in.
using sign_in_step =
    std::variant<result<kept_sign_in>, sign_in_fetch, sign_in_listen, sign_in_visit, sign_in_wait>;

struct sign_in_fetch {
  http_call call;  // may hold secrets: not to be logged
  fetch_rules rules;
  std::string purpose;     // "the token endpoint", for log and messages
  bool repeatable = true;  // may be sent again when no answer came
  std::function<sign_in_step(result<http_answer>, time_point)> then;
};

// Where the callback is to listen. The listener lives until the sign-in is over.
struct sign_in_listen {
  std::string host;                   // "127.0.0.1", "::1", or "localhost" for both
  std::optional<std::uint16_t> port;  // nothing: any free one
  bool only_that_port = false;        // false: another one does as well
  std::string path;
  std::function<sign_in_step(result<std::uint16_t> port, time_point)> then;
};

// What came to the callback with the state of this sign-in.
struct callback_answer {
  std::string code;  // "" with an error
  std::string error, error_description;
  std::optional<std::string> iss;
};

struct sign_in_visit {
  std::string address;       // to be opened: http(s), of plain characters
  std::string state;         // what is worth an answer has it
  std::string redirect_uri;  // where the answer comes
  bool step_up = false;      // the server asks for more scopes
  std::string scope;         // that are asked for
  bool device_code = false;  // the authorization server gives such, too
  std::function<sign_in_step(result<callback_answer>, time_point)> then;
};

struct sign_in_wait {
  milliseconds time{0};
  std::string tell;     // for the person; "": nothing new
  std::string address;  // to be opened; "": nothing
  std::function<sign_in_step(time_point)> then;
};

}  // namespace mcp_oauth
