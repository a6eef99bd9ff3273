// The rules for values that only a guard, or a provider at the top level, has.

#include "base/text.h"
#include "config/check.h"
#include "config/derive_issuer.h"
#include "jose/algorithm.h"
#include "provider/known_providers.h"

#include <string>
#include <vector>

namespace mcp_oauth {

std::string mode_named(std::string_view text) {
  if (equal_ignoring_case(text, "native")) return "native";
  if (equal_ignoring_case(text, "gateway") || equal_ignoring_case(text, "proxy")) return "gateway";
  return {};
}

std::string validation_named(std::string_view text) {
  struct row {
    std::string_view name, also, means;
  };
  constexpr row rows[] = {{"jwt", "jwt_only", "jwt"},
                          {"introspection", "introspection_only", "introspection"},
                          {"jwt_and_introspection", "jwt_and_introspect", "jwt_and_introspection"},
                          {"either", "jwt_or_introspect", "either"},
                          {"auto", "", "auto"}};
  for (const auto& r : rows) {
    if (equal_ignoring_case(text, r.name) || (!r.also.empty() && equal_ignoring_case(text, r.also)))
      return std::string(r.means);
  }
  return {};
}

namespace checks {
namespace {

using flaw = std::optional<config_flaw>;
constexpr auto fine = std::nullopt;

}  // namespace

flaw mode(std::string_view value) {
  if (!mode_named(value).empty()) return fine;
  return config_flaw{
      "must be 'native' or 'proxy', got: " + std::string(value),
      "native: a guard for tokens that others issue; gateway, which is the same as proxy: signs "
      "people in itself"};
}

flaw only_provider(std::string_view value) {
  if (value == "hmac" || (value != "local" && find_known_provider(value) != nullptr)) return fine;
  std::vector<std::string> names{"hmac"};
  for (const auto& row : known_providers()) names.emplace_back(row.type);
  return config_flaw{"unknown provider: " + std::string(value) + " (supported: " + join(names, ", ") +
                     ", azure)"};
}

flaw signature_algorithm(std::string_view value) {
  if (algorithm_from_name(value)) return fine;
  if (equal_ignoring_case(value, "none")) return config_flaw{"must not be none: nobody would have signed"};
  return config_flaw{"must be a signature algorithm", "RS256, ES256, PS256, EdDSA, HS256"};
}

flaw validation(std::string_view value) {
  if (!validation_named(value).empty()) return fine;
  return config_flaw{"must be one of jwt, introspection, jwt_and_introspection, either"};
}

flaw required_claim(std::string_view value) {
  auto equals = value.find('=');
  bool whole = equals != 0 && (equals == std::string_view::npos || equals + 1 < value.size());
  if (whole && !visible_text(value)) return fine;
  return config_flaw{"must be NAME or NAME=VALUE", "email_verified=true"};
}

}  // namespace checks
}  // namespace mcp_oauth
