#include "app/snapshot.h"

#include "base/url.h"
#include "config/derive_policy.h"
#include "oauth/metadata.h"

namespace mcp_oauth {
namespace {

result<upstream> make_upstream(const settings& conf, const upstream_settings& of,
                               const issuers_in_use* issuers,
                               const std::shared_ptr<const net::tls_context>& tls) {
  auto where = mount::of(of);
  if (!where) return tl::unexpected<error>(where.error());
  const auto& place = where->where();

  net::upstream_target target;
  target.host = place.host;
  target.port = place.effective_port();
  target.authority = place.authority();
  target.key = place.scheme + "://" + place.host + ":" + std::to_string(target.port);
  target.connect_timeout = of.connect.count() > 0 ? of.connect : conf.timeouts.connect;
  if (place.scheme == "https") target.tls = tls;

  resource_description resource;
  resource.resource = of.resource;
  resource.authorization_servers = {conf.public_url};
  resource.scopes = scopes_of_server(conf, of);
  resource.name = of.resource_name.empty() ? of.name : of.resource_name;
  if (issuers != nullptr) {
    resource.authorization_servers = issuers->authorization_servers;
    const auto& rules = issuers->judge->rules();
    if (rules.dpop != dpop_use::off) resource.dpop_algorithms = rules.proofs.algorithms;
    resource.dpop_required = rules.dpop == dpop_use::required;
    resource.certificate_bound = conf.binding.certificate == "require";
  }

  token_rules tokens;
  tokens.issuer = conf.public_url;
  tokens.audience = of.resource;
  tokens.leeway = conf.leeway;
  auto tests = test_issuers::of(conf, of.resource);
  if (!tests) return tl::unexpected<error>(tests.error());

  net::relay_limits relaying;
  relaying.first_byte = of.request.count() > 0 ? of.request : conf.timeouts.request;
  relaying.idle = conf.timeouts.idle;
  relaying.stream_keep_alive = conf.timeouts.stream_keep_alive;
  relaying.write = conf.timeouts.write;

  policy rules(rules_of(conf, of));
  auto path = of.paths.front() == "/" ? std::string() : of.paths.front();
  auto at = url::parse(of.resource);
  std::string origin = at && !of.hosts.empty() ? at->origin() : std::string();
  return upstream{std::move(*where),
                  std::move(target),
                  std::move(rules),
                  std::move(tokens),
                  std::move(*tests),
                  "/.well-known/oauth-protected-resource" + path,
                  std::move(resource),
                  std::move(origin),
                  header_rules(of.headers, conf.telemetry.enabled() ? header_rules::traces::are_ours
                                                                    : header_rules::traces::pass),
                  response_transform(of.transform),
                  relaying};
}

// The rules that were fetched, for as long as they count; then what the settings have in their place.
void use_remote_rules(upstream& of, const settings& conf, const policy_source& remote) {
  const auto& access = conf.access;
  of.otherwise = access.fallback == "local"
                     ? of.rules
                     : policy::closed(errc::policy_unavailable, "policy.url has given no policy for " +
                                                                    std::to_string(access.max_age.count()) +
                                                                    " s or more");
  auto [document, fresh] = remote.latest();
  if (document == nullptr) return;
  of.fresh = std::move(fresh);
  of.rules = document->complete ? policy(rules_of(conf, of.where.conf(), document.get()))
                                : policy::closed(errc::policy_incomplete, document->state);
}

}  // namespace

const upstream* snapshot::find(std::string_view host, std::string_view path) const {
  auto found = find_ways(host, path);
  return found.agree() ? found.written : nullptr;
}

ways<upstream> snapshot::find_ways(std::string_view host, std::string_view path) const {
  return ways_to(std::span<const upstream>(upstreams), &upstream::where, host, path);
}

const upstream* snapshot::find_resource_path(std::string_view host, std::string_view path) const {
  if (!path.empty()) return find(host, path);
  const upstream* best = nullptr;
  std::size_t most = 0;
  for (const auto& u : upstreams) {
    // The first of those that the host leads to, and otherwise of all.
    auto fit = u.where.fits(host, u.where.conf().paths.front());
    bool named = fit > u.where.conf().paths.front().size();
    if (fit > 0 && (best == nullptr || (named && most == 1))) {
      best = &u;
      most = named ? 2 : 1;
    }
  }
  return best;
}

topics watched_by(const log_settings& conf) {
  auto patterns = conf.debug;
  if (patterns.empty() && conf.level == "trace") patterns.emplace_back("*");
  if (conf.requests) patterns.emplace_back("proxy:request");
  if (conf.responses) patterns.emplace_back("proxy:response");
  return topics::of(patterns);
}

token_source tokens_of(const snapshot& rules) {
  if (rules.issuers) return rules.issuers;
  return rules.authorization_server;
}

result<std::shared_ptr<const snapshot>> make_snapshot(const settings& conf, token_source tokens,
                                                      const secret& session_key, span_exporter* spans,
                                                      const policy_source* remote) {
  auto tls = net::tls_context::client(conf.upstream_ca_file);
  if (!tls) return tl::unexpected<error>(tls.error());

  snapshot made{conf,
                {},
                cors_rules(conf.cors, conf.public_url),
                client_address(conf),
                metrics_access(conf),
                session_binding(session_key),
                {},
                log_style::of(conf.log),
                watched_by(conf.log),
                {},
                {},
                {},
                {},
                conf.telemetry.enabled() ? spans : nullptr};
  if (auto* ours = std::get_if<std::shared_ptr<broker>>(&tokens))
    made.authorization_server = std::move(*ours);
  if (auto* others = std::get_if<std::shared_ptr<const issuers_in_use>>(&tokens))
    made.issuers = std::move(*others);

  // A client has to know what to ask for. Which of our own scopes there are, only the operator says.
  auto fetched = remote != nullptr ? remote->latest().document : nullptr;
  if (made.issuers && fetched) add_scopes(made.conf.scopes_supported, fetched->rules);

  server_description server;
  server.issuer = conf.public_url;
  server.dynamic_registration = conf.registration.dynamic;
  server.client_documents = conf.registration.client_documents;
  server.scopes = conf.scopes_supported;
  for (const auto& of : conf.upstreams) {
    auto one = make_upstream(made.conf, of, made.issuers.get(), *tls);
    if (!one) return tl::unexpected<error>(one.error());
    if (of.require_auth) server.protected_resources.push_back(of.resource);
    if (remote != nullptr) use_remote_rules(*one, conf, *remote);
    made.upstreams.push_back(std::move(*one));
  }
  if (made.authorization_server) {
    made.keys = made.authorization_server->keys()->all;
    made.server_metadata = json::serialize(authorization_server_metadata(server));
    made.openid_metadata = json::serialize(openid_configuration(server));
  }
  return std::make_shared<const snapshot>(std::move(made));
}

}  // namespace mcp_oauth
