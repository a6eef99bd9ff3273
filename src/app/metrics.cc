#include "app/metrics.h"

#include "symptom/catalogue.h"

#include <algorithm>
#include <mutex>

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
  prometheus::Gauge* streams = nullptr;
  prometheus::Gauge* connections = nullptr;
  prometheus::Counter* spans_sent = nullptr;
  prometheus::Counter* spans_dropped = nullptr;
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
    h.durations[a] = &durations.Add({{"area", areas[a]}}, prometheus::Histogram::BucketBoundaries{
                                                              0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60});
  }
  for (const auto& row : catalogue()) {
    h.refusals[static_cast<std::size_t>(row.code)] =
        &refusals.Add({{"symptom", std::string(row.id)}, {"reason", std::string(row.name)}});
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
}

metrics::~metrics() = default;

void metrics::request(area where, int status, double seconds) {
  auto a = static_cast<std::size_t>(where);
  auto c = static_cast<std::size_t>(status / 100);
  handles_->requests[a][c < classes.size() ? c : 0]->Increment();
  if (seconds >= 0) handles_->durations[a]->Observe(seconds);
}

void metrics::refused(errc why) { handles_->refusals[static_cast<std::size_t>(why)]->Increment(); }
void metrics::stream_opened() { handles_->streams->Increment(); }
void metrics::stream_closed() { handles_->streams->Decrement(); }

std::string metrics::expose(const readings& now) const {
  auto& h = *handles_;
  auto catch_up = [](prometheus::Counter& counter, std::uint64_t value) {
    counter.Increment(std::max(0.0, static_cast<double>(value) - counter.Value()));
  };
  std::lock_guard lock(h.exposing);
  h.connections->Set(static_cast<double>(now.connections));
  catch_up(*h.spans_sent, now.spans_sent);
  catch_up(*h.spans_dropped, now.spans_dropped);
  return prometheus::TextSerializer().Serialize(handles_->registry.Collect());
}

}  // namespace mcp_oauth
