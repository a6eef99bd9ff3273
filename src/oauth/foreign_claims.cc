#include "oauth/foreign_claims.h"

#include "base/text.h"
#include "oauth/jwt_claims.h"
#include "oauth/near_miss.h"
#include "oauth/scope.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

json::string_view view(std::string_view s) { return {s.data(), s.size()}; }
std::string text(const json::string& s) { return {s.data(), s.size()}; }

tl::unexpected<error> wrong_type(std::string_view name) {
  return fail(errc::token_malformed, std::string(name) + " has the wrong type");
}

std::string with_words(std::string detail, const std::string& words) {
  return words.empty() ? detail : detail + " (" + words + ")";
}

// The first place that holds a string.
std::string first_text(const json::object& claims, const std::vector<std::string>& places) {
  for (const auto& place : places) {
    const auto* found = find_claim(claims, place);
    if (found != nullptr && found->is_string() && !found->get_string().empty())
      return text(found->get_string());
  }
  return {};
}

bool is_empty(const json::value& value) {
  return (value.is_string() && value.get_string().empty()) || (value.is_array() && value.get_array().empty());
}

bool is_one_of(const json::value& value, const std::vector<std::string>& any_of) {
  if (value.is_array()) {
    return std::any_of(value.get_array().begin(), value.get_array().end(),
                       [&](const auto& item) { return !item.is_array() && is_one_of(item, any_of); });
  }
  if (value.is_object()) return false;
  return holds(any_of, value.is_string() ? text(value.get_string()) : json::serialize(value));
}

// Every kind that is sent about as a token of some kind and is no access token.
constexpr std::array id_token_kinds = {"id", "id_token", "idtoken"};
constexpr std::array other_kinds = {"refresh",
                                    "refresh_token",
                                    "offline",
                                    "logout",
                                    "logout_token",
                                    "serialized-id",
                                    "registrationaccesstoken",
                                    "initialaccesstoken",
                                    "dpop+jwt",
                                    "oauth-id-jag+jwt",
                                    "secevent+jwt",
                                    "logout+jwt",
                                    "token-introspection+jwt",
                                    "client-authentication+jwt",
                                    "authorization_code"};

// Whether what stands at that place is an address that the claims themselves take back.
bool is_denied_email(const json::object& claims, const issuer_rules& rules, const std::string& place) {
  return (place == "email" || holds(rules.claims.email, place)) && denies_email(claims);
}

bool is_plain_subject(std::string_view subject) {
  return subject.size() <= 1024 && std::none_of(subject.begin(), subject.end(),
                                                [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; });
}

}  // namespace

bool denies_email(const json::object& claims) {
  const auto* verified = find_claim(claims, "email_verified");
  return verified != nullptr && *verified != true && *verified != "true";
}

const json::value* find_claim(const json::object& claims, std::string_view name) {
  if (const auto* whole = claims.if_contains(view(name))) return whole->is_null() ? nullptr : whole;
  for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    const auto* inner = claims.if_contains(view(name.substr(0, dot)));
    if (inner == nullptr || !inner->is_object()) continue;
    if (const auto* found = find_claim(inner->get_object(), name.substr(dot + 1))) return found;
  }
  return nullptr;
}

result<std::vector<std::string>> scopes_of(const json::object& claims,
                                           const std::vector<std::string>& places) {
  std::vector<std::string> scopes;
  auto add = [&](std::string scope) {
    if (is_scope_token(scope) && !holds(scopes, scope)) scopes.push_back(std::move(scope));
  };
  for (const auto& place : places) {
    const auto* found = find_claim(claims, place);
    if (found == nullptr) continue;
    if (found->is_string()) {
      for (auto& word : split_words(text(found->get_string()))) add(std::move(word));
    } else if (found->is_array()) {
      for (const auto& item : found->get_array()) {
        if (!item.is_string()) return wrong_type(place);
        add(text(item.get_string()));
      }
    } else {
      return wrong_type(place);
    }
  }
  return scopes;
}

result<void> check_stated_kind(const json::object& claims, const issuer_rules& rules) {
  auto in = [](const auto& kinds, const std::string& kind) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  for (auto name : {"token_use", "typ", "token_type"}) {
    const auto* found = find_claim(claims, name);
    if (found == nullptr) continue;
    if (!found->is_string()) return wrong_type(name);
    auto kind = to_lower(text(found->get_string()));
    if (in(other_kinds, kind) || (in(id_token_kinds, kind) && !rules.danger_id_tokens)) {
      return fail(errc::token_type_wrong, std::string(name) + " is '" + kind + "': no access token");
    }
  }
  if (find_claim(claims, "events") != nullptr) {
    return fail(errc::token_type_wrong, "it has `events`: a logout token, or another security event");
  }
  return {};
}

