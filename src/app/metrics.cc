#include "app/metrics.h"

#include "app/version.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace mcp_oauth {
namespace {
constexpr std::array<const char*, 6> areas = {"mcp", "verify", "oauth", "metadata", "health", "other"};
constexpr std::array<const char*, 6> classes = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::array<const char*, 4> whom = {"provider", "client", "issuer", "introspection"};
constexpr std::array<const char*, 3> judgements = {"memory", "signature", "introspection"};
constexpr auto operations = static_cast<std::size_t>(store_call::operation::count_);
constexpr std::size_t codes = static_cast<std::size_t>(errc::count_);

prometheus::Histogram::BucketBoundaries slow_buckets() {
  return {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60};
}
prometheus::Histogram::BucketBoundaries fast_buckets() {
  return {0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10};
}

double in_seconds(std::chrono::nanoseconds took) { return std::chrono::duration<double>(took).count(); }

}  // namespace

struct metrics::handles {
  prometheus::Registry registry;
  std::array<std::array<prometheus::Counter*, classes.size()>, areas.size()> requests{};
  std::array<prometheus::Histogram*, areas.size()> durations{};
  std::array<prometheus::Counter*, codes> refusals{};
  prometheus::Family<prometheus::Counter>* refreshes = nullptr;
  std::array<prometheus::Counter*, static_cast<std::size_t>(rate_limit::count_)> limits{};
  prometheus::Gauge* streams = nullptr;
  prometheus::Gauge* connections = nullptr;
  prometheus::Family<prometheus::Histogram>* upstreams = nullptr;
  std::shared_mutex adding;  // to the next; as many as the configurations have named
  std::vector<std::pair<std::string, prometheus::Histogram*>> by_upstream;
  std::array<prometheus::Histogram*, whom.size()> fetches{};
  prometheus::Family<prometheus::Counter>* failed_fetches = nullptr;
  std::array<prometheus::Counter*, judgements.size()> judged{};
  prometheus::Family<prometheus::Gauge>* issuers_ready = nullptr;
  prometheus::Family<prometheus::Gauge>* issuer_keys = nullptr;
  prometheus::Family<prometheus::Gauge>* issuer_times = nullptr;
  std::array<prometheus::Histogram*, operations> store{};
  prometheus::Family<prometheus::Counter>* failed_store = nullptr;
  prometheus::Counter* spans_sent = nullptr;
  prometheus::Counter* spans_dropped = nullptr;
  prometheus::Counter* audit_written = nullptr;
  prometheus::Counter* audit_lost = nullptr;
  std::array<prometheus::Counter*, 3> stories{};
  std::mutex exposing;
};

