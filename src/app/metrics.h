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
  // `took`: in seconds; negative for what is not timed.
  void request(area where, int status, double took);
  void refused(errc why);
  void limited(rate_limit which);
  void stream_opened();
  void stream_closed();

  std::string expose(std::size_t connections) const;  // Prometheus text format 0.0.4

 private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

}  // namespace mcp_oauth
