#include "app/examine_deployment.h"

#include "app/check_start.h"
#include "app/examine_site.h"
#include "app/file_access.h"
#include "app/guard_app.h"
#include "app/walk_sign_in.h"
#include "base/base64url.h"
#include "base/form.h"
#include "base/url.h"
#include "config/provider_kind.h"
#include "doctor/known_clients.h"
#include "doctor/site_check.h"
#include "net/http_client.h"
#include "net/reach.h"
#include "provider/oidc.h"
#include "store/open.h"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <utility>

#include <sys/stat.h>

namespace mcp_oauth {
namespace {

constexpr seconds patience{5};
constexpr std::string_view made_up = "made-up-by-mcp-oauth-proxy-doctor";

http_call get(std::string address) {
  http_call call;
  call.url = std::move(address);
  call.fields.add("Accept", "application/json");
  return call;
}

fetch_rules patient() {
  fetch_rules rules;
  rules.timeout = patience;
  return rules;
}

result<http_answer> answer_of(result<net::glimpse> seen) {
  if (!seen) return tl::unexpected<error>(std::move(seen.error()));
  return std::move(seen->answer);
}

// Where this machine reaches the listener.
std::string listener_of(const settings& conf) {
  auto host = conf.host;
  if (host == "0.0.0.0" || host.empty()) host = "127.0.0.1";
  if (host == "::") host = "::1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return (conf.tls.enabled() ? "https://" : "http://") + host + ":" + std::to_string(conf.port);
}

// The certificate is for the public name: the listener is met under that, or not at all.
bool can_be_met(const settings& conf) {
  auto place = url::parse(conf.public_url);
  return conf.port != 0 && (!conf.tls.enabled() || (place && place->is_loopback()));
}

void look_at_running(const settings& conf, deployment_evidence& into) {
  if (!can_be_met(conf) || conf.upstreams.empty()) return;
  into.listener = listener_of(conf);
  auto ask = [&](const http_call& call) {
    // This machine's own listener: no proxy knows it.
    return answer_of(net::look(call, patient(), conf.upstream_ca_file, net::proxies::none));
  };
  into.health = ask(get(into.listener + "/health"));
  if (!*into.health) return;
  auto path = url::parse(conf.upstreams.front().resource);
  into.inside = ask(get(into.listener + "/.well-known/oauth-protected-resource" + (path ? path->path : "")));
}

void add_file(const std::string& path, const std::string& what, unsigned may_have,
              std::vector<file_trial>& into) {
  struct stat about{};
  if (path.empty() || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return;
  into.push_back({absolute_path(path), what, static_cast<unsigned>(about.st_mode & 07777), may_have});
}

void look_at_files(const settings& conf, deployment_evidence& into) {
  if (!conf.is_guard() && !is_postgres_url(conf.database_url)) {
    auto path = sqlite_path(conf.database_url);
    if (path && !path->empty()) {
      add_file(*path, "the database", 0, into.files);
      add_file(*path + ".key", "the encryption key", 0, into.files);
    }
  }
  // A gateway often reads it as one of a group (ssl-cert, a Kubernetes fsGroup).
  add_file(conf.tls.key_file, "the key of the TLS certificate", S_IRGRP, into.files);
}

// A provider may send back what it was sent, in words for people.
void redact(result<http_answer>& answer, const std::vector<std::string>& secrets) {
  if (!answer) return;
  for (const auto& one : secrets) {
    if (one.empty()) continue;
    for (auto at = answer->body.find(one); at != std::string::npos; at = answer->body.find(one, at + 3))
      answer->body.replace(at, one.size(), "***");
  }
}

provider_trial try_provider(const settings& conf, const provider_settings& p) {
  provider_trial trial;
  trial.name = p.name;
  trial.type = p.type;
  trial.callback_url = callback_of(conf, p);
  trial.client_id = p.client_id;
  trial.tenant_id = p.tenant_id;
  trial.registered_at = kind_of(p).registered_at;
  result<provider_metadata> metadata = fail(errc::provider_unreachable);
  if (kind_of(p).speaks == sign_in_protocol::oauth2) {
    metadata = fixed_metadata(p);
  } else {
    auto answer = net::fetch(discovery_request(p.issuer), patient(), conf.upstream_ca_file);
    if (answer) metadata = process_discovery_answer(p.issuer, *answer, kind_of(p).stated_issuer);
  }
  if (!metadata) return trial;  // said by what asks for it at a start
  code_exchange exchange;
  exchange.client_id = p.client_id;
  exchange.client_secret = p.client_secret;
  exchange.code = made_up;
  exchange.redirect_uri = trial.callback_url;
  exchange.code_verifier = secret(std::string(made_up) + "-0123456789-0123456789");
  trial.token_endpoint = metadata->token_endpoint;
  auto call = code_exchange_request(*metadata, exchange);
  trial.token = net::fetch(call, patient(), conf.upstream_ca_file);
  std::string plain(p.client_secret.reveal());
  std::string credentials(call.fields.first("Authorization"));
  if (auto space = credentials.find(' '); space != std::string::npos) credentials.erase(0, space + 1);
  redact(*trial.token, {credentials, base64_encode(p.client_id + ":" + plain), percent_encode(plain), plain,
                        std::string(exchange.code_verifier.reveal())});
  sign_in_request request;
  request.client_id = p.client_id;
  request.redirect_uri = trial.callback_url;
  request.scopes = p.scopes;
  request.state = request.nonce = made_up;
  request.code_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";  // of RFC 7636, appendix B
  trial.authorize_endpoint = metadata->authorization_endpoint;
  trial.authorize =
      answer_of(net::look(get(authorization_url(*metadata, request)), patient(), conf.upstream_ca_file));
  return trial;
}

void look_at_providers(const settings& conf, deployment_evidence& into) {
  std::vector<std::future<provider_trial>> trials;
  for (const auto& p : conf.providers) {
    if (p.type == "local" || p.type == "hmac") continue;
    trials.push_back(std::async(std::launch::async, [&] { return try_provider(conf, p); }));
  }
  for (auto& trial : trials) into.providers.push_back(trial.get());
}

void look_at_start(const settings& conf, deployment_evidence& into) {
  auto found = check_start(conf);
  check_reach(conf, patience, found);
  check_policy(conf, patience, found);
  std::vector<issuer_failure> issuers;
  if (conf.is_guard()) check_issuers(conf, patience, found, issuers);
  for (const auto& one : issuers) {
    if (conf.start_retry) {
      found.warnings.push_back(retried(one));
    } else {
      found.failures.push_back({one.why.code, one.issuer + ": " + one.why.detail});
    }
  }
  into.start_good = std::move(found.good);
  into.start_notes = std::move(found.notes);
  into.start_failures = std::move(found.failures);
  into.away = std::move(found.away);
  into.better_urls = std::move(found.better_urls);
  std::erase_if(found.warnings, [&](const std::string& line) {
    return std::any_of(into.away.begin(), into.away.end(),
                       [&](const error& one) { return line == one.detail + code_in_words(one.code); });
  });
  for (auto& line : found.warnings) {
    // Who holds the port is looked at by itself: most often it is the gateway.
    if (!line.starts_with("port " + std::to_string(conf.port) + " is taken"))
      into.start_doubts.push_back(std::move(line));
  }
}

void look_at_addresses(const settings& conf, deployment_evidence& into) {
  into.local_store = !conf.is_guard() && !is_postgres_url(conf.database_url);
  auto place = url::parse(conf.public_url);
  if (!into.local_store || !place || place->is_loopback()) return;
  into.public_addresses = net::reach({place->host, place->effective_port(), false, "", patience}).addresses;
}

std::optional<result<http_answer>> ask_public_health(const settings& conf, const doctor_input& about) {
  auto call = get(conf.public_url + "/health");
  auto rules = patient();
  auto ca = about.ca_file.empty() ? conf.upstream_ca_file : about.ca_file;
  auto by = net::way_of(call, rules);
  return answer_of(net::look(call, rules, ca, by));
}

constexpr std::size_t most_servers = 32;

// The first of them by itself, with its clients; of the others what is wrong there.
std::optional<examination> look_from_outside(const settings& conf, const doctor_input& about) {
  auto ca = about.ca_file.empty() ? conf.upstream_ca_file : about.ca_file;
  std::vector<url> targets;
  for (const auto& server : conf.upstreams) {
    auto target = url::parse(server.resource);
    if (target && target->is_http() && targets.size() < most_servers) targets.push_back(*target);
  }
  if (targets.empty()) return std::nullopt;
  auto seen = examine(targets.front(), ca);
  auto made = examine_site(seen);
  if (about.login) {
    auto hops = walk_sign_in(read_site(seen), ca);
    made.findings.insert(made.findings.end(), hops.begin(), hops.end());
  }
  made.clients = outlooks(seen, made, about.client);
  std::vector<std::future<site_evidence>> others;
  for (std::size_t i = 1; made.reached && i < targets.size(); ++i)
    others.push_back(std::async(std::launch::async, [&, i] { return examine(targets[i], ca); }));
  for (auto& other : others) made.add_server(examine_site(other.get()));
  if (made.reached && conf.upstreams.size() > most_servers) {
    site_findings into("server.other", made.findings);
    into.ok("Of so many servers the first " + std::to_string(most_servers) + " were asked", "",
            "upstreams." + conf.upstreams[most_servers].name + " and those behind it were not");
  }
  return made;
}

}  // namespace

examination examine_configured(const command_input& in, const doctor_input& about) {
  deployment_evidence evidence;
  evidence.file = config_file_of(in);
  auto loaded = read_settings(in, false);
  if (!loaded) {
    evidence.file_errors = loaded.error();
    auto made = examine_deployment(evidence, std::nullopt);
    return made;
  }
  const auto& conf = loaded->value;
  evidence.setting_doubts = loaded->warnings;
  evidence.public_url = conf.public_url;
  const char* named = std::getenv("MCP_SERVER_URL");
  evidence.url_of_environment = named != nullptr && *named != '\0';
  look_at_start(conf, evidence);
  look_at_running(conf, evidence);
  look_at_files(conf, evidence);
  look_at_providers(conf, evidence);
  look_at_addresses(conf, evidence);
  if (!conf.upstreams.empty()) {
    evidence.resource = conf.upstreams.front().resource;
    evidence.wants_tokens = conf.upstreams.front().require_auth;
  }
  auto outside = look_from_outside(conf, about);
  bool runs = evidence.health && *evidence.health;
  if (runs && outside && outside->reached) evidence.public_health = ask_public_health(conf, about);
  return examine_deployment(evidence, std::move(outside));
}

}  // namespace mcp_oauth
