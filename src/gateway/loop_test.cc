#include "gateway/loop.h"

#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

TEST(Loop, IsSeenInAnyLineOfVia) {
  struct row {
    std::vector<field> fields;
    bool came;
  };
  for (const auto& [fields, came] : {
           row{{}, false},
           row{{{"Via", "1.1 mop-a"}}, true},
           row{{{"VIA", "1.0 other, 1.1 mop-a (a comment)"}}, true},
           row{{{"Via", "1.0 other"}, {"Accept", "*/*"}, {"via", "HTTP/1.1\tmop-a,"}}, true},
           row{{{"Via", "1.1 mop-ab, 1.1 xmop-a, mop-a, 1.1, ,"}}, false},
           row{{{"Via", "1.1 other (mop-a)"}}, false},
           row{{{"Forwarded", "1.1 mop-a"}, {"Via2", "1.1 mop-a"}}, false},
       }) {
    EXPECT_EQ(came_through("mop-a", fields), came) << (fields.empty() ? "" : fields.front().value);
  }
}

}  // namespace
}  // namespace mcp_oauth
