#include "app/token_evidence.h"

#include "app/clock_watch.h"
#include "app/file_access.h"
#include "app/key_file.h"
#include "app/policy_source.h"
#include "app/test_issuers.h"
#include "base/text.h"
#include "broker/browser.h"
#include "broker/signing_keys.h"
#include "config/derive_policy.h"
#include "gateway/issuers.h"
#include "jose/random.h"
#include "oauth/examine.h"
#include "oauth/foreign_claims.h"
#include "oauth/near_miss.h"
#include "store/open.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_keys = 50;
constexpr int most_steps = 20;

std::vector<std::string> audiences_in(std::string_view token) {
  auto claims = unverified_claims(token);
  std::vector<std::string> all;
  if (!claims) return all;
  std::string one;
  if (read(*claims, "aud", one) == member::present) return {one};
  read(*claims, "aud", all);
  return all;
}

std::string claim_in(std::string_view token, std::string_view name) {
  auto claims = unverified_claims(token);
  const auto* value = claims ? find_claim(*claims, name) : nullptr;
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// The keys that sign our own tokens, out of the database.
result<std::shared_ptr<const key_set>> own_keys(const settings& conf) {
  auto key = conf.encryption_key;
  if (!is_postgres_url(conf.database_url)) {
    auto path = sqlite_path(conf.database_url);
    if (!path) return tl::unexpected<error>(path.error());
    if (path->empty())
      return fail(errc::store_unavailable,
                  "the database is kept in memory, where only the gateway reaches it");
    if (key.empty()) {
      auto read_so_far = read_key_file(*path + ".key");
      if (!read_so_far) return tl::unexpected<error>(read_so_far.error());
      key = std::move(*read_so_far);
    }
  }
  auto records = look_at_kind(conf.database_url, "signing_key", real_time(), most_keys);
  if (!records) return tl::unexpected<error>(records.error());
  if (records->empty()) {
    return fail(errc::store_unavailable, "no gateway has started with " + database_place(conf.database_url) +
                                             " yet: there are no keys in it");
  }
  auto seal = sealer::of({key});
  if (!seal) return tl::unexpected<error>(seal.error());
  auto keys = public_parts(*records, *seal);
  if (!keys) return tl::unexpected<error>(keys.error());
  return std::make_shared<const key_set>(std::move(*keys));
}

// What an opaque string is here, if it is anything.
std::string what_we_gave(const settings& conf, std::string_view token) {
  struct row {
    const char* kind;
    const char* words;
  };
  for (auto [kind, words] :
       {row{"refresh", "a refresh token of this gateway: send the access_token beside it"},
        {"code", "an authorization code of this gateway: exchange it at the token endpoint"}}) {
    auto found = look_at(conf.database_url, kind, digest_of(token), real_time());
    if (found && *found) return words;
  }
  return {};
}

class evidence {
 public:
  evidence(const settings& conf, const upstream_settings& server, const evidence_wanted& wanted,
           const fetch_fn& fetch)
      : conf_(conf), server_(server), wanted_(wanted), fetch_(fetch) {}

  tl::expected<token_question, std::vector<error>> run() {
    found_.server = server_.name;
    found_.resource = server_.resource;
    found_.is_public = !server_.require_auth;
    find_rules();
    auto found = conf_.is_guard() ? of_guard() : of_gateway();
    if (!found) return tl::unexpected(std::move(found.error()));
    return std::move(found_);
  }

 private:
  using outcome = tl::expected<void, std::vector<error>>;

  void find_rules() {
    found_.rules = rules_of(conf_, server_);
    const auto& access = conf_.access;
    if (access.url.empty()) return;
    auto answer = fetch_(policy_call(access.url, access.token), policy_fetch_rules());
    auto said = answer ? process_policy_answer(*answer) : tl::unexpected<error>(answer.error());
    if (said && !said->complete) found_.no_rules = error{errc::policy_incomplete, said->state};
    if (said) found_.rules = rules_of(conf_, server_, &*said);
    if (said) return;
    auto why = "policy.url gives no policy: " + said.error().detail;
    if (access.fallback == "local") {
      found_.notes.push_back(why + "; the rules of the configuration are shown in its place");
    } else {
      found_.no_rules = error{errc::policy_unavailable, why};
    }
  }

  outcome of_gateway() {
    token_authority ours;
    ours.name = "this gateway";
    token_rules rules;
    rules.issuer = conf_.public_url;
    rules.audience = server_.resource;
    rules.leeway = conf_.leeway;
    ours.rules = rules;
    for (const auto& p : conf_.providers) {
      if (!p.issuer.empty() && p.type != "hmac") found_.sign_in_at.emplace_back(p.name, p.issuer);
    }
    auto keys = own_keys(conf_);
    if (keys) {
      ours.keys = std::move(*keys);
    } else {
      ours.keys_missing = keys.error();
    }
    auto tests = test_issuers::of(conf_, server_.resource);
    if (!tests) return tl::unexpected(std::vector{tests.error()});
    judge_as_gateway(ours, rules, *tests);
    found_.authorities.push_back(std::move(ours));
    for (const auto& one : tests->all()) {
      token_authority other;
      other.name = "a provider of type hmac";
      other.rules = one.rules;
      other.keys = std::make_shared<const key_set>(one.keys);
      found_.authorities.push_back(std::move(other));
    }
    return {};
  }

  void judge_as_gateway(const token_authority& ours, const token_rules& rules, const test_issuers& tests) {
    if (tests.sign(wanted_.token)) {
      found_.judged = tests.verify(wanted_.token, wanted_.at);
      return;
    }
    if (ours.keys) found_.judged = verify_access_token(wanted_.token, *ours.keys, rules, wanted_.at);
    auto grant = claim_in(wanted_.token, "gid");
    if (!grant.empty() && ours.keys) {
      auto revoked = look_at(conf_.database_url, "revoked", grant, real_time());
      found_.revoked = revoked ? result<bool>(revoked->has_value()) : tl::unexpected<error>(revoked.error());
      auto given = look_at(conf_.database_url, "grant", grant, real_time());
      found_.grant_is_known = !given || given->has_value();
    }
    if (wanted_.token.find('.') == std::string_view::npos)
      found_.known_as = what_we_gave(conf_, wanted_.token);
  }

  outcome of_guard() {
    auto plan = plan_issuers(conf_, read_file_text);
    if (!plan) return tl::unexpected(std::move(plan.error()));
    found_.binding_is_proved = plan->rules.dpop != dpop_use::off;
    resources_ = plan->resources;
    guard judge(std::move(plan->issuers), std::move(plan->rules),
                [](std::size_t n) { return random_bytes(n); });
    fetch_first_documents(
        judge, [this](const http_call& call, const fetch_rules& rules) { return timed_fetch(call, rules); },
        [this] { return wanted_.at; });
    judge_as_guard(judge);
    auto all = judge.status(wanted_.at);
    for (std::size_t i = 0; i < all.size(); ++i)
      found_.authorities.push_back(authority(*judge.issuers()[i], all[i]));
    return {};
  }

  token_authority authority(const issuer_keys& of, const issuer_status& status) const {
    const auto& issuer = of.issuer();
    token_authority one;
    one.name =
        issuer.name == issuer.rules.issuer ? issuer.name : issuer.name + " (" + issuer.rules.issuer + ")";
    auto rules = issuer.rules;
    rules.audiences = audiences_for(rules, resources_, server_.resource);
    one.rules = std::move(rules);
    one.by_introspection_alone = issuer.mode == validation_mode::introspection;
    one.introspected = one.by_introspection_alone || issuer.mode == validation_mode::jwt_and_introspection;
    one.takes_opaque = one.by_introspection_alone || issuer.mode == validation_mode::either;
    auto known = of.now_known(wanted_.at);
    one.keys = known.keys;
    if (!known.keys && !one.by_introspection_alone)
      one.keys_missing = status.failure ? error{known.missing.code, status.failure->detail} : known.missing;
    one.clock_ahead = clock_of_issuer(issuer.rules.issuer, status.jwks_uri);
    return one;
  }

  std::optional<seconds> clock_of_issuer(const std::string& issuer, const std::string& jwks_uri) const {
    auto places = metadata_urls(issuer);
    places.insert(places.begin(), jwks_uri);
    for (const auto& place : places) {
      auto found = clocks_.find(place);
      if (found != clocks_.end()) return found->second;
    }
    return std::nullopt;
  }

  result<http_answer> timed_fetch(const http_call& call, const fetch_rules& rules) {
    auto answer = fetch_(call, rules);
    auto theirs = answer ? clock_of(*answer) : std::nullopt;
    if (theirs) {
      std::lock_guard lock(mutex_);
      clocks_[call.url] =
          std::chrono::duration_cast<seconds>(*theirs - std::chrono::floor<seconds>(real_time()));
    }
    return answer;
  }

  // As a request with the token goes through the guard, with the certificate that it asks for, if any.
  void judge_as_guard(guard& judge) {
    auto certificate = claim_in(wanted_.token, "cnf.x5t#S256");
    presented request;
    request.token = wanted_.token;
    request.certificate_thumbprint = certificate;
    auto step = judge.validate(request, wanted_.at);
    for (int i = 0; i < most_steps; ++i) {
      if (auto* told = std::get_if<verdict>(&step)) return take(judge, *told);
      if (auto* pause = std::get_if<wait>(&step)) {
        auto then = pause->then;
        step = then(wanted_.at);
        continue;
      }
      auto question = std::get<ask>(step);
      // Documents are got; what is posted is the question about the token.
      if (question.call.method == "POST" && !wanted_.introspect) return;
      step = question.then(timed_fetch(question.call, question.rules), wanted_.at);
    }
    found_.judged = fail(errc::issuer_unreachable, "the issuer wants too many fetches");
  }

  void take(const guard& judge, const verdict& told) {
    if (!told) {
      found_.judged = tl::unexpected<error>(told.error());
      return;
    }
    const auto& token = (*told)->token;
    found_.judged = token;
    const auto& issuer = judge.issuers()[(*told)->issuer_index]->issuer();
    auto fits = check_for_resource(token, issuer.rules, resources_, server_.resource);
    if (!fits) found_.judged = tl::unexpected<error>(fits.error());
  }

  const settings& conf_;
  const upstream_settings& server_;
  const evidence_wanted& wanted_;
  const fetch_fn& fetch_;
  resource_audiences resources_;
  std::mutex mutex_;  // of what the fetches of several issuers write
  std::map<std::string, seconds> clocks_;
  token_question found_;
};

}  // namespace

