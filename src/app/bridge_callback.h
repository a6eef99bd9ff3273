#pragma once

#include "app/bridge_log.h"
#include "base/error.h"
#include "base/time.h"
#include "bridge/callback.h"
#include "bridge/step.h"
#include "net/channel.h"
#include "net/task.h"
#include "net/worker.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Listens for the answer to a sign-in, on loopback and for as long as it lives. Lives on its worker's thread.
class bridge_callback {
 public:
  // On 127.0.0.1 or ::1, or on both for "localhost"; where the machine has no IPv4, 127.0.0.1 is refused.
  // Errors: listen_in_use (with the holder, if it can be seen), listen_denied.
  static result<std::unique_ptr<bridge_callback>> open(net::worker& worker, bridge_log& log,
                                                       const std::string& host,
                                                       std::optional<std::uint16_t> port);
  ~bridge_callback();
  bridge_callback(const bridge_callback&) = delete;
  bridge_callback& operator=(const bridge_callback&) = delete;

  std::uint16_t port() const;
  // What counts from now on; the state is for one answer. A browser that waits since an answer before is sent
  // on to `address`; false: none waits.
  bool expect(std::string state, std::string redirect_uri, const std::string& address);
  // The answer, once: of the browser, or one that was pasted.
  std::optional<callback_answer> take();
  // What a person pasted: the whole address where the browser ended, or its query. What is wrong with it;
  // nothing when it was the answer.
  std::optional<std::string> paste(std::string_view text);
  // Requests that were not worth an answer.
  unsigned ignored() const;
  // Whether a browser is being answered.
  bool busy() const;
  // What the browser is shown, or where it goes: it waits for it.
  void conclude(http_response page);

 private:
  struct state;
  class acceptor;
  explicit bridge_callback(std::shared_ptr<state> shared) : state_(std::move(shared)) {}
  static net::task<void> session(std::shared_ptr<state> s, std::shared_ptr<net::channel> client);
  std::shared_ptr<state> state_;
};

}  // namespace mcp_oauth
