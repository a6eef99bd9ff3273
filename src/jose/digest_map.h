#pragma once

#include "jose/digest.h"

#include <cstddef>
#include <cstring>

#include <boost/unordered/unordered_flat_map.hpp>

namespace mcp_oauth {

struct digest_hash {
  std::size_t operator()(const sha256_digest& d) const {
    std::size_t h = 0;
    std::memcpy(&h, d.data(), sizeof h);  // already uniform
    return h;
  }
};

// Values by the SHA-256 of what must not be kept itself.
template <class T>
using digest_map = boost::unordered_flat_map<sha256_digest, T, digest_hash>;

// Makes room for one more of at most `most`. A flood of keys must not cost more than the room: every other
// value goes, cheaply and at random. Not for what must not be forgotten.
template <class T>
void make_room(digest_map<T>& map, std::size_t most) {
  if (map.size() < most) return;
  bool odd = false;
  boost::unordered::erase_if(map, [&odd](const auto&) { return odd = !odd; });
}

}  // namespace mcp_oauth
