#include "app/metrics.h"

#include "symptom/catalogue.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace mcp_oauth {
namespace {
constexpr std::array<const char*, 5> areas = {"mcp", "oauth", "metadata", "health", "other"};
constexpr std::array<const char*, 6> classes = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::size_t codes = static_cast<std::size_t>(errc::count_);
}  // namespace

struct metrics::handles {
  prometheus::Registry registry;
  std::array<std::array<prometheus::Counter*, classes.size()>, areas.size()> requests{};
  std::array<prometheus::Histogram*, areas.size()> durations{};
  std::array<prometheus::Counter*, codes> refusals{};
  std::array<prometheus::Counter*, static_cast<std::size_t>(rate_limit::count_)> limits{};
  prometheus::Gauge* streams = nullptr;
  prometheus::Gauge* connections = nullptr;
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
    h.durations[a] = &durations.Add({{"area", areas[a]}}, prometheus::Histogram::BucketBoundaries{
                                                              0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60});
  }
  for (const auto& row : catalogue()) {
    h.refusals[static_cast<std::size_t>(row.code)] =
        &refusals.Add({{"symptom", std::string(row.id)}, {"reason", std::string(row.name)}});
  }
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
}

metrics::~metrics() = default;

void metrics::request(area where, int status, double took) {
  auto a = static_cast<std::size_t>(where);
  auto c = static_cast<std::size_t>(status / 100);
  handles_->requests[a][c < classes.size() ? c : 0]->Increment();
  if (took >= 0) handles_->durations[a]->Observe(took);
}

void metrics::refused(errc why) { handles_->refusals[static_cast<std::size_t>(why)]->Increment(); }
void metrics::limited(rate_limit which) { handles_->limits[static_cast<std::size_t>(which)]->Increment(); }
void metrics::stream_opened() { handles_->streams->Increment(); }
void metrics::stream_closed() { handles_->streams->Decrement(); }

std::string metrics::expose(std::size_t connections) const {
  handles_->connections->Set(static_cast<double>(connections));
  return prometheus::TextSerializer().Serialize(handles_->registry.Collect());
}

}  // namespace mcp_oauth
