#pragma once

#include "config/reading.h"

namespace mcp_oauth {

// Settles `telemetry`: the whole address that spans are posted to, the share as a number, and what
// OpenTelemetry has variables for beyond our keys: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER,
// OTEL_TRACES_SAMPLER with its ARG, OTEL_EXPORTER_OTLP_(TRACES_)PROTOCOL. They are everybody's, not ours
// alone: what is wrong in them is warned about and otherwise as if it were not set, as their specification
// wants.
void derive_telemetry(const config_input& input, config_reading& reading);

}  // namespace mcp_oauth
