#pragma once

#include <optional>
#include <string_view>

namespace mcp_oauth {

// The published revisions of the Model Context Protocol, in order.
enum class revision { v2024_11_05, v2025_03_26, v2025_06_18, v2025_11_25, v2026_07_28 };

inline constexpr revision newest_revision = revision::v2026_07_28;
// What a request without MCP-Protocol-Version means (2025-06-18, transports).
inline constexpr revision assumed_revision = revision::v2025_03_26;

// "2025-06-18"; nothing for what was never published.
std::optional<revision> parse_revision(std::string_view name);
std::string_view name(revision r);

// Two endpoints, GET for an event stream and POST beside it, instead of one.
constexpr bool has_endpoint_event(revision r) { return r == revision::v2024_11_05; }
// `initialize`, Mcp-Session-Id, GET and DELETE.
constexpr bool has_sessions(revision r) { return r >= revision::v2025_03_26 && r < revision::v2026_07_28; }
constexpr bool has_batches(revision r) { return r == revision::v2025_03_26; }
// Mcp-Method, Mcp-Name and MCP-Protocol-Version repeat what the body says.
constexpr bool has_mirrored_headers(revision r) { return r >= revision::v2026_07_28; }
// A client that closes the answer's stream cancels the request; before 2026-07-28 it may come back for the
// rest.
constexpr bool disconnect_cancels(revision r) { return r >= revision::v2026_07_28; }

}  // namespace mcp_oauth
