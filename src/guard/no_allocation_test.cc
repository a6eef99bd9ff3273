#include "guard/guard.h"
#include "guard/test_world.h"

#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

// Counts what this program allocates; sanitizers have an allocator of their own.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOP_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOP_SANITIZED
#endif

#ifndef MOP_SANITIZED
namespace {
std::atomic<std::size_t> allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mcp_oauth {
namespace {

using namespace test_world;
using test_issuer::now;

TEST(GuardMemory, FindsAKnownTokenWithoutAllocating) {
  network net;
  guard g({an_issuer()}, {}, counted);
  auto token = test_issuer::mint(test_issuer::claims());
  ASSERT_TRUE(net.finish(g.validate(presented{token}, now), now));
  auto before = allocations.load();
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    auto step = g.validate(presented{token}, now);
    good += std::get<verdict>(step) ? 1 : 0;
  }
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(good, 100);
}

}  // namespace
}  // namespace mcp_oauth
#endif
