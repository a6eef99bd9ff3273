#include "config/load.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using variables = std::map<std::string, std::string>;

loaded with(const variables& environment, const std::string& more = "") {
  config_input input;
  input.file_name = "config.yaml";
  input.text = "mcp_server_url: http://localhost:3000\n" + more;
  input.environment = [environment](std::string_view name) -> std::optional<std::string> {
    auto found = environment.find(std::string(name));
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  auto answer = load(input);
  EXPECT_TRUE(answer) << (answer ? "" : to_string(answer.error().front()));
  return answer ? *answer : loaded{};
}

std::string endpoint_of(const variables& environment, const std::string& more = "") {
  return with(environment, more).value.telemetry.endpoint;
}

TEST(Telemetry, IsOffUnlessThereIsACollector) {
  EXPECT_FALSE(with({}).value.telemetry.enabled());
  EXPECT_FALSE(
      with({{"OTEL_SERVICE_NAME", "x"}, {"OTEL_TRACES_SAMPLER", "always_on"}}).value.telemetry.enabled());
}

TEST(Telemetry, TheAddressOfACollectorIsCompleted) {
  constexpr const char* all = "OTEL_EXPORTER_OTLP_ENDPOINT";
  constexpr const char* traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  EXPECT_EQ(endpoint_of({{all, "http://c:4318"}}), "http://c:4318/v1/traces");
  EXPECT_EQ(endpoint_of({{all, "http://c:4318/"}}), "http://c:4318/v1/traces");
  EXPECT_EQ(endpoint_of({{all, "https://c/otlp"}}), "https://c/otlp/v1/traces");
  EXPECT_EQ(endpoint_of({{all, "http://c:4318/v1/traces"}}), "http://c:4318/v1/traces");
  EXPECT_EQ(endpoint_of({{all, "http://c:4318"}, {traces, "http://d/ingest"}}), "http://d/ingest");
  EXPECT_EQ(endpoint_of({}, "telemetry: {endpoint: 'http://c:4318'}\n"), "http://c:4318/v1/traces");
  EXPECT_EQ(endpoint_of({{all, "http://c"}}, "telemetry: {endpoint: 'http://d'}\n"), "http://c/v1/traces");
}

TEST(Telemetry, CanBeSwitchedOffForEveryProgram) {
  for (const auto& [name, value] :
       variables{{"OTEL_SDK_DISABLED", "TRUE"}, {"OTEL_TRACES_EXPORTER", "none"}}) {
    EXPECT_EQ(endpoint_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {name, value}}), "") << name;
  }
  EXPECT_NE(endpoint_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_SDK_DISABLED", "1"}}), "");
}

TEST(Telemetry, SamplersAreThoseOfOpenTelemetry) {
  struct row {
    const char *sampler, *argument;
    std::uint32_t per_million;
    bool believes_proxies;
    const char* shown;
  };
  for (const auto& r :
       {row{"always_on", "", 1'000'000, false, "100"}, row{"always_off", "", 0, false, "0"},
        row{"traceidratio", "0.25", 250'000, false, "25"}, row{"traceidratio", "", 1'000'000, false, "100"},
        row{"parentbased_always_on", "0.1", 1'000'000, true, "100"},
        row{"parentbased_always_off", "", 0, true, "0"},
        row{"PARENTBASED_TRACEIDRATIO", "1e-3", 1'000, true, "0.1"}}) {
    auto got = with({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                     {"OTEL_TRACES_SAMPLER", r.sampler},
                     {"OTEL_TRACES_SAMPLER_ARG", r.argument}},
                    "telemetry: {sample_percent: 7}\n");
    EXPECT_EQ(got.value.telemetry.sample_per_million, r.per_million) << r.sampler;
    EXPECT_EQ(got.value.telemetry.believes_proxies, r.believes_proxies) << r.sampler;
    EXPECT_EQ(got.value.telemetry.sample_percent, r.shown) << r.sampler;
    EXPECT_THAT(got.warnings, IsEmpty()) << r.sampler;
  }
}

TEST(Telemetry, WhatIsWrongInVariablesOfAllProgramsIsAsIfItWereNotSet) {
  for (const auto& [name, value] :
       {std::pair{"OTEL_TRACES_SAMPLER_ARG", "2"}, std::pair{"OTEL_TRACES_SAMPLER_ARG", "a"},
        std::pair{"OTEL_TRACES_SAMPLER_ARG", "nan"}, std::pair{"OTEL_TRACES_SAMPLER", "xray"}}) {
    variables environment{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                          {"OTEL_TRACES_SAMPLER", "traceidratio"}};
    environment[name] = value;
    auto got = with(environment, "telemetry: {sample_percent: 7}\n");
    EXPECT_EQ(got.value.telemetry.sample_per_million, 70'000U) << value;
    ASSERT_EQ(got.warnings.size(), 1U) << value;
    EXPECT_THAT(got.warnings[0], HasSubstr(std::string(name) + "=" + value));
  }
}

TEST(Telemetry, SaysThatGrpcIsNotSpoken) {
  variables environment{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}};
  EXPECT_THAT(with(environment).warnings,
              testing::ElementsAre(HasSubstr("OTEL_EXPORTER_OTLP_PROTOCOL=grpc")));
  environment["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf";
  EXPECT_THAT(with(environment).warnings, IsEmpty());
}

TEST(Telemetry, HeadersOfTheEnvironmentAreThoseOfBaggage) {
  auto got = with({{"OTEL_EXPORTER_OTLP_HEADERS", " api-key = k%2C3%20y ,x=1,"}});
  const auto& headers = got.value.telemetry.headers;
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].first, "api-key");
  EXPECT_EQ(headers[0].second.reveal(), "k,3 y");
  EXPECT_EQ(headers[1].second.reveal(), "1");
}

}  // namespace
}  // namespace mcp_oauth
