#include "oauth/error_description.h"

#include "base/text.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::array<std::string_view, 45> parameter_names = {
    "approve",
    "client_assertion",
    "client_id",
    "client_name",
    "client_secret",
    "client_uri",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "contacts",
    "error",
    "error_description",
    "form",
    "grant_type",
    "grant_types",
    "application_type",
    "iss",
    "login",
    "login_hint",
    "logo_uri",
    "new_password",
    "new_password_again",
    "password",
    "policy_uri",
    "prompt",
    "provider",
    "redirect_uri",
    "redirect_uris",
    "refresh_token",
    "request",
    "resource",
    "response_mode",
    "response_type",
    "response_types",
    "scope",
    "software_id",
    "software_version",
    "state",
    "switch",
    "token",
    "token_endpoint_auth_method",
    "token_type_hint",
    "tos_uri",
    "user",
};

// How the detail of a refused redirect URI begins, and what is told of it.
using reason = std::pair<std::string_view, std::string_view>;
constexpr std::array<reason, 9> refusals = {{
    {"longer than 2048 characters", "longer than 2048 characters"},
    {"a fragment", "it has a fragment"},
    {"an escaped control character", "it holds an escaped control character"},
    {"no plain host name", "it has no plain host name or address; wildcards are not supported"},
    {"host or port not", "host or port are not in their plain form"},
    {"its query holds", "its query holds a parameter that belongs to the answer"},
    {"plain http", "plain http to a host that is not loopback"},
    {"private-use scheme", "its private-use scheme is not allowed here"},
    {"scheme ", "its scheme is refused"},
}};

std::string_view known_name(std::string_view detail) {
  auto word = detail.substr(0, detail.find_first_of(": "));
  auto known = std::find(parameter_names.begin(), parameter_names.end(), word);
  return known == parameter_names.end() ? std::string_view{} : *known;
}

std::string name_or_nothing(std::string_view detail) {
  auto name = known_name(detail);
  if (name.empty()) return {};
  bool in_query = detail.substr(name.size()) == " stands in the query";
  return std::string(name) + (in_query ? " belongs into the body, not into the query" : "");
}

std::string refusal_of_uri(std::string_view detail) {
  auto found = std::find_if(refusals.begin(), refusals.end(),
                            [&](const reason& r) { return detail.starts_with(r.first); });
  return found == refusals.end() ? std::string() : std::string(found->second);
}

// "redirect_uris[2]: …", of which the number is ours as well.
std::string refusal_at_registration(std::string_view detail) {
  constexpr std::string_view member = "redirect_uris";
  if (!detail.starts_with(member)) return {};
  auto rest = detail.substr(member.size());
  if (rest.starts_with(" is missing or empty")) return "redirect_uris is missing or empty";
  auto close = rest.find("]: ");
  if (!rest.starts_with("[") || close == std::string_view::npos) return {};
  auto place = parse_decimal(rest.substr(1, close - 1));
  if (!place) return {};
  auto why = refusal_of_uri(rest.substr(close + 3));
  return std::string(member) + "[" + std::to_string(*place) + "]" + (why.empty() ? "" : ": " + why);
}

std::string known_part(const error& why) {
  switch (why.code) {
    case errc::parameter_missing:
    case errc::parameter_repeated:
    case errc::parameter_malformed:
    case errc::parameter_too_long:
    case errc::registration_malformed: return name_or_nothing(why.detail);
    case errc::redirect_uri_refused: return refusal_of_uri(why.detail);
    case errc::registration_redirect_refused: return refusal_at_registration(why.detail);
    case errc::http_media_type_unsupported:
      return why.detail == "not application/json" ? "send application/json"
                                                  : "send application/x-www-form-urlencoded";
    case errc::state_invalid:
      return why.detail == callback_without_state
                 ? std::string(callback_without_state) + "; in a shell, quote the URL, & ends the command"
                 : std::string();
    default: return {};
  }
}

}  // namespace

std::string error_description(const error& why) {
  std::string words(explain(why.code).description);
  auto more = known_part(why);
  return more.empty() ? words : words + ": " + more;
}

}  // namespace mcp_oauth
