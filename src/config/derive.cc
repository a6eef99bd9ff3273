#include "base/text.h"
#include "base/trace.h"
#include "base/url.h"
#include "config/derive_issuer.h"
#include "config/derive_policy.h"
#include "config/derive_provider.h"
#include "config/derive_telemetry.h"
#include "config/reading.h"

#include <algorithm>
#include <set>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr seconds low_session_timeout{300};

class derivation {
 public:
  derivation(const config_input& input, config_reading& reading)
      : input_(input), reading_(reading), s_(reading.draft) {}

  void run() {
    auto refusing = [this](const std::string& path, config_flaw flaw) { refuse(path, std::move(flaw)); };
    derive_mode(reading_, refusing);
    addresses();
    if (s_.is_guard()) {
      derive_issuers(reading_, refusing);
      refuse_keys_of_a_gateway(reading_, refusing);
    } else {
      providers();
    }
    upstreams();
    derive_policy(reading_,
                  [this](const std::string& path, config_flaw flaw) { refuse(path, std::move(flaw)); });
    clients();
    scopes();
    browsers();
    rest();
  }

 private:
  // callback_url's origin is our public address, unless public_url says
  // otherwise; without both it is where we listen.
  void addresses() {
    tls();
    if (!reading_.is_usable("public_url") || !reading_.is_usable("callback_url")) return;
    if (s_.public_url.empty() && !s_.callback_url.empty())
      s_.public_url = url::parse(s_.callback_url)->origin();
    if (s_.public_url.empty() && !s_.resource.empty() && reading_.is_usable("resource")) {
      // Of a URN there is none.
      auto parts = url::parse(s_.resource);
      if (parts && parts->is_http()) s_.public_url = parts->origin();
    }
    if (s_.public_url.empty() && !own_address()) return;
    if (s_.callback_url.empty() && !s_.is_guard())
      s_.callback_url = s_.public_url + std::string(callback_paths[0]);

    auto parts = url::parse(s_.public_url);
    if (!parts) return;  // only ":0", which with_port() settles
    if (reading_.has("public_url") && !s_.callback_url.empty() &&
        url::parse(s_.callback_url)->origin() != s_.public_url) {
      refuse("callback_url", {"must have the origin of public_url, or the browser that comes "
                              "back is a stranger",
                              "write " + s_.public_url + std::string(callback_paths[0])});
    }
    if (parts->scheme == "http" && !parts->is_loopback() && !s_.danger_allow_http) {
      refuse_plain_http();
    }
  }

  // Where only `host` was given, the mistake is most likely to have given that.
  void refuse_plain_http() {
    bool named = reading_.has("public_url") || reading_.has("callback_url");
    if (named) {
      return refuse(reading_.has("public_url") ? "public_url" : "callback_url",
                    {"must use https for a public address that is not on this machine",
                     "use https, or set danger_allow_http: true in a network you trust"});
    }
    auto host = reading_.given.find("host");
    std::string name = host == reading_.given.end() ? "host" : host->second.key;
    refuse("host", {"would make " + s_.public_url +
                        " the public address, and that must use https unless it is on this machine",
                    name + " only binds; set public_url to what clients use"});
  }

  void tls() {
    if (s_.tls.cert_file.empty() == s_.tls.key_file.empty()) return;
    bool cert = s_.tls.key_file.empty();
    refuse(cert ? "tls.cert_file" : "tls.key_file",
           {std::string("needs ") + (cert ? "tls.key_file" : "tls.cert_file") + " beside it"});
  }

  // The address we listen on as our public one; false, and an error, where no
  // client could reach that.
  bool own_address() {
    if (!reading_.is_usable("host") || !reading_.is_usable("port")) return false;
    bool every_interface = s_.host == "0.0.0.0" || s_.host == "::" || s_.host == "0:0:0:0:0:0:0:0";
    if (every_interface) {
      refuse("public_url", {"is missing: clients cannot reach " + s_.host,
                            "add public_url: https://mcp.example.com, or for a "
                            "trial public_url: http://localhost:" +
                                std::to_string(s_.port)});
      return false;
    }
    std::string scheme = s_.tls.enabled() ? "https" : "http";
    std::string host = s_.host.find(':') == std::string::npos ? s_.host : "[" + s_.host + "]";
    auto parsed = url::parse(scheme + "://" + host + ":" + std::to_string(s_.port == 0 ? 1 : s_.port));
    if (!parsed) {
      refuse("public_url", {"is missing, and host and port make no address", "add public_url"});
      return false;
    }
    s_.public_url = s_.port == 0 ? scheme + "://" + (parsed->host_is_ipv6 ? host : parsed->host) + ":0"
                                 : parsed->origin();
    if (s_.port == 0 && !parsed->is_loopback()) {
      refuse("public_url", {"is missing: the port is only known once it is taken", "add public_url"});
      return false;
    }
    return true;
  }

