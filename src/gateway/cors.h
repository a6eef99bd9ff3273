#pragma once

#include "base/http.h"
#include "config/settings.h"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Which web pages may call us (Fetch standard, CORS protocol), and what they may send and see.
class cors_rules {
 public:
  // `own_origin`: our public origin, which always may.
  cors_rules(const cors_settings& conf, std::string own_origin);

  // MCP, streamable HTTP: a foreign Origin is refused, whatever else the request holds. No Origin: no
  // browser.
  bool may_call_mcp(std::string_view origin) const;

  // Fields for the answer to a request with that Origin ("": none); Vary always. `open`: an endpoint that
  // holds no ambient authority (metadata, token, registration), which any page may read.
  http_fields fields_for(std::string_view origin, bool open) const;
  // For the log, about an origin that may not call: which one of those that are configured is nearly it.
  std::string near_miss(std::string_view origin) const;
  // The same for a preflight. `asked`: its Access-Control-Request-Headers; of those, the ones that MCP may
  // mirror parameters into (mcp-…, 2026-07-28) are allowed besides the known ones.
  http_fields preflight_for(std::string_view origin, bool open, std::string_view methods,
                            std::string_view asked = {}) const;
  // Of an endpoint that takes forms and no MCP: Authorization and Content-Type are what it needs.
  http_fields preflight_of_forms(std::string_view origin, bool open, std::string_view asked) const;

 private:
  http_fields preflight(std::string_view origin, bool open, std::string_view methods, std::string_view asked,
                        std::string headers) const;
  bool listed(std::string_view origin) const;

  cors_settings conf_;
  std::string own_origin_;
  std::string allowed_headers_, form_headers_;
};

}  // namespace mcp_oauth
