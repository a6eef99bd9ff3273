#include "oauth/bearer.h"

#include "base/form.h"
#include "base/text.h"

#include <array>

namespace mcp_oauth {
namespace {

// Read apart from `form`, which refuses a query as a whole: one broken escape must not hide the parameter.
bool has_access_token(std::string_view query) {
  for (const auto& pair : split_words(query, '&')) {
    if (percent_decode(std::string_view(pair).substr(0, pair.find('='))) == "access_token") return true;
  }
  return false;
}

constexpr auto token68_chars = [] {
  std::array<unsigned char, 256> table{};
  for (char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"))
    table[static_cast<unsigned char>(c)] = 1;
  return table;
}();

// RFC 9110 §11.2
bool is_token68(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  unsigned char all = 1;
  for (char c : text) all &= token68_chars[static_cast<unsigned char>(c)];
  return !text.empty() && all != 0;
}

// The scheme of the credentials, and the word after it.
result<credentials> token_of_schemes(std::span<const field> fields, std::string_view query, bool dpop) {
  const field* authorization = nullptr;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, "authorization")) continue;
    if (authorization) return fail(errc::credentials_repeated, "more than one Authorization field");
    authorization = &f;
  }
  bool in_query = has_access_token(query);
  if (!authorization) {
    return fail(errc::token_missing,
                in_query ? "only access_token in the query, which does not count" : "no Authorization field");
  }
  if (in_query)
    return fail(errc::credentials_repeated, "an Authorization field and access_token in the query");

  auto value = trim(authorization->value);
  if (value.empty()) return fail(errc::token_missing, "an empty Authorization field");
  auto space = value.find(' ');
  credentials found;
  if (dpop && equal_ignoring_case(value.substr(0, space), "dpop")) {
    found.scheme = token_scheme::dpop;
  } else if (!equal_ignoring_case(value.substr(0, space), "bearer")) {
    // The value stays out of the detail: it may be a token, or a password under Basic.
    if (space == std::string_view::npos)
      return fail(errc::token_malformed, "one word, without \"Bearer \" before it");
    return fail(errc::authorization_scheme_unsupported,
                dpop ? "another scheme than Bearer and DPoP" : "another scheme than Bearer");
  }
  if (space == std::string_view::npos) return fail(errc::token_malformed, "no token after the scheme");

  found.token = value.substr(space);
  found.token.remove_prefix(found.token.find_first_not_of(' '));
  if (!is_token68(found.token))
    return fail(errc::token_malformed, "a character that no token may hold (RFC 6750 section 2.1)");
  return found;
}

}  // namespace

result<std::string_view> bearer_token(std::span<const field> fields, std::string_view query) {
  return token_of_schemes(fields, query, false).map([](const credentials& found) { return found.token; });
}

result<credentials> bearer_or_dpop_token(std::span<const field> fields, std::string_view query) {
  return token_of_schemes(fields, query, true);
}

}  // namespace mcp_oauth
