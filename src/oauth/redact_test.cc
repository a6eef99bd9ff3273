#include "oauth/redact.h"

#include "base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Redact, TakesOutWhatOpensSomething) {
  for (auto [given, wanted] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"aud https://a.test/mcp, expected https://b.test/mcp",
            "aud https://a.test/mcp, expected https://b.test/mcp"},
           {"Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123", "Authorization: Bearer ***"},
           {"the token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2huIn0.c2ln is cut", "the token *** is cut"},
           {"GET /callback?code=abc123&state=xyz&iss=https://i.test",
            "GET /callback?code=***&state=***&iss=https://i.test"},
           {R"({"access_token":"s3cr3t","expires_in":3})", R"({"access_token":"***","expires_in":3})"},
           {"postgresql://user:pass@word@db.test/x cannot be reached",
            "postgresql://***@db.test/x cannot be reached"},
           {"client_secret=hunter2, else", "client_secret=***, else"},
           {"id token: invalid_signature: by the keys of https://i.test/jwks",
            "id token: invalid_signature: by the keys of https://i.test/jwks"},
           {"token: abcdefghijklmnopqrstuvwxyz", "token: ***"},
           {"code= Bearer abcdefghijklmnopqrstuvwxyz0123", "code= Bearer ***"},
           {"authorization=Bearer opaque", "authorization=***"},
           {R"(token: "client_secret":"hunter2")", R"(token: "client_secret":"***")"},
           {"Invalid state: the login took longer than allowed",
            "Invalid state: the login took longer than allowed"},
           {"a Bearer token is wanted", "a Bearer token is wanted"},
           {"Cookie: session=\"v\"", "Cookie: session=\"v\""},
           {"password: hunter2hunter2hunter2", "password: ***"},
           {"Cookie: mop=abcdefghijklmnop; a=b", "Cookie: ***; a=b"},
           {"line\nbreak\tand \x01", "line break and  "},
           {"\xC2\x9B"
            "31m red, \xE2\x80\xAEturned, caf\xC3\xA9",
            " 31m red,  turned, caf\xC3\xA9"}}) {
    EXPECT_EQ(redact(given), wanted);
    EXPECT_EQ(redact(wanted), wanted) << "once more changes nothing";
  }
}

TEST(Redact, TakesOutQueriesOfUrlsWhateverTheirNames) {
  for (auto [given, wanted] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"seen http://127.0.0.1:9/other?api_key2=SECRET&sig=SECRET, expected one of http://127.0.0.1/cb",
            "seen http://127.0.0.1:9/other?***, expected one of http://127.0.0.1/cb"},
           {"asked for https://other.test/mcp?key=SECRET.", "asked for https://other.test/mcp?***."},
           {"https://u:SECRET@x/y?X-Amz-Signature=SECRET&apikey=SECRET", "https://***@x/y?***"},
           {"https://u:p?SECRET@x/y", "https://***"},
           {"https://a.test/cb#access_token=SECRET", "https://a.test/cb#***"},
           {"see https://a.test/errors#MOP-AUD-001: what?", "see https://a.test/errors#MOP-AUD-001: what?"},
           {"https://a.test/x?", "https://a.test/x?"},
           {"/x;jsessionid=SECRET;access-token=SECRET;apikey=SECRET",
            "/x;jsessionid=***;access-token=***;apikey=***"}}) {
    EXPECT_EQ(redact(given), wanted);
    EXPECT_EQ(redact(wanted), wanted) << "once is enough";
  }
}

TEST(Redact, ControlCharactersHideNothing) {
  EXPECT_EQ(redact("Bearer\x01"
                   "abcdefghijklmnopqrstuvwxyz0123"),
            "Bearer ***");
}

TEST(Redact, PercentEncodingHidesNothing) {
  for (std::string_view hidden :
       {"/oauth/callback%3Fcode%3DSECRETCODE1234567890&state%3DSECRETSTATE",
        "/auth/callback%3fcode=SECRETCODE1234567890&state=SECRETSTATE",
        "/cb%253Fcode%253DSECRET%2526state%253DSECRET", "https%3A%2F%2Fa.test%2Fx%3Fanything%3DSECRET",
        "https%3A%2F%2Fu%3ASECRET%40a.test%2F", "Bearer%20SECRETabcdefghijklmnopqrstuvwxyz", "%63ode=SECRET",
        "to%6Ben%3DSECRET%20SECRET", "https://a.test/x?k=a%20SECRET",
        "%25252525252525253Fcode%25252525252525253DSECRET"}) {
    EXPECT_THAT(redact(hidden), Not(HasSubstr("SECRET"))) << hidden;
  }
  for (std::string_view plain :
       {"100% of it", "/caf%C3%A9/a%20b", "%", "%zz", "50%2", "a%20b, expected a%2Fb"})
    EXPECT_EQ(redact(plain), plain);
}

TEST(Redact, APathEndsWhereAQueryBegins) {
  EXPECT_EQ(path_without_secrets("/mcp/files"), "/mcp/files");
  EXPECT_EQ(path_without_secrets("/mcp%3Fanything%3Dvalue"), "/mcp?***");
  EXPECT_EQ(path_without_secrets("/mcp%253fanything"), "/mcp?***");
}

TEST(Redact, IsQuickWhateverAStrangerSent) {
  // The square of that would take minutes.
  for (std::string_view unit : {"://", "a/", "eyJ/", "code=\"", "%25", "https://a?b ", "Bearer "}) {
    std::string text;
    while (text.size() < 256U * 1024) text += unit;
    EXPECT_LE(without_secrets(text).size(), 2 * text.size());
  }
}

TEST(Redact, ShortensBetweenCharactersAndKeepsUtf8) {
  auto text = redact(std::string(508, 'a') + "\xC3\xA9\xC3\xA9\xC3\xA9" + std::string(5000, 'b'));
  EXPECT_LE(text.size(), longest_redacted);
  EXPECT_TRUE(is_valid_utf8(text));
  EXPECT_TRUE(is_valid_utf8(redact("\xFF\xFE broken")));
  EXPECT_TRUE(is_valid_utf8(redact(std::string(5000, '\xC3'))));
}

}  // namespace
}  // namespace mcp_oauth
