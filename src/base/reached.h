#pragma once

#include "base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// How far a look at an address came: its name, a connection, TLS. Made by `net/`, judged elsewhere.
struct reached {
  std::string host;
  std::uint16_t port = 0;

  std::vector<std::string> addresses;  // of the name, in the order of the system
  std::string name_failure;            // why there are none: the system's words

  std::string connected_to;     // "" when no address took a connection
  std::string connect_failure;  // of the last address that was tried: the system's words
  bool refused = false, timed_out = false;

  struct certificate {
    std::string subject, issuer;
    time_point begins, ends;
    std::vector<std::string> names;
  };
  bool tls_tried = false;
  bool tls_done = false;    // the handshake came to its end, whether the certificate is trusted or not
  std::string tls_failure;  // of the handshake, or of the check of the certificate
  bool cleartext = false;   // its first bytes were no TLS
  bool trusted = false;     // name, dates and signatures hold
  bool untrusted_chain = false, wrong_name = false, wrong_dates = false;
  std::vector<certificate> chain;  // as it was sent, the server's own first
};

}  // namespace mcp_oauth
