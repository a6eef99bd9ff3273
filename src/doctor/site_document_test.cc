#include "doctor/site_document.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr const char* address = "https://mcp.example.com/a/meta";

struct pages {
  site_evidence evidence;

  void add(std::string_view what, const std::string& at, http_answer answer, const std::string& cut = "") {
    http_call call;
    call.url = at;
    evidence.exchanges.push_back({std::string(what), call, std::move(answer), time_point{}, cut});
  }
  void redirect(std::string_view what, const std::string& at, const std::string& to) {
    add(what, at, {301, {{"Location", to}}, ""});
  }
  site_document find() const { return find_document(evidence, asked::resource, address); }
};

http_answer json_of(const std::string& body) { return {200, {{"Content-Type", "application/json"}}, body}; }

TEST(SiteDocument, IsReadAsTheMostLenientClientReadsIt) {
  struct row {
    const char *body, *why;
  };
  for (const auto& [body, why] :
       {row{R"({"resource":"r"})", ""}, row{"\xEF\xBB\xBF{\"resource\":\"r\"}", "byte order mark"},
        row{R"({"resource":"old","resource":"r"})", "stands twice"},
        row{R"({"resource":"r","x":"a","x":"b"})", "stands twice"},
        row{"{\"resource\":\"r\",\"name\":\"caf\xE9\"}", "not UTF-8"},
        row{"\xEF\xBB\xBF{\"resource\":\"r\",\"name\":\"\xE9\",\"name\":\"\"}", "not UTF-8"}}) {
    pages seen;
    seen.add(asked::resource, address, json_of(body));
    auto found = seen.find();
    ASSERT_TRUE(found.good()) << body << found.trouble;
    EXPECT_EQ(text_member(*found.object, "resource"), "r") << body;
    EXPECT_EQ(found.lenient.empty(), std::string(why).empty()) << body << found.lenient;
    EXPECT_NE(found.lenient.find(why), std::string::npos) << found.lenient;
    for (const auto& [name, value] : *found.object) {
      if (value.is_string()) {
        EXPECT_TRUE(is_valid_utf8(std::string_view(value.as_string().data(), value.as_string().size())));
      }
    }
  }
}

TEST(SiteDocument, IsNoneWhereNobodyReadsIt) {
  for (const char* body : {"", "[]", "hello", "{\"a\":", "{\"a\":1} x", "\xEF\xBB\xBF", "\"\xE9\""}) {
    pages seen;
    seen.add(asked::resource, address, json_of(body));
    auto found = seen.find();
    EXPECT_FALSE(found.good()) << body;
    EXPECT_NE(found.trouble, "") << body;
    EXPECT_EQ(found.lenient, "") << body;
    EXPECT_FALSE(found.untold) << body;
  }
}

TEST(SiteDocument, IsFoundBehindThreeRedirectsAndNoMore) {
  pages seen;
  seen.redirect(asked::resource, address, "/1");
  EXPECT_FALSE(seen.find().known());
  EXPECT_EQ(seen.find().next, "https://mcp.example.com/1");
  seen.redirect(asked::moved, "https://mcp.example.com/1", "/2");
  seen.redirect(asked::moved, "https://mcp.example.com/2", "/3");
  EXPECT_EQ(seen.find().next, "https://mcp.example.com/3");
  auto further = seen;
  seen.add(asked::moved, "https://mcp.example.com/3", json_of("{}"));
  EXPECT_TRUE(seen.find().known());
  EXPECT_TRUE(seen.find().good());
  EXPECT_NE(seen.find().lenient.find("redirect to https://mcp.example.com/3"), std::string::npos);
  further.redirect(asked::moved, "https://mcp.example.com/3", "/4");
  EXPECT_TRUE(further.find().known());
  EXPECT_FALSE(further.find().good());
  EXPECT_TRUE(further.find().untold) << "clients may follow more";
  EXPECT_EQ(further.find().next, "");
}

TEST(SiteDocument, ThatRedirectsInACircleIsNone) {
  pages seen;
  seen.redirect(asked::resource, address, address);
  EXPECT_TRUE(seen.find().known());
  EXPECT_FALSE(seen.find().good());
}

TEST(SiteDocument, OfWhichWeReadAPartSaysNothing) {
  pages part;
  part.add(asked::resource, address, json_of(R"({"resource":"r","x":")"), "not over after 10 s");
  EXPECT_TRUE(part.find().untold);
  EXPECT_NE(part.find().trouble.find("not over after 10 s"), std::string::npos);
  // All of it was there, and its end was not.
  pages open;
  open.add(asked::resource, address, json_of(R"({"resource":"r"})"), "not over after 10 s");
  EXPECT_TRUE(open.find().good());
  EXPECT_EQ(open.find().lenient, "not over after 10 s");
  pages many;
  many.add(asked::resource, address, {429, {}, ""});
  EXPECT_TRUE(many.find().untold);
  EXPECT_TRUE(many.find().throttled());
}

// RFC 3986 section 5.4
TEST(RedirectTarget, IsResolvedAsAReference) {
  struct row {
    const char *location, *to;
  };
  for (const auto& [location, to] :
       {row{"https://other.example/x", "https://other.example/x"},
        row{"//other.example/x", "https://other.example/x"}, row{"/x", "https://mcp.example.com/x"},
        row{"x", "https://mcp.example.com/a/x"}, row{"x/", "https://mcp.example.com/a/x/"},
        row{"./x", "https://mcp.example.com/a/x"}, row{"../x", "https://mcp.example.com/x"},
        row{"../../../x", "https://mcp.example.com/x"}, row{"..", "https://mcp.example.com/"},
        row{".", "https://mcp.example.com/a/"}, row{"?q=1", "https://mcp.example.com/a/meta?q=1"},
        row{"x?q=/../y", "https://mcp.example.com/a/x?q=/../y"}, row{"x#part", "https://mcp.example.com/a/x"},
        row{"/x:y", "https://mcp.example.com/x:y"}, row{"", ""}, row{"#part", ""}, row{"ftp://h/x", ""},
        row{"javascript:alert(1)", ""}, row{"http://", ""}}) {
    pages seen;
    seen.redirect(asked::resource, address, location);
    EXPECT_EQ(redirect_target(seen.evidence.exchanges.front()), to) << location;
  }
}

}  // namespace
}  // namespace mcp_oauth
