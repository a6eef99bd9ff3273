#include "jose/algorithm.h"

#include "jose/algorithm_traits.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

using enum algorithm;

constexpr algorithm_traits table[] = {
    {rs256, "RS256", "RSA", "", "SHA256", padding::pkcs1, 0},  //
    {rs384, "RS384", "RSA", "", "SHA384", padding::pkcs1, 0},  //
    {rs512, "RS512", "RSA", "", "SHA512", padding::pkcs1, 0},  //
    {ps256, "PS256", "RSA", "", "SHA256", padding::pss, 0},    //
    {ps384, "PS384", "RSA", "", "SHA384", padding::pss, 0},    //
    {ps512, "PS512", "RSA", "", "SHA512", padding::pss, 0},    //
    {es256, "ES256", "EC", "P-256", "SHA256", padding::none, 64},
    {es384, "ES384", "EC", "P-384", "SHA384", padding::none, 96},
    {es512, "ES512", "EC", "P-521", "SHA512", padding::none, 132},
    {eddsa, "EdDSA", "OKP", "Ed25519", nullptr, padding::none, 64},
    {hs256, "HS256", "oct", "", "SHA256", padding::none, 32},
    {hs384, "HS384", "oct", "", "SHA384", padding::none, 48},
    {hs512, "HS512", "oct", "", "SHA512", padding::none, 64},
};
static_assert(std::size(table) == algorithm_count);
static_assert([] {
  for (std::size_t i = 0; i < algorithm_count; ++i) {
    if (static_cast<std::size_t>(table[i].alg) != i) return false;
  }
  return true;
}());

}  // namespace

std::span<const algorithm_traits> all_traits() { return table; }
const algorithm_traits& traits(algorithm alg) { return table[static_cast<std::size_t>(alg)]; }

std::string_view to_name(algorithm alg) { return traits(alg).name; }

std::optional<algorithm> algorithm_from_name(std::string_view name) {
  const auto* row = std::find_if(std::begin(table), std::end(table), [&](auto& t) { return t.name == name; });
  if (row == std::end(table)) return std::nullopt;
  return row->alg;
}

}  // namespace mcp_oauth
