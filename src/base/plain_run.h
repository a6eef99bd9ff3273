#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace mcp_oauth {

enum class beyond_ascii { plain, stops };

// The first byte of [at, end) that is a control (below 0x20; DEL is none), one of `Stops`, or, if it stops,
// beyond ASCII. Sixteen or eight bytes a step.
template <beyond_ascii Beyond, char... Stops>
const char* pass_plain(const char* at, const char* end) {
#if defined(__SSE2__)
  while (end - at >= 16) {
    const auto block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto highest_control = _mm_set1_epi8(0x1F);
    auto found = _mm_cmpeq_epi8(_mm_max_epu8(block, highest_control), highest_control);
    ((found = _mm_or_si128(found, _mm_cmpeq_epi8(block, _mm_set1_epi8(Stops)))), ...);
    if constexpr (Beyond == beyond_ascii::stops) found = _mm_or_si128(found, block);
    auto bits = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (bits != 0) return at + std::countr_zero(bits);
    at += 16;
  }
#endif
  constexpr std::uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
  while (end - at >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    // A borrow can mark a byte too many above one that is marked rightly: the lowest mark is exact.
    std::uint64_t marked = (word - ones * 0x20) & ~word;
    ((marked |= ((word ^ (ones * static_cast<unsigned char>(Stops))) - ones) &
                ~(word ^ (ones * static_cast<unsigned char>(Stops)))),
     ...);
    if constexpr (Beyond == beyond_ascii::stops) marked |= word;
    marked &= highs;
    if (marked != 0) {
      if constexpr (std::endian::native == std::endian::little) return at + std::countr_zero(marked) / 8;
      break;
    }
    at += 8;
  }
  auto plain = [](char c) {
    auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && (Beyond == beyond_ascii::plain || u < 0x80) && (... && (c != Stops));
  };
  while (at != end && plain(*at)) ++at;
  return at;
}

}  // namespace mcp_oauth
