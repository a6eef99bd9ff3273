// The cached path of a token asks for no memory. This file counts what the whole test program asks for, by
// thread.

#include "library/fixture.h"

#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

namespace {
thread_local std::size_t asked_for = 0;
}

// Sanitizers have operators of their own, which see more than a count.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MCP_OAUTH_DOES_NOT_COUNT
#endif
#endif
#else
#define MCP_OAUTH_DOES_NOT_COUNT
#endif

#ifndef MCP_OAUTH_DOES_NOT_COUNT
void* operator new(std::size_t size) {
  ++asked_for;
  if (void* got = std::malloc(size == 0 ? 1 : size)) return got;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#endif

namespace mcp_oauth {
namespace {

TEST(LibraryCachedToken, AsksForNoMemory) {
#ifdef MCP_OAUTH_DOES_NOT_COUNT
  GTEST_SKIP() << "the sanitizer counts for itself";
#endif
  library_world world;
  auto o = world.options();
  o.log = nullptr;
  auto g = *v1::guard::make(o);
  auto token = world.token();
  auto before = asked_for;
  ASSERT_TRUE(g.validate(token));
  EXPECT_GT(asked_for, before) << "nothing is counted";
  before = asked_for;
  std::size_t good = 0;
  for (int i = 0; i < 100; ++i) {
    auto who = g.validate(token);
    good += who.ok() && who->subject() == "ada" && who->has_scope("tools:read") ? 1U : 0U;
  }
  EXPECT_EQ(asked_for, before);
  EXPECT_EQ(good, 100U);
}

}  // namespace
}  // namespace mcp_oauth
