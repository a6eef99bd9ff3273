// Codes, refresh tokens and cookies against the whole server, over many connections at once. What it was that
// went wrong elsewhere: docs/past-mistakes.md.

#include "app/gateway_fixture.h"
#include "base/base64url.h"
#include "base/form.h"
#include "base/json.h"
#include "broker/users.h"
#include "jose/digest.h"

#include <set>
#include <vector>

namespace mcp_oauth {
namespace {

constexpr const char* callback = "http://127.0.0.1:7777/callback";
constexpr const char* verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
constexpr std::size_t at_once = 96;

std::string field_of(const std::string& answer, const std::string& name) {
  auto at = answer.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  at += name.size() + 4;
  return answer.substr(at, answer.find("\r\n", at) - at);
}

std::string value_on(const std::string& page, const std::string& name) {
  auto at = page.find("name=\"" + name + "\" value=\"");
  if (at == std::string::npos) return "";
  at = page.find("value=\"", at) + 7;
  return page.substr(at, page.find('"', at) - at);
}

std::string parameter_of(const std::string& location, std::string_view name) {
  auto parsed = form::parse(location.substr(std::min(location.find('?') + 1, location.size())));
  return parsed ? std::string(parsed->find(name).value_or("")) : "";
}

json::object body_of(const std::string& answer) {
  return parse_json_object(answer.substr(answer.find("\r\n\r\n") + 4)).value_or(json::object());
}

class AdvisoryRaces : public Gateway {
 protected:
  AdvisoryRaces() { conf.rates = {0, 0, 0, 0, 0}; }

  static std::string form_post(const std::string& path, const form& body, const std::string& fields = "") {
    auto text = body.encode();
    return "POST " + path +
           " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
           fields + "Accept: text/html\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
  }
  static form make_form(std::initializer_list<std::pair<const char*, std::string>> pairs) {
    form f;
    for (const auto& [n, v] : pairs) f.add(n, v);
    return f;
  }

