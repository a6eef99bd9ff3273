// The class `user` of mcp_oauth/guard.h: a verdict of the core, read.

#include "base/json.h"
#include "library/names.h"
#include "library/safely.h"

#include <algorithm>

MCP_OAUTH_BEGIN
namespace {

const access_claims& claims_of(const std::shared_ptr<const void>& verdict) {
  return static_cast<const accepted*>(verdict.get())->token.claims();
}

}  // namespace

std::string_view user::subject() const noexcept { return claims_of(verdict_).subject; }
std::string_view user::issuer() const noexcept { return claims_of(verdict_).issuer; }
std::string_view user::email() const noexcept { return claims_of(verdict_).email; }
std::string_view user::name() const noexcept { return claims_of(verdict_).name; }
std::string_view user::client_id() const noexcept { return claims_of(verdict_).client_id; }
std::span<const std::string> user::scopes() const noexcept { return claims_of(verdict_).scopes; }
std::chrono::system_clock::time_point user::expires() const noexcept { return claims_of(verdict_).expires; }

std::string_view user::username() const noexcept {
  const auto& details = static_cast<const accepted*>(verdict_.get())->token.details();
  if (details) {
    const auto* preferred = details->claims.if_contains("preferred_username");
    if (preferred != nullptr && preferred->is_string() && !preferred->get_string().empty()) {
      return {preferred->get_string().data(), preferred->get_string().size()};
    }
  }
  return email().empty() ? subject() : email();
}

bool user::has_scope(std::string_view scope) const noexcept {
  auto held = scopes();
  return std::find(held.begin(), held.end(), scope) != held.end();
}

std::string user::claims() const noexcept {
  return safely(
      [&]() -> std::string {
        const auto& details = static_cast<const accepted*>(verdict_.get())->token.details();
        return details ? json::serialize(details->claims) : "{}";
      },
      [] { return std::string("{}"); });
}

MCP_OAUTH_END
