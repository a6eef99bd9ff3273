#pragma once

#include "mcp_oauth/abi.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

MCP_OAUTH_BEGIN

// One header field, borrowed from whoever holds its bytes. Names compare without case.
struct header {
  std::string_view name;
  std::string_view value;
};

// A request as your server received it. Everything is borrowed and has to live as long as the call that it is
// given to.
struct request {
  std::string_view method;          // "POST"
  std::string_view target;          // path and query as received: "/mcp?x=1"
  std::span<const header> headers;  // all of them, repetitions too
  std::string_view body;            // whole; "" when there is none
  // The client's certificate on this connection, DER (RFC 8705); "" when there is none. A proxy's header is
  // no certificate.
  std::string_view client_certificate = {};
};

// An answer to send as it is. Content-Length and the connection are your server's business.
struct response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first value of that header (without case), or "".
  MCP_OAUTH_API std::string_view header_value(std::string_view name) const noexcept;
};

// What the library wants to know from an authorization server. Redirects must not be followed, certificates
// must be verified, and more than `most_bytes` of an answer need not be read: it would be refused.
struct fetch_request {
  std::string method;                                        // "GET" or "POST"
  std::string url;                                           // http or https
  std::vector<std::pair<std::string, std::string>> headers;  // may hold a secret: not for a log
  std::string body;                                          // likewise
  std::size_t most_bytes = 256 * 1024;
  unsigned timeout_seconds = 10;
};

struct fetch_answer {
  int status = 0;  // 0: no answer; `failure` says why
  std::vector<std::pair<std::string, std::string>>
      headers;  // Content-Type, Cache-Control, Age, Date, Retry-After are looked at
  std::string body;
  std::string failure;  // for the log
};

// Your own way to fetch. Called on the thread that validates (or on that of `start_background_refresh`), from
// several threads at once; may block. What it throws is caught and counts as no answer.
using fetch_function = std::function<fetch_answer(const fetch_request&)>;

MCP_OAUTH_END
