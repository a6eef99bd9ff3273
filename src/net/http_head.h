#pragma once

#include "base/error.h"
#include "base/http.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace mcp_oauth::net {

// How a body ends (RFC 9112 §6.3).
enum class framing { none, length, chunked, until_close };

// A request head, borrowed from the bytes it was parsed from.
struct request_head {
  std::string_view method;
  std::string_view path;   // up to '?'
  std::string_view query;  // after '?'
  std::string_view host;   // the Host field
  std::vector<field> fields;
  int minor_version = 1;
  framing body = framing::none;
  std::uint64_t length = 0;
  bool keep_alive = true;
  bool expects_continue = false;

  // The first value of that name, or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
};

struct response_head {
  int status = 0;
  std::vector<field> fields;
  int minor_version = 1;
  framing body = framing::none;
  std::uint64_t length = 0;
  bool keep_alive = true;

  std::optional<std::string_view> find(std::string_view name) const;
};

// Where the head in `bytes` ends (behind its empty line), or nothing yet. `from`: where the last search
// stopped.
std::optional<std::size_t> find_head_end(std::string_view bytes, std::size_t from);

// Strict RFC 9112: what two implementations could read differently is refused. `head` is the whole head with
// its empty line. Errors: http_malformed, http_version_unsupported, http_framing_ambiguous,
// http_head_too_large (more than 100 fields).
result<void> parse_request_head(std::string_view head, request_head& out);

// As strict for what an upstream sends. `asked`: the method of the request, which decides about the body.
// Errors: upstream_malformed.
result<void> parse_response_head(std::string_view head, std::string_view asked, response_head& out);

// Whether the text is one or more tchar (RFC 9110 §5.6.2).
bool is_token(std::string_view text);

}  // namespace mcp_oauth::net
