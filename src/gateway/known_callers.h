#pragma once

#include "gateway/token_cache.h"
#include "guard/token_memory.h"

#include <cstddef>
#include <memory>

#include <boost/unordered/unordered_flat_map.hpp>

namespace mcp_oauth {

// Who calls with a token that a guard took: made once for each token, by one worker for itself. The guard's
// own memory decides how long a token is good; this one only spares work. Bounded. Not for two threads.
class known_callers {
 public:
  explicit known_callers(std::size_t most = 10'000) : most_(most) {}
  std::shared_ptr<credential> of(const std::shared_ptr<const accepted>& token);
  void clear() { known_.clear(); }
  // Forgets those whose token the guard would judge anew.
  void sweep(time_point now);
  std::size_t size() const { return known_.size(); }

 private:
  struct entry {
    std::shared_ptr<const accepted> token;  // keeps its place in memory, by which it is found
    std::shared_ptr<credential> who;
  };
  std::size_t most_;
  boost::unordered_flat_map<const accepted*, entry> known_;
};

}  // namespace mcp_oauth
