// What went wrong in validators of others, done to ours: docs/past-mistakes.md has the whole list.

#include "base/ip_address.h"
#include "base/json.h"
#include "jose/jws.h"
#include "oauth/access_token.h"
#include "oauth/client_document.h"
#include "oauth/cookies.h"
#include "oauth/endpoint_form.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr std::int64_t issued_at = 1'790'000'000;

class AdvisoryAccessToken : public testing::Test {
 protected:
  // A token whose payload is that text; `exp` and its neighbours stand where the test says.
  static std::string signed_text(const std::string& payload, const std::string& typ = "at+jwt") {
    return sign_jws(key(), typ, key().public_part().kid(), payload);
  }
  static std::string with_times(const std::string& times) {
    return signed_text(R"({"iss":"https://mcp.example.com","aud":"https://mcp.example.com/mcp","sub":"ada",)"
                       R"("client_id":"c","jti":"t","scope":"mcp")" +
                       times + "}");
  }
  errc verdict(const std::string& token, std::int64_t at = issued_at) const {
    auto verified = verify_access_token(token, keys, rules, from_unix(at));
    return verified ? errc::count_ : verified.error().code;
  }
  static const signing_key& key() {
    static const signing_key made = signing_key::generate_es256();
    return made;
  }
  key_set keys = key_set::of({key().public_part()});
  token_rules rules{"https://mcp.example.com", "https://mcp.example.com/mcp", seconds(60)};
};

// liboauth2 and mod_auth_openidc: `exp` was optional, and a number too large was cast.
TEST_F(AdvisoryAccessToken, Liboauth2_2026_TimesOfEveryForm) {
  struct row {
    const char* times;
    errc code;
  };
  for (auto [times, code] : {
           row{R"(,"iat":1790000000,"exp":1790000900)", errc::count_},
           row{R"(,"iat":1790000000.25,"exp":1790000900.75)", errc::count_},
           row{R"(,"iat":1.79e9,"exp":1.7900009e9)", errc::count_},
           row{R"(,"iat":1790000000,"exp":4102444800)", errc::count_},           // 2100
           row{R"(,"iat":1790000000,"exp":253402300799)", errc::count_},         // 9999
           row{R"(,"iat":1790000000,"exp":9223372036854775807)", errc::count_},  // 2^63 - 1
           row{R"(,"iat":1790000000,"exp":9223372036854775808)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":18446744073709551615)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":18446744073709551616)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1e300)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1e16)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":-1e300)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1e999)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1e-300)", errc::token_expired},
           row{R"(,"iat":1790000000,"exp":-0.0)", errc::token_expired},
           row{R"(,"iat":1790000000,"exp":0)", errc::token_expired},
           row{R"(,"iat":1790000000,"exp":-1)", errc::token_expired},
           row{R"(,"iat":1790000000,"exp":-9223372036854775808)", errc::token_expired},
           row{R"(,"iat":1790000000,"exp":2147483648)", errc::count_},  // beyond 2038
           row{R"(,"iat":1790000000,"exp":NaN)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":Infinity)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":0x6AB13B80)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":01790000900)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":+1790000900)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":"1790000900")", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":"2100-01-01T00:00:00Z")", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":[1790000900])", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":{"$date":1790000900})", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":true)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":null)", errc::token_malformed},
           row{R"(,"iat":1790000000)", errc::token_claim_missing},
           row{R"(,"iat":1790000000,"Exp":1790000900)", errc::token_claim_missing},
           row{R"(,"iat":1790000000,"exp":1,"exp":1790000900)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1,"e\u0078p":1790000900)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1790000900,"nbf":1e300)", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1790000900,"nbf":"0")", errc::token_malformed},
           row{R"(,"iat":1790000000,"exp":1790000900,"nbf":1790000060.9)", errc::count_},
           row{R"(,"iat":1790000000,"exp":1790000900,"nbf":9223372036854775807)", errc::token_not_yet_valid},
           row{R"(,"iat":"now","exp":1790000900)", errc::token_malformed},
       }) {
    EXPECT_EQ(verdict(with_times(times)), code) << times;
  }
  // A clock beyond 2038, and one far beyond.
  EXPECT_EQ(verdict(with_times(R"(,"iat":2147483600,"exp":2147484500)"), 2147484000), errc::count_);
  EXPECT_EQ(verdict(with_times(R"(,"iat":2147483600,"exp":2147484500)"), 2147484560), errc::token_expired);
  EXPECT_EQ(verdict(with_times(R"(,"iat":1,"exp":8999999999)"), 8999999000), errc::count_);
}

