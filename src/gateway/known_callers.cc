#include "gateway/known_callers.h"

#include "gateway/headers.h"

#include <utility>

namespace mcp_oauth {

std::shared_ptr<credential> known_callers::of(const std::shared_ptr<const accepted>& token) {
  if (auto found = known_.find(token.get()); found != known_.end()) return found->second.who;
  if (known_.size() >= most_) {
    bool odd = false;
    boost::unordered::erase_if(known_, [&odd](const auto&) { return odd = !odd; });
  }
  const auto& claims = token->token.claims();
  auto lines = identity_lines(claims) + issuer_line(claims);
  auto who = std::make_shared<credential>(credential{token->token, std::move(lines), {}, 0});
  // Two issuers may give the same subject to different people. No issuer has a line break.
  who->principal = claims.issuer + "\n" + claims.subject;
  known_.emplace(token.get(), entry{token, who});
  return who;
}

void known_callers::sweep(time_point now) {
  boost::unordered::erase_if(known_, [now](const auto& e) { return e.second.token->good_until <= now; });
}

}  // namespace mcp_oauth
