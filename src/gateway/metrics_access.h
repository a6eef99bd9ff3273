#pragma once

#include "gateway/client_address.h"

#include <span>
#include <string>
#include <vector>

namespace mcp_oauth {

// Who may read /metrics: this machine itself, as far as no proxy came between; the addresses of
// `metrics.allow`; and, once `metrics.token` is set, those and whoever presents it, in place of this machine.
class metrics_access final {
 public:
  explicit metrics_access(const settings& conf);

  // `peer`: the address at the other end of the connection.
  bool allows(const std::string& peer, std::span<const field> fields) const;

 private:
  bool presents_token(std::span<const field> fields) const;

  client_address clients_;
  std::vector<address_range> allowed_;
  secret token_;
};

}  // namespace mcp_oauth