// mod_auth_openidc: a token for another server, signed with the same key.
TEST_F(AdvisoryAccessToken, GHSA_wcvh_g65p_v576_OtherReadersOfTheSameKeyAreOthers) {
  auto token = [](const char* iss, const char* aud) {
    return signed_text(
        std::string(R"({"sub":"ada","client_id":"c","jti":"t","iat":1790000000,"exp":1790000900)") +
        (*iss != '\0' ? std::string(",\"iss\":") + iss : "") +
        (*aud != '\0' ? std::string(",\"aud\":") + aud : "") + "}");
  };
  const char* our_issuer = R"("https://mcp.example.com")";
  const char* our_audience = R"("https://mcp.example.com/mcp")";
  ASSERT_EQ(verdict(token(our_issuer, our_audience)), errc::count_);
  for (const char* aud : {R"("https://other.example/mcp")", R"([])", R"([""])", R"("*")", R"(["*"])",
                          R"("https://mcp.example.com/mcp ")", R"("https://mcp.example.com/mcp\u0000")",
                          R"("https://mcp.example.com/mcp,https://other.example")",
                          R"("https://MCP.example.com/mcp")", R"("https://mcp.example.com:443/mcp")",
                          R"("https://mcp.example.com/mcp#")", R"("https://mcp.example.com/mcp?")",
                          R"("https://mcp.example.com/%6dcp")", R"("https://mcp.example.com//mcp")"}) {
    EXPECT_EQ(verdict(token(our_issuer, aud)), errc::token_audience_mismatch) << aud;
  }
  for (const char* aud : {R"(null)", R"({"0":"https://mcp.example.com/mcp"})",
                          R"([["https://mcp.example.com/mcp"]])", R"(["https://mcp.example.com/mcp",7])"}) {
    EXPECT_EQ(verdict(token(our_issuer, aud)), errc::token_malformed) << aud;
  }
  EXPECT_EQ(verdict(token(our_issuer, "")), errc::token_claim_missing);
  EXPECT_EQ(verdict(token("", our_audience)), errc::token_claim_missing);
  for (const char* iss : {R"("https://mcp.example.com/")", R"("https://mcp.example.com.evil.example")",
                          R"("https://mcp.example.com\u0000")", R"("https://MCP.EXAMPLE.COM")",
                          R"("mcp.example.com")", R"("https://mcp.example.com ")", R"("*")"}) {
    EXPECT_EQ(verdict(token(iss, our_audience)), errc::token_issuer_mismatch) << iss;
  }
  for (const char* iss :
       {R"(["https://mcp.example.com"])", R"({"":"https://mcp.example.com"})", "null", "7"}) {
    EXPECT_EQ(verdict(token(iss, our_audience)), errc::token_malformed) << iss;
  }
}

// Tokens of the same server that are for something else.
TEST_F(AdvisoryAccessToken, Wso2_2026_NothingButAnAccessTokenIsOne) {
  const std::string payload =
      R"({"iss":"https://mcp.example.com","aud":"https://mcp.example.com/mcp","sub":"ada","client_id":"c",)"
      R"("jti":"t","iat":1790000000,"exp":1790000900})";
  EXPECT_EQ(verdict(signed_text(payload)), errc::count_);
  for (const char* typ :
       {"", "JWT", "id_token+jwt", "logout+jwt", "token-introspection+jwt", "dpop+jwt", "oauth-authz-req+jwt",
        "secevent+jwt", "at+jws", "at jwt", "at+jwt;v=1", "at+jwt,JWT"}) {
    EXPECT_EQ(verdict(signed_text(payload, typ)), errc::token_type_wrong) << typ;
  }
}

// mod_auth_openidc: CVE-2023-28625 crashed on an empty piece, CVE-2024-24814 looped for a count that a cookie
// named.
TEST(AdvisoryCookies, CVE_2024_24814_ACookieFieldCostsWhatItsLengthCosts) {
  const std::string name = "mod_auth_openidc_session";
  for (const std::string& bomb :
       {name + "_chunks=99999999999999999999; " + name + "_0=a", name + "_chunks=-1", name + "_chunks=",
        name + "=", std::string("=;=;=;="), std::string(16 * 1024, ';'), std::string(16 * 1024, '='),
        std::string(8 * 1024, 'a') + "=1", std::string(1 << 20, ' '), std::string(1 << 20, 'x') + "=1"}) {
    auto cookies = parse_cookies(bomb);
    EXPECT_LE(cookies.size(), 128u) << bomb.substr(0, 40);
    http_fields fields{{"Cookie", bomb}, {"Cookie", "login=1"}};
    auto found = find_cookie(fields, "login", origin_scheme::http);
    EXPECT_TRUE(!found || *found == "1") << bomb.substr(0, 40);
  }
  http_fields many;
  for (int i = 0; i < 10'000; ++i) many.add("Cookie", "login=" + std::to_string(i % 2));
  EXPECT_EQ(find_cookie(many, "login", origin_scheme::http), std::nullopt) << "it contradicts itself";
}

// mod_auth_openidc, 2026-08: of two, the last one won; for every parameter there is.
TEST(AdvisoryForms, ModAuthOpenidc_2026_08_ARepeatedParameterIsNoParameter) {
  for (const char* name :
       {"client_id", "redirect_uri", "state", "code", "access_token", "logout_token", "iss", "scope",
        "grant_type", "code_verifier", "refresh_token", "client_secret", "token", "nonce"}) {
    for (const char* query : {"%s=a&%s=b", "%s=a&%s=a", "%s=a&x=y&%s=b", "x=y&%s=b&%s=a&%s=c"}) {
      std::string text = query;
      for (auto at = text.find("%s"); at != std::string::npos; at = text.find("%s"))
        text.replace(at, 2, name);
      auto parsed = form::parse(text);
      ASSERT_TRUE(parsed) << text;
      auto value = optional_parameter(*parsed, name, 100);
      ASSERT_FALSE(value) << text;
      EXPECT_EQ(value.error().code, errc::parameter_repeated) << text;
    }
    // The same name in another spelling.
    std::string escaped = "%" + std::string(1, "0123456789ABCDEF"[name[0] / 16]) +
                          std::string(1, "0123456789ABCDEF"[name[0] % 16]) + std::string(name + 1);
    auto parsed = form::parse(std::string(name) + "=a&" + escaped + "=b");
    EXPECT_TRUE(!parsed || !optional_parameter(*parsed, name, 100)) << name;
  }
}

// MCP Registry and spring-ai: the list of blocks had holes. Every way to write or wrap an inner address; what
// is not refused for its form is refused for the address that it is.
TEST(AdvisoryServerSideRequest, CVE_2026_44430_EveryDisguiseOfAnInnerAddress) {
  const std::vector<std::string> hosts = {
      // one number, and fewer parts
      "2130706433", "2852039166", "3232235521", "167772161", "017700000001", "0x7f000001", "0x7F000001",
      "0xa9fea9fe", "127.1", "127.0.1", "10.1", "192.168.257", "0", "0.0", "00000000", "0x0",
      // octal, hex and mixed parts, and leading zeros
      "0177.0.0.1", "0177.0.0.01", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0251.0376.0251.0376",
      "0xa9.0xfe.0xa9.0xfe", "127.0.0.01", "127.000.000.001", "010.0.0.1", "0x7f.1", "0177.1",
      "169.254.43518", "169.16689662",
      // dots at the end
      "127.0.0.1.", "2130706433.", "0x7f.1.", "169.254.169.254.", "10.0.0.1.",
      // plain
      "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1",
      "169.254.169.254", "100.64.0.1", "100.127.255.254", "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.0.170",
      "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1",
      "239.255.255.250", "240.0.0.1", "255.255.255.255",
      // IPv6: loopback, unspecified, unique local, link-local with and without a zone, site-local, multicast
      "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[fc00::1]", "[fd00:ec2::254]", "[fdff::1]",
      "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[febf::1]", "[fec0::1]", "[feff::1]", "[ff02::1]",
      "[ff0e::1]",
      // IPv4 in IPv6: compatible, mapped, translated, 6to4, NAT64 with both prefixes, Teredo, ISATAP
      "[::127.0.0.1]", "[::7f00:1]", "[::a9fe:a9fe]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
      "[::FFFF:10.0.0.1]", "[0:0:0:0:0:ffff:169.254.169.254]", "[::ffff:0:127.0.0.1]", "[::ffff:0:a9fe:a9fe]",
      "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2002:c0a8:1::1]", "[2002:0a00:0001::]",
      "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::127.0.0.1]",
      "[64:ff9b:1::8.8.8.8]", "[64:ff9b:1:7f00:0:100::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
      "[2001::1]", "[2606:4700::5efe:127.0.0.1]", "[2606:4700::200:5efe:10.0.0.1]",
      "[fe80::5efe:192.168.0.1]", "[2001:db8::1]", "[3fff::1]", "[100::1]", "[2001:10::1]", "[2001:20::1]",
      "[5f00::1]",
      // digits of other scripts and forms, dots of other scripts, what is not seen
      "\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1", "\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1",
      "127\xE3\x80\x82"
      "0\xE3\x80\x82"
      "0\xE3\x80\x82"
      "1",
      "127\xEF\xBC\x8E"
      "0.0.1",
      "127\xEF\xBD\xA1"
      "0.0.1",
      "\xF0\x9D\x9F\x8F\xF0\x9D\x9F\x90\xF0\x9D\x9F\x95.0.0.1", "\xD9\xA1\xD9\xA2\xD9\xA7.0.0.1",
      "127.0.0.1\xC2\xAD", "127\xE2\x80\x8B.0.0.1", "local\xC2\xADhost",
      "\xE2\x93\x9B\xE2\x93\x9E\xE2\x93\x92"
      "al",
      "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127.0.0.1%00.example.com", "127.0.0.1%2eexample.com",
      "%6cocalhost",
      // who it says it is, and what stands behind it
      "client.example@127.0.0.1", "client.example:443@127.0.0.1", "@127.0.0.1", "127.0.0.1:80@client.example",
      "127.0.0.1#@client.example", "127.0.0.1\\@client.example", "client.example\\@127.0.0.1",
      "127.0.0.1\\.client.example", "127.0.0.1 client.example", "127.0.0.1\tclient.example",
      "127.0.0.1\r\nHost: client.example", "[::1].client.example", "[::1", "::1]", "[127.0.0.1]",
      "[::ffff:127.0.0.01]", "1.2.3.4.5", "256.0.0.1", "127.0.0.1:99999", "127..0.1"};
  EXPECT_GT(hosts.size(), 130u);
  for (const auto& host : hosts) {
    auto parsed = client_document_url("https://" + host + "/client.json");
    if (!parsed) {
      EXPECT_EQ(parsed.error().code, errc::client_document_refused) << host;
      continue;
    }
    auto address = ip_address::parse(parsed->host);
    ASSERT_TRUE(address) << host << " is left to the resolver as " << parsed->host;
    EXPECT_FALSE(is_public(*address)) << host;
  }
  for (const char* host :
       {"client.example", "client.example:8443", "xn--bcher-kva.example", "8.8.8.8", "[2606:4700::1111]"}) {
    auto parsed = client_document_url("https://" + std::string(host) + "/client.json");
    ASSERT_TRUE(parsed) << host;
    auto address = ip_address::parse(parsed->host);
    EXPECT_TRUE(!address || is_public(*address)) << host;
  }
}

}  // namespace
}  // namespace mcp_oauth
