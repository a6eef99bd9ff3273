#pragma once

#include "base/error.h"
#include "base/http.h"
#include "bridge/step.h"

#include <string>
#include <string_view>
#include <variant>

namespace mcp_oauth {

// A request to the callback that is not the answer: what it is told. The sign-in goes on.
struct not_the_answer {
  int status = 400;
  std::string why;
};

// Judges what came to the callback. Only a GET of the redirect URI's path on a loopback name with its port
// (or on the redirect URI's own authority), with exactly one `state` that is the one expected, and with
// either a code or an error, is the answer; any web page can make a browser send all the others. `state` is
// compared in constant time. NOT checked: `iss` (check_iss).
std::variant<callback_answer, not_the_answer> judge_callback(std::string_view method, std::string_view host,
                                                             std::string_view path, std::string_view query,
                                                             std::string_view state,
                                                             std::string_view redirect_uri);

// The same for what a person pasted: the address where the browser ended, or its query.
std::variant<callback_answer, not_the_answer> judge_pasted(std::string_view text, std::string_view state);

// The page at the end, without scripts and without anything from elsewhere; it leads nowhere.
http_response callback_page(int status, std::string_view title, std::string_view text);
// To `success_url`; nothing of the sign-in goes along.
http_response callback_redirect(const std::string& success_url);

}  // namespace mcp_oauth
