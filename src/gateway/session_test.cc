#include "gateway/route.h"
#include "gateway/session_binding.h"
#include "gateway/session_query.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

mount mount_of(const std::string& url, const std::string& prefix) {
  upstream_settings conf;
  conf.url = url;
  conf.paths = {prefix};
  return *mount::of(conf);
}

TEST(Mount, FindsAPublicPathForEveryPlaceThatIsAnnounced) {
  struct row {
    const char *url, *prefix, *announced, *path;
    bool around;
  };
  for (const auto& r :
       {row{"http://x/sse", "/mcp", "/messages/", "/mcp/.up/messages/", true},
        row{"http://x/sse", "/", "/messages/", "/.up/messages/", true},
        row{"http://x/rpc", "/mcp", "/rpc/messages", "/mcp/messages", false},
        row{"http://x/rpc", "/mcp", "/rpc", "/mcp", false},
        row{"http://x/rpc", "/mcp", "/rpc2", "/mcp/.up/rpc2", true},
        row{"http://x/", "/mcp", "/messages", "/mcp/messages", false},
        row{"http://x/", "/mcp", "/mcp", "/mcp", false},
        row{"http://x/", "/mcp", "/.up/y", "/mcp/.up/.up/y", true},
        row{"http://x/rpc", "/mcp", "/", "/mcp/.up/", true},
        // Found by fuzz/path: a mount at the root, and a URL that ends in a slash.
        row{"http://x/rpc", "/", "/rpc", "/", false}, row{"http://x/rpc", "/", "/rpc/", "/.up/rpc/", true},
        row{"http://x/", "/", "/mcp", "/", false}, row{"http://x/", "/", "/", "/.up/", true},
        row{"http://x/rpc/", "/mcp", "/rpc/", "/mcp", false},
        row{"http://x/rpc/", "/mcp", "/rpc", "/mcp/.up/rpc", true}}) {
    auto m = mount_of(r.url, r.prefix);
    EXPECT_EQ(m.public_path(r.announced), r.path) << r.announced;
    EXPECT_EQ(m.upstream_path(r.path), r.announced) << r.path;
    EXPECT_EQ(m.is_announced(r.path), r.around) << r.path;
  }
}

TEST(SessionQuery, SeesASessionInEverySpellingAServerMightRead) {
  for (const char* query :
       {"sessionId=1", "session_id=1", "SESSIONID=1", "SessionID=1", "session%49d=1", "%73ession_id=1",
        "sessionId", "sessionId=", "a=b&session-id=1", "a=b;sessionId=1", "sessionId[]=1", "sessionId[0]=1",
        "session.id=1", "+sessionId=1", "mcp-session-id=1", "sid=1", "session=1"}) {
    auto read = read_session_query(query);
    ASSERT_TRUE(read) << query;
    EXPECT_TRUE(read->names_session) << query;
    EXPECT_EQ(read->rest, query);
  }
  for (const char* query : {"", "a=sessionId", "x=1&y=2", "sessions=1", "profile=session_id"}) {
    auto read = read_session_query(query);
    ASSERT_TRUE(read) << query;
    EXPECT_FALSE(read->names_session) << query;
  }
}

TEST(SessionQuery, RefusesWhatTwoServersCouldReadDifferently) {
  struct row {
    const char* query;
    errc code;
  };
  for (const auto& r :
       {row{"sessionId=1&sessionId=2", errc::parameter_repeated},
        row{"sessionId=1&session_id=2", errc::parameter_repeated},
        row{"sessionId=&sessionId=2", errc::parameter_repeated},
        row{"sessionId&sessionId=2", errc::parameter_repeated},
        row{"sessionId=1;SessionId=2", errc::parameter_repeated},
        row{"mop_session=0123456789abcdefghijkl&mop_session=0123456789abcdefghijkl",
            errc::parameter_repeated},
        row{"mop_session=", errc::parameter_malformed},
        row{"mop_session=0123456789abcdefghijk", errc::parameter_malformed},
        row{"mop_session=0123456789abcdefghijklm", errc::parameter_malformed},
        row{"mop_session=0/messages.0123456789abcdefghijkl", errc::parameter_malformed},
        row{"mop_session=0123456789.bcdefghijkl", errc::parameter_malformed},
        row{"mop%5fsession=a", errc::parameter_malformed}, row{"MOP_SESSION=a", errc::parameter_malformed},
        row{"x=1;mop_session=a", errc::parameter_malformed},
        row{"session%zz=1", errc::parameter_malformed}}) {
    auto read = read_session_query(r.query);
    ASSERT_FALSE(read) << r.query;
    EXPECT_EQ(read.error().code, r.code) << r.query;
  }
}

TEST(SessionQuery, TakesTheProofOffAndNothingElse) {
  auto read = read_session_query("a=%31&mop_session=0123456789abcdefghijkl&sessionId=x%2B");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->mac, "0123456789abcdefghijkl");
  EXPECT_EQ(read->rest, "a=%31&sessionId=x%2B");
}

TEST(SessionQuery, SeesIdsInPaths) {
  for (const char* path : {"/messages/0b7dfc1e-9d3a-4f0e-8b7a-2f6a0d8a1c11", "/s/42/post",
                           "/Zm9vYmFyYmF6cXV4MTIz/x", "/0123456789abcdef"}) {
    EXPECT_TRUE(path_may_name_session(path)) << path;
  }
  for (const char* path : {"", "/", "/messages/", "/files", "/v2/tools", "/a-long-name-without-digits"}) {
    EXPECT_FALSE(path_may_name_session(path)) << path;
  }
}

TEST(SessionBinding, CountsForOneSubjectResourceAndPlaceOnly) {
  using what = session_binding::what;
  session_binding binding(secret("key"));
  auto bound = binding.bind(what::header, "r", "ada", "id");
  EXPECT_EQ(binding.release(what::header, "r", "ada", bound), "id");
  EXPECT_FALSE(binding.release(what::place, "r", "ada", bound)) << "the header's proof is none for the query";
  EXPECT_FALSE(binding.release(what::header, "r", "eve", bound));
  EXPECT_FALSE(binding.release(what::header, "s", "ada", bound));
  EXPECT_FALSE(session_binding(secret("other")).release(what::header, "r", "ada", bound));
  EXPECT_FALSE(binding.release(what::header, "r", "ada", "id"));
}

}  // namespace
}  // namespace mcp_oauth
