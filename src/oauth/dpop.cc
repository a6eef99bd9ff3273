#include "oauth/dpop.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "jose/jws.h"
#include "oauth/jwt_claims.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace mcp_oauth {
namespace {

constexpr std::size_t nonce_bytes = 18;
constexpr std::size_t longest_jti = 512;

tl::unexpected<error> invalid(std::string why) { return fail(errc::dpop_proof_invalid, std::move(why)); }

bool is_symmetric(algorithm alg) {
  return alg == algorithm::hs256 || alg == algorithm::hs384 || alg == algorithm::hs512;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// RFC 3986 §6.2.2.1 and §6.2.2.2: escapes in upper case, none for what needs none.
std::string normal_escapes(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    auto decoded = path[i] == '%' ? percent_decode(path.substr(i, 3)) : std::nullopt;
    if (!decoded || decoded->size() != 1) {
      out += path[i];
      continue;
    }
    out += is_unreserved(decoded->front()) ? *decoded : percent_encode(*decoded);
    i += 2;
  }
  return out;
}

// RFC 3986 §6.2.2.3
std::string without_dot_segments(const std::string& path) {
  std::vector<std::string> kept;
  std::size_t from = 1;  // after the first '/'
  bool ends_in_slash = false;
  while (from <= path.size()) {
    auto end = std::min(path.find('/', from), path.size());
    auto segment = path.substr(from, end - from);
    ends_in_slash = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(std::move(segment));
    }
    from = end + 1;
  }
  auto out = "/" + join(kept, "/");
  if (ends_in_slash && !out.ends_with('/')) out += '/';
  return out;
}

// RFC 9449 §4.3: syntax-based and scheme-based normalisation, without query and fragment.
std::optional<std::string> normal_url(std::string_view text) {
  auto parsed = url::parse(text);
  if (!parsed || !parsed->is_http()) return std::nullopt;
  return parsed->origin() + without_dot_segments(parsed->path.empty() ? "/" : normal_escapes(parsed->path));
}

// The key that the proof was signed with stands in its own header, which is what a proof is for.
result<public_key> key_in_header(std::string_view proof) {
  auto bytes = base64url_decode(proof.substr(0, proof.find('.')));
  auto header = parse_json_object(bytes.value_or(""));
  if (!header) return invalid("the header is no JSON object");
  const auto* jwk = header->if_contains("jwk");
  if (jwk == nullptr || !jwk->is_object()) return invalid("no jwk in the header");
  for (auto secret_member : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk->get_object().contains(secret_member)) return invalid("jwk holds a private or a shared key");
  }
  auto key = public_key::from_jwk(jwk->get_object());
  if (!key) return invalid("jwk: " + key.error().detail);
  return key;
}

result<std::string> text_claim(const json::object& claims, std::string_view name) {
  auto value = required_text(claims, name);
  if (!value) return invalid(value.error().detail);
  return value;
}

result<void> check_target(const json::object& claims, const dpop_request& request) {
  auto htm = text_claim(claims, "htm");
  if (!htm) return tl::unexpected(htm.error());
  if (*htm != request.method) return invalid(seen_and_expected("htm", *htm, request.method));
  auto htu = text_claim(claims, "htu");
  if (!htu) return tl::unexpected(htu.error());
  auto theirs = normal_url(*htu), ours = normal_url(request.url);
  if (!theirs || !ours || *theirs != *ours) {
    auto words = how_issuers_differ(theirs.value_or(*htu), ours.value_or(std::string(request.url)));
    return invalid(seen_and_expected("htu", *htu, request.url) + (words.empty() ? "" : " (" + words + ")"));
  }
  return {};
}

result<time_point> check_time(const json::object& claims, const dpop_rules& rules, time_point now) {
  auto issued = required_time(claims, "iat");
  if (!issued) return invalid(issued.error().detail);
  if (*issued > now + rules.leeway || *issued + rules.window + rules.leeway <= now) {
    return invalid("iat lies " + how_long_from(now, *issued) + "; the window is " +
                   std::to_string(rules.window.count()) + " s, the leeway " +
                   std::to_string(rules.leeway.count()) + " s: compare the clocks");
  }
  return issued;
}

result<void> check_token_hash(const json::object& claims, const dpop_request& request) {
  auto ath = text_claim(claims, "ath");
  if (!ath) return tl::unexpected(ath.error());
  if (equal_constant_time(*ath, base64url_encode(sha256_bytes(request.access_token)))) return {};
  return invalid("ath is of another access token");
}

result<void> check_nonce(const json::object& claims, const dpop_rules& rules, time_point now) {
  if (rules.nonces == nullptr) return {};
  std::string nonce;
  auto found = read(claims, "nonce", nonce);
  if (found == member::wrong_type) return invalid("nonce has the wrong type");
  if (found == member::absent) return fail(errc::dpop_nonce_needed, "no nonce");
  if (rules.nonces->accepts(nonce, now)) return {};
  return fail(errc::dpop_nonce_needed, "a nonce that is old, or not ours");
}

