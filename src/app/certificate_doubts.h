#pragma once

#include "base/error.h"
#include "base/time.h"
#include "config/settings.h"
#include "net/tls.h"

#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// What clients will not like about our certificate.
struct certificate_doubts {
  std::optional<error> out_of_date = {};  // tls_certificate_out_of_date: nobody connects
  std::vector<std::string> warnings =
      {};  // it ends soon, is for other names, or public_url knows nothing of it

  // All of it, to be told by a start that goes on.
  std::vector<std::string> as_warnings() const;
};

// `ours`: made of the files of `tls`.
certificate_doubts doubts_about_certificate(const settings& conf, const net::tls_context& ours,
                                            time_point now);

}  // namespace mcp_oauth