result<chosen_server> choose_server(const settings& conf, const std::string& name,
                                    const std::string& resource, std::string_view token) {
  std::vector<std::string> names, resources;
  for (const auto& u : conf.upstreams) {
    names.push_back(u.name);
    resources.push_back(u.resource);
    bool is_named = !name.empty() && u.name == name;
    bool is_resource = !resource.empty() && holds(names_of_resource(u.resource), resource);
    if (is_named && (resource.empty() || is_resource)) return chosen_server{&u};
    if (name.empty() && is_resource) return chosen_server{&u};
  }
  if (!name.empty())
    return fail(errc::parameter_malformed, "--upstream " + name + ": there is none of that name" +
                                               (resource.empty() ? "" : " and resource") + " (" +
                                               join(names, ", ") + ")");
  if (!resource.empty()) {
    std::vector<std::string> seen{resource};
    auto words = how_audiences_differ(seen, "", resources);
    return fail(errc::parameter_malformed, "--resource " + resource + ": no server has it (" +
                                               join(resources, ", ") + ")" +
                                               (words.empty() ? "" : "; " + words));
  }
  if (conf.upstreams.empty()) return fail(errc::config_invalid, "no MCP server is configured");
  if (conf.upstreams.size() == 1) return chosen_server{&conf.upstreams.front()};
  auto audiences = audiences_in(token);
  for (const auto& u : conf.upstreams) {
    for (const auto& one : names_of_resource(u.resource)) {
      if (holds(audiences, one))
        return chosen_server{&u, "Of " + std::to_string(names.size()) + " servers this is the one that the " +
                                     "token names; --upstream NAME asks about another."};
    }
  }
  return chosen_server{&conf.upstreams.front(),
                       "The token names none of the servers (" + join(names, ", ") +
                           "): this is the first; --upstream NAME asks about another."};
}

tl::expected<token_question, std::vector<error>> gather_evidence(const settings& conf,
                                                                 const upstream_settings& server,
                                                                 const evidence_wanted& wanted,
                                                                 const fetch_fn& fetch) {
  return evidence(conf, server, wanted, fetch).run();
}

}  // namespace mcp_oauth
