#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What a provider said, for our log: its first 300 bytes, on one line. Some repeat what they were sent: where
// `secrets` occur in it, as they are or percent-encoded, stand asterisks. Those of less than 8 bytes are
// words, and stay.
std::string words_of_provider(std::string_view text, std::span<const std::string_view> secrets = {});

}  // namespace mcp_oauth
