#include "base/trace.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string watched(const std::vector<std::string>& patterns) {
  auto chosen = topics::of(patterns);
  std::string text;
  for (unsigned i = 0; i < static_cast<unsigned>(topic::count_); ++i) {
    auto t = static_cast<topic>(i);
    if (chosen.has(t)) text += (text.empty() ? "" : " ") + std::string(to_name(t));
  }
  return text;
}

TEST(Topics, AreChosenByNameWildcardAndExclusion) {
  struct row {
    std::vector<std::string> patterns;
    std::string chosen;
  };
  const std::string oauth = "oauth:authorize oauth:callback oauth:token oauth:state oauth:pkce";
  const std::string proxy = "proxy:headers proxy:request proxy:response";
  const std::string all =
      oauth + " token:validate " + proxy + " mcp:message policy:decision db:query db:transaction";
  for (const auto& r : {
           row{{}, ""},
           row{{"oauth:pkce"}, "oauth:pkce"},
           row{{"OAuth:PKCE"}, "oauth:pkce"},
           row{{"oauth:*"}, oauth},
           row{{"oauth"}, oauth},
           row{{"*"}, all},
           row{{"true"}, all},
           row{{"1"}, all},
           row{{"0"}, ""},
           row{{"proxy:*", "-proxy:headers"}, "proxy:request proxy:response"},
           row{{"-proxy:headers", "proxy:*"}, "proxy:request proxy:response"},
           row{{"*", "-oauth:*", "-token:*", "-db"}, proxy + " mcp:message policy:decision"},
           row{{"db:*"}, "db:query db:transaction"},
           row{{"pkce:*"}, "oauth:pkce"},
           row{{"session:*"}, "oauth:state"},
           row{{"mcp:*"}, "mcp:message"},
           row{{"policy"}, "policy:decision"},
           row{{"token:refresh"}, "oauth:token"},
           row{{"token:expire"}, "token:validate"},
           row{{"oauth:trace"}, oauth},
           row{{"*headers"}, "proxy:headers"},
           row{{"express:router"}, ""},
           row{{"oaut"}, ""},
       }) {
    EXPECT_EQ(watched(r.patterns), r.chosen) << testing::PrintToString(r.patterns);
  }
}

TEST(Topics, NameWhatNoPatternMeans) {
  std::vector<std::string> unknown;
  std::vector<std::string> patterns = {"oauth:*", "proxy:header", "-mcp:mesage", "false"};
  topics::of(patterns, &unknown);
  EXPECT_EQ(unknown, (std::vector<std::string>{"proxy:header", "-mcp:mesage"}));
}

TEST(Topics, HaveNamesThatFindThem) {
  for (const auto& name : topic_names()) {
    std::vector<std::string> one = {name};
    EXPECT_TRUE(topics::of(one).any()) << name;
  }
}

}  // namespace
}  // namespace mcp_oauth