  void providers() {
    std::size_t locals = 0;
    for (auto& p : s_.providers) {
      derive_provider(p, reading_,
                      [this](const std::string& path, config_flaw flaw) { refuse(path, std::move(flaw)); });
      if (p.type == "local" && ++locals == 2) {
        refuse("providers." + p.name,
               {"is a second local provider", "one is enough: it holds every local user"});
      }
    }
    bool nobody_signs_in =
        std::all_of(s_.providers.begin(), s_.providers.end(), [](const auto& p) { return p.type == "hmac"; });
    if (nobody_signs_in) {
      auto& local = s_.providers.emplace_back();
      local.name = local.type = "local";
    }
  }

  void upstreams() {
    bool list = reading_.has("upstreams");
    if (list && reading_.has("mcp_server_url")) {
      return refuse("mcp_server_url", {"is given together with upstreams", "keep one of them"});
    }
    if (reading_.has("mcp_server_url")) {
      if (!reading_.is_usable("mcp_server_url")) return;
      auto& only = s_.upstreams.emplace_back();
      only.name = "mcp";
      only.url = s_.mcp_server_url;
      only.resource = s_.resource;
      only.resource_name = s_.resource_name;
    } else if (reading_.has("resource")) {
      refuse("resource",
             {"is that of mcp_server_url, which is not given", "write it to one of the upstreams"});
    }
    if (list && reading_.has("resource_name")) {
      reading_.warnings.emplace_back(
          "resource_name is not used: it is that of mcp_server_url; write it to one of the upstreams");
    }
    if (s_.upstreams.empty()) {
      if (input_.standalone_ok || !reading_.is_usable("upstreams")) return;
      return refuse("mcp_server_url", {"is missing: there is no MCP server to protect",
                                       "add mcp_server_url: http://localhost:3000"});
    }
    std::set<std::string> names, paths, resources;
    for (std::size_t i = 0; i < s_.upstreams.size(); ++i) upstream(i, names, paths, resources);
  }

  void upstream(std::size_t i, std::set<std::string>& names, std::set<std::string>& paths,
                std::set<std::string>& resources) {
    auto& u = s_.upstreams[i];
    const std::string here = "upstreams[" + std::to_string(i) + "]";
    bool alone = s_.upstreams.size() == 1;
    if (u.name.empty() && reading_.is_usable(here + ".name")) {
      if (!alone) refuse(here, {"has no name", "add name"});
      u.name = "mcp";
    } else if (!u.name.empty() && !names.insert(u.name).second) {
      refuse(here + ".name", {"must differ from the names of the others"});
    }
    if (u.url.empty() && reading_.is_usable(here + ".url")) {
      refuse(here, {"has no url", "add url: http://localhost:3000"});
    }
    if (is_this_gateway(u.url)) {
      refuse(reading_.has("mcp_server_url") ? "mcp_server_url" : here + ".url",
             {"is where this gateway itself listens: each request would come back to it",
              "write where the MCP server listens, or another port for one of the two"});
    }
    if (u.paths.empty() && reading_.is_usable(here + ".paths")) {
      if (!alone)
        refuse(here, {"has no paths", "add paths: [/" +
                                          (!u.hosts.empty() ? "mcp"
                                           : u.name.empty() ? "name"
                                                            : u.name) +
                                          "]"});
      u.paths = {"/mcp"};
    }
    std::vector<std::string> hosts = u.hosts;
    if (hosts.empty()) hosts.emplace_back();
    for (auto& path : u.paths) {
      if (path.ends_with("/*")) path.resize(path.size() - 2);
      for (const auto& host : hosts) {
        if (!paths.insert(to_lower(host) + path).second && reading_.has(here + ".paths")) {
          refuse(here + ".paths", {"has " + host + path + " twice, here or in another upstream"});
        }
      }
    }
    if (u.resource.empty() && !u.hosts.empty() && !u.paths.empty()) u.resource = resource_at(u);
    calling(u, here);
    if (u.resource.empty() && !u.paths.empty() && reading_.is_usable(here + ".resource") &&
        !s_.public_url.empty()) {
      u.resource = s_.public_url + u.paths.front();
    }
    if (!u.resource.empty() && !resources.insert(u.resource).second && reading_.has(here + ".resource")) {
      refuse(here + ".resource", {"must differ from the others: a token for one would open both"});
    }
  }

