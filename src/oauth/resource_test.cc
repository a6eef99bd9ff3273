#include "oauth/resource.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

const std::vector<std::string> served = {"https://mcp.example.com/mcp", "https://mcp.example.com/files",
                                         "http://localhost:8080/mcp"};

TEST(Resource, AbsentIsTheFirst) { EXPECT_EQ(*resolve_resource({}, served), "https://mcp.example.com/mcp"); }

TEST(Resource, IsSpelledAsServedHoweverItWasAskedFor) {
  struct {
    std::string asked, is;
  } const table[] = {
      {"https://mcp.example.com/mcp", served[0]},   {"HTTPS://MCP.Example.COM/mcp", served[0]},
      {"https://mcp.example.com/mcp/", served[0]},  {"https://mcp.example.com:443/mcp", served[0]},
      {"https://mcp.example.com/files", served[1]}, {"http://LOCALHOST:8080/mcp/", served[2]},
  };
  for (const auto& row : table) {
    auto resource = resolve_resource({row.asked}, served);
    ASSERT_TRUE(resource) << row.asked;
    EXPECT_EQ(*resource, row.is);
  }
  EXPECT_EQ(*resolve_resource({"https://mcp.example.com"}, {"https://mcp.example.com/"}),
            "https://mcp.example.com/");
}

TEST(Resource, IsUnknownWhenAnythingElseDiffers) {
  for (std::string asked : {"https://mcp.example.com",
                            "https://mcp.example.com/MCP",
                            "https://mcp.example.com/mcp//",
                            "https://mcp.example.com/mcp?x",
                            "https://mcp.example.com/mcp?",
                            "https://mcp.example.com/mcp#",
                            "https://mcp.example.com/mcp#x",
                            "https://mcp.example.com/mcp/x",
                            "https://mcp.example.com:8443/mcp",
                            "http://mcp.example.com/mcp",
                            "https://mcp.example.com.evil.example/mcp",
                            "https://evil.example/mcp",
                            "https://u@mcp.example.com/mcp",
                            "https://mcp.example.com./mcp",
                            "https://mcp.example.com/%6dcp",
                            "http://localhost/mcp",
                            "mcp.example.com/mcp",
                            "/mcp",
                            "urn:mcp",
                            "cursor://mcp",
                            "https://mcp.example.com/mcp\n",
                            " https://mcp.example.com/mcp",
                            "\xC3\xA9",
                            "x"}) {
    auto resource = resolve_resource({asked}, served);
    ASSERT_FALSE(resource) << asked;
    EXPECT_EQ(resource.error().code, errc::resource_unknown);
  }
}

TEST(Resource, IsAtMost2048CharactersLong) {
  std::string start = "https://mcp.example.com/";
  std::string longest = start + std::string(2048 - start.size(), 'a');
  EXPECT_TRUE(canonical_resource(longest));
  EXPECT_EQ(canonical_resource(longest + "a").error().code, errc::resource_unknown);
}

TEST(Resource, MayRepeatButNotDiffer) {
  EXPECT_EQ(*resolve_resource({served[1], served[1] + "/"}, served), served[1]);
  EXPECT_EQ(resolve_resource({served[0], served[1]}, served).error().code, errc::resource_unknown);
  EXPECT_EQ(resolve_resource({served[0], "nonsense"}, served).error().code, errc::resource_unknown);
}

TEST(Resource, IsUnknownWhereNoneIsServed) {
  EXPECT_EQ(resolve_resource({}, {}).error().code, errc::resource_unknown);
  EXPECT_EQ(resolve_resource({served[0]}, {}).error().code, errc::resource_unknown);
}

TEST(Resource, KeepsPathCaseAndQuery) {
  EXPECT_EQ(*canonical_resource("HTTPS://Host.Example:443/A/b/?Q=1"), "https://host.example/A/b?Q=1");
  EXPECT_EQ(*canonical_resource("http://[::1]:80/"), "http://[::1]");
}

TEST(Resource, MeansALoopbackServerByEachOfItsNames) {
  std::vector<std::string> local{"http://127.0.0.1:8080/mcp"};
  for (const char* asked :
       {"http://localhost:8080/mcp", "http://[::1]:8080/mcp", "http://127.0.0.2:8080/mcp/"}) {
    EXPECT_EQ(resolve_resource({asked}, local), local.front()) << asked;
  }
  for (const char* asked :
       {"http://localhost:8081/mcp", "https://localhost:8080/mcp", "http://localhost:8080/other",
        "http://localhost.evil:8080/mcp", "http://192.168.0.1:8080/mcp"}) {
    EXPECT_FALSE(resolve_resource({asked}, local)) << asked;
  }
  EXPECT_FALSE(resolve_resource({"http://localhost:8080/mcp"}, {"https://mcp.example.com/mcp"}));
}

}  // namespace
}  // namespace mcp_oauth
