#include "app/snapshot.h"

#include "oauth/metadata.h"

namespace mcp_oauth {
namespace {

result<upstream> make_upstream(const settings& conf, const upstream_settings& of,
                               const std::shared_ptr<const net::tls_context>& tls) {
  auto where = mount::of(of);
  if (!where) return tl::unexpected<error>(where.error());
  const auto& place = where->where();

  net::upstream_target target;
  target.host = place.host;
  target.port = place.effective_port();
  target.authority = place.authority();
  target.key = place.scheme + "://" + place.host + ":" + std::to_string(target.port);
  target.connect_timeout = conf.timeouts.connect;
  if (place.scheme == "https") target.tls = tls;

  resource_description resource;
  resource.resource = of.resource;
  resource.authorization_servers = {conf.public_url};
  resource.scopes = of.scopes.empty() ? conf.scopes_supported : of.scopes;
  resource.name = of.name;

  token_rules tokens;
  tokens.issuer = conf.public_url;
  tokens.audience = of.resource;
  tokens.leeway = conf.leeway;

  auto path = of.paths.front() == "/" ? std::string() : of.paths.front();
  return upstream{std::move(*where),
                  std::move(target),
                  policy(conf.tools, conf.tools_given, of.scopes),
                  std::move(tokens),
                  "/.well-known/oauth-protected-resource" + path,
                  std::move(resource)};
}

}  // namespace

const upstream* snapshot::find(std::string_view path) const {
  const upstream* best = nullptr;
  std::size_t longest = 0;
  for (const auto& u : upstreams) {
    for (const auto& prefix : u.where.conf().paths) {
      bool covered = path.substr(0, prefix.size()) == prefix &&
                     (path.size() == prefix.size() || path[prefix.size()] == '/' || prefix == "/");
      if (covered && prefix.size() > longest) {
        best = &u;
        longest = prefix.size();
      }
    }
  }
  return best;
}

const upstream* snapshot::find_resource_path(std::string_view path) const {
  if (path.empty()) return upstreams.empty() ? nullptr : &upstreams.front();
  return find(path);
}

result<std::shared_ptr<const snapshot>> make_snapshot(const settings& conf,
                                                      std::shared_ptr<broker> authorization_server,
                                                      const secret& session_key) {
  auto tls = net::tls_context::client(conf.upstream_ca_file);
  if (!tls) return tl::unexpected<error>(tls.error());

  std::vector<upstream> upstreams;
  server_description server;
  server.issuer = conf.public_url;
  server.dynamic_registration = conf.registration.dynamic;
  server.client_documents = conf.registration.client_documents;
  server.scopes = conf.scopes_supported;
  for (const auto& of : conf.upstreams) {
    auto made = make_upstream(conf, of, *tls);
    if (!made) return tl::unexpected<error>(made.error());
    server.protected_resources.push_back(of.resource);
    upstreams.push_back(std::move(*made));
  }

  net::relay_limits relaying;
  relaying.first_byte = conf.timeouts.request;
  relaying.idle = conf.timeouts.idle;
  relaying.stream_keep_alive = conf.timeouts.stream_keep_alive;
  relaying.write = conf.timeouts.write;

  return std::make_shared<const snapshot>(
      snapshot{conf, std::move(upstreams), header_rules(conf.headers), cors_rules(conf.cors, conf.public_url),
               session_binding(session_key), authorization_server->keys()->all, relaying,
               json::serialize(authorization_server_metadata(server)),
               json::serialize(openid_configuration(server)), std::move(authorization_server)});
}

}  // namespace mcp_oauth
