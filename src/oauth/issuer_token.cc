#include "oauth/issuer_token.h"

#include "base/base64url.h"
#include "base/text.h"
#include "jose/jws.h"
#include "oauth/examine.h"
#include "oauth/foreign_claims.h"
#include "oauth/jwt_claims.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::string_view any_directory = "{tenantid}";
constexpr seconds longest_leeway{600};

constexpr std::array every_public_algorithm = {
    algorithm::rs256, algorithm::rs384, algorithm::rs512, algorithm::ps256, algorithm::ps384,
    algorithm::ps512, algorithm::es256, algorithm::es384, algorithm::es512, algorithm::eddsa};

bool is_hmac(algorithm alg) {
  return alg == algorithm::hs256 || alg == algorithm::hs384 || alg == algorithm::hs512;
}

std::span<const algorithm> accepted_algorithms(const issuer_rules& rules) {
  if (rules.algorithms.empty()) return every_public_algorithm;
  return rules.algorithms;
}

// RFC 8725 §3.2: who may be given a public key must not be able to sign with it.
bool mixes_algorithms(const issuer_rules& rules) {
  auto hmacs = std::count_if(rules.algorithms.begin(), rules.algorithms.end(), is_hmac);
  return hmacs != 0 && static_cast<std::size_t>(hmacs) != rules.algorithms.size();
}

// The issuer around `{tenantid}`, where it has that as one whole segment of its path.
struct issuer_parts {
  std::string_view head, tail;
};
std::optional<issuer_parts> split_template(std::string_view issuer) {
  auto at = issuer.find(any_directory);
  if (at == std::string_view::npos) return std::nullopt;
  issuer_parts parts{issuer.substr(0, at), issuer.substr(at + any_directory.size())};
  bool whole = parts.head.ends_with('/') && (parts.tail.empty() || parts.tail.starts_with('/'));
  bool in_path = std::count(parts.head.begin(), parts.head.end(), '/') >= 3;
  if (!whole || !in_path || parts.tail.find('{') != std::string_view::npos) return std::nullopt;
  return parts;
}

// What stands for `{tenantid}`; nothing where the issuer is not of this form.
std::optional<std::string_view> directory_in(const issuer_parts& parts, std::string_view issuer) {
  if (issuer.size() != parts.head.size() + 36 + parts.tail.size() || !issuer.starts_with(parts.head) ||
      !issuer.ends_with(parts.tail) || !is_guid(issuer.substr(parts.head.size(), 36))) {
    return std::nullopt;
  }
  return issuer.substr(parts.head.size(), 36);
}

tl::unexpected<error> other_issuer(std::string_view seen, const issuer_rules& rules) {
  auto detail = seen_and_expected("iss", seen, rules.issuer);
  auto words = how_issuers_differ(seen, rules.issuer);
  return fail(errc::token_issuer_mismatch, words.empty() ? detail : detail + " (" + words + ")");
}

result<void> check_issuer(const json::object& claims, const issuer_rules& rules) {
  auto issuer = required_text(claims, "iss");
  if (!issuer) return tl::unexpected(issuer.error());
  if (!is_issuer_of_rules(rules, *issuer)) return other_issuer(*issuer, rules);
  auto parts = split_template(rules.issuer);
  if (!parts) return {};
  auto directory = text_member(claims, "tid");
  if (directory_in(*parts, *issuer) != directory) {
    return fail(errc::token_issuer_mismatch,
                "tid is '" + directory + "', and not the directory of " + *issuer);
  }
  return {};
}

// "application/" may be left out, and media types have no case (RFC 7515 §4.1.9).
std::string short_type(std::string_view typ) {
  auto type = to_lower(typ);
  constexpr std::string_view application = "application/";
  return type.starts_with(application) ? type.substr(application.size()) : type;
}

result<void> check_type(std::string_view typ, const issuer_rules& rules) {
  auto type = short_type(typ);
  if (type == "at+jwt") return {};
  if (rules.type == token_type_rule::access_token && (type.empty() || type == "jwt")) return {};
  std::string words = type.empty() || type == "jwt" ? " (the issuer does not follow RFC 9068)" : "";
  return fail(errc::token_type_wrong, seen_and_expected("typ", typ, "at+jwt") + words);
}

