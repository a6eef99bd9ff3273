#pragma once

#include "broker/endpoint.h"
#include "broker/exchange.h"
#include "broker/provider_tokens.h"
#include "broker/signing_keys.h"
#include "broker/step.h"
#include "broker/world.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

struct broker_parts;

// Our authorization server. Every call may block on the store or on hashing a password, so it belongs on a
// worker thread; any number of them at once.
class broker final {
 public:
  // Reads or makes the signing keys. What `world` refers to outlives the broker.
  static result<std::unique_ptr<broker>> start(broker_world world, time_point now);
  ~broker();

  // Answers a request to that endpoint, or says what has to be fetched first. CORS and X-Request-Id are the
  // caller's. `log` receives what was decided; it and the broker outlive the last step.
  step handle(endpoint at, const http_request& request, time_point now, broker_log& log);

  // The token that the provider gave for a grant, renewed where it has to be: see with_provider_access. The
  // last step is an empty answer, and `into` then holds the outcome. A grant for which there is none has to
  // sign in again, and is ended.
  step provider_token(std::string grant, refresh_when when, time_point now, broker_log& log,
                      std::shared_ptr<result<provider_access>> into);

  // The keys as they are now; what a validator in this process verifies with.
  std::shared_ptr<const key_state> keys() const;
  // Reads the keys again and makes the next one when it is time. To be called about every ten minutes.
  result<void> refresh_keys(time_point now);

  // Grants of which access tokens may still be about although they ended: to be told to validators at start.
  result<std::vector<std::pair<std::string, time_point>>> revoked(time_point now);

 private:
  explicit broker(broker_world world);
  step route(endpoint at, exchange x);

  std::unique_ptr<broker_parts> parts_;
  mutable std::mutex keys_mutex_;
  std::shared_ptr<const key_state> keys_;
};

}  // namespace mcp_oauth
