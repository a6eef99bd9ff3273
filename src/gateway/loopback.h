#pragma once

#include <string>
#include <string_view>

namespace mcp_oauth {

// The origin under which a client reached us: `public_url`, unless that is on the loopback interface and the
// request's Host is another name of the same interface and port. Then it is that one, so that `localhost`
// works where 127.0.0.1 was configured, and the other way round. No other Host is ever believed.
std::string origin_as_reached(std::string_view public_url, std::string_view host);

}  // namespace mcp_oauth
