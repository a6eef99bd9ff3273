#pragma once

#include "base/http.h"
#include "base/random.h"
#include "base/time.h"
#include "demo/methods.h"
#include "demo/session.h"
#include "demo/stream.h"
#include "mcp/envelope.h"

#include <memory>
#include <string>

namespace mcp_oauth {

// A small MCP server to try the gateway with. It speaks every revision: stateless at /mcp (2026-07-28), with
// sessions at /mcp (2025-03-26 to 2025-11-25), with two endpoints at /sse and /messages (2024-11-05). It
// knows nothing of OAuth and opens no socket: it turns a request into an answer. Safe to call from several
// threads. It believes whoever calls it, so it belongs behind a gateway or on the loopback interface. Not
// checked: Origin, Host.
class demo_server {
 public:
  // `random` makes session ids.
  explicit demo_server(random_fn random);

  // Where there is a stream, `response` is the head alone and the stream its body.
  struct answer {
    http_response response;
    std::unique_ptr<demo_stream> stream;
  };
  answer handle(const http_request& request, time_point now);

  const demo_counters& counters() const { return *counters_; }

 private:
  answer health() const;
  answer post(const http_request& request, time_point now);
  answer post_stateless(const http_request& request, const envelope& about, const json::value& body);
  answer post_in_session(const http_request& request, const envelope& about, const json::value& body,
                         time_point now);
  answer initialize(const envelope& about, time_point now);
  answer post_batch(const http_request& request, const envelope& about, const json::array& items,
                    demo_session& session);
  answer open_stream(const http_request& request, time_point now);
  answer end_session(const http_request& request, time_point now);
  answer open_legacy(time_point now);
  answer post_legacy(const http_request& request, time_point now);
  demo_reply run(const http_request& request, const envelope& about, const json::value& body,
                 revision spoken);
  answer send(const http_request& request, demo_reply reply, std::shared_ptr<std::atomic<bool>> cancelled);

  std::shared_ptr<demo_counters> counters_ = std::make_shared<demo_counters>();
  std::shared_ptr<demo_sessions> sessions_;
};

}  // namespace mcp_oauth
