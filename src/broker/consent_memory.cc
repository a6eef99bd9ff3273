#include "broker/consent_memory.h"

#include "base/text.h"
#include "broker/browser.h"
#include "oauth/redirect_uri.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "consent";
constexpr std::chrono::hours lifetime{24 * 30};

// Nothing where a consent is not remembered. None of the parts may hold a line feed.
std::optional<std::string> id_of(std::string_view browser_digest, const authorization_terms& terms,
                                 std::string_view client_name) {
  auto target = describe_redirect_uri(terms.redirect_uri);
  if (target.kind != redirect_kind::web) return std::nullopt;
  auto scopes = terms.scopes;
  std::sort(scopes.begin(), scopes.end());
  return digest_of(join({std::string(browser_digest), terms.client_id, std::string(client_name),
                         terms.redirect_uri, terms.resource, join(scopes, " ")},
                        "\n"));
}

}  // namespace

std::optional<std::string> remembered_consent(const broker_world& world, std::string_view browser_digest,
                                              const authorization_terms& terms, std::string_view client_name,
                                              time_point now) {
  auto id = id_of(browser_digest, terms, client_name);
  if (!id) return std::nullopt;
  auto found = world.store.get(kind, *id, now);
  if (!found || !*found) return std::nullopt;
  for (const auto& p : world.conf.providers) {
    if (p.name == (*found)->provider) return p.name;
  }
  return std::nullopt;
}

result<void> remember_consent(const broker_world& world, std::string_view browser_digest,
                              const authorization_terms& terms, std::string_view client_name,
                              std::string_view provider, time_point now) {
  auto id = id_of(browser_digest, terms, client_name);
  if (!id) return {};
  record r;
  r.kind = kind;
  r.id = *id;
  r.provider = provider;
  r.created = now;
  r.expires = now + lifetime;
  change c;
  c.put.push_back(std::move(r));
  auto done = world.store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace mcp_oauth
