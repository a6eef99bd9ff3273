#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/time.h"
#include "net/body.h"
#include "net/channel.h"
#include "net/http_head.h"
#include "net/task.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth::net {

struct exchange_limits {
  std::size_t head = 32 * 1024;
  milliseconds header{10'000};
  milliseconds body{30'000};         // between two pieces
  milliseconds body_total{120'000};  // until a request that is answered here, or not decided yet, is whole
  milliseconds keep_alive{75'000};
  milliseconds write{60'000};
};

// One request on a client connection and the answer to it.
class exchange {
 public:
  exchange(std::shared_ptr<channel> client, const exchange_limits& limits, std::string peer);

  const request_head& head() const { return head_; }
  std::string_view head_text() const { return head_text_; }
  const std::string& peer() const { return peer_; }  // IP address of the TCP peer
  const std::string& request_id() const { return request_id_; }
  channel& client() { return *client_; }
  worker& loop() { return client_->loop(); }
  const exchange_limits& limits() const { return limits_; }
  bool over_tls() const { return client_->tls() != nullptr; }
  // The thumbprint of the client's certificate (see tls.h); "" when there is none.
  std::string_view client_certificate() const { return over_tls() ? client_->tls()->peer_thumbprint() : ""; }

  // ---- the body
  // Content that has already arrived; views are valid until the next await or `listen` on the client.
  void take_arrived(content_pieces& pieces);
  // Waits for more of it; on error the connection is of no further use. No pieces and no error: the client's
  // channel was interrupted. Errors: http_malformed (bad chunking), http_timeout, client_gone.
  task<result<void>> read_more(content_pieces& pieces);
  bool body_done() const { return decoder_.done(); }
  // The whole body. Errors also: body_too_large.
  task<result<void>> read_all(std::string& body, std::size_t most);

  // ---- the answer
  // Writes a whole answer, adding Content-Length, Date, X-Request-Id and Connection.
  task<io> respond(const http_response& answer);
  // Starts an answer whose body follows in `write_chunk`; `close`-delimited for HTTP/1.0.
  task<io> start_stream(const http_response& head);
  task<io> write_chunk(std::string_view content);
  task<io> end_stream();

  // Appends the fields every answer carries, and the empty line.
  void finish_head(std::string& out);

  bool answered() const { return answered_; }
  void mark_answered() { answered_ = true; }
  bool keep_alive() const { return keep_alive_ && !head_failed_ && !(draining_ != nullptr && *draining_); }
  void close_after() { keep_alive_ = false; }
  int status = 0;  // of the answer, for the log

  // Called when the server begins to end, or at once if it has, for an answer that would never end by itself;
  // nullptr clears it.
  void when_draining(std::function<void()> hook) {
    drain_hook_ = std::move(hook);
    if (drain_hook_ && draining_ != nullptr && *draining_) begin_drain();
  }
  void begin_drain() {
    if (auto hook = std::exchange(drain_hook_, nullptr)) hook();
  }

  // From here on the body goes to somebody else as it comes, and may take its time.
  void stream_body() { streaming_ = true; }

  // ---- for the server only
  // True once the server is ending: answers then say `Connection: close`.
  void watch_drain(const bool& draining) { draining_ = &draining; }
  // Waits for the next head. Nothing: the connection ended or timed out before a request began.
  // Errors: as parse_request_head, http_head_too_large, http_timeout.
  task<result<bool>> next();

 private:
  result<void> accept_head(std::size_t end);

  std::shared_ptr<channel> client_;
  const exchange_limits& limits_;
  std::string peer_;
  std::string request_id_;
  std::string head_text_;
  request_head head_;
  body_decoder decoder_;
  std::function<void()> drain_hook_;
  const bool* draining_ = nullptr;
  std::uint64_t body_began_ = 0;
  bool streaming_ = false;
  bool keep_alive_ = true;
  bool head_failed_ = false;
  bool answered_ = false;
  bool chunked_ = false;
  bool continue_due_ = false;
  bool first_ = true;
};

}  // namespace mcp_oauth::net
