#include "jose/jws.h"

#include "base/base64url.h"
#include "base/json.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest = 16 * 1024;

json::string_view text(std::string_view s) { return {s.data(), s.size()}; }

// A stranger's word for our log: whole or not at all.
std::string shown(const std::string& word) {
  return word.size() <= 128 ? word : "of " + std::to_string(word.size()) + " bytes";
}

result<jws_header> parse_header(std::string_view encoded) {
  auto bytes = base64url_decode(encoded);
  if (!bytes) return fail(errc::jwt_malformed, "the header is not base64url");
  auto members = parse_json_object(*bytes);
  if (!members) return fail(errc::jwt_malformed, "header: " + members.error().detail);
  jws_header header;
  std::string alg;
  if (read(*members, "alg", alg) != member::present) return fail(errc::jwt_malformed, "header without alg");
  // RFC 7515 §4.1.11: extensions that must be understood; we understand none. RFC 7797 §6 requires `crit`
  // with `b64`, but a sender who leaves it out must not gain by that.
  if (members->contains("crit")) return fail(errc::jwt_malformed, "crit in the header");
  if (members->contains("b64")) return fail(errc::jwt_malformed, "b64 in the header");
  if (read(*members, "kid", header.kid) == member::wrong_type)
    return fail(errc::jwt_malformed, "kid is not a string");
  if (read(*members, "typ", header.typ) == member::wrong_type)
    return fail(errc::jwt_malformed, "typ is not a string");
  auto known = algorithm_from_name(alg);
  if (!known) return fail(errc::token_algorithm_refused, "alg " + shown(alg));
  header.alg = *known;
  return header;
}

}  // namespace

result<unverified_jws> parse_jws(std::string_view compact) {
  if (compact.size() > longest) return fail(errc::jwt_malformed, "over 16 KiB");
  const auto first = compact.find('.');
  const auto second = first == std::string_view::npos ? first : compact.find('.', first + 1);
  if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos) {
    return fail(errc::jwt_malformed, "not three parts");
  }
  const auto header_part = compact.substr(0, first);
  const auto payload_part = compact.substr(first + 1, second - first - 1);
  const auto signature_part = compact.substr(second + 1);
  if (header_part.empty()) return fail(errc::jwt_malformed, "no header");

  unverified_jws jws;
  auto header = parse_header(header_part);
  if (!header) return tl::unexpected(header.error());
  auto payload = base64url_decode(payload_part);
  if (!payload) return fail(errc::jwt_malformed, "the payload is not base64url");
  if (signature_part.empty()) return fail(errc::jwt_malformed, "no signature");
  auto signature = base64url_decode(signature_part);
  if (!signature) return fail(errc::jwt_malformed, "the signature is not base64url");
  jws.header_ = std::move(*header);
  jws.input_ = compact.substr(0, second);
  jws.payload_ = std::move(*payload);
  jws.signature_ = std::move(*signature);
  return jws;
}

result<verified_jws> verify_jws(const unverified_jws& jws, const key_set& keys,
                                std::span<const algorithm> accepted) {
  const auto& header = jws.header_;
  if (std::find(accepted.begin(), accepted.end(), header.alg) == accepted.end()) {
    return fail(errc::token_algorithm_refused, std::string(to_name(header.alg)) + " is not accepted here");
  }
  const auto* key = keys.find(header.kid, header.alg);
  if (key == nullptr && !header.kid.empty() && keys.has_kid(header.kid)) {
    return fail(errc::token_algorithm_refused, "the key is not for " + std::string(to_name(header.alg)));
  }
  if (key == nullptr) {
    return fail(errc::token_key_unknown,
                header.kid.empty() ? "no kid, and not exactly one key fits" : "kid " + shown(header.kid));
  }
  auto has = jws.signature_.size(), makes = key->signature_size(header.alg);
  if (has != makes) {
    return fail(errc::token_malformed, "its signature has " + std::to_string(has) +
                                           " bytes, and the key makes " + std::to_string(makes));
  }
  if (!key->verifies(header.alg, jws.input_, jws.signature_)) return fail(errc::token_signature_invalid);
  return verified_jws(header, jws.payload_);
}

std::string sign_jws(const signing_key& key, std::string_view typ, std::string_view kid,
                     std::string_view payload) {
  json::object header;
  header["alg"] = text(to_name(key.alg()));
  if (!typ.empty()) header["typ"] = text(typ);
  if (!kid.empty()) header["kid"] = text(kid);
  auto compact = base64url_encode(json::serialize(header)) + '.' + base64url_encode(payload);
  const auto signature = base64url_encode(key.sign(compact));
  compact += '.';
  compact += signature;
  return compact;
}

}  // namespace mcp_oauth