  bool is_this_gateway(const std::string& address) const {
    auto at = url::parse(address);
    if (!at || s_.port == 0 || at->effective_port() != s_.port) return false;
    if (equal_ignoring_case(at->host, s_.host)) return true;
    bool at_each_address = s_.host == "0.0.0.0" || s_.host == "::";
    bool by_name = at->host == "localhost" || equal_ignoring_case(s_.host, "localhost");
    return at->is_loopback() && (at_each_address || (by_name && is_loopback_host(s_.host)));
  }

  // Under its own host, with the scheme and the port of our public address.
  std::string resource_at(const upstream_settings& u) const {
    auto host = to_lower(u.hosts.front());
    bool port_comes_later = s_.public_url.ends_with(":0");
    auto own =
        url::parse(port_comes_later ? s_.public_url.substr(0, s_.public_url.size() - 2) : s_.public_url);
    if (!own) return "";
    if (port_comes_later && host.find(':') == std::string::npos) host += ":0";
    if (own->port != 0 && host.find(':') == std::string::npos) host += ":" + std::to_string(own->port);
    return own->scheme + "://" + host + u.paths.front();
  }

  // What reaches it of a call, and who may make one.
  void calling(upstream_settings& u, const std::string& here) {
    auto global = [&](const std::string& key) {
      return reading_.has(here + "." + key) ? here + "." + key : "header_forwarding." + key;
    };
    if (u.headers.forward.empty()) u.headers.forward = s_.headers.forward;
    if (u.headers.blocked.empty()) u.headers.blocked = s_.headers.blocked;
    auto listed = std::any_of(u.headers.forward.begin(), u.headers.forward.end(),
                              [](const auto& name) { return equal_ignoring_case(name, "authorization"); });
    bool said = reading_.has(here + ".upstream_authorization") || reading_.has("upstream_authorization");
    if (u.authorization.empty()) u.authorization = s_.upstream_authorization;
    if (listed && !said && u.require_auth) u.authorization = "verified";
    if (listed && said && u.require_auth && u.authorization == "none") {
      reading_.warnings.push_back(global("forward_headers") +
                                  " lists Authorization, and upstream_authorization: none keeps it back");
    }
    // Nobody wrote that list where the server is mcp_server_url.
    const bool listed_server = reading_.has("upstreams");
    const std::string mode = listed_server ? here + ".upstream_authorization" : "upstream_authorization";
    if (u.authorization == "static" && u.credential.empty()) {
      refuse(mode,
             {"needs upstream_credential: the header to send",
              listed_server ? "add upstream_credential: \"Bearer ${NAME}\" to the upstream"
                            : "write the server under upstreams in place of mcp_server_url, with "
                              "upstream_authorization: static and upstream_credential: \"Bearer ${NAME}\""});
    }
    if (u.authorization != "static" && !u.credential.empty()) {
      refuse(here + ".upstream_credential", {"is sent only with upstream_authorization: static"});
    }
    for (const auto& name : u.inject_headers) {
      if (!equal_ignoring_case(name, "X-Forwarded-Token")) continue;
      if (!is_of_the_caller(u.authorization)) {
        refuse(here + ".inject_headers", {"has X-Forwarded-Token, and upstream_authorization gives no token",
                                          "write upstream_authorization: minted, verified or provider"});
      }
    }
    const std::string by_headers = here + ".danger_trust_mcp_headers";
    if (!reading_.has(by_headers)) u.trusts_mcp_headers = s_.danger_trust_mcp_headers;
    if (u.require_auth && u.authorization == "provider") provider_tokens(mode);
    if (u.require_auth) return;
    // Nobody signs in: what hangs on that would mislead.
    if (!u.scopes.empty()) refuse(here + ".scopes", {"has no meaning with require_auth: false"});
    if (!u.inject_headers.empty()) {
      refuse(here + ".inject_headers", {"has no meaning with require_auth: false: nobody is known"});
    }
    if (is_of_the_caller(u.authorization)) {
      if (reading_.has(mode)) refuse(mode, {"needs somebody who has signed in", "write none or static"});
      u.authorization = "none";
    }
  }

  static bool is_of_the_caller(const std::string& authorization) {
    return authorization == "verified" || authorization == "minted" || authorization == "provider";
  }

  void provider_tokens(const std::string& mode) {
    for (const auto& p : s_.providers) {
      if (p.type != "local") continue;
      if (!reading_.has("providers." + p.name)) {
        refuse(
            reading_.has(mode) ? mode : "upstream_authorization",
            {"is provider, and there is no identity provider: people sign in with users of the gateway's own",
             "add one under providers, or write minted"});
        continue;
      }
      refuse(reading_.has(mode) ? mode : "upstream_authorization",
             {"is provider, and local users have no token of one",
              "remove the local provider, or write minted"});
    }
  }

