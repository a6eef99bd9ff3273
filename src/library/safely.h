#pragma once

#include <utility>

namespace mcp_oauth {

// Runs `work`; what it throws ends here and becomes what `otherwise` says. Nothing of ours throws but for
// want of memory, and that must not reach a host, which may be no C++.
template <class Work, class Otherwise>
auto safely(const Work& work, const Otherwise& otherwise) noexcept -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    return otherwise();
  }
}

}  // namespace mcp_oauth
