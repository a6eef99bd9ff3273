#include "gateway/original_request.h"

#include "gateway/verdict.h"

#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

// How a proxy asks: nginx by GET under our own name, Envoy by the method of the original request and below
// us.
struct question {
  std::vector<field> fields;
  std::string_view path = verify_path;
  std::string_view query = {};
  std::string_view method = "GET";
  std::string_view host = "gateway:8080";

  verify_request asked() const { return {method, path, query, host, fields}; }
  result<original_request> meant() const { return original_request_of(asked()); }
};

std::string summary(const result<original_request>& r) {
  if (!r) return std::string("refused: ") + r.error().detail;
  return r->method + " " + r->host + " " + r->path + (r->query.empty() ? "" : "?" + r->query);
}

// The client's header may repeat the host; a port that nginx did not say would lead to another server's
// rules.
TEST(OriginalRequest, TheClientAddsNoPortToTheHostThatNginxSays) {
  question q{{{"X-Original-Method", "POST"},
              {"X-Original-URI", "/mcp"},
              {"X-Original-URL", "https://mcp.example.com:8443/mcp"}},
             verify_path,
             {},
             "GET",
             "mcp.example.com"};
  EXPECT_EQ(summary(q.meant()), "POST mcp.example.com /mcp");
}

TEST(OriginalRequest, IsWhatEachProxySays) {
  struct row {
    const char* who;
    question asked;
    const char* meant;
  } rows[] = {
      {"nginx",
       {{{"X-Original-Method", "POST"}, {"X-Original-URI", "/mcp?a=b"}},
        verify_path,
        {},
        "GET",
        "mcp.example.com"},
       "POST mcp.example.com /mcp?a=b"},
      {"nginx, in lower case and with X-Forwarded-Host",
       {{{"x-original-method", "GET"}, {"x-original-uri", "/mcp"}, {"x-forwarded-host", "mcp.example.com"}},
        verify_path,
        {},
        "GET",
        "mcp.example.com:8443"},
       "GET mcp.example.com:8443 /mcp"},
      {"ingress-nginx",
       {{{"X-Original-Method", "POST"}, {"X-Original-URL", "https://mcp.example.com/mcp?x"}}},
       "POST mcp.example.com /mcp?x"},
      {"Traefik",
       {{{"X-Forwarded-Method", "POST"},
         {"X-Forwarded-Proto", "https"},
         {"X-Forwarded-Host", "mcp.example.com"},
         {"X-Forwarded-Uri", "/mcp/x"},
         {"X-Forwarded-For", "203.0.113.7"}}},
       "POST mcp.example.com /mcp/x"},
      {"Envoy",
       {{}, "/auth/verify/mcp", "a=b&upstream=other", "POST", "mcp.example.com"},
       "POST mcp.example.com /mcp?a=b&upstream=other"},
      {"Envoy, of the root", {{}, "/auth/verify/", {}, "GET", "mcp.example.com"}, "GET mcp.example.com /"},
      {"Envoy, with what says the same",
       {{{"X-Forwarded-Host", "MCP.example.com"}, {"X-Original-URI", "/mcp"}},
        "/auth/verify/mcp",
        {},
        "POST",
        "mcp.example.com"},
       "POST mcp.example.com /mcp"},
      {"a host in brackets",
       {{{"X-Forwarded-Method", "GET"}, {"X-Forwarded-Host", "[::1]:8080"}, {"X-Forwarded-Uri", "/mcp"}}},
       "GET [::1]:8080 /mcp"},
  };
  for (const auto& r : rows) EXPECT_EQ(summary(r.asked.meant()), r.meant) << r.who;
}

TEST(OriginalRequest, IsNotGuessedWhereAHeaderIsMissing) {
  const std::vector<field> rows[] = {
      {},
      {{"X-Original-URI", "/mcp"}},
      {{"X-Original-Method", "POST"}},
      {{"X-Forwarded-Uri", "/mcp"}, {"X-Forwarded-Host", "h"}},
      {{"X-Forwarded-Method", "POST"}, {"X-Forwarded-Host", "h"}},
      {{"X-Forwarded-Method", "POST"}, {"X-Forwarded-Uri", "/mcp"}},
      {{"X-Original-Method", "POST"}, {"X-Forwarded-Uri", "/mcp"}},
      {{"X-Original-Method", "POST"}, {"X-Rewrite-URL", "/mcp"}},
  };
  for (const auto& fields : rows) {
    auto meant = question{fields}.meant();
    ASSERT_FALSE(meant) << summary(meant);
    EXPECT_EQ(meant.error().code, errc::original_request_unclear);
  }
}

