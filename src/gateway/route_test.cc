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

TEST(LoosestReading, IsDecodedOnceWithoutParametersAndCase) {
  struct row {
    std::string_view path, wanted;
  };
  for (const auto& r : {row{"/mcp/%70rivate", "/mcp/private"},
                        row{"/mcp/Private", "/mcp/private"},
                        row{"/mcp/%50rivate", "/mcp/private"},
                        row{"/mcp/private;x=1", "/mcp/private"},
                        row{"/mcp;a;b=1/private;x/y", "/mcp/private/y"},
                        row{"/mcp/private%3Bx=1/y", "/mcp/private/y"},
                        row{"/mcp/;x/private", "/mcp/private"},
                        row{"/mcp/%3bx/private", "/mcp/private"},
                        row{"/mcp//private", "/mcp/private"},
                        row{"/mcp%2Fprivate", "/mcp/private"},
                        row{"/mcp/;", "/mcp/"},
                        row{"/mcp/%2570", "/mcp/%70"},
                        row{"/mcp/%C3%84", "/mcp/\xC3\x84"},
                        row{"/a%", "/a%"},
                        row{"/A%4", "/a%4"},
                        row{"/a%zz%41", "/a%zza"},
                        row{"/A/%%41", "/a/%a"},
                        row{";", ""},
                        row{"%", "%"},
                        row{"/;", "/"}}) {
    std::string room = "left over";
    auto read = loosest_reading(r.path, room);
    EXPECT_EQ(read, r.wanted) << r.path;
  }
}

TEST(LoosestReading, IsNoCopyOfAPathThatIsReadInOneWay) {
  for (std::string_view path : {"", "/", "/mcp", "/mcp/", "/mcp/a-b_c.d~e/0", "/mcp/\xC3\xA4"}) {
    std::string room = "untouched";
    EXPECT_EQ(loosest_reading(path, room).data(), path.data()) << path;
    EXPECT_EQ(room, "untouched");
  }
}

struct named_mount {
  std::string name;
  mount where;
};

// What each of the two readings leads to: "open closed".
std::string ways_of(const std::vector<named_mount>& those, std::string_view path,
                    std::string_view host = "h") {
  auto found = ways_to(std::span<const named_mount>(those), &named_mount::where, host, path);
  auto name = [](const named_mount* one) { return one == nullptr ? std::string("-") : one->name; };
  EXPECT_EQ(found.agree(), name(found.written) == name(found.loosest));
  return name(found.written) + " " + name(found.loosest);
}

TEST(Ways, DoNotAgreeWhereAServerCouldReadThePathAsAnotherMounts) {
  const std::vector<named_mount> those = {{"open", mount_of("http://up", {"/mcp"})},
                                          {"closed", mount_of("http://up/mcp/private", {"/mcp/private"})}};
  for (auto path : {"/mcp/%70rivate", "/mcp/%50RIVATE", "/mcp/Private", "/mcp/PRIVATE/x", "/mcp/private;x=1",
                    "/mcp/private;x=1/y", "/mcp/privat%65/y", "/mcp/private%3Bx", "/mcp/;/private",
                    "/mcp/;a/private", "/mcp/%3B/private", "/mcp//private"}) {
    EXPECT_EQ(ways_of(those, path), "open closed") << path;
  }
  for (auto path : {"/%6dcp/private", "/Mcp/private", "/mcp;x/private", "/MCP/%70rivate"})
    EXPECT_EQ(ways_of(those, path), "- closed") << path;
  for (auto path : {"/Mcp", "/mcp;x", "/%6Dcp/x"}) EXPECT_EQ(ways_of(those, path), "- open") << path;
}

TEST(Ways, AgreeAboutWhatStaysBelowOneMount) {
  const std::vector<named_mount> those = {{"closed", mount_of("http://up/mcp/private", {"/mcp/private"})},
                                          {"open", mount_of("http://up", {"/mcp"})}};
  for (auto path : {"/mcp", "/mcp/", "/mcp/x", "/mcp/privates", "/mcp/Privates", "/mcp/%70rivates",
                    "/mcp/x%20y;v=1", "/mcp/X/private", "/mcp/%zz", "/mcp/%2570rivate"}) {
    EXPECT_EQ(ways_of(those, path), "open open") << path;
  }
  for (auto path : {"/mcp/private", "/mcp/private/", "/mcp/private/A%41;x"})
    EXPECT_EQ(ways_of(those, path), "closed closed") << path;
  for (auto path : {"/", "", "/other", "/Other;x", "*"}) EXPECT_EQ(ways_of(those, path), "- -") << path;
}

TEST(Ways, ReadPrefixesLooselyToo) {
  const std::vector<named_mount> those = {{"open", mount_of("http://up", {"/mcp"})},
                                          {"closed", mount_of("http://up/mcp/Private", {"/mcp/Private"})}};
  EXPECT_EQ(ways_of(those, "/mcp/Private"), "closed closed");
  EXPECT_EQ(ways_of(those, "/mcp/private"), "open closed");
  EXPECT_EQ(ways_of(those, "/mcp/PRIVATE/x"), "open closed");
}

TEST(Ways, TakeThePathAsWrittenWhereOnlyCaseTellsTwoMountsApart) {
  const std::vector<named_mount> those = {{"root", mount_of("http://r", {"/a"})},
                                          {"big", mount_of("http://b", {"/a/B"})},
                                          {"small", mount_of("http://s", {"/a/b"})}};
  EXPECT_EQ(ways_of(those, "/a/B/x"), "big big");
  EXPECT_EQ(ways_of(those, "/a/b/x"), "small small");
  EXPECT_EQ(ways_of(those, "/a/%62/x"), "root big") << "it may be either";
}

TEST(Ways, WeighHostsInBothReadings) {
  upstream_settings conf;
  conf.url = "http://up";
  conf.paths = {"/mcp"};
  conf.hosts = {"mail.example"};
  std::vector<named_mount> those = {{"mail", *mount::of(conf)}};
  conf.paths = {"/mcp/deep"};
  conf.hosts = {};
  those.push_back({"deep", *mount::of(conf)});
  conf.paths = {"/mcp/own"};
  conf.hosts = {"mail.example"};
  those.push_back({"own", *mount::of(conf)});
  EXPECT_EQ(ways_of(those, "/mcp/%64eep", "mail.example"), "mail mail") << "as /mcp/deep is, at this host";
  EXPECT_EQ(ways_of(those, "/mcp/%6fwn", "mail.example"), "mail own");
  EXPECT_EQ(ways_of(those, "/mcp/deep", "other.example"), "deep deep");
  EXPECT_EQ(ways_of(those, "/mcp/%6fwn", "other.example"), "- -");
}

}  // namespace
}  // namespace mcp_oauth
