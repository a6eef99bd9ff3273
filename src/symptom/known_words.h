#pragma once

#include "base/error.h"

#include <span>
#include <string_view>

namespace mcp_oauth {

// The troubleshooting guides whose symptoms this program knows.
enum class guide {
  none,
  go_library,    // "Troubleshooting Guide" of oauth-mcp-proxy, a library in Go
  proxy,         // "MCP OAuth Proxy Troubleshooting Guide"
  bridge,        // "Troubleshooting" of mcp-oauth2-proxy
  setup,         // "OAuth Setup Guide" of servers made with --oauth
  token_checks,  // "Troubleshoot OAuth tokens on MCP servers", of an SDK in Go
};

std::string_view title_of(guide which);

// What people see and search for, where it is not the description of the row itself: the words of the guides,
// of browsers, libraries and identity providers. Numbers and addresses in it stand for any.
struct known_words {
  errc code;
  guide from;
  std::string_view text;
};

// In the order of the guides: of rows with equal words the likelier stands first.
std::span<const known_words> all_known_words();

}  // namespace mcp_oauth
