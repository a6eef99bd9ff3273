#include "bridge/token_words.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

namespace mcp_oauth {
namespace {

std::string clipped(const std::string& text) { return displayable(text).substr(0, 200); }

}  // namespace

std::string what_token_says(const secret& token, time_point now) {
  auto parts = split_words(token.reveal(), '.');
  auto payload = parts.size() == 3 ? base64url_decode(parts[1]) : std::nullopt;
  auto o = parse_json_object(payload.value_or(""));
  if (!o) return "the token is opaque: only its issuer can say what it is for";
  std::vector<std::string> audience;
  auto single = text_member(*o, "aud");
  if (!single.empty()) {
    audience.push_back(single);
  } else {
    read(*o, "aud", audience);
  }
  std::string said =
      "the token says iss=" + clipped(text_member(*o, "iss")) + ", aud=" + clipped(join(audience, " "));
  auto scope = text_member(*o, "scope");
  if (scope.empty()) scope = text_member(*o, "scp");
  if (!scope.empty()) said += ", scope=" + clipped(scope);
  std::int64_t at = 0;
  if (read(*o, "exp", at) == member::present && at >= 0 && at < 8'000'000'000) {
    auto end = from_unix(at);
    said += (end <= now ? ", expired " : ", expires ") + how_long_from(now, end);
  }
  if (read(*o, "nbf", at) == member::present && at >= 0 && at < 8'000'000'000 && from_unix(at) > now)
    said += ", not valid yet: compare the clocks";
  return said;
}

}  // namespace mcp_oauth