result<found_audience> check_audience(const json::object& claims, const issuer_rules& rules) {
  found_audience found;
  auto audience = required_audience(claims);
  if (!audience && audience.error().code != errc::token_claim_missing)
    return tl::unexpected(audience.error());
  if (audience) found.all = std::move(*audience);
  std::erase(found.all, "");
  if (found.all.empty() && !rules.danger_any_audience) {
    return fail(errc::token_audience_absent,
                "no aud: at most issuers it is set by an API or resource that the client has to ask for");
  }
  for (const auto& ours : rules.audiences) {
    if (!holds(found.all, ours)) continue;
    found.ours = ours;
    return found;
  }
  if (rules.danger_any_audience) {
    if (!found.all.empty()) found.ours = found.all.front();
    return found;
  }
  if (rules.audiences.empty()) {
    return fail(errc::token_audience_mismatch, "no audience is configured that would be accepted");
  }
  return fail(errc::token_audience_mismatch,
              with_words(seen_and_expected("aud", join(found.all, " "), join(rules.audiences, "' or '")),
                         how_audiences_differ(found.all, first_text(claims, rules.claims.client_id),
                                              rules.audiences)));
}

result<time_point> check_moments(const json::object& claims, const issuer_rules& rules,
                                 std::optional<time_point> otherwise, time_point now) {
  json::object with_exp;
  bool stands_in = otherwise && find_claim(claims, "exp") == nullptr;
  if (stands_in) {
    with_exp = claims;
    with_exp["exp"] = to_unix(*otherwise);
  }
  auto expires = check_times(stands_in ? with_exp : claims, rules.leeway, now);
  if (!expires) return expires;
  auto issued = optional_time(claims, "iat");
  if (!issued) return tl::unexpected(issued.error());
  if (*issued && **issued > now + rules.leeway) {
    return fail(errc::token_not_yet_valid, "iat lies ahead, " + how_long_from(now, **issued) +
                                               ": the clocks of the issuer and of this machine differ");
  }
  if (!rules.max_age) return expires;
  if (!*issued) return fail(errc::token_claim_missing, "no iat, which max_age needs");
  if (now - **issued > *rules.max_age + rules.leeway) {
    return fail(errc::token_expired, "issued " + how_long_from(now, **issued) +
                                         ", which is longer than max_age (" +
                                         std::to_string(rules.max_age->count()) + " s)");
  }
  return expires;
}

result<void> check_required(const json::object& claims, const issuer_rules& rules) {
  for (const auto& wanted : rules.required) {
    const auto* found = find_claim(claims, wanted.name);
    if (found == nullptr || is_empty(*found)) return fail(errc::token_claim_missing, "no " + wanted.name);
    if (is_denied_email(claims, rules, wanted.name))
      return fail(errc::token_claim_missing, "no " + wanted.name + " that email_verified confirms");
    if (!wanted.any_of.empty() && !is_one_of(*found, wanted.any_of)) {
      return fail(errc::token_claim_missing,
                  wanted.name + " has none of the values '" + join(wanted.any_of, "', '") + "'");
    }
  }
  return {};
}

result<access_claims> read_foreign_claims(const json::object& claims, const issuer_rules& rules) {
  access_claims who;
  std::string denied;
  for (const auto& place : rules.claims.subject) {
    const auto* found = find_claim(claims, place);
    if (found == nullptr) continue;
    if (is_denied_email(claims, rules, place)) {
      denied = ", as email_verified denies the address";
      continue;
    }
    if (!found->is_string()) return wrong_type(place);
    who.subject = text(found->get_string());
    if (!who.subject.empty()) break;
  }
  if (who.subject.empty())
    return fail(errc::token_claim_missing, "no " + join(rules.claims.subject, " and no ") + denied);
  if (!is_plain_subject(who.subject))
    return fail(errc::token_malformed, "the subject is no plain text of 1 to 1024 bytes");
  who.issuer = text_member(claims, "iss");
  who.client_id = first_text(claims, rules.claims.client_id);
  who.token_id = text_member(claims, "jti");
  auto scopes = scopes_of(claims, rules.claims.scopes);
  if (!scopes) return tl::unexpected(scopes.error());
  who.scopes = std::move(*scopes);
  if (!denies_email(claims)) who.email = first_text(claims, rules.claims.email);
  who.name = first_text(claims, rules.claims.name);
  if (auto issued = optional_time(claims, "iat"); issued && *issued) who.issued = **issued;
  return who;
}

result<void> read_confirmation(const json::object& claims, token_details& into) {
  const auto* found = find_claim(claims, "cnf");
  if (found == nullptr) return {};
  if (!found->is_object()) return wrong_type("cnf");
  for (auto [name, to] : {std::pair<const char*, std::string*>{"jkt", &into.key_thumbprint},
                          {"x5t#S256", &into.certificate_thumbprint}}) {
    if (read(found->get_object(), name, *to) == member::wrong_type) return wrong_type(name);
  }
  if (into.key_thumbprint.empty() && into.certificate_thumbprint.empty()) {
    return fail(errc::token_binding_missing,
                "cnf has neither jkt nor x5t#S256: a binding that cannot be checked here");
  }
  return {};
}

}  // namespace mcp_oauth