metrics::metrics() : handles_(std::make_unique<handles>()) {
  auto& h = *handles_;
  auto& requests =
      prometheus::BuildCounter().Name("mop_requests_total").Help("Requests answered.").Register(h.registry);
  auto& durations = prometheus::BuildHistogram()
                        .Name("mop_request_seconds")
                        .Help("Time to the end of the answer; streams not counted.")
                        .Register(h.registry);
  auto& refusals = prometheus::BuildCounter()
                       .Name("mop_refusals_total")
                       .Help("Requests refused, by symptom.")
                       .Register(h.registry);
  for (std::size_t a = 0; a < areas.size(); ++a) {
    for (std::size_t c = 0; c < classes.size(); ++c)
      h.requests[a][c] = &requests.Add({{"area", areas[a]}, {"status", classes[c]}});
    h.durations[a] = &durations.Add({{"area", areas[a]}}, slow_buckets());
  }
  for (const auto& row : catalogue()) {
    h.refusals[static_cast<std::size_t>(row.code)] =
        &refusals.Add({{"symptom", std::string(row.id)}, {"reason", std::string(row.name)}});
  }
  h.refreshes = &prometheus::BuildCounter()
                     .Name("mop_provider_refreshes_total")
                     .Help("Attempts to renew a token of an identity provider, by outcome.")
                     .Register(h.registry);
  auto& limits = prometheus::BuildCounter()
                     .Name("mop_rate_limited_total")
                     .Help("Requests that reached a limit, by its key and by what is counted.")
                     .Register(h.registry);
  for (const auto& row : rate_limit_rows()) {
    h.limits[static_cast<std::size_t>(row.which)] =
        &limits.Add({{"limit", std::string(row.key)}, {"by", std::string(row.counted_by)}});
  }
  h.streams = &prometheus::BuildGauge()
                   .Name("mop_streams")
                   .Help("Event streams open now.")
                   .Register(h.registry)
                   .Add({});
  h.connections = &prometheus::BuildGauge()
                       .Name("mop_client_connections")
                       .Help("Client connections open now.")
                       .Register(h.registry)
                       .Add({});
  h.upstreams =
      &prometheus::BuildHistogram()
           .Name("mop_upstream_seconds")
           .Help("Whole time of a call that an MCP server answered; of an event stream, until it has begun.")
           .Register(h.registry);
  auto& fetches = prometheus::BuildHistogram()
                      .Name("mop_fetch_seconds")
                      .Help(
                          "Time of requests to others: an identity provider, a client's own document, an "
                          "issuer's metadata and "
                          "keys, its introspection.")
                      .Register(h.registry);
  for (std::size_t i = 0; i < whom.size(); ++i)
    h.fetches[i] = &fetches.Add({{"to", whom[i]}}, slow_buckets());
  h.failed_fetches = &prometheus::BuildCounter()
                          .Name("mop_fetch_failures_total")
                          .Help("Of those, the ones without an answer.")
                          .Register(h.registry);
  auto& by_way = prometheus::BuildCounter()
                     .Name("mop_tokens_accepted_total")
                     .Help("Requests with a good token of another issuer, by how that was known.")
                     .Register(h.registry);
  for (std::size_t i = 0; i < judgements.size(); ++i) h.judged[i] = &by_way.Add({{"by", judgements[i]}});
  h.issuers_ready = &prometheus::BuildGauge()
                         .Name("mop_issuer_ready")
                         .Help("Whether tokens of the issuer can be judged.")
                         .Register(h.registry);
  h.issuer_keys = &prometheus::BuildGauge()
                       .Name("mop_issuer_keys")
                       .Help("Public keys that are known of the issuer.")
                       .Register(h.registry);
  h.issuer_times = &prometheus::BuildGauge()
                        .Name("mop_issuer_last_success_seconds")
                        .Help("When its metadata or keys were last fetched, in seconds since 1970; 0: never.")
                        .Register(h.registry);
  auto& store = prometheus::BuildHistogram()
                    .Name("mop_store_seconds")
                    .Help("Time of operations on the database.")
                    .Register(h.registry);
  for (std::size_t i = 0; i < operations; ++i) {
    auto name = to_name(static_cast<store_call::operation>(i));
    h.store[i] = &store.Add({{"operation", std::string(name)}}, fast_buckets());
  }
  h.failed_store = &prometheus::BuildCounter()
                        .Name("mop_store_failures_total")
                        .Help("Of those, the ones that failed, by reason.")
                        .Register(h.registry);
  prometheus::BuildGauge()
      .Name("mop_build_info")
      .Help("What runs here; always 1.")
      .Register(h.registry)
      .Add({{"version", std::string(version)}})
      .Set(1);
  prometheus::BuildGauge()
      .Name("process_start_time_seconds")
      .Help("When the process started, in seconds since 1970.")
      .Register(h.registry)
      .Add({})
      .SetToCurrentTime();
  h.spans_sent = &prometheus::BuildCounter()
                      .Name("mop_spans_sent_total")
                      .Help("Spans that the collector has taken.")
                      .Register(h.registry)
                      .Add({});
  h.spans_dropped = &prometheus::BuildCounter()
                         .Name("mop_spans_dropped_total")
                         .Help("Spans that were lost: the collector was away for too long, or refused them.")
                         .Register(h.registry)
                         .Add({});
  auto& outcomes_of_stories =
      prometheus::BuildCounter()
          .Name("mop_stories_total")
          .Help("Failures told for explain: kept, collapsed into one that is, dropped.")
          .Register(h.registry);
  for (std::size_t i = 0; i < h.stories.size(); ++i) {
    constexpr std::array outcomes = {"kept", "collapsed", "dropped"};
    h.stories[i] = &outcomes_of_stories.Add({{"outcome", outcomes[i]}});
  }
  h.audit_written = &prometheus::BuildCounter()
                         .Name("mop_audit_records_total")
                         .Help("Decisions that were written to audit.file.")
                         .Register(h.registry)
                         .Add({});
  h.audit_lost = &prometheus::BuildCounter()
                      .Name("mop_audit_lost_total")
                      .Help("Decisions that could not be written to audit.file.")
                      .Register(h.registry)
                      .Add({});
}