std::string eight_bytes(std::int64_t number) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((number >> shift) & 0xFF);
  return out;
}

}  // namespace

result<std::optional<std::string_view>> dpop_proof_of(std::span<const field> fields) {
  std::optional<std::string_view> found;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, "dpop")) continue;
    if (found) return invalid("more than one DPoP field");
    found = trim(f.value);
  }
  return found;
}

dpop_nonces::dpop_nonces(secret key, seconds life) : key_(std::move(key)), life_(std::max(life, seconds(1))) {
  if (key_.reveal().size() < 32) std::abort();
}

std::string dpop_nonces::made_in(std::int64_t period) const {
  auto mac = hmac_sha256(key_.reveal(), "dpop nonce" + eight_bytes(period));
  return base64url_encode(mac.substr(0, nonce_bytes));
}

std::string dpop_nonces::fresh(time_point now) const { return made_in(to_unix(now) / life_.count()); }

bool dpop_nonces::accepts(std::string_view nonce, time_point now) const {
  auto period = to_unix(now) / life_.count();
  // The next one, too: another replica's clock may be ahead.
  bool good = false;
  for (auto at : {period - 1, period, period + 1}) good |= equal_constant_time(nonce, made_in(at));
  return good;
}

result<verified_proof> verify_dpop_proof(std::string_view proof, const dpop_request& request,
                                         const dpop_rules& rules, time_point now) {
  auto jws = parse_jws(proof);
  if (!jws) return invalid(jws.error().detail);
  if (!equal_ignoring_case(jws->header().typ, "dpop+jwt") &&
      !equal_ignoring_case(jws->header().typ, "application/dpop+jwt")) {
    return invalid(seen_and_expected("typ", jws->header().typ, "dpop+jwt"));
  }
  if (is_symmetric(jws->header().alg)) return invalid("a symmetric algorithm");
  auto key = key_in_header(proof);
  if (!key) return tl::unexpected(key.error());
  auto verified = verify_jws(*jws, key_set::of({key->with_kid(jws->header().kid)}), rules.algorithms);
  if (!verified) {
    return invalid(verified.error().code == errc::token_signature_invalid
                       ? "the signature is not of the key in it"
                       : verified.error().detail);
  }
  auto claims = parse_json_object(verified->payload());
  if (!claims) return invalid("the payload is no JSON object");

  auto jti = text_claim(*claims, "jti");
  if (!jti) return tl::unexpected(jti.error());
  if (jti->size() > longest_jti) return invalid("jti is longer than 512 bytes");
  auto target = check_target(*claims, request);
  if (!target) return tl::unexpected(target.error());
  auto issued = check_time(*claims, rules, now);
  if (!issued) return tl::unexpected(issued.error());
  auto hash = check_token_hash(*claims, request);
  if (!hash) return tl::unexpected(hash.error());
  auto nonce = check_nonce(*claims, rules, now);
  if (!nonce) return tl::unexpected(nonce.error());

  verified_proof good;
  good.key_thumbprint_ = key->thumbprint();
  good.digest_ = sha256(good.key_thumbprint_ + " " + *jti);
  good.good_for_ = rules.window + rules.leeway;
  good.until_ = *issued + good.good_for_;
  return good;
}

result<void> dpop_replays::admit(const verified_proof& proof, time_point now) {
  // Kept beyond their time, so that a small step back of the clock costs nothing.
  constexpr seconds longer{30};
  std::lock_guard lock(mutex_);
  // Set back. By a clock that is right no proof that was forgotten is issued later than a leeway from now.
  if (now + longer < latest_) {
    forgotten_ = std::min(forgotten_, now + proof.good_for() + longer);
    latest_ = now;
  }
  latest_ = std::max(latest_, now);
  auto at = seen_.find(proof.digest());
  if (at != seen_.end() && now < at->second) return fail(errc::dpop_proof_replayed, "its jti came before");
  if (proof.until() <= forgotten_)
    return fail(errc::dpop_proof_replayed,
                "the clock here was set back, and whether it came before is not known");
  // Looking through all of them is for once a second at most, also when it is full.
  if ((seen_.size() >= most_ || seen_.size() >= sweep_at_) && (now < swept_ || now >= swept_ + seconds(1))) {
    const auto over = seen_.size() >= most_ ? now : now - longer;
    boost::unordered::erase_if(seen_, [over](const auto& e) { return e.second <= over; });
    forgotten_ = std::max(forgotten_, over);
    swept_ = now;
    sweep_at_ = std::max<std::size_t>(1024, seen_.size() * 2);
  }
  if (seen_.size() >= most_) return fail(errc::overloaded, "more DPoP proofs than can be remembered");
  seen_[proof.digest()] = proof.until();
  return {};
}

std::size_t dpop_replays::size() const {
  std::lock_guard lock(mutex_);
  return seen_.size();
}

}  // namespace mcp_oauth
