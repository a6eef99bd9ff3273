#include "gateway/verdict.h"

#include "gateway/headers.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {

http_response allowing_verdict(const access_claims& who, const std::string& issuer,
                               std::span<const std::string> inject) {
  http_response answer;
  const std::string* values[] = {&who.subject,   &who.email,   &who.name, &who.provider,
                                 &who.client_id, &who.subject, &who.email};
  static_assert(std::size(values) == verdict_headers.size());
  for (std::size_t i = 0; i < verdict_headers.size(); ++i)
    answer.fields.add(std::string(verdict_headers[i]), identity_value(*values[i]));
  answer.fields.add("X-User-Issuer", identity_value(issuer));
  for (const auto& name : inject) {
    if (auto one = injected(who, name)) answer.fields.add(std::string(one->name), std::move(one->value));
  }
  answer.fields.add("Cache-Control", "no-store");
  return answer;
}

http_response for_nginx(http_response answer) {
  auto status = answer.status;
  answer.fields.add("X-Auth-Status", std::to_string(status));
  if (status >= 200 && status < 300) return answer;
  bool printable =
      std::all_of(answer.body.begin(), answer.body.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (printable && !answer.body.empty()) answer.fields.add("X-Auth-Body", answer.body);
  bool not_the_clients = status >= 500 || status == 429;
  if (status != 401) answer.status = not_the_clients ? 500 : 403;
  return answer;
}

}  // namespace mcp_oauth
