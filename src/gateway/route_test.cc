#include "gateway/route.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

mount mount_of(std::string url, std::vector<std::string> paths) {
  upstream_settings conf;
  conf.url = std::move(url);
  conf.paths = std::move(paths);
  return *mount::of(conf);
}

TEST(Mount, CoversItsPrefixesAndWhatIsBelowThem) {
  auto m = mount_of("http://up:3000/rpc", {"/mcp", "/other"});
  for (auto path : {"/mcp", "/mcp/", "/mcp/x", "/other", "/other/x/y"}) EXPECT_TRUE(m.covers(path)) << path;
  for (auto path : {"/", "", "/mcpx", "/mc", "/Mcp", "/others", "/x/mcp"})
    EXPECT_FALSE(m.covers(path)) << path;
  EXPECT_EQ(m.where().host, "up");
  EXPECT_EQ(m.conf().paths.size(), 2u);
}

TEST(Mount, LeadsToTheUrlsPathAndBelowIt) {
  struct row {
    const char *url, *path, *wanted;
  };
  for (const auto& r :
       {row{"http://up", "/mcp", "/mcp"}, row{"http://up/", "/mcp", "/mcp"},
        row{"http://up/rpc", "/mcp", "/rpc"}, row{"http://up", "/mcp/x", "/x"},
        row{"http://up/rpc", "/mcp/x/y", "/rpc/x/y"}, row{"http://up/rpc/", "/mcp/x", "/rpc/x"},
        row{"http://up/rpc", "/mcp/.up/x", "/x"}}) {
    EXPECT_EQ(mount_of(r.url, {"/mcp"}).upstream_path(r.path), r.wanted) << r.url << " " << r.path;
  }
}

TEST(Mount, NeedsAUrlOfHttp) {
  upstream_settings conf;
  conf.paths = {"/mcp"};
  for (auto url : {"", "up:3000", "ftp://up/", "http://"}) {
    conf.url = url;
    EXPECT_FALSE(mount::of(conf)) << url;
  }
}

TEST(PlainPath, IsOneThatEveryServerResolvesAlike) {
  for (auto path : {"/", "/mcp", "/mcp/", "/a.b/c..d/...", "/%C3%A4", "/a;v=1", "/%20"}) {
    EXPECT_TRUE(is_plain_path(path)) << path;
  }
  for (auto path :
       {"",           "mcp",        "/..",           "/mcp/../admin", "/mcp/./x",        "/mcp/%2e%2e/admin",
        "/mcp/.%2E",  "/..;/admin", "/mcp/..;a=b/x", "/mcp//admin",   "//evil.example/", "/mcp/a%2fb",
        "/mcp/a%5cb", "/mcp/a\\b",  "/mcp/%00",      "/mcp/%0d%0a",   "/mcp/%7f",        "/mcp/%zz",
        "/mcp/%2",    "/mcp/%ff"}) {
    EXPECT_FALSE(is_plain_path(path)) << path;
  }
}

TEST(Mount, FitsALongerPathBetterAndANamedHostBest) {
  upstream_settings conf;
  conf.url = "http://up";
  conf.paths = {"/mcp", "/mcp/deep"};
  auto any = *mount::of(conf);
  conf.paths = {"/mcp"};
  conf.hosts = {"Mail.example", "other.example:8443"};
  auto mail = *mount::of(conf);
  EXPECT_LT(any.fits("h", "/mcp/x"), any.fits("h", "/mcp/deep/x"));
  EXPECT_GT(mail.fits("mail.example", "/mcp/deep"), any.fits("mail.example", "/mcp/deep"));
  EXPECT_GT(mail.fits("MAIL.example:80", "/mcp"), 0U);
  EXPECT_GT(mail.fits("other.example:8443", "/mcp"), 0U);
  for (auto host : {"other.example", "other.example:1", "xmail.example", "mail.example.evil", "", "[::1]:80"})
    EXPECT_EQ(mail.fits(host, "/mcp"), 0U) << host;
  EXPECT_EQ(mail.fits("mail.example", "/elsewhere"), 0U);
}

}  // namespace
}  // namespace mcp_oauth
