#pragma once

#include "base/error.h"
#include "broker/rate_limits.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What /metrics shows. Handles are made once; counting is an atomic addition.
class metrics {
 public:
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  enum class area { mcp, oauth, metadata, health, other };
  void request(area where, int status, double seconds);
  void refused(errc why);
  // An attempt to renew a provider's token; `outcome` is one of refresh_outcomes.
  void provider_refresh(const std::string& provider, std::string_view outcome);
  void limited(rate_limit which);
  void stream_opened();
  void stream_closed();

  std::string expose(std::size_t connections) const;  // Prometheus text format 0.0.4

 private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

}  // namespace mcp_oauth
