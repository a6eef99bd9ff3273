#include "app/check_start.h"
#include "config/provider_kind.h"
#include "net/http_client.h"
#include "provider/oidc.h"
#include "symptom/catalogue.h"

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
