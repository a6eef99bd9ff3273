#include "doctor/token_answer.h"

#include "base/text.h"
#include "doctor/shown_claims.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

bool is_good(const http_answer& answer) { return answer.status >= 200 && answer.status < 300; }

const json::object* error_of(const json::object& message) {
  const auto* error = message.if_contains("error");
  return error != nullptr && error->is_object() ? &error->as_object() : nullptr;
}

template <std::size_t n>
bool has_any(const std::string& text, const std::array<std::string_view, n>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view one) { return text.find(one) != std::string::npos; });
}

}  // namespace

token_outcome outcome_of(const http_answer& answer) {
  constexpr auto sure = std::to_array<std::string_view>(
      {"invalid token", "invalid_token", "invalid access token", "invalid bearer", "token is invalid",
       "token is not valid", "token invalid", "token expired", "token has expired", "token is expired",
       "missing token", "token is required", "bearer token"});
  constexpr auto likely = std::to_array<std::string_view>(
      {"unauthorized", "unauthorised", "not authorized", "authentication", "unauthenticated", "authorization",
       "token", "bearer", "credential", "forbidden", "jwt", "signature"});
  auto message = json_rpc_in(answer);
  if (!message) return token_outcome::no_answer;
  const auto* error = error_of(*message);
  if (error == nullptr) {
    bool result = message->contains("result") && is_good(answer);
    return result ? token_outcome::taken : token_outcome::untold;
  }
  auto words = to_lower(json::serialize(*error).substr(0, 4000));
  if (has_any(words, sure)) return token_outcome::refused;
  return has_any(words, likely) ? token_outcome::doubted : token_outcome::untold;
}

std::string told_with_error(const http_answer& answer, const hide_secrets& hide) {
  auto told = told_of_answer(answer);
  auto message = json_rpc_in(answer);
  const auto* error = message ? error_of(*message) : nullptr;
  if (error == nullptr) return told;
  auto words = text_member(*error, "message");
  if (hide) words = hide(words);
  return told + ", a JSON-RPC error" + (words.empty() ? "" : ": " + shown_text(words));
}

doctor_finding& judge_fresh_token(const http_answer& answer, const std::string& token_words,
                                  const std::string& where, const hide_secrets& hide, site_findings& into) {
  constexpr auto verify = "mcp-oauth-proxy explain-token";
  constexpr auto expected = "an answer of MCP";
  if (answer.status == 401 || answer.status == 403) {
    auto& one = into.failure(answer.status == 401 ? errc::sign_in_tokens_in_vain : errc::scope_insufficient,
                             "status " + std::to_string(answer.status) + " to a fresh token: " + token_words,
                             expected, where);
    one.verify = verify;
    return one;
  }
  auto outcome = outcome_of(answer);
  if (outcome == token_outcome::taken)
    return into.ok("the server takes the token", "status " + std::to_string(answer.status), where);
  if (outcome == token_outcome::no_answer) {
    auto told = told_with_words(answer);
    return into.failure(errc::not_an_mcp_server, hide ? hide(told) : told, expected, where);
  }
  auto seen = "a fresh token gets " + told_with_error(answer, hide) + "; " + token_words;
  if (outcome == token_outcome::untold) {
    auto& one = into.unknown(errc::sign_in_tokens_in_vain, seen, expected, where);
    one.title = "Whether the server takes the token cannot be told";
    one.cause = "It answers with an error, which may be of the token or of the request.";
    one.fix = "Look at the words of the error, and at the log of the server.";
    one.decides = true;
    one.verify = verify;
    return one;
  }
  auto& one = into.failure(errc::sign_in_tokens_in_vain, seen, "an answer of MCP, or a 401", where);
  if (is_good(answer)) one.cause += " It says so inside of a 200, where no client looks for it.";
  one.certain = outcome == token_outcome::refused;
  one.verify = verify;
  return one;
}

}  // namespace mcp_oauth
