#include "app/check_start.h"
#include "app/file_access.h"
#include "app/issuer_fetch.h"
#include "config/provider_kind.h"
#include "gateway/issuers.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "provider/oidc.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <future>

namespace mcp_oauth {
namespace {

std::string told(const error& why) {
  std::string text(explain(why.code).description);
  return why.detail.empty() ? text : text + " (" + why.detail + ")";
}

std::string ask_provider(const provider_settings& p, const fetch_rules& rules, const std::string& ca_file) {
  if (kind_of(p).speaks == sign_in_protocol::oauth2) {
    http_call call;
    call.url = fixed_metadata(p).token_endpoint;
    auto answer = net::fetch(call, rules, ca_file);
    if (answer || answer.error().code == errc::fetch_too_large) return {};
    return "providers." + p.name + ": " + call.url + " does not answer: " + told(answer.error());
  }
  auto answer = net::fetch(discovery_request(p.issuer), rules, ca_file);
  result<provider_metadata> metadata =
      answer ? process_discovery_answer(p.issuer, *answer, kind_of(p).stated_issuer)
             : tl::unexpected<error>(answer.error());
  if (metadata) return {};
  return "providers." + p.name + ": no usable metadata from " + p.issuer + ": " + told(metadata.error());
}

// Any HTTP answer will do: what a server says to a stranger is its own affair. A GET might open a stream.
std::string ask_server(const upstream_settings& u, const fetch_rules& rules, const std::string& ca_file) {
  http_call call;
  call.method = "OPTIONS";
  call.url = u.url;
  auto answer = net::fetch(call, rules, ca_file);
  if (answer || answer.error().code == errc::fetch_too_large) return {};
  return "the MCP server " + u.url + " does not answer: " + told(answer.error());
}

}  // namespace

void check_issuers(const settings& conf, seconds patience, start_findings& into,
                   std::vector<issuer_failure>& failures) {
  auto plan = plan_issuers(conf, read_file_text);
  if (!plan) {
    into.failures.insert(into.failures.end(), plan.error().begin(), plan.error().end());
    return;
  }
  guard judge(std::move(plan->issuers), std::move(plan->rules),
              [](std::size_t n) { return random_bytes(n); });
  failures = fetch_first_documents(judge, [&](const http_call& call, const fetch_rules& rules) {
    auto bounded = rules;
    bounded.timeout = std::min(rules.timeout, patience);
    return net::fetch(call, bounded, conf.upstream_ca_file);
  });
  auto all = judge.status(std::chrono::system_clock::now());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& issuer = all[i];
    if (auto document = judge.issuers()[i]->metadata())
      into.good.push_back("OIDC discovery document fetched for issuer " + issuer.issuer);
    if (!issuer.ready) continue;
    if (!issuer.jwks_uri.empty())
      into.good.push_back("JWKS fetched from " + issuer.jwks_uri + " (" + std::to_string(issuer.keys) +
                          " keys)");
    if (!issuer.introspection_endpoint.empty())
      into.good.push_back("Introspection at " + issuer.introspection_endpoint + " (not asked)");
  }
}

std::vector<std::string> check_reach(const settings& conf, seconds patience) {
  fetch_rules rules;
  rules.timeout = patience;
  std::vector<std::future<std::string>> asked;
  for (const auto& p : conf.providers) {
    if (p.type == "local") continue;
    asked.push_back(
        std::async(std::launch::async, [&] { return ask_provider(p, rules, conf.upstream_ca_file); }));
  }
  for (const auto& u : conf.upstreams) {
    asked.push_back(
        std::async(std::launch::async, [&] { return ask_server(u, rules, conf.upstream_ca_file); }));
  }
  std::vector<std::string> warnings;
  for (auto& one : asked) {
    if (auto text = one.get(); !text.empty()) warnings.push_back(std::move(text));
  }
  return warnings;
}

}  // namespace mcp_oauth