metrics::~metrics() = default;

void metrics::request(area where, int status, double took) {
  auto a = static_cast<std::size_t>(where);
  auto c = static_cast<std::size_t>(status / 100);
  handles_->requests[a][c < classes.size() ? c : 0]->Increment();
  if (took >= 0) handles_->durations[a]->Observe(took);
}

void metrics::refused(errc why) { handles_->refusals[static_cast<std::size_t>(why)]->Increment(); }
// Seldom enough to look the counter up; as many as there are providers in the configuration.
void metrics::provider_refresh(const std::string& provider, std::string_view outcome) {
  handles_->refreshes->Add({{"provider", provider}, {"outcome", std::string(outcome)}}).Increment();
}
void metrics::limited(rate_limit which) { handles_->limits[static_cast<std::size_t>(which)]->Increment(); }

void metrics::refused(std::string_view symptom) {
  for (const auto& row : catalogue()) {
    if (row.id == symptom) return refused(row.code);
  }
}

void metrics::answered(std::string_view upstream, std::chrono::nanoseconds took) {
  auto& h = *handles_;
  auto find = [&]() -> prometheus::Histogram* {
    for (const auto& [name, histogram] : h.by_upstream) {
      if (name == upstream) return histogram;
    }
    return nullptr;
  };
  {
    std::shared_lock lock(h.adding);
    if (auto* known = find(); known != nullptr) return known->Observe(in_seconds(took));
  }
  std::lock_guard lock(h.adding);
  auto* histogram = find();
  if (histogram == nullptr) {
    histogram = &h.upstreams->Add({{"upstream", std::string(upstream)}}, slow_buckets());
    h.by_upstream.emplace_back(upstream, histogram);
  }
  histogram->Observe(in_seconds(took));
}

void metrics::fetch(fetched whose, std::chrono::nanoseconds took, const error* why) {
  auto to = static_cast<std::size_t>(whose);
  handles_->fetches[to]->Observe(in_seconds(took));
  if (why == nullptr) return;
  handles_->failed_fetches->Add({{"to", whom[to]}, {"reason", std::string(explain(why->code).name)}})
      .Increment();
}

void metrics::store(const store_call& call) {
  handles_->store[static_cast<std::size_t>(call.what)]->Observe(in_seconds(call.took));
  if (call.why == nullptr) return;
  handles_->failed_store->Add({{"reason", std::string(explain(call.why->code).name)}}).Increment();
}

void metrics::token_judged(judged how) { handles_->judged[static_cast<std::size_t>(how)]->Increment(); }
void metrics::stream_opened() { handles_->streams->Increment(); }
void metrics::stream_closed() { handles_->streams->Decrement(); }

std::string metrics::expose(const readings& now) const {
  auto& h = *handles_;
  auto catch_up = [](prometheus::Counter& counter, std::uint64_t value) {
    counter.Increment(std::max(0.0, static_cast<double>(value) - counter.Value()));
  };
  std::lock_guard lock(h.exposing);
  h.connections->Set(static_cast<double>(now.connections));
  for (const auto& one : now.issuers) {
    prometheus::Labels labels{{"issuer", one.name}};
    h.issuers_ready->Add(labels).Set(one.ready ? 1 : 0);
    h.issuer_keys->Add(labels).Set(static_cast<double>(one.keys));
    h.issuer_times->Add(labels).Set(one.last_success);
  }
  catch_up(*h.spans_sent, now.spans_sent);
  catch_up(*h.spans_dropped, now.spans_dropped);
  catch_up(*h.audit_written, now.audit_written);
  catch_up(*h.audit_lost, now.audit_lost);
  catch_up(*h.stories[0], now.stories_kept);
  catch_up(*h.stories[1], now.stories_collapsed);
  catch_up(*h.stories[2], now.stories_dropped);
  return prometheus::TextSerializer().Serialize(handles_->registry.Collect());
}

}  // namespace mcp_oauth
