// The guard as a parts list: what is made, in which order, and who knows whom.

#include "app/file_access.h"
#include "app/guard_app.h"
#include "base/text.h"
#include "config/load.h"
#include "jose/digest.h"
#include "jose/random.h"
#include "net/http_client.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr milliseconds between_looks{1000};
constexpr std::chrono::minutes between_sweeps{1};

// One issuer's code tells how the program ends; the texts tell of all.
error joined(const std::vector<issuer_failure>& failures) {
  error all = failures.front().why;
  all.detail.clear();
  for (const auto& f : failures)
    all.detail += (all.detail.empty() ? "" : "; ") + f.issuer + ": " + f.why.detail;
  return all;
}

}  // namespace

struct guard_app::parts : running {
  std::string fingerprint;  // of what the issuers in use were made of
  time_point next_sweep;

  fetch_fn fetcher_of(const settings& of) {
    return [this, ca_file = of.upstream_ca_file](const http_call& call, const fetch_rules& bounds) {
      auto began = std::chrono::steady_clock::now();
      auto answer = net::fetch(call, bounds, ca_file);
      counts.fetch(metrics::fetched::from_issuer, std::chrono::steady_clock::now() - began,
                   answer ? nullptr : &answer.error());
      return answer;
    };
  }

  // What the issuers in use know, at the places of those that stay the same: an issuer that is away for the
  // moment is none the less known after a reload.
  std::vector<std::shared_ptr<issuer_keys>> known_of(const std::vector<std::string>& prints) {
    std::vector<std::shared_ptr<issuer_keys>> known(prints.size());
    if (!rules) return known;
    const auto& before = *rules->issuers;
    for (std::size_t i = 0; i < prints.size(); ++i) {
      auto same = std::find(before.fingerprints.begin(), before.fingerprints.end(), prints[i]);
      if (same == before.fingerprints.end()) continue;
      auto at = static_cast<std::size_t>(same - before.fingerprints.begin());
      auto keys = before.judge->issuers()[at];
      if (keys->status(wall_clock()).ready) known[i] = std::move(keys);
    }
    return known;
  }

  std::shared_ptr<issuers_in_use> make_issuers(issuer_plan plan) {
    auto made = std::make_shared<issuers_in_use>();
    made->resources = std::move(plan.resources);
    made->authorization_servers = std::move(plan.authorization_servers);
    made->fingerprints = std::move(plan.issuer_fingerprints);
    auto known = known_of(made->fingerprints);
    // A proof that came before a reload is no good after it.
    auto seen = rules ? rules->issuers->judge->proofs_seen() : nullptr;
    made->judge = std::make_unique<guard>(
        std::move(plan.issuers), std::move(plan.rules), [](std::size_t n) { return random_bytes(n); },
        std::move(seen), std::move(known));
    return made;
  }

  // Without the key of other replicas session ids end with this process.
  static secret session_key_of(const settings& of) {
    if (of.encryption_key.empty()) return secret(random_bytes(32));
    return secret(hkdf_sha256(of.encryption_key.reveal(), "", "mcp session binding", 32));
  }

  // All or nothing: what fails leaves everything as it was.
  result<void> adopt_settings(const settings& next) {
    auto policies_then = policies_for(next);
    std::lock_guard lock(changing);
    auto effective = with_port(next, conf.port);
    auto plan = plan_issuers(effective, read_file_text);
    if (!plan) return tl::unexpected<error>(plan.error().front());
    auto issuers = rules->issuers;
    auto wanted = plan->fingerprint;
    if (wanted != fingerprint) {
      auto made = make_issuers(std::move(*plan));
      auto missing = fetch_first_documents(*made->judge, fetcher_of(effective));
      if (!missing.empty() && !effective.start_retry) return tl::unexpected<error>(joined(missing));
      issuers = std::move(made);
    }
    auto fresh =
        make_snapshot(effective, issuers, session_key, exporter_for(effective), source_of(policies_then));
    if (!fresh) return tl::unexpected<error>(fresh.error());
    auto taken = take_up(next, std::move(effective), std::move(*fresh), policies_then);
    if (taken) fingerprint = std::move(wanted);
    return taken;
  }

  void run_errand(std::shared_ptr<const issuers_in_use> issuers, guard::errand errand,
                  const fetch_fn& fetch) {
    auto answer = fetch(errand.fetch.call, errand.fetch.rules);
    auto& judge = *issuers->judge;
    auto before = judge.status(wall_clock())[errand.issuer];
    auto now = wall_clock();
    judge.learned(errand, answer, now);
    auto after = judge.status(now)[errand.issuer];
    bool failed = after.failure && after.last_failure && *after.last_failure == now;
    if (failed) {
      log->event(log_level::warn, "oauth",
                 "the issuer " + after.issuer + " could not be asked again" +
                     (after.ready ? "; its last good keys are used" : "; its tokens are refused with 503"),
                 &*after.failure);
    } else if (!before.ready && after.ready) {
      log->event(log_level::info, "oauth",
                 "the issuer " + after.issuer + " is there: its tokens can be judged");
    }
  }

