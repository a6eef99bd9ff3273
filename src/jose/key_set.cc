#include "jose/key_set.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_bytes = 512 * 1024;
constexpr std::size_t most_keys = 100;

}  // namespace

result<key_set> key_set::parse(std::string_view jwks_json) {
  if (jwks_json.size() > most_bytes) return fail(errc::key_malformed, "JWK Set over 512 KiB");
  auto document = parse_json_object(jwks_json);
  if (!document) return fail(errc::key_malformed, "JWK Set: " + document.error().detail);
  const auto* listed = document->if_contains("keys");
  if (listed == nullptr || !listed->is_array()) return fail(errc::key_malformed, "JWK Set without keys");
  if (listed->as_array().size() > most_keys) return fail(errc::key_malformed, "JWK Set of over 100 keys");
  std::vector<public_key> keys;
  for (const auto& item : listed->as_array()) {
    if (!item.is_object()) continue;
    if (auto key = public_key::from_jwk(item.as_object())) keys.push_back(std::move(*key));
  }
  return of(std::move(keys));
}

key_set key_set::of(std::vector<public_key> keys) {
  key_set set;
  set.keys_ = std::move(keys);
  return set;
}

const public_key* key_set::find(std::string_view kid, algorithm alg) const {
  const public_key* found = nullptr;
  for (const auto& key : keys_) {
    if (!key.fits(alg)) continue;
    if (kid.empty()) {
      if (found != nullptr) return nullptr;
      found = &key;
    } else if (key.kid() == kid) {
      return &key;
    }
  }
  return found;
}

bool key_set::has_kid(std::string_view kid) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const public_key& key) { return key.kid() == kid; });
}

json::object key_set::to_json() const {
  json::array listed;
  for (const auto& key : keys_) {
    if (auto jwk = key.to_jwk(); !jwk.empty()) listed.push_back(std::move(jwk));
  }
  json::object set;
  set["keys"] = std::move(listed);
  return set;
}

}  // namespace mcp_oauth
