// rooms: provider
// First byte: which of a provider's answers the rest is. The claims of id tokens are put under a genuine
// signature, so that what is judged behind it is reached.

#include "base/json.h"
#include "base/url.h"
#include "jose/jws.h"
#include "provider/oidc.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace mcp_oauth;

namespace {

constexpr std::string_view issuer = "https://idp.example.com";
const time_point now = from_unix(1'800'000'000);

http_answer json_answer(std::string_view body) {
  return {200, {{"Content-Type", "application/json"}}, std::string(body)};
}

bool is_secure(const std::string& endpoint) {
  auto u = url::parse(endpoint);
  return u && (u->scheme == "https" || (u->scheme == "http" && u->is_loopback()));
}

void discovery(std::string_view body) {
  auto metadata = process_discovery_answer(issuer, json_answer(body));
  if (!metadata) return;
  require(metadata->issuer == issuer && !metadata->id_token_algorithms.empty());
  for (const auto* endpoint :
       {&metadata->authorization_endpoint, &metadata->token_endpoint, &metadata->jwks_uri}) {
    require(is_secure(*endpoint));
  }
  require(metadata->userinfo_endpoint.empty() || is_secure(metadata->userinfo_endpoint));
  for (auto a : metadata->id_token_algorithms) {
    require(a != algorithm::hs256 && a != algorithm::hs384 && a != algorithm::hs512);
  }
  sign_in_request ask{"client", "https://mcp.example.com/cb", {"email"}, "", "s\r\n&", "n", "c"};
  auto location = authorization_url(*metadata, ask);
  for (char c : location) require(c > 0x20 && c < 0x7F);
  require(location.starts_with(metadata->authorization_endpoint));
}

void renewed(std::string_view body) {
  auto answer = process_refresh_answer(json_answer(body));
  if (!answer) return;
  require(!answer->access_token.empty());
  for (char c : answer->access_token.reveal()) require(c >= 0x20 && c < 0x7F);
  require(!answer->expires_in ||
          (answer->expires_in->count() >= 0 && *answer->expires_in < seconds(400'000'000)));
}

void tokens(std::string_view body) {
  renewed(body);
  auto answer = process_token_answer(json_answer(body));
  if (!answer) return;
  require(!answer->id_token.empty());
  for (char c : answer->access_token.reveal()) require(c >= 0x20 && c < 0x7F);
}

void claims(std::string_view payload) {
  static const signing_key key = signing_key::generate_es256();
  static const key_set keys = key_set::of({key.public_part().with_kid("k")});
  provider_metadata provider;
  provider.issuer = issuer;
  provider.id_token_algorithms = {algorithm::es256};
  id_token_rules rules{"corp", "gateway", "the nonce", seconds(60)};
  auto who = process_id_token(sign_jws(key, "JWT", "k", payload), keys, provider, rules, now);
  if (!who) return;
  // Another reader of the same claims.
  auto said = parse_json_object(payload);
  require(said.has_value() && who->provider == "corp");
  require(text_member(*said, "iss") == issuer && text_member(*said, "nonce") == "the nonce");
  require(!who->subject.empty() && text_member(*said, "sub") == who->subject);
  const auto& aud = said->at("aud");
  bool ours = aud.is_string()
                  ? aud.get_string() == "gateway"
                  : std::any_of(aud.get_array().begin(), aud.get_array().end(),
                                [](const auto& a) { return a.is_string() && a.get_string() == "gateway"; });
  require(ours && said->at("exp").to_number<double>() > 1'800'000'000.0 - 60);
  if (who->email_verified) {
    const auto& verified = said->at("email_verified");
    require(verified.is_bool() ? verified.get_bool() : verified.get_string() == "true");
  }
}

void userinfo(std::string_view body) {
  identity before;
  before.provider = "corp";
  before.subject = "ada-1";
  before.name = "Ada";
  auto after = process_userinfo_answer(before, json_answer(body));
  if (!after) return;
  require(after->provider == "corp" && after->subject == "ada-1" && after->name == "Ada");
  require(text_member(*parse_json_object(body), "sub") == "ada-1");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = text_of(data, size);
  if (text.empty()) return 0;
  auto body = text.substr(1);
  switch (text.front()) {
    case 'd': discovery(body); break;
    case 't': tokens(body); break;
    case 'i': claims(body); break;
    case 'u': userinfo(body); break;
    case 'c': {
      provider_metadata p;
      p.issuer = issuer;
      p.sends_iss = true;
      require(check_callback_iss(p, body).has_value() == (body == issuer));
      break;
    }
    case 'k': (void)names_unknown_key(body, key_set{}); break;
    default: break;
  }
  return 0;
}
