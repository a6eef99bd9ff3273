#include "doctor/shown_claims.h"

#include "oauth/displayable.h"

#include <array>

namespace mcp_oauth {
namespace {

constexpr auto shown_names = std::to_array<std::string_view>({
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "auth_time",
    "scope",
    "scp",
    "client_id",
    "azp",
    "appid",
    "cid",
    "jti",
    "gid",
    "typ",
    "token_use",
    "token_type",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "upn",
    "unique_name",
    "oid",
    "tid",
    "ver",
    "acr",
    "amr",
    "roles",
    "groups",
    "provider",
    "org_id",
    "realm_access",
    "resource_access",
    "permissions",
    "cnf",
    "act",
    "events",
    "username",
});

constexpr std::size_t longest = 500;

// Cut between two characters of UTF-8.
std::string cut(std::string text) {
  if (text.size() <= longest) return text;
  auto end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

json::value cleaned(const json::value& value) {
  if (value.is_string()) {
    auto text = shown_text({value.get_string().data(), value.get_string().size()});
    return json::value(json::string(text.data(), text.size()));
  }
  if (value.is_array()) {
    json::array all;
    for (const auto& one : value.get_array()) all.push_back(cleaned(one));
    return all;
  }
  if (value.is_object()) {
    json::object all;
    for (const auto& one : value.get_object())
      all[shown_text(std::string_view(one.key()))] = cleaned(one.value());
    return all;
  }
  return value;
}

}  // namespace

std::string shown_text(std::string_view text) { return cut(displayable(text)); }

void show_claims(const json::object& claims, json::object& shown, std::vector<std::string>& not_shown) {
  for (auto name : shown_names) {
    if (const auto* value = claims.if_contains(json::string_view(name.data(), name.size())))
      shown[json::string_view(name.data(), name.size())] = cleaned(*value);
  }
  for (const auto& one : claims) {
    if (!shown.contains(one.key())) not_shown.push_back(shown_text(std::string_view(one.key())));
  }
}

}  // namespace mcp_oauth