  void clients() {
    std::set<std::string> ids;
    for (std::size_t i = 0; i < s_.clients.size(); ++i) {
      auto& c = s_.clients[i];
      const std::string here = "clients[" + std::to_string(i) + "]";
      if (c.client_id.empty() && reading_.is_usable(here + ".client_id")) refuse(here, {"has no client_id"});
      if (!c.client_id.empty() && !ids.insert(c.client_id).second) {
        refuse(here + ".client_id", {"is given twice"});
      }
      if (c.redirect_uris.empty() && reading_.is_usable(here + ".redirect_uris")) {
        refuse(here, {"has no redirect_uris", "add redirect_uris: [https://client.example.com/callback]"});
      }
      auto ours = url::parse(s_.public_url);
      for (const auto& uri : c.redirect_uris) {
        auto there = url::parse(uri);
        if (ours && there && there->is_http() && there->origin() == ours->origin()) {
          refuse(here + ".redirect_uris",
                 {"has an address of this gateway itself", "name where the client listens"});
        }
      }
      if (c.client_name.empty()) c.client_name = c.client_id;
    }
  }

  void scopes() {
    std::vector<std::string> named;
    if (!reading_.has("scopes_supported") && !s_.is_guard()) named.emplace_back("mcp");
    for (auto& scope : scopes_of_rules(s_)) {
      if (!holds(named, scope)) named.push_back(std::move(scope));
    }
    if (!reading_.has("scopes_supported")) {
      s_.scopes_supported = named;
    } else if (reading_.is_usable("scopes_supported")) {
      within_supported("scopes_supported",
                       "must contain every scope that tools and upstreams name; it lacks ", named);
    }
    if (!reading_.is_usable("scopes_supported")) return;
    for (std::size_t i = 0; i < s_.clients.size(); ++i) {
      within_supported("clients[" + std::to_string(i) + "].scopes",
                       "must be among scopes_supported; it adds ", s_.clients[i].scopes);
    }
  }

  void within_supported(const std::string& path, const std::string& rule,
                        const std::vector<std::string>& scopes) {
    const auto& all = s_.scopes_supported;
    for (const auto& scope : scopes) {
      if (std::find(all.begin(), all.end(), scope) == all.end())
        return refuse(path, {rule + displayed(scope)});
    }
  }

  void browsers() {
    auto& origins = s_.cors.origins;
    if (!reading_.has("cors.origins")) {
      auto own = url::parse(s_.public_url);
      bool local = own ? own->is_loopback() : s_.public_url.ends_with(":0");
      if (local) origins = {"http://localhost:*", "http://127.0.0.1:*"};
    }
    bool any = std::find(origins.begin(), origins.end(), "*") != origins.end();
    if (any && s_.cors.allow_credentials && reading_.is_usable("cors.origins")) {
      refuse("cors.origins", {"must not hold * while cors.allow_credentials is "
                              "true: any page could act as the user",
                              "name the origins"});
    }
  }

  void headers() {
    auto both = [&](const header_settings& h, const std::string& key) {
      for (const auto& name : h.forward) {
        auto same = [&](const auto& other) { return equal_ignoring_case(name, other); };
        if (std::any_of(h.blocked.begin(), h.blocked.end(), same)) {
          reading_.warnings.push_back(key + ": " + displayed(name) +
                                      " is both in forward_headers and in blocked_headers, and is blocked");
        }
      }
    };
    auto never = [&](const header_settings& h, const std::string& key) {
      for (const auto& name : h.forward) {
        if (equal_ignoring_case(name, "cookie"))
          reading_.warnings.push_back(key +
                                      " lists Cookie, which is never forwarded: cookies belong to the "
                                      "gateway's own pages");
      }
    };
    never(s_.headers, "header_forwarding.forward_headers");
    both(s_.headers, "header_forwarding");
    for (std::size_t i = 0; i < s_.upstreams.size(); ++i) {
      const std::string here = "upstreams[" + std::to_string(i) + "]";
      if (reading_.has(here + ".forward_headers")) never(s_.upstreams[i].headers, here + ".forward_headers");
      if (reading_.has(here + ".forward_headers") || reading_.has(here + ".blocked_headers"))
        both(s_.upstreams[i].headers, here);
    }
  }

