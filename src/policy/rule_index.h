#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

namespace mcp_oauth {

// Finds the patterns that a name may fit, without a look at the others: by the name itself, and by what
// stands before the first `*`.
class rule_index {
 public:
  void add(std::string_view pattern, std::uint32_t position) {
    auto star = pattern.find('*');
    if (star == std::string_view::npos) {
      exact_[std::string(pattern)].push_back(position);
      return;
    }
    beginnings_[std::string(pattern.substr(0, star))].push_back(position);
    auto at = std::lower_bound(lengths_.begin(), lengths_.end(), star);
    if (at == lengths_.end() || *at != star) lengths_.insert(at, star);
  }

  // Calls `take` with the position of every pattern that is the name, or has a `*` and begins like it.
  template <class Take>
  void each(std::string_view name, Take take) const {
    if (auto at = exact_.find(name); at != exact_.end()) {
      for (auto position : at->second) take(position);
    }
    for (auto length : lengths_) {
      if (length > name.size()) break;
      auto at = beginnings_.find(name.substr(0, length));
      if (at == beginnings_.end()) continue;
      for (auto position : at->second) take(position);
    }
  }

 private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using places =
      boost::unordered_flat_map<std::string, std::vector<std::uint32_t>, text_hash, std::equal_to<>>;

  places exact_, beginnings_;
  std::vector<std::size_t> lengths_;  // of `beginnings_`, each once, ascending
};

}  // namespace mcp_oauth
