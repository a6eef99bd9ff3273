#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What two failures have in common that are told as one: all that `explain` tells of them but the times.
struct failure_marks {
  std::uint64_t code = 0, area = 0;
  int status = 0;
  bool finished = false;
  std::string_view client, client_id, subject, issuer, login;
  std::string_view action, upstream, provider, grant;
  std::string_view method, path;           // of HTTP
  std::string_view mcp_method, mcp_name;   // of the call
  std::span<const std::string> scopes{};   // that the caller has
  std::string_view detail, cause_and_fix;  // how long ago something was is left out of the detail
};

// Equal for the same failure again.
std::uint64_t number_of(const failure_marks& marks);

}  // namespace mcp_oauth
