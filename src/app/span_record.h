#pragma once

#include "base/http.h"
#include "base/secret.h"
#include "base/time.h"
#include "gateway/trace_context.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// One piece of work that has ended, as OpenTelemetry sees it. Attribute names are those of its semantic
// conventions, and literals.
struct span_record {
  enum class kind { server, client };

  kind side = kind::server;
  trace_context context;
  std::array<std::uint8_t, 8> parent{};  // all zero: none
  std::string name;                      // of few distinct values: "tools/call search", "token"
  time_point began;
  std::chrono::nanoseconds took{0};
  bool failed = false;
  std::vector<std::pair<std::string_view, std::string>> texts;
  std::vector<std::pair<std::string_view, std::int64_t>> numbers;
};

// To 256 bytes, and not in the middle of a character. What is no UTF-8 is emptied.
void shorten(std::string& text);

// Where spans are sent to, and as what.
struct span_receiver {
  std::string endpoint;                                // "http://collector:4318/v1/traces"
  std::vector<std::pair<std::string, secret>> fields;  // request fields, such as an API key
  std::string service_name;
  std::string_view service_version;
  std::string ca_file = {};  // authorities besides the system's
};

// The request of OTLP/HTTP with a JSON body (OpenTelemetry protocol 1.x). Text that is no UTF-8 is left out.
// The call may hold secrets: it must not be logged.
http_call export_request(const span_receiver& to, std::span<const span_record> spans);

}  // namespace mcp_oauth
