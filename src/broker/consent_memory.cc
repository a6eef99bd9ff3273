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
std::optional<std::string> id_of(std::string_view browser_digest, const approved_access& access) {
  auto target = describe_redirect_uri(access.redirect_uri);
  if (target.kind != redirect_kind::web) return std::nullopt;
  auto scopes = access.scopes;
  std::sort(scopes.begin(), scopes.end());
  return digest_of(join({std::string(browser_digest), access.client_id, access.client_name,
                         access.redirect_uri, access.resource, join(scopes, " ")},
                        "\n"));
}

}  // namespace

std::string approver_of(const person& who) { return who.subject + "\n" + who.account; }

std::optional<remembered_approval> remembered_consent(const broker_world& world,
                                                      std::string_view browser_digest,
                                                      const approved_access& access, time_point now) {
  auto id = id_of(browser_digest, access);
  if (!id) return std::nullopt;
  auto found = world.store.get(kind, *id, now);
  if (!found || !*found) return std::nullopt;
  auto data = parse_json_object((*found)->data);
  auto approver = data ? text_member(*data, "approver") : "";
  if (approver.empty()) return std::nullopt;
  for (const auto& p : world.conf.providers) {
    if (p.name == (*found)->provider) return remembered_approval{p.name, approver};
  }
  return std::nullopt;
}

void remember_consent(change& c, const pending_login& login, const person& who, time_point now) {
  auto id = id_of(login.browser, login.access);
  if (!id) return;
  record r;
  r.kind = kind;
  r.id = *id;
  r.provider = login.provider;
  r.data = json::serialize(json::object{{"approver", approver_of(who)}});
  r.created = now;
  r.expires = now + lifetime;
  c.put.push_back(std::move(r));
}

}  // namespace mcp_oauth
