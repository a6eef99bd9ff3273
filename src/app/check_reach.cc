#include "app/check_start.h"
#include "app/clock_watch.h"
#include "app/file_access.h"
#include "app/issuer_fetch.h"
#include "app/policy_source.h"
#include "base/text.h"
#include "base/url.h"
#include "config/config_error.h"
#include "config/provider_kind.h"
#include "gateway/issuers.h"
#include "gateway/route.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "policy/doubts.h"
#include "provider/oidc.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <future>
#include <optional>

namespace mcp_oauth {
namespace {

std::string told(const error& why) {
  std::string text(explain(why.code).description);
  return why.detail.empty() ? text : text + " (" + why.detail + ")";
}

struct asked {
  std::vector<error> said = {};  // the whole line as detail
  std::optional<error> failure = {};
  std::string better_url = {};  // at which a server was found
};

void compare_clocks(const http_answer& answer, const std::string& whose, asked& into) {
  auto theirs = clock_of(answer);
  auto apart = theirs ? clock_difference(whose, *theirs, std::chrono::system_clock::now()) : std::nullopt;
  if (apart) into.said.push_back({errc::clocks_differ, *apart});
}

asked ask_provider(const provider_settings& p, const fetch_rules& rules, const std::string& ca_file) {
  asked all;
  if (kind_of(p).speaks == sign_in_protocol::oauth2) {
    http_call call;
    call.url = fixed_metadata(p).token_endpoint;
    auto answer = net::fetch(call, rules, ca_file);
    if (answer) compare_clocks(*answer, "providers." + p.name, all);
    if (!answer && answer.error().code != errc::fetch_too_large)
      all.said.push_back({errc::provider_unreachable, "providers." + p.name + ": " + call.url +
                                                          " does not answer: " + told(answer.error())});
    return all;
  }
  auto answer = net::fetch(discovery_request(p.issuer), rules, ca_file);
  if (answer) compare_clocks(*answer, "providers." + p.name, all);
  result<provider_metadata> metadata =
      answer ? process_discovery_answer(p.issuer, *answer, kind_of(p).stated_issuer)
             : tl::unexpected<error>(answer.error());
  // Whoever answered with another name will refuse nothing and be refused each time.
  if (!metadata && metadata.error().code == errc::provider_issuer_mismatch) {
    all.failure = error{metadata.error().code, "providers." + p.name + ": " + metadata.error().detail};
  } else if (!metadata) {
    auto code = answer ? metadata.error().code : errc::provider_unreachable;
    all.said.push_back({code, "providers." + p.name + ": no usable metadata from " + p.issuer + ": " +
                                  told(metadata.error())});
  }
  return all;
}

// What a stranger's call gives. A GET might open a stream, and `ping` needs nothing.
result<http_answer> ping(const std::string& url, const fetch_rules& rules, const std::string& ca_file) {
  http_call call;
  call.method = "POST";
  call.url = url;
  call.fields.add("Content-Type", "application/json");
  call.fields.add("Accept", "application/json, text/event-stream");
  call.body = R"({"jsonrpc":"2.0","id":"check-config","method":"ping"})";
  return net::fetch(call, rules, ca_file);
}

std::string with_tls(std::string address) { return address.insert(std::string_view("http").size(), "s"); }

// Some TLS servers say nothing at all to what is none. A certificate that we do not trust is TLS, too.
bool speaks_tls(http_call call, const fetch_rules& rules, const std::string& ca_file) {
  call.url = with_tls(call.url);
  auto answer = net::fetch(call, rules, ca_file);
  return answer || answer.error().detail.find("certificate") != std::string::npos;
}

errc code_of_upstream(const error& why) {
  if (why.code == errc::fetch_timeout) return errc::upstream_timeout;
  auto words = to_lower(why.detail);
  auto has = [&](std::string_view word) { return words.find(word) != std::string::npos; };
  if (has("refused")) return errc::upstream_refused;
  return has("certificate") || has("ssl") || has("tls") ? errc::upstream_tls_failed
                                                        : errc::upstream_unreachable;
}

bool is_unknown(const result<http_answer>& answer) { return answer && answer->status == 404; }

// Any HTTP answer will do but 404, and what web servers say to http on a port for https: what a server says
// to a stranger is its own affair.
asked ask_server(const upstream_settings& u, const fetch_rules& rules, const std::string& ca_file) {
  auto where = mount::of(u);
  auto place = url::parse(u.url);
  if (!where || !place) return {};  // said elsewhere
  http_call call;
  call.method = "OPTIONS";
  call.url = place->origin() + where->upstream_path(u.paths.empty() ? "" : u.paths.front());
  auto answer = net::fetch(call, rules, ca_file);
  if (!answer && place->scheme == "http" && speaks_tls(call, rules, ca_file))
    return {{{errc::upstream_tls_failed,
              "the MCP server " + u.url +
                  " does not answer: the server speaks TLS here, and its URL begins with http://"}},
            {},
            with_tls(u.url)};
  if (!answer && answer.error().code != errc::fetch_too_large)
    return {{{code_of_upstream(answer.error()),
              "the MCP server " + u.url + " does not answer: " + told(answer.error())}}};
  if (answer && answer->status == 400 && place->scheme == "http" &&
      answer->body.find("HTTPS") != std::string::npos && speaks_tls(call, rules, ca_file)) {
    return {
        {{errc::upstream_tls_failed,
          "the MCP server " + u.url +
              " does not answer: it says 400 to http: the server speaks TLS here, and its URL begins with "
              "http://"}},
        {},
        with_tls(u.url)};
  }
  // Some know no OPTIONS.
  if (!is_unknown(answer) || !is_unknown(ping(call.url, rules, ca_file))) return {};
  auto usual = place->origin() + "/mcp";
  auto at_usual = call.url == usual ? tl::unexpected<error>(error{}) : ping(usual, rules, ca_file);
  std::string hint = "ask whoever runs it for the path";
  bool found = at_usual && at_usual->status != 404;
  if (found) hint = usual + " answers " + std::to_string(at_usual->status) + ": write that";
  return {{{errc::path_unknown,
            "the MCP server answers 404 at " + call.url + ": the path of its url is wrong; " + hint}},
          {},
          found ? usual : ""};
}

}  // namespace

void check_issuers(const settings& conf, seconds patience, start_findings& into,
                   std::vector<issuer_failure>& failures) {
  auto plan = plan_issuers(conf, read_file_text);
  if (!plan) {
    into.failures.insert(into.failures.end(), plan.error().begin(), plan.error().end());
    // What is wrong with one keeps nobody from looking at the others.
    auto others = conf;
    std::erase_if(others.issuers, [&](const issuer_settings& one) {
      auto alone = conf;
      alone.issuers = {one};
      return !plan_issuers(alone, read_file_text);
    });
    if (others.issuers.empty() || others.issuers.size() == conf.issuers.size()) return;
    plan = plan_issuers(others, read_file_text);
    if (!plan) return;
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

void check_policy(const settings& conf, seconds patience, start_findings& into) {
  if (conf.access.url.empty()) return;
  auto rules = policy_fetch_rules();
  rules.timeout = std::min(rules.timeout, patience);
  auto answer = net::fetch(policy_call(conf.access.url, conf.access.token), rules, conf.upstream_ca_file);
  auto got = answer ? process_policy_answer(*answer) : tl::unexpected<error>(answer.error());
  auto trouble = policy_trouble(conf.access, got);
  if (!trouble) {
    into.good.push_back("Policy fetched from " + without_credentials(conf.access.url) + " (" +
                        std::to_string(got->rules.tools.rules.size()) + " rules for tools)");
    for (auto& doubt : doubts_about(got->rules, "tools", "")) into.warnings.push_back(std::move(doubt));
  } else if (!got && got.error().code == errc::policy_document_invalid && conf.access.fallback != "local") {
    into.failures.push_back(got.error());
  } else {
    auto code = got                                                 ? errc::policy_incomplete
                : got.error().code == errc::policy_document_invalid ? errc::policy_document_invalid
                                                                    : errc::policy_unavailable;
    into.warnings.push_back(*trouble + code_in_words(code));
  }
  auto lacking = got ? scopes_out_of_reach(conf, *got) : std::vector<std::string>();
  if (!lacking.empty())
    into.warnings.push_back(
        "policy.url asks for scopes that nobody can get, as scopes_supported lacks them: " +
        join(lacking, ", "));
}

void check_reach(const settings& conf, seconds patience, start_findings& into) {
  fetch_rules rules;
  rules.timeout = patience;
  std::vector<std::future<asked>> all;
  for (const auto& p : conf.providers) {
    if (p.type == "local" || p.type == "hmac") continue;
    all.push_back(
        std::async(std::launch::async, [&] { return ask_provider(p, rules, conf.upstream_ca_file); }));
  }
  const std::size_t providers = all.size();
  for (const auto& u : conf.upstreams) {
    all.push_back(
        std::async(std::launch::async, [&] { return ask_server(u, rules, conf.upstream_ca_file); }));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto some = all[i].get();
    if (!some.better_url.empty())
      into.better_urls.emplace_back(conf.upstreams[i - providers].url, some.better_url);
    for (auto& line : some.said) {
      into.warnings.push_back(line.detail + code_in_words(line.code));
      into.away.push_back(std::move(line));
    }
    if (some.failure) into.failures.push_back(std::move(*some.failure));
  }
}

}  // namespace mcp_oauth
