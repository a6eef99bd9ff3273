#pragma once

#include "base/error.h"

#include <array>
#include <cstdint>
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
  void stream_opened();
  void stream_closed();

  // What others count, as it is now.
  struct readings {
    std::size_t connections = 0;
    std::uint64_t spans_sent = 0, spans_dropped = 0;  // less than before: none more
  };
  std::string expose(const readings& now) const;  // Prometheus text format 0.0.4

 private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

}  // namespace mcp_oauth
