#include "config/derive_telemetry.h"

#include "base/text.h"
#include "base/url.h"
#include "config/config_error.h"

#include <cmath>
#include <cstdlib>

namespace mcp_oauth {
namespace {

constexpr std::string_view traces_path = "/v1/traces";
constexpr std::uint32_t a_million = 1'000'000;

// "0.25", as its variable has it: a number from 0 to 1, in any usual form.
std::optional<std::uint32_t> parse_ratio(const std::string& text) {
  char* end = nullptr;
  double ratio = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !(ratio >= 0.0 && ratio <= 1.0))
    return std::nullopt;
  return static_cast<std::uint32_t>(std::lround(ratio * a_million));
}

// As telemetry.sample_percent would have it.
std::string in_percent(std::uint32_t per_million) {
  auto rest = std::to_string(per_million % 10'000);
  rest.insert(0, 4 - rest.size(), '0');
  while (!rest.empty() && rest.back() == '0') rest.pop_back();
  return std::to_string(per_million / 10'000) + (rest.empty() ? "" : "." + rest);
}

class telemetry_derivation {
 public:
  telemetry_derivation(const config_input& input, config_reading& reading)
      : input_(input), reading_(reading), t_(reading.draft.telemetry) {}

  void run() {
    if (auto share = parse_percentage(t_.sample_percent)) t_.sample_per_million = *share;
    if (!reading_.is_usable("telemetry.endpoint") || t_.endpoint.empty()) return;
    if (equal_ignoring_case(variable("OTEL_SDK_DISABLED"), "true") ||
        equal_ignoring_case(variable("OTEL_TRACES_EXPORTER"), "none")) {
      t_.endpoint.clear();
      return;
    }
    complete_endpoint();
    sampler();
    warn_of_protocol();
  }

 private:
  std::string variable(const char* name) const {
    auto value = input_.environment ? input_.environment(name) : std::nullopt;
    return std::string(trim(value.value_or("")));
  }

  // The address for every signal is completed; the one for traces alone is meant as it stands (OpenTelemetry
  // Protocol Exporter, endpoint URLs for OTLP/HTTP).
  void complete_endpoint() {
    auto origin = reading_.given.find("telemetry.endpoint");
    bool exact = origin != reading_.given.end() && origin->second.key == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    if (exact) return;
    while (t_.endpoint.ends_with('/')) t_.endpoint.pop_back();
    if (!t_.endpoint.ends_with(traces_path)) t_.endpoint += traces_path;
  }

  void sampler() {
    auto name = to_lower(variable("OTEL_TRACES_SAMPLER"));
    if (name.empty()) return;
    auto kind = name;
    constexpr std::string_view parent_based = "parentbased_";
    bool believes = kind.starts_with(parent_based);
    if (believes) kind.erase(0, parent_based.size());
    if (kind == "always_on" || kind == "always_off") {
      settle(kind == "always_on" ? a_million : 0, believes);
    } else if (kind == "traceidratio") {
      auto given = variable("OTEL_TRACES_SAMPLER_ARG");
      auto ratio = given.empty() ? a_million : parse_ratio(given);
      if (!ratio) return warn("OTEL_TRACES_SAMPLER_ARG", given, "is no number from 0 to 1");
      settle(*ratio, believes);
    } else {
      warn("OTEL_TRACES_SAMPLER", name,
           "is not known here; always_on, always_off, traceidratio and these with parentbased_ before are");
    }
  }

  void settle(std::uint32_t per_million, bool believes) {
    t_.sample_per_million = per_million;
    t_.sample_percent = in_percent(per_million);
    t_.believes_proxies = believes;
  }

  void warn_of_protocol() {
    for (const char* name : {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}) {
      auto wanted = variable(name);
      if (wanted.empty()) continue;
      if (wanted == "grpc")
        warn(name, wanted, "is not spoken; spans go to telemetry.endpoint over HTTP, in JSON");
      return;
    }
  }

  void warn(const char* name, const std::string& value, const char* what) {
    reading_.warnings.push_back("environment: " + std::string(name) + "=" + displayed(value) + " " + what);
  }

  const config_input& input_;
  config_reading& reading_;
  telemetry_settings& t_;
};

}  // namespace

void derive_telemetry(const config_input& input, config_reading& reading) {
  telemetry_derivation(input, reading).run();
}

}  // namespace mcp_oauth
