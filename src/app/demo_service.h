#pragma once

#include "demo/server.h"
#include "net/server.h"

#include <memory>

namespace mcp_oauth {

// The demo MCP server behind sockets. `what` is shared by all workers and outlives them.
class demo_service final : public net::service {
 public:
  demo_service(net::worker& w, demo_server& what) : worker_(w), what_(what) {}
  net::task<void> serve(net::exchange& x) override;
  http_response refuse(const error& why, const net::exchange& x) override;

 private:
  net::worker& worker_;
  demo_server& what_;
};

}  // namespace mcp_oauth