// A client's own next to the proxy's, or two of a client's.
TEST(OriginalRequest, IsRefusedWhereHeadersDisagree) {
  const std::vector<field> nginx = {{"X-Original-Method", "POST"}, {"X-Original-URI", "/mcp"}};
  const std::vector<field> traefik = {
      {"X-Forwarded-Method", "POST"}, {"X-Forwarded-Uri", "/mcp"}, {"X-Forwarded-Host", "gateway:8080"}};
  struct row {
    std::vector<field> proxy;
    field clients;
  } rows[] = {
      {nginx, {"X-Original-URI", "/mcp"}},
      {nginx, {"x-original-uri", "/public"}},
      {nginx, {"X_Original_URI", "/mcp"}},
      {nginx, {"X-Original_Method", "POST"}},
      {nginx, {"X-Original-Method", "GET"}},
      {nginx, {"X-Forwarded-Method", "GET"}},
      {nginx, {"X-Forwarded-Uri", "/public"}},
      {nginx, {"X-Forwarded-Host", "evil.example"}},
      {nginx, {"X-Forwarded-Host", "gateway:9"}},
      {nginx, {"X-Forwarded-Host", "gateway:8080, evil.example"}},
      {nginx, {"X-Original-URL", "https://evil.example/mcp"}},
      {nginx, {"X-Original-URL", "/mcp"}},
      {traefik, {"X-Original-URI", "/public"}},
      {traefik, {"X-Original-Method", "OPTIONS"}},
      {traefik, {"X-Original-URL", "http://gateway:8080/public"}},
      {traefik, {"X-Forwarded-Uri", "/mcp"}},
      {traefik, {"X-Forwarded.Uri", "/mcp"}},
      {traefik, {"X_Forwarded_Host", "gateway:8080"}},
  };
  for (auto& r : rows) {
    for (bool first : {true, false}) {
      auto fields = r.proxy;
      fields.insert(first ? fields.begin() : fields.end(), r.clients);
      auto meant = question{fields}.meant();
      ASSERT_FALSE(meant) << r.clients.name << ": " << r.clients.value << " gave " << summary(meant);
      EXPECT_EQ(meant.error().code, errc::original_request_unclear) << r.clients.name;
    }
  }
  // A whole family of the client's, that differs in the host alone.
  auto both = nginx;
  both.insert(
      both.end(),
      {{"X-Forwarded-Method", "POST"}, {"X-Forwarded-Uri", "/mcp"}, {"X-Forwarded-Host", "evil.example"}});
  EXPECT_FALSE(question{both}.meant());
  both = {{"X-Original-Method", "POST"},
          {"X-Original-URI", "/mcp"},
          {"X-Forwarded-Method", "POST"},
          {"X-Forwarded-Uri", "/mcp"},
          {"X-Forwarded-Host", "mcp.example.com"}};
  EXPECT_FALSE(question{both}.meant());
  for (const field& f : {field{"X-Original-URI", "/public"}, field{"X-Forwarded-Method", "GET"},
                         field{"X-Forwarded-Host", "evil.example"}}) {
    EXPECT_FALSE((question{{f}, "/auth/verify/mcp", {}, "POST"}.meant())) << f.name;
  }
}

TEST(OriginalRequest, IsRefusedWhereTwoServersCouldReadItDifferently) {
  struct row {
    const char* uri;
    errc code;
  } rows[] = {
      {"/mcp/../admin", errc::http_not_found},
      {"/mcp/%2e%2e/admin", errc::http_not_found},
      {"/mcp/..;/admin", errc::http_not_found},
      {"/mcp%2fadmin", errc::http_not_found},
      {"/mcp%5cadmin", errc::http_not_found},
      {"//evil.example/mcp", errc::http_not_found},
      {"/mcp/%zz", errc::http_not_found},
      {"/mcp/%00", errc::http_not_found},
      {"/mcp\\admin", errc::original_request_unclear},
      {"/mcp#/public", errc::original_request_unclear},
      {"/mcp /public", errc::original_request_unclear},
      {"mcp", errc::original_request_unclear},
      {"", errc::original_request_unclear},
      {"*", errc::original_request_unclear},
      {"http://h/mcp", errc::original_request_unclear},
      // A question about the question.
      {"/auth/verify", errc::original_request_unclear},
      {"/auth/verify/mcp", errc::original_request_unclear},
      {"/auth/verify?upstream=x", errc::original_request_unclear},
      {"/auth/%76erify", errc::original_request_unclear},
      {"/AUTH/verify/mcp", errc::original_request_unclear},
  };
  for (const auto& r : rows) {
    auto meant = question{{{"X-Original-Method", "GET"}, {"X-Original-URI", r.uri}}}.meant();
    ASSERT_FALSE(meant) << r.uri << " gave " << summary(meant);
    EXPECT_EQ(meant.error().code, r.code) << r.uri << ": " << meant.error().detail;
  }
  EXPECT_FALSE((question{{}, "/auth/verify/auth/verify/mcp"}.meant()));
  for (const char* host : {"", "h/x", "h@evil.example", "h,evil", "h evil", "h\"", "h\t"}) {
    EXPECT_FALSE(
        (question{{{"X-Forwarded-Method", "GET"}, {"X-Forwarded-Uri", "/mcp"}, {"X-Forwarded-Host", host}}}
             .meant()))
        << host;
  }
  for (const char* method : {"", "GET POST", "GET,POST", "G\x01T", "(GET)"})
    EXPECT_FALSE((question{{{"X-Original-Method", method}, {"X-Original-URI", "/mcp"}}}.meant())) << method;
}