// OIDC Core §2 has these in id tokens, as they are about a sign-in, and an access token says what it is for,
// or whom. `sid` is of OIDC Front-Channel Logout §3.
result<void> check_no_id_token(const json::object& claims) {
  auto there = [&](const char* name) { return find_claim(claims, name) != nullptr; };
  bool of_sign_in =
      there("nonce") || there("at_hash") || there("c_hash") || there("auth_time") || there("sid");
  bool of_access = there("scope") || there("scp") || there("client_id") || there("appid") || there("cid");
  if (!of_sign_in || of_access) return {};
  return fail(errc::token_type_wrong,
              "it looks like an id token: nonce, at_hash, auth_time or sid, and neither scope nor client");
}

result<void> check_kind(const unverified_jws& jws, const json::object& claims, const issuer_rules& rules) {
  auto stated = check_stated_kind(claims, rules);
  if (!stated || rules.danger_id_tokens || short_type(jws.header().typ) == "at+jwt") return stated;
  return check_no_id_token(claims);
}

// What is no JWT, in words: most of what goes wrong here is a text that never was one.
result<unverified_jws> parse_token(std::string_view compact) {
  auto jws = parse_jws(compact);
  if (jws) return jws;
  switch (shape_of(compact)) {
    case token_shape::jwt: break;
    case token_shape::jwe:
    case token_shape::opaque: return fail(errc::token_opaque, what_token_looks_like(compact));
    case token_shape::broken: return fail(errc::token_malformed, what_token_looks_like(compact));
  }
  if (jws.error().code != errc::jwt_malformed) return jws;
  return fail(errc::token_malformed, jws.error().detail);
}

// Keys that an operator named, as PEM or as a shared secret, have no `kid`, and any of them may have signed.
// A set with names is another matter: there an unknown one finds nothing.
result<verified_jws> verify_by(const unverified_jws& jws, const key_set& keys, const issuer_rules& rules) {
  auto accepted = accepted_algorithms(rules);
  auto named = [](const public_key& key) { return !key.kid().empty(); };
  if (keys.size() == 0 || std::any_of(keys.begin(), keys.end(), named))
    return verify_jws(jws, keys, accepted);
  result<verified_jws> last =
      fail(errc::token_algorithm_refused, "no key is for " + std::string(to_name(jws.header().alg)));
  for (const auto& key : keys) {
    if (!key.fits(jws.header().alg)) continue;
    last = verify_jws(jws, key_set::of({key.with_kid(jws.header().kid)}), accepted);
    if (last) break;
  }
  return last;
}

std::string known_keys(const key_set& keys) {
  std::vector<std::string> ids;
  for (const auto& key : keys) {
    if (ids.size() < 8) ids.push_back(key.kid().size() <= 128 ? key.kid() : "…");
  }
  return ids.empty() ? "none" : join(ids, ", ");
}

result<verified_jws> check_signature(const unverified_jws& jws, const key_set& keys,
                                     const issuer_rules& rules) {
  if (mixes_algorithms(rules))
    return fail(errc::token_algorithm_refused, "HMAC and public keys are both configured");
  auto verified = verify_by(jws, keys, rules);
  if (verified) return verified;
  auto why = verified.error();
  if (why.code == errc::token_key_unknown) why.detail += "; known are " + known_keys(keys);
  if (why.code == errc::token_signature_invalid && is_hmac(jws.header().alg)) {
    why.detail = "the issuer signs with another secret, or one of the two has a line break at its end";
  }
  return tl::unexpected(std::move(why));
}

}  // namespace

result<void> check_issuer_rules(const issuer_rules& rules) {
  auto wrong = [](std::string why) -> result<void> { return fail(errc::config_invalid, std::move(why)); };
  if (rules.issuer.empty()) return wrong("no issuer");
  if (rules.issuer.find_first_of("{}") != std::string::npos && !split_template(rules.issuer)) {
    return wrong("issuer '" + rules.issuer + "': {tenantid} has to be one whole segment of the path");
  }
  if (mixes_algorithms(rules)) return wrong("algorithms: HS256 and its like with none of another kind");
  if (rules.leeway < seconds(0) || rules.leeway > longest_leeway)
    return wrong("leeway is not 0 to 600 seconds");
  if (rules.claims.subject.empty()) return wrong("no claim for the subject");
  return {};
}

result<unchecked_token> read_issuer_token(std::string_view compact) {
  auto jws = parse_token(compact);
  if (!jws) return tl::unexpected(jws.error());
  auto rest = compact.substr(compact.find('.') + 1);
  auto payload = base64url_decode(rest.substr(0, rest.find('.'))).value_or("");
  auto claims = parse_json_object(payload);
  return unchecked_token(std::move(*jws), std::move(payload), std::move(claims));
}

