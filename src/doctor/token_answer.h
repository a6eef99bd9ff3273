#pragma once

#include "base/http.h"
#include "doctor/site_check.h"

#include <functional>
#include <string>

namespace mcp_oauth {

// What the answer to a request with a token says of the token.
enum class token_outcome {
  taken,     // a result in a 2xx
  refused,   // an error of JSON-RPC whose words leave no other meaning
  doubted,   // an error that speaks of authorization
  untold,    // another error, or a message that is neither: of the check of tokens, or from behind it
  no_answer  // nothing of JSON-RPC
};
token_outcome outcome_of(const http_answer& answer);

// What a stranger's words pass before they are cut and shown: whoever has secrets takes them out.
using hide_secrets = std::function<std::string(std::string)>;

// "status 200, application/json, a JSON-RPC error: Unauthorized"
std::string told_with_error(const http_answer& answer, const hide_secrets& hide = nullptr);

// What the server that a token is for says to it, when the authorization server had just given it.
// `token_words` is what is known of the token.
doctor_finding& judge_fresh_token(const http_answer& answer, const std::string& token_words,
                                  const std::string& where, const hide_secrets& hide, site_findings& into);

}  // namespace mcp_oauth