TEST(VerifyOptions, AreTheOperatorsAndStandInTheExactAddressOnly) {
  auto options = [](std::string_view query, std::string_view path = verify_path) {
    return verify_options_of({"GET", path, query, "h", {}});
  };
  auto all = options("upstream=files&for=nginx");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->upstream, "files");
  EXPECT_TRUE(all->for_nginx);
  EXPECT_EQ(options("resource=https%3A%2F%2Fh%2Fmcp")->resource, "https://h/mcp");
  EXPECT_TRUE(options("")->upstream.empty());
  // Behind Envoy the query is the client's.
  auto clients = options("upstream=open&for=nginx", "/auth/verify/mcp");
  ASSERT_TRUE(clients);
  EXPECT_TRUE(clients->upstream.empty());
  EXPECT_FALSE(clients->for_nginx);
  for (const char* query : {"upstream=a&upstream=b", "upstream=a&resource=b", "for=apache", "trust=headers",
                            "skip=1", "upstream=", "upstream", "%zz", "Upstream=a"}) {
    auto refused = options(query);
    ASSERT_FALSE(refused) << query;
    EXPECT_EQ(refused.error().code, errc::original_request_unclear) << query;
  }
}

TEST(ClaimedIdentity, IsFoundInEverySpellingThatNoVerdictReplaces) {
  auto found = [](std::string_view name, const std::vector<std::string>& inject = {}) {
    std::vector<field> fields = {{"Accept", "*/*"}, {name, "root"}};
    return find_claimed_identity(fields, inject) != nullptr;
  };
  for (const char* name : {"X_User_Id",
                           "x-user_id",
                           "X_USER_EMAIL",
                           "X-User-Role",
                           "X_Client_Id",
                           "X-Client_Id",
                           "X.User.Id",
                           "X-Auth-Request-Groups",
                           "X_Auth_Request_User",
                           "X-Forwarded-User",
                           "X_Forwarded_Email",
                           "Remote-User",
                           "Remote_User",
                           "X-Remote-User",
                           "X-Forwarded-Access-Token",
                           "X-WebAuth-User",
                           "X_Authenticated_User",
                           "X-Goog-Authenticated-User-Email",
                           "X-Goog-IAP-JWT-Assertion",
                           "X-MS-CLIENT-PRINCIPAL"}) {
    EXPECT_TRUE(found(name)) << name;
  }
  for (auto name : verdict_headers) EXPECT_FALSE(found(name)) << name;
  for (const char* name : {"X-User-Agent", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto",
                           "Authorization", "Mcp-Session-Id", "X-Real-IP", "User-Agent", "X-Custom"}) {
    EXPECT_FALSE(found(name)) << name;
  }
  EXPECT_FALSE(found("x-forwarded-user", {"X-Forwarded-User"})) << "the verdict has that one, too";
  EXPECT_TRUE(found("x_forwarded_user", {"X-Forwarded-User"}));
  const std::vector<std::string> listed = {"X-MS-CLIENT-PRINCIPAL", "X-Remote-User"};
  std::vector<field> fields = {{"X-Ms-Client-Principal", "of their proxy"}};
  EXPECT_EQ(find_claimed_identity(fields, {}, listed), nullptr) << "handed on";
  fields = {{"X_MS_CLIENT_PRINCIPAL", "root"}};
  EXPECT_NE(find_claimed_identity(fields, {}, listed), nullptr);
  fields = {{"X-Remote-User", "root"}};
  EXPECT_NE(find_claimed_identity(fields, {}, listed), nullptr) << "no other proxy's alone";
}

}  // namespace
}  // namespace mcp_oauth
