// A call that is allowed costs no memory, however many rules there are.

#include "policy/policy.h"

#include <cstdlib>
#include <memory>
#include <new>

#include <gtest/gtest.h>

// Sanitizers count memory in their own way, and want to be the only ones.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOP_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOP_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef MOP_COUNTS_ALLOCATIONS
#define MOP_COUNTS_ALLOCATIONS 1
#endif

namespace {
thread_local std::size_t allocations = 0;
}

#if MOP_COUNTS_ALLOCATIONS
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace mcp_oauth {
namespace {

TEST(PolicyAllocations, AnAllowedCallUnderAThousandRulesMakesNone) {
  if (MOP_COUNTS_ALLOCATIONS == 0) GTEST_SKIP() << "under a sanitizer nothing is counted";
  policy_rules written;
  written.tools.given = written.methods.given = written.resources.given = true;
  for (int i = 0; i < 900; ++i) written.tools.rules.push_back({"tool_" + std::to_string(i), {"tools:read"}});
  for (int i = 0; i < 100; ++i)
    written.tools.rules.push_back({"group" + std::to_string(i) + "_*", {"tools:any"}});
  written.tools.rules.push_back({"*", {"mcp"}});
  written.methods.rules = {{"tools/*", {"mcp"}}, {"resources/*", {}}};
  written.resources.rules = {{"file:///public/*", {}}};
  written.base_scopes = {"mcp"};
  written.hierarchy = {{"tools:write", {"tools:read"}}};
  policy rules(written);
  std::vector<std::string> scopes{"mcp", "tools:write"};
  caller who{"ada", "client", scopes};
  auto scan = [](std::string_view text) {
    envelope_scanner scanner;
    EXPECT_TRUE(scanner.feed(text));
    EXPECT_TRUE(scanner.finish());
    return scanner.seen();
  };
  auto tool = scan(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tool_899"}})");
  auto resource =
      scan(R"({"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///public/a"}})");
  auto counting = allocations;
  auto probe = std::make_unique<int>(1);
  ASSERT_GT(allocations, counting) << "what is counted has to be seen";
  auto before = allocations;
  bool called = authorize(rules, who, tool).has_value();
  auto of_call = allocations - before;
  before = allocations;
  bool read = authorize(rules, who, resource).has_value();
  auto of_read = allocations - before;
  EXPECT_TRUE(called && read);
  EXPECT_EQ(of_call, 0U);
  EXPECT_EQ(of_read, 0U);
}

}  // namespace
}  // namespace mcp_oauth
