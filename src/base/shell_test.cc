#include "base/shell.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Shell, QuotesAWordThatIsNotPlain) {
  EXPECT_EQ(shell_quoted("https://mcp.example/mcp"), "https://mcp.example/mcp");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted("$(id)"), "'$(id)'");
  EXPECT_EQ(shell_quoted(""), "''");
}

}  // namespace
}  // namespace mcp_oauth