  void transforms() {
    auto check = [&](const transform_settings& t, const std::string& key) {
      for (const auto& [from, to] : t.rename) {
        if (auto bad = checks::answer_header(to))
          refuse(key + ".rename_headers", {displayed(from) + ": \"" + displayed(to) + "\" " + bad->rule});
      }
      for (const auto& [name, value] : t.add) {
        if (auto bad = checks::visible_text(value); bad || value != trim(value))
          refuse(key + ".add_headers",
                 {displayed(name) + ": the value must be printable ASCII and not empty"});
      }
    };
    check(s_.transform, "response_transform");
    for (std::size_t i = 0; i < s_.upstreams.size(); ++i) {
      auto& own = s_.upstreams[i].transform;
      if (own.empty()) {
        own = s_.transform;
      } else {
        check(own, "upstreams[" + std::to_string(i) + "].response_transform");
      }
    }
  }

  void rest() {
    headers();
    transforms();
    logging();
    derive_telemetry(input_, reading_);
    if (reading_.is_usable("session_timeout") && s_.session_timeout < low_session_timeout) {
      reading_.warnings.emplace_back("session_timeout is low (< 300s)");
    }
    if (reading_.is_usable("encryption_key") && !s_.encryption_key.empty()) {
      auto bytes = decode_encryption_key(s_.encryption_key.reveal());
      if (bytes) s_.encryption_key = secret(std::move(*bytes));
    }
    bool shared = s_.database_url.starts_with("postgres");
    if (shared && !s_.is_guard() && s_.encryption_key.empty() && reading_.is_usable("database_url") &&
        reading_.is_usable("encryption_key")) {
      refuse("encryption_key", {"is needed with a shared database, the same for every gateway",
                                "make one: openssl rand -base64 32"});
    }
    if (s_.limits.admission > s_.limits.body && reading_.is_usable("limits.admission") &&
        reading_.is_usable("limits.body")) {
      refuse(reading_.has("limits.body") ? "limits.body" : "limits.admission",
             {"must leave limits.admission (" + std::to_string(s_.limits.admission) +
              ") at most limits.body (" + std::to_string(s_.limits.body) + ")"});
    }
    for (const auto& prefix : s_.trusted_proxies) {
      if (prefix.ends_with("/0")) {
        reading_.warnings.push_back("trusted_proxies holds " + prefix +
                                    ": any client can choose its own address");
      }
    }
    bool by_headers = std::any_of(s_.upstreams.begin(), s_.upstreams.end(),
                                  [](const auto& u) { return u.trusts_mcp_headers; });
    if (by_headers) {
      reading_.warnings.emplace_back(
          "danger_trust_mcp_headers is true: behind /auth/verify anybody calls any tool, unless the MCP "
          "server "
          "refuses calls whose Mcp-Method or Mcp-Name differs from the body");
    }
    if (s_.danger_allow_http) {
      reading_.warnings.emplace_back(
          "danger_allow_http is true: everybody on "
          "the way can read the tokens");
    }
  }

  void logging() {
    auto& log = s_.log;
    if (log.file.empty()) log.file = "-";
    bool named = reading_.has("logging.file") && log.file != "-";
    if (log.output == "file" && log.file == "-") {
      if (reading_.has("logging.output")) {
        refuse("logging.output", {"needs the name of a file in logging.file", "write output: stdout"});
      }
      log.output = "stdout";
    } else if (log.output != "file" && named) {
      reading_.warnings.push_back("logging.file is not used: logging.output is " + log.output);
    }
    if (log.output != "file") log.file = "-";
    if (s_.audit.enabled() && s_.audit.file == log.file) {
      refuse("audit.file",
             {"is the file of the log as well, from which lines may be dropped", "name another file"});
    }
    if (!s_.audit.enabled() && (reading_.has("audit.decisions") || reading_.has("audit.on_failure"))) {
      refuse("audit.file",
             {"is missing: nothing else of audit has a meaning without it", "add audit.file: audit.log"});
    }
    // Other programs read DEBUG as well, so what it holds for them is no mistake.
    std::vector<std::string> unknown;
    topics::of(log.debug, &unknown);
    for (const auto& pattern : unknown) {
      auto meant = nearest_name(pattern, topic_names());
      reading_.warnings.push_back("DEBUG: " + displayed(pattern) + " watches nothing" +
                                  (meant.empty() ? "" : " (did you mean " + meant + "?)"));
    }
  }

  void refuse(const std::string& path, config_flaw flaw) {
    reading_.refuse(path, input_.file_name.empty() || !input_.text ? "configuration" : input_.file_name,
                    std::move(flaw));
  }

  const config_input& input_;
  config_reading& reading_;
  config_draft& s_;
};

}  // namespace

void derive(const config_input& input, config_reading& into) { derivation(input, into).run(); }

}  // namespace mcp_oauth