  void sign_up() {
    start();
    const password_cost cheap{1, 8192};
    auto random = [](std::size_t n) { return random_bytes(n); };
    ASSERT_TRUE(add_user(store, "ada", random, cheap, now()));
    auto who = find_user(store, "ada", now());
    ASSERT_TRUE(who && *who);
    ASSERT_TRUE(choose_password(store, **who, secret("correct horse battery"), cheap, now()));
    const std::string metadata =
        R"({"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none",)"
        R"("grant_types":["authorization_code","refresh_token"]})";
    auto registered = answer_to(
        "POST /oauth/register HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(metadata.size()) + "\r\n\r\n" + metadata);
    client = text_member(body_of(registered), "client_id");
    ASSERT_NE(client, "") << registered;
  }

  // With a browser of its own, from the first page to the code.
  std::string code() {
    auto query = make_form({{"response_type", "code"},
                            {"client_id", client},
                            {"redirect_uri", callback},
                            {"code_challenge", base64url_encode(sha256_bytes(verifier))},
                            {"code_challenge_method", "S256"}})
                     .encode();
    auto page = answer_to(get("/oauth/authorize?" + query, "Accept: text/html\r\n"));
    auto cookie =
        "Cookie: " + field_of(page, "Set-Cookie").substr(0, field_of(page, "Set-Cookie").find(';')) + "\r\n";
    auto approved = answer_to(form_post(
        "/oauth/consent", make_form({{"request", value_on(page, "request")}, {"approve", "local"}}), cookie));
    auto sign_in = answer_to(get(field_of(approved, "Location"), cookie + "Accept: text/html\r\n"));
    auto done = answer_to(form_post("/auth/signin",
                                    make_form({{"login", value_on(sign_in, "login")},
                                               {"form", value_on(sign_in, "form")},
                                               {"user", "ada"},
                                               {"password", "correct horse battery"}}),
                                    cookie));
    EXPECT_EQ(status_of(done), 303) << done;
    return parameter_of(field_of(done, "Location"), "code");
  }
  form redeeming(const std::string& of) {
    return make_form({{"grant_type", "authorization_code"},
                      {"client_id", client},
                      {"code", of},
                      {"redirect_uri", callback},
                      {"code_verifier", verifier}});
  }
  form refreshing(const std::string& token) {
    return make_form({{"grant_type", "refresh_token"}, {"client_id", client}, {"refresh_token", token}});
  }

  // The same request on many connections: all of them wait for their last byte, and then get it.
  std::vector<std::string> race(const form& request) {
    auto bytes = form_post("/oauth/token", request, "Connection: close\r\n");
    std::vector<net::test_peer> peers;
    for (std::size_t i = 0; i < at_once; ++i) {
      peers.push_back(connect());
      peers.back().send(std::string_view(bytes).substr(0, bytes.size() - 1));
    }
    for (auto& p : peers) p.send(std::string_view(bytes).substr(bytes.size() - 1));
    std::vector<std::string> answers;
    for (auto& p : peers) answers.push_back(p.rest());
    return answers;
  }
  static std::size_t count_of(const std::vector<std::string>& answers, int status) {
    return static_cast<std::size_t>(
        std::count_if(answers.begin(), answers.end(), [&](const auto& a) { return status_of(a) == status; }));
  }
  // What the MCP endpoint says to it: 401, or the upstream's answer.
  int status_at_mcp(const std::string& access_token) {
    upstream_is_down = true;
    auto answer = answer_to(post(call, "Authorization: Bearer " + access_token + "\r\n"));
    return status_of(answer);
  }

  std::string client;
};

// obot, 2026, and others: look, issue, delete. Two requests at once both got tokens.
TEST_F(AdvisoryRaces, Obot_2026_OneCodeOnManyConnectionsIsOneGrantAndTheReplayEndsIt) {
  sign_up();
  for (int round = 0; round < 3; ++round) {
    auto answers = race(redeeming(code()));
    EXPECT_EQ(count_of(answers, 200), 1u);
    EXPECT_EQ(count_of(answers, 400), at_once - 1);
    for (const auto& answer : answers) {
      if (status_of(answer) == 400) {
        EXPECT_EQ(text_member(body_of(answer), "error"), "invalid_grant");
        continue;
      }
      auto tokens = body_of(answer);
      EXPECT_EQ(status_at_mcp(text_member(tokens, "access_token")), 401) << "somebody had a copy of the code";
      EXPECT_EQ(
          status_of(answer_to(form_post("/oauth/token", refreshing(text_member(tokens, "refresh_token"))))),
          400);
    }
  }
}

// Every fork that rotates: a client that repeats itself lost its session, or two families went on.
TEST_F(AdvisoryRaces, Obot_2026_OneRefreshTokenOnManyConnectionsHasOneSuccessor) {
  sign_up();
  auto first = body_of(answer_to(form_post("/oauth/token", redeeming(code()))));
  auto latest = text_member(first, "refresh_token");
  for (int round = 0; round < 12; ++round) {
    auto answers = race(refreshing(latest));
    EXPECT_EQ(count_of(answers, 200), at_once);
    std::set<std::string> successors, access_tokens;
    for (const auto& answer : answers) {
      successors.insert(text_member(body_of(answer), "refresh_token"));
      access_tokens.insert(text_member(body_of(answer), "access_token"));
    }
    ASSERT_EQ(successors.size(), 1u) << "one family";
    EXPECT_EQ(successors.count("") + successors.count(latest), 0u);
    EXPECT_NE(status_at_mcp(*access_tokens.begin()), 401);
    EXPECT_NE(status_at_mcp(*access_tokens.rbegin()), 401);
    latest = *successors.begin();
  }
}

TEST_F(AdvisoryRaces, Obot_2026_WithoutGraceOneRefreshWinsAndTheReplayEndsTheFamily) {
  conf.refresh_grace = seconds(0);
  sign_up();
  auto first = body_of(answer_to(form_post("/oauth/token", redeeming(code()))));
  auto answers = race(refreshing(text_member(first, "refresh_token")));
  EXPECT_LE(count_of(answers, 200), 1u);
  EXPECT_EQ(count_of(answers, 200) + count_of(answers, 400), at_once);
  for (const auto& answer : answers) {
    if (status_of(answer) != 200) continue;
    auto tokens = body_of(answer);
    EXPECT_EQ(status_at_mcp(text_member(tokens, "access_token")), 401);
    EXPECT_EQ(
        status_of(answer_to(form_post("/oauth/token", refreshing(text_member(tokens, "refresh_token"))))),
        400);
  }
  EXPECT_EQ(status_at_mcp(text_member(first, "access_token")), 401);
}

// A revocation in the middle of a storm of refreshes: nothing of the grant is alive afterwards.
TEST_F(AdvisoryRaces, Obot_2026_ARevocationAmongManyRefreshesLeavesNothing) {
  sign_up();
  auto first = body_of(answer_to(form_post("/oauth/token", redeeming(code()))));
  auto request =
      form_post("/oauth/token", refreshing(text_member(first, "refresh_token")), "Connection: close\r\n");
  auto revocation = form_post(
      "/oauth/revoke", make_form({{"client_id", client}, {"token", text_member(first, "refresh_token")}}),
      "Connection: close\r\n");
  std::vector<net::test_peer> peers;
  for (std::size_t i = 0; i < at_once; ++i) {
    peers.push_back(connect());
    peers.back().send(i == at_once / 2 ? revocation : request);
  }
  std::vector<std::string> answers;
  for (auto& p : peers) answers.push_back(p.rest());
  EXPECT_EQ(status_of(answers[at_once / 2]), 200);
  for (std::size_t i = 0; i < at_once; ++i) {
    if (i == at_once / 2) continue;
    auto tokens = body_of(answers[i]);
    if (status_of(answers[i]) != 200) {
      EXPECT_EQ(text_member(tokens, "error"), "invalid_grant") << answers[i];
      continue;
    }
    EXPECT_EQ(status_at_mcp(text_member(tokens, "access_token")), 401);
    EXPECT_EQ(
        status_of(answer_to(form_post("/oauth/token", refreshing(text_member(tokens, "refresh_token"))))),
        400);
  }
  EXPECT_EQ(*store.count("refresh", now()) + *store.count("grant", now()), 0u);
}

// mod_auth_openidc: cookies that crash, or keep a server busy.
TEST_F(AdvisoryRaces, CVE_2023_28625_CookiesOfEveryFormAreAnswered) {
  start();
  const std::string jar(30'000, 'a');
  for (const std::string& cookie : {std::string(),
                                    std::string(";"),
                                    std::string(";;;;;;"),
                                    std::string("="),
                                    std::string("=;=;="),
                                    std::string("a"),
                                    std::string("mop_browser"),
                                    std::string("mop_browser="),
                                    std::string("mop_browser=;mop_browser="),
                                    "mop_browser=" + jar,
                                    jar,
                                    std::string(30'000, ';'),
                                    std::string(30'000, '='),
                                    std::string(30'000, ' '),
                                    std::string("mop_browser_chunks=99999999999; mop_browser_0=a"),
                                    std::string("mop_browser=\xff\xfe"),
                                    std::string("mop_browser=\"a;b\""),
                                    std::string("$Version=1; mop_browser=a; $Path=/"),
                                    std::string("__Host-mop_browser=" + std::string(43, 'A')),
                                    std::string("mop_browser=" + std::string(43, '='))}) {
    auto page = answer_to(get("/auth/logout", "Accept: text/html\r\nCookie: " + cookie + "\r\n"));
    EXPECT_EQ(status_of(page), 200) << cookie.substr(0, 60);
    EXPECT_NE(field_of(page, "Set-Cookie"), "")
        << "none of them is a browser that we know: " << cookie.substr(0, 60);
  }
  std::string lines;
  for (int i = 0; i < 60; ++i) lines += "Cookie: a" + std::to_string(i) + "=1\r\n";
  EXPECT_EQ(status_of(answer_to(get("/auth/logout", "Accept: text/html\r\n" + lines))), 200);
  EXPECT_EQ(status_of(answer_to(get("/auth/logout", "Cookie: " + std::string(64'000, 'a') + "\r\n"))), 431);
}

// liboauth2 and mod_auth_openidc: tokens with key ids that nobody knows made a server ask, and then let them
// in.
TEST_F(AdvisoryRaces, Liboauth2_2026_UnknownKeyIdsAreRefused) {
  start();
  auto stranger = signing_key::generate_es256();
  upstream_is_down = true;
  for (int i = 0; i < 300; ++i) {
    access_claims c;
    c.issuer = origin;
    c.subject = "local:ada";
    c.audience = resource;
    c.client_id = "client";
    c.token_id = std::to_string(i);
    c.scopes = {"mcp"};
    c.issued = now();
    c.expires = now() + seconds(60);
    auto answer = answer_to(post(call, "Authorization: Bearer " + mint_access_token(c, stranger) + "\r\n"));
    ASSERT_EQ(status_of(answer), 401);
    ASSERT_TRUE(has(answer, "invalid_token"));
  }
  EXPECT_NE(status_at_mcp(token()), 401) << "and those who are known are served";
}

}  // namespace
}  // namespace mcp_oauth
