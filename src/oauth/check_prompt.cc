#include "base/text.h"
#include "oauth/authorization_checks.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {

result<void> check_prompt(const authorization_request& request, const client_metadata&, const server_rules&,
                          authorization_terms& terms) {
  constexpr std::array<std::string_view, 4> known = {"none", "login", "consent", "select_account"};
  auto words = split_words(request.prompt);
  bool none = std::find(words.begin(), words.end(), "none") != words.end();
  if (none && words.size() > 1) return fail(errc::parameter_malformed, "prompt: none beside another word");
  for (auto word : known) {
    if (std::find(words.begin(), words.end(), word) != words.end()) terms.prompt.emplace_back(word);
  }
  return {};
}

}  // namespace mcp_oauth