result<std::string> unchecked_token::claimed_issuer() const {
  if (!claims_)
    return fail(errc::token_malformed, "the payload is no JSON object: " + claims_.error().detail);
  return required_text(*claims_, "iss");
}

bool unchecked_token::names_one_of(const key_set& keys) const {
  const auto& kid = jws_.header().kid;
  return !kid.empty() && keys.has_kid(kid);
}

result<std::string> claimed_issuer(std::string_view compact) {
  auto token = read_issuer_token(compact);
  if (!token) return tl::unexpected(token.error());
  return token->claimed_issuer();
}

bool is_issuer_of_rules(const issuer_rules& rules, std::string_view issuer) {
  if (rules.issuer.empty()) return false;
  if (auto parts = split_template(rules.issuer)) return directory_in(*parts, issuer).has_value();
  return issuer == rules.issuer;
}

result<verified_token> verify_issuer_token(std::string_view compact, const key_set& keys,
                                           const issuer_rules& rules, time_point now) {
  auto token = read_issuer_token(compact);
  if (!token) return tl::unexpected(token.error());
  return verify_issuer_token(*token, keys, rules, now);
}

result<verified_token> verify_issuer_token(unchecked_token& token, const key_set& keys,
                                           const issuer_rules& rules, time_point now) {
  const auto& jws = token.jws_;
  auto type = check_type(jws.header().typ, rules);
  if (!type) return tl::unexpected(type.error());
  auto verified = check_signature(jws, keys, rules);
  if (!verified) return tl::unexpected(verified.error());
  // The claims are those of the very bytes that were signed.
  if (verified->payload() != token.payload_) return fail(errc::internal, "two readings of one payload");
  auto& claims = token.claims_;
  if (!claims) return fail(errc::token_malformed, "the payload is no JSON object: " + claims.error().detail);

  auto issuer = check_issuer(*claims, rules);
  if (!issuer) return tl::unexpected(issuer.error());
  auto kind = check_kind(jws, *claims, rules);
  if (!kind) return tl::unexpected(kind.error());
  auto audience = check_audience(*claims, rules);
  if (!audience) return tl::unexpected(audience.error());
  auto expires = check_moments(*claims, rules, std::nullopt, now);
  if (!expires) return tl::unexpected(expires.error());
  auto required = check_required(*claims, rules);
  if (!required) return tl::unexpected(required.error());
  auto who = read_foreign_claims(*claims, rules);
  if (!who) return tl::unexpected(who.error());
  token_details details;
  auto bound = read_confirmation(*claims, details);
  if (!bound) return tl::unexpected(bound.error());

  who->audience = audience->ours;
  who->expires = *expires;
  details.audiences = std::move(audience->all);
  details.claims = std::move(*claims);
  return foreign_token::of(std::move(*who), std::move(details));
}

token_examination examine_issuer_token(std::string_view compact, const key_set* keys,
                                       const issuer_rules& rules, time_point now) {
  token_examination told;
  told.unverified = unverified_claims(compact);
  auto add = [&](token_check what, std::optional<result<void>> said) {
    told.findings.push_back({what, std::move(said)});
  };
  auto only_said = [](const auto& checked) {
    return checked ? result<void>() : result<void>(tl::unexpected(checked.error()));
  };
  auto token = read_issuer_token(compact);
  auto form = only_said(token);
  if (token && !token->claims_)
    form = fail(errc::token_malformed, "the payload is no JSON object: " + token->claims_.error().detail);
  add(token_check::form, std::move(form));
  std::optional<result<void>> type, signature;
  if (token) type = check_type(token->jws_.header().typ, rules);
  if (token && keys != nullptr) signature = only_said(check_signature(token->jws_, *keys, rules));
  add(token_check::type, std::move(type));
  add(token_check::signature, std::move(signature));
  if (!told.unverified) {
    for (auto what : {token_check::issuer, token_check::kind, token_check::audience, token_check::times,
                      token_check::claims, token_check::binding})
      add(what, std::nullopt);
    return told;
  }
  const auto& claims = *told.unverified;
  add(token_check::issuer, check_issuer(claims, rules));
  add(token_check::kind, token ? check_kind(token->jws_, claims, rules) : check_stated_kind(claims, rules));
  add(token_check::audience, only_said(check_audience(claims, rules)));
  add(token_check::times, only_said(check_moments(claims, rules, std::nullopt, now)));
  auto required = check_required(claims, rules);
  add(token_check::claims, required ? only_said(read_foreign_claims(claims, rules)) : std::move(required));
  token_details details;
  add(token_check::binding, read_confirmation(claims, details));
  return told;
}

}  // namespace mcp_oauth
