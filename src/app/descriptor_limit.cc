#include "app/descriptor_limit.h"

#include <limits>

#include <sys/resource.h>

namespace mcp_oauth {

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::optional<std::string> descriptor_warning(std::size_t descriptors, std::size_t connections) {
  if (descriptors == 0 || connections <= descriptors) return std::nullopt;
  return "limits.connections is " + std::to_string(connections) + ", but this process may open only " +
         std::to_string(descriptors) +
         " files and sockets: raise its limit (ulimit -n, LimitNOFILE), or lower " + "limits.connections";
}

}  // namespace mcp_oauth