  void tidy() {
    std::shared_ptr<const issuers_in_use> issuers;
    fetch_fn fetch;
    {
      std::lock_guard lock(changing);
      issuers = rules->issuers;
      fetch = fetcher_of(conf);
    }
    auto now = wall_clock();
    for (auto& errand : issuers->judge->due(now)) {
      auto one = std::make_shared<guard::errand>(std::move(errand));
      // One that the pool does not take counts as not asked.
      (void)fetching->submit([this, issuers, one, fetch] { run_errand(issuers, std::move(*one), fetch); });
    }
    if (now < next_sweep) return;
    next_sweep = now + between_sweeps;
    issuers->judge->sweep(now);
  }
};

guard_app::guard_app(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
guard_app::~guard_app() { stop(); }
const settings& guard_app::conf() const { return parts_->conf; }

tl::expected<std::unique_ptr<guard_app>, guard_start_failure> guard_app::start(
    settings conf, std::vector<std::string>& warnings) {
  auto failed = [](error why) { return tl::unexpected(guard_start_failure{{std::move(why)}, {}}); };
  auto made = std::make_unique<parts>();
  auto& p = *made;

  auto logging = p.open_log(conf);
  if (!logging) return failed(logging.error());
  p.make_threads();
  if (conf.explain.enabled()) p.own_stories = p.open_stories(conf);
  if (p.own_stories) {
    p.keep_stories(*p.own_stories, conf);
    p.shared.openings = nullptr;
  }
  auto held = p.take_port(std::move(conf));
  if (!held) return failed(held.error());
  p.session_key = parts::session_key_of(p.conf);

  auto plan = plan_issuers(p.conf, read_file_text);
  if (!plan) return tl::unexpected(guard_start_failure{std::move(plan.error()), {}});
  p.fingerprint = plan->fingerprint;
  auto issuers = p.make_issuers(std::move(*plan));
  auto missing = fetch_first_documents(*issuers->judge, p.fetcher_of(p.conf));
  for (const auto& one : missing) {
    p.log->event(p.conf.start_retry ? log_level::warn : log_level::error, "oauth",
                 "the issuer " + one.issuer + " cannot be used yet", &one.why);
    if (p.conf.start_retry) warnings.push_back(retried(one));
  }
  if (!missing.empty() && !p.conf.start_retry)
    return tl::unexpected(guard_start_failure{{}, std::move(missing)});

  p.policies = p.source_for(p.conf);
  auto first_rules =
      make_snapshot(p.conf, std::move(issuers), p.session_key, p.exporter_for(p.conf), p.policies.get());
  if (!first_rules) return failed(first_rules.error());
  p.rules = std::move(*first_rules);

  auto serving = p.serve(std::move(*held));
  if (!serving) return failed(serving.error());
  warnings.insert(warnings.end(), p.noticed.begin(), p.noticed.end());
  p.housekeeping =
      std::thread([&p] { p.keep_house(between_looks, [] { return false; }, [&p] { p.tidy(); }); });
  for (const auto& line : accepted_tokens(p.conf)) p.log->event(log_level::info, "oauth", line);
  return std::unique_ptr<guard_app>(new guard_app(std::move(made)));
}

reload_report guard_app::reload(const settings_source& read) {
  return parts_->reload(read, [this](const settings& next) { return parts_->adopt_settings(next); });
}

result<void> guard_app::reopen_log() { return parts_->reopen_log(); }

void guard_app::stop() {
  if (parts_->stop([] {})) parts_->log->event(log_level::info, "proxy", "stopped");
}

std::vector<std::string> accepted_tokens(const settings& conf) {
  std::vector<std::string> resources;
  for (const auto& u : conf.upstreams) {
    if (u.require_auth) resources.push_back(u.resource);
  }
  std::vector<std::string> lines;
  for (const auto& i : conf.issuers) {
    auto line = "tokens of " + i.stated_issuer() + " (validation: " + i.validation + ") for ";
    if (i.danger_any_audience) {
      line += "any audience (danger_any_audience)";
    } else if (i.audience.empty()) {
      line += join(resources, ", ") + " (the resource, as audience is not set)";
    } else {
      line += join(i.audience, " or ");
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace mcp_oauth
