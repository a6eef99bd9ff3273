#pragma once

#include "base/reached.h"

#include <string>

namespace mcp_oauth::net {

struct reach_wish {
  std::string host;  // a name or an address
  std::uint16_t port = 0;
  bool tls = false;
  std::string ca_file;  // authorities besides the system's
  milliseconds patience{5000};
};

// Looks up the name, connects to its addresses in turn until one takes it, and shakes hands; sends nothing
// else, and no proxy is used. Whatever is wrong with the certificate, the handshake goes on, so that all of
// it can be told. Blocks; a name may take as long as the system's resolver likes.
reached reach(const reach_wish& wish);

}  // namespace mcp_oauth::net
