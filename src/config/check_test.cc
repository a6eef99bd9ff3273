#include "config/check.h"

#include "symptom/catalogue.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

struct rule {
  const char* name;
  config_check check;
  std::vector<std::string> good, bad;
};

TEST(Check, TakesWhatIsRightAndRefusesTheRest) {
  const rule rules[] = {
      {"clean_text", checks::clean_text, {"", "plain", "ü"}, {"a\nb", std::string(1, '\0'), "\x7f", "\xff"}},
      {"listen_host",
       checks::listen_host,
       {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "gateway_1.internal"},
       {"", "http://localhost", "localhost:8080", "127.0.0.1:80", "127.0.0", "1.2.3.4.5", "256.1.1.1", "-a",
        "a b", "[::1]", "a..b", ".", std::string("127.0.0.1\0", 10)}},
      {"public_origin",
       checks::public_origin,
       {"https://mcp.example.com", "http://localhost:8080", "https://[::1]:8443"},
       {"", "mcp.example.com", "https://mcp.example.com/", "https://mcp.example.com/x",
        "https://MCP.example.com", "https://mcp.example.com:443", "ftp://a", "https://a?b", "https://a#b",
        "https://u:p@a", "https://", "https://a b", "https://a:0", "https://a:99999"}},
      {"callback",
       checks::callback,
       {"https://a.example/auth/callback", "https://a.example/oauth/callback", "http://localhost:1/callback"},
       {"", "/auth/callback", "https://a.example", "https://a.example/auth/callback/", "https://a.example/cb",
        "https://a.example/auth/callback?x=1", "https://a.example/auth/callback#x",
        "https://a.example/AUTH/callback"}},
      {"database",
       checks::database,
       {"sqlite://oauth.db", "sqlite:///var/lib/x.db", "postgresql://u:p@h:5432/d", "postgres://h/d",
        "postgresql:///d?host=/run/postgresql&sslmode=disable", "postgresql://u:p%40@a,b/d"},
       {"", "oauth.db", "sqlite://", "mysql://a", "postgresql:/h/d", "postgresql://u:p@q@h/d",
        "postgresql://u:p#q@h/d", "postgresql://u:p q@h/d"}},
      {"encryption_key",
       checks::encryption_key,
       {"6tHuvFyXGpPrEvrrcSVtgmuoEpKVtE3BWCzF0Wl9u9M=", "6tHuvFyXGpPrEvrrcSVtgmuoEpKVtE3BWCzF0Wl9u9M",
        "ead1eebc5c971a93eb12faeb71256d826ba8129295b44dc1582cc5d1697dbbd3"},
       {"", "x", std::string(32, 'a')}},
      {"provider_secret",
       checks::provider_secret,
       {"", "s3cret", "hunter2", "GOCSPX-x7", "the secret of a test"},
       {"changeme", "CHANGE_ME", "change-me-please", "__REPLACE_ME__", "<your-client-secret>",
        "your_secret_here", "secret", "password", "xxxxxxxx", "x-x-x", "example", "to do: placeholder"}},
      {"client_secret",
       checks::client_secret,
       {"6tHuvFyXGpPrEvrrcSVtgm", "a long sentence that nobody guesses"},
       {"", "short", "6tHuvFyXGpPrEvrrcSVtg", "__REPLACE_ME__REPLACE_ME__", "your-client-secret-goes-here",
        std::string(40, 'x')}},
      {"upstream_url",
       checks::upstream_url,
       {"http://localhost:3000", "https://a.example/mcp", "http://[::1]:3000/"},
       {"", "localhost:3000", "//a", "/mcp", "ftp://a", "http://u@a", "http://a?b", "http://a#b",
        "http://a\\b", "unix:/x"}},
      {"resource",
       checks::resource,
       {"https://a.example/mcp", "urn:x:y"},
       {"", "/mcp", "https://a#b", "https://a/"}},
      {"issuer",
       checks::issuer,
       {"https://idp.example.com", "https://idp.example.com/tenant/v2.0", "http://localhost:1"},
       {"", "idp.example.com", "https://idp.example.com?x",
        "https://idp.example.com/.well-known/openid-configuration"}},
      {"cors_origin",
       checks::cors_origin,
       {"*", "https://a.example", "http://localhost:3000", "http://localhost:*", "http://[::1]:*",
        "vscode-webview://abc"},
       {"", "null", "localhost:3000", "https://a.example/", "https://a.example/x", "https://*.a.example",
        "https://A.example", "https://a.example:443", "https://a:1:*", "http://*", "http://*:*",
        "https://u@a", "a:", "**", "data:,x"}},
      {"cidr",
       checks::cidr,
       {"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "0.0.0.0/0", "::/128"},
       {"", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08x", "10.0.0", "host", "/8",
        "1.2.3.4/99999999999"}},
      {"scope",
       checks::scope,
       {"mcp", "tools:read", "https://www.googleapis.com/auth/userinfo.profile"},
       {"", "a b", "a\"b", "a\\b", "ä", "a\t"}},
      {"header_name",
       checks::header_name,
       {"Authorization", "X-User-*", "*"},
       {"", "X User", "X:", "X-ä", "a/b", "(a)"}},
      {"public_path",
       checks::public_path,
       {"/mcp", "/mcp/*", "/a/b-c_d.e~f", "/authx"},
       {"", "/", "/*", "mcp", "/mcp/", "/a//b", "/a/../b", "/.well-known/x", "/a%20b", "/a?b", "/a#b",
        "/auth", "/auth/x", "/oauth/y", "/token", "/metrics", "/a*b", "/a b", "/health/*"}},
      {"item_name",
       checks::item_name,
       {"a", "corp-1_X", std::string(64, 'a')},
       {"", "a.b", "a b", "ä", "a/b", std::string(65, 'a')}},
      {"visible_text", checks::visible_text, {"abc", "a b"}, {"", "ä", "a\n"}},
      {"redirect_uri",
       checks::redirect_uri,
       {"https://a.example/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "cursor://x/y",
        "com.example:/cb"},
       {"", "/cb", "http://a.example/cb", "https://a.example/cb#f", "https://*.example/cb",
        "javascript:alert(1)", "data:text/html,x", "JavaScript:x", "https://u:p@a.example/cb"}},
      {"uri_scheme",
       checks::uri_scheme,
       {"cursor", "com.example.app", "a+b"},
       {"", "cursor://", "cursor:", "1a", "http", "HTTPS", "javascript", "a b"}},
      {"domain",
       checks::domain,
       {"example.com", "a.b.example"},
       {"", "@example.com", "a@example.com", "example", "*.example.com", "a b.com", ".com"}},
      {"prompt",
       checks::prompt,
       {"", "login", "consent select_account", "none"},
       {"always", "none login", "Login"}},
      {"provider_type",
       checks::provider_type,
       {"oidc", "oauth2", "local", "google", "microsoft", "azure", "github", "okta", "auth0", "keycloak"},
       {"", "HMAC", "saml", "OIDC "}},
      {"tenant",
       checks::tenant,
       {"common", "organizations", "11111111-2222-3333-4444-555555555555", "contoso.onmicrosoft.com"},
       {"", "a/b", "a b", "../common", "a?b", "{tenantid}"}},
      {"endpoint_url",
       checks::endpoint_url,
       {"https://idp.example/authorize", "http://localhost:1/token", "https://idp.example/a?p=policy"},
       {"", "/authorize", "ftp://idp.example/a", "https://idp.example/a#b", "https://u:p@idp.example/a"}},
      {"provider_callback",
       checks::provider_callback,
       {"https://mcp.example.com/auth/callback/corp"},
       {"", "https://mcp.example.com/auth/callback", "https://mcp.example.com/auth/callback/",
        "https://mcp.example.com/auth/callback/a/b", "https://mcp.example.com/corp"}},
      {"organization",
       checks::organization,
       {"acme", "acme-corp/platform_team"},
       {"", "/", "acme/", "/team", "a/b/c", "a b", "..", "acme/..", "a%2fb", "{login}"}},
      {"pkce_enabled", checks::pkce_enabled, {"true", "True"}, {"", "false", "yes"}},
      {"challenge_method", checks::challenge_method, {"S256"}, {"", "plain", "s256", "S512"}},
      {"answer_header",
       checks::answer_header,
       {"X-Served-By", "server-timing", "Strict-Transport-Security", "Location", "Server"},
       {"",
        "a b",
        "X-*",
        "Content-Length",
        "transfer-encoding",
        "Transfer_Encoding",
        "Connection",
        "Upgrade",
        "Proxy-Authenticate",
        "Content-Type",
        "Content-Encoding",
        "Date",
        "VARY",
        "Set-Cookie",
        "WWW-Authenticate",
        "Mcp-Session-Id",
        "Mcp-Anything",
        "MCP-Protocol-Version",
        "Access-Control-Allow-Origin",
        "access-control-x",
        "X-Request-Id",
        "X-Accel-Buffering",
        "X:",
        "X\r\nY"}},
      {"removed_header",
       checks::removed_header,
       {"X-*", "X-Internal-*", "Server-Timing", "*-debug", "content-security-*"},
       {"*", "**", "c*", "Content-*", "*-type", "Mcp-*", "www-*", "Access-*", "D*", "V*", "t*encoding",
        "Content-Type", "Set-Cookie", "a b*"}},
  };
  for (const auto& one : rules) {
    for (const auto& text : one.good)
      EXPECT_EQ(one.check(text).has_value(), false) << one.name << ": " << text;
    for (const auto& text : one.bad) EXPECT_EQ(one.check(text).has_value(), true) << one.name << ": " << text;
  }
}

TEST(Check, SaysWhatToWriteInstead) {
  EXPECT_EQ(checks::public_origin("https://MCP.example.com:443/")->hint, "write https://mcp.example.com");
  EXPECT_EQ(checks::callback("http://localhost:8080/auth/callback/")->hint,
            "write http://localhost:8080/auth/callback");
  EXPECT_EQ(checks::callback("http://localhost:8080/cb")->hint, "write http://localhost:8080/auth/callback");
  EXPECT_EQ(checks::cors_origin("https://a.example/")->hint, "write https://a.example");
  EXPECT_EQ(checks::cors_origin("http://LOCALHOST:*")->hint, "write http://localhost:*");
  EXPECT_EQ(checks::issuer("https://a.example/.well-known/openid-configuration")->hint,
            "write https://a.example");
}

TEST(Check, PlainIsRefusedInTheWordsOfTheCatalogue) {
  EXPECT_EQ(checks::challenge_method("plain")->rule, explain(errc::pkce_method_plain).description);
}

}  // namespace
}  // namespace mcp_oauth
