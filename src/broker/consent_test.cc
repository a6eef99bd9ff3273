// The way to the approval and what must not lead through it.

#include "broker/consent_memory.h"
#include "broker/fixture.h"

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;

class Consent : public BrokerTest {
 protected:
  void SetUp() override {
    add_user("ada", "correct horse battery");
    client = register_public();
    web_client = register_public("https://app.example.org/callback");
  }
  http_response page_for(test_browser& b, const form& request) {
    return visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
  }
  form web_request() { return authorization(web_client, "https://app.example.org/callback"); }
  http_response post_consent(test_browser& b, const form& body, http_fields more = {}) {
    auto request = post_request("/oauth/consent", body);
    for (const auto& [n, v] : more) request.fields.set(n, v);
    return visit(b, endpoint::consent, request);
  }
  std::string client, web_client;
};

TEST_F(Consent, ThePageNamesClientRedirectHostResourceAndScopes) {
  test_browser b;
  auto page = page_for(b, web_request());
  for (auto part :
       {"Test client", "app.example.org", "https://mcp.example.com/mcp", "tools:read", "not verified"}) {
    EXPECT_THAT(page.body, HasSubstr(part));
  }
  EXPECT_THAT(page.body, Not(HasSubstr("program on this computer")));
  EXPECT_THAT(page_for(b, authorization(client)).body, HasSubstr("program on this computer"));
}

TEST_F(Consent, ThePagesHaveEveryHeaderAgainstFramingSniffingAndLeaking) {
  test_browser b;
  auto asked = page_for(b, authorization(client));
  auto redirect = approve(b, asked);
  auto sign_in_form = open_sign_in(b, redirect);
  auto refused = page_for(b, make_form({{"client_id", "unknown"}}));
  auto out = visit(b, endpoint::sign_out, get_request("/auth/logout"));
  for (const auto* page : {&asked, &sign_in_form, &refused, &out}) {
    const auto& f = page->fields;
    EXPECT_EQ(f.first("x-frame-options"), "DENY");
    EXPECT_EQ(f.first("referrer-policy"), "no-referrer");
    EXPECT_EQ(f.first("x-content-type-options"), "nosniff");
    EXPECT_EQ(f.first("cross-origin-opener-policy"), "same-origin");
    EXPECT_EQ(f.first("cache-control"), "no-store");
    EXPECT_EQ(f.first("content-type"), "text/html; charset=utf-8");
    std::string csp(f.first("content-security-policy"));
    for (auto part :
         {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"}) {
      EXPECT_THAT(csp, HasSubstr(part));
    }
    EXPECT_THAT(csp, Not(HasSubstr("form-action")));
    EXPECT_THAT(csp, Not(HasSubstr("unsafe")));
    // The hash is that of the style element as it stands in the page.
    auto from = page->body.find("<style>") + 7;
    auto style = page->body.substr(from, page->body.find("</style>") - from);
    EXPECT_THAT(csp, HasSubstr(base64_encode(sha256_bytes(style))));
    EXPECT_THAT(page->body, Not(HasSubstr("<script")));
  }
}

TEST_F(Consent, AClientsWordsCannotBecomeMarkup) {
  auto answer = ask(endpoint::register_client,
                    registration({{"client_name", "<script>alert(1)</script>\"'>{{request}}{{{request}}}&"},
                                  {"redirect_uris", json::array{"http://127.0.0.1/callback"}},
                                  {"token_endpoint_auth_method", "none"}}));
  auto id = text_member(body_of(answer), "client_id");
  test_browser b;
  auto page = page_for(b, authorization(id));
  EXPECT_THAT(page.body, Not(HasSubstr("<script")));
  EXPECT_THAT(page.body, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page.body, HasSubstr("{{request}}")) << "is text, not a template";
  EXPECT_THAT(open_sign_in(b, approve(b, page)).body, Not(HasSubstr("<script")));
}

TEST_F(Consent, ALoginHintCannotBecomeMarkup) {
  test_browser b;
  auto request = authorization(client);
  request.add("login_hint", "\"><script>alert(1)</script>");
  EXPECT_THAT(open_sign_in(b, approve(b, page_for(b, request))).body, Not(HasSubstr("<script")));
}

TEST_F(Consent, DenyTellsTheClient) {
  test_browser b;
  auto page = page_for(b, authorization(client));
  auto answer = post_consent(b, make_form({{"request", value_on(page.body, "request")}, {"deny", "yes"}}));
  ASSERT_EQ(answer.status, 303);
  auto location = answer.fields.first("location");
  EXPECT_EQ(parameter_of(location, "error"), "access_denied");
  EXPECT_EQ(parameter_of(location, "state"), "client state & more");
  EXPECT_EQ(parameter_of(location, "iss"), "https://mcp.example.com");
  EXPECT_EQ(parameter_of(location, "code"), "");
  EXPECT_EQ(*store.count("consent", now) + *store.count("login", now), 0u);
}

TEST_F(Consent, ThePageOfOneBrowserIsWorthNothingInAnother) {
  test_browser attacker, victim;
  auto page = page_for(attacker, authorization(client));
  page_for(victim, authorization(client));
  auto answer =
      post_consent(victim, make_form({{"request", value_on(page.body, "request")}, {"approve", "local"}}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(noted(log, "result"), "state_foreign_browser");
  test_browser empty;
  answer =
      post_consent(empty, make_form({{"request", value_on(page.body, "request")}, {"approve", "local"}}));
  EXPECT_EQ(noted(log, "result"), "state_foreign_browser");
  EXPECT_EQ(*store.count("login", now), 0u);
}

TEST_F(Consent, ALoginApprovedInOneBrowserCannotBeFinishedInAnother) {
  test_browser attacker, victim;
  auto redirect = approve(attacker, page_for(attacker, authorization(client)));
  page_for(victim, authorization(client));
  auto answer = open_sign_in(victim, redirect);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(noted(log, "result"), "state_foreign_browser");
}

TEST_F(Consent, AFormOfAnotherSiteIsRefused) {
  test_browser b;
  auto page = page_for(b, authorization(client));
  auto body = make_form({{"request", value_on(page.body, "request")}, {"approve", "local"}});
  http_fields forged[] = {{{"Sec-Fetch-Site", "cross-site"}},
                          {{"Sec-Fetch-Site", "same-site"}},
                          {{"Sec-Fetch-Site", "none"}},
                          {{"Origin", "https://evil.example"}},
                          {{"Origin", "https://mcp.example.com.evil.example"}},
                          {{"Origin", "http://mcp.example.com"}}};
  for (const auto& fields : forged) {
    EXPECT_EQ(post_consent(b, body, fields).status, 403);
    EXPECT_EQ(noted(log, "result"), "consent_forged");
  }
  EXPECT_EQ(*store.count("login", now), 0u);
  EXPECT_EQ(post_consent(b, body, {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "null"}}).status, 303);
  EXPECT_EQ(post_consent(b, body, {{"Origin", "https://mcp.example.com"}}).status, 303);
}

TEST_F(Consent, TheHiddenValueCannotBeMadeUpExchangedOrKept) {
  test_browser b;
  auto page = page_for(b, authorization(client));
  auto good = value_on(page.body, "request");
  auto out = visit(b, endpoint::sign_out, get_request("/auth/logout"));
  auto flipped = good;
  flipped[good.size() / 2] = flipped[good.size() / 2] == 'A' ? 'B' : 'A';
  for (const auto& value :
       {std::string(), std::string("x"), flipped, good.substr(1), value_on(out.body, "form"),
        base64url_encode(std::string(100, '\0')), std::string(60'000, 'A')}) {
    post_consent(b, make_form({{"request", value}, {"approve", "local"}}));
    EXPECT_EQ(noted(log, "result"), "consent_forged") << value.substr(0, 20);
  }
  now += conf.session_timeout;
  post_consent(b, make_form({{"request", good}, {"approve", "local"}}));
  EXPECT_EQ(noted(log, "result"), "state_expired");
}

TEST_F(Consent, AnApprovalForAnUnknownProviderOrWithoutADecisionIsNone) {
  test_browser b;
  auto request = value_on(page_for(b, authorization(client)).body, "request");
  EXPECT_EQ(post_consent(b, make_form({{"request", request}})).status, 400);
  EXPECT_EQ(post_consent(b, make_form({{"request", request}, {"approve", "elsewhere"}})).status, 400);
  EXPECT_EQ(post_consent(b, make_form({{"request", request}, {"approve", "local"}, {"deny", "yes"}})).status,
            303);
  EXPECT_EQ(*store.count("login", now), 0u) << "deny wins";
}

TEST_F(Consent, AClientThatIsGoneMeanwhileGetsNothing) {
  test_browser b;
  auto page = page_for(b, authorization(client));
  change c;
  c.erase.emplace_back("unused_client", client);
  ASSERT_TRUE(*store.commit(c, now));
  auto answer = approve(b, page);
  EXPECT_EQ(answer.fields.count("location"), 0u);
  EXPECT_EQ(noted(log, "result"), "client_unknown");
}

TEST_F(Consent, AWebClientIsRememberedButNotWhenAnotherSiteLeadsHere) {
  test_browser b;
  sign_in(b, web_request());
  auto ask_with = [&](const char* site) {
    auto request = get_request("/oauth/authorize", web_request());
    if (*site != '\0') request.fields.set("Sec-Fetch-Site", site);
    return visit(b, endpoint::authorize, request);
  };
  auto answer = ask_with("same-origin");
  EXPECT_EQ(answer.status, 303);
  EXPECT_NE(parameter_of(answer.fields.first("location"), "code"), "");
  // The confused deputy: an attacker's page must not be able to have a code made without a click.
  // What the browser does not say may be so.
  for (auto site : {"cross-site", "same-site", "", "none", "None", "same-origin, none"}) {
    EXPECT_EQ(ask_with(site).status, 200) << site;
  }
}

TEST_F(Consent, WhatIsRememberedIsExactlyWhatWasApproved) {
  test_browser b;
  sign_in(b, web_request());
  auto asks = [&](const form& request, test_browser* in = nullptr) {
    auto typed = get_request("/oauth/authorize", request);
    typed.fields.set("Sec-Fetch-Site", "same-origin");
    return visit(in != nullptr ? *in : b, endpoint::authorize, typed).status == 200;
  };
  auto changed = [&](const std::string& name, const std::string& value) {
    form out;
    for (const auto& [n, v] : web_request()) out.add(n, n == name ? value : v);
    return out;
  };
  EXPECT_FALSE(asks(web_request()));
  EXPECT_TRUE(asks(changed("scope", "tools:read tools:write")));
  EXPECT_TRUE(asks(changed("client_id", register_public("https://app.example.org/callback"))));
  auto with_prompt = web_request();
  with_prompt.add("prompt", "consent");
  EXPECT_TRUE(asks(with_prompt));
  test_browser other;
  EXPECT_TRUE(asks(web_request(), &other));
  now += std::chrono::hours(24 * 31);
  web_client = register_public("https://app.example.org/callback");
  EXPECT_TRUE(asks(web_request()));
}

// MCP security best practices: what was approved is known by person and client.
TEST_F(Consent, OfOnePersonCountsForNobodyElseInTheSameBrowser) {
  add_user("bob", "a staple of batteries");
  test_browser b;
  auto authorize = [&](const form& request) {
    auto typed = get_request("/oauth/authorize", request);
    typed.fields.set("Sec-Fetch-Site", "same-origin");
    return visit(b, endpoint::authorize, typed);
  };
  auto at = [](const http_response& r) { return std::string(r.fields.first("location")); };
  sign_in(b, web_request());
  EXPECT_NE(parameter_of(at(authorize(web_request())), "code"), "") << "ada is not asked again";

  // Her sign-in is over, and it is Bob who comes.
  for (auto name : {"mop_session", "__Host-mop_session"}) b.cookies.erase(name);
  auto redirect = authorize(web_request());
  ASSERT_EQ(at(redirect).rfind("/auth/signin?", 0), 0u) << redirect.status << redirect.body;
  auto done = enter(b, open_sign_in(b, redirect), "bob", "a staple of batteries");
  EXPECT_EQ(noted(log, "event"), "consent_of_another");
  EXPECT_EQ(*store.count("code", now), 2u) << "ada's";
  ASSERT_EQ(at(done).rfind("/oauth/authorize?", 0), 0u) << done.status << done.body;
  EXPECT_EQ(open_sign_in(b, redirect).status, 400) << "the login is over";
  auto asked = form::parse(at(done).substr(at(done).find('?') + 1)).value_or(form());
  for (const auto& [n, v] : web_request()) EXPECT_EQ(asked.find(n), v) << n;
  auto page = authorize(asked);
  ASSERT_EQ(page.status, 200) << page.body;
  EXPECT_THAT(page.body, HasSubstr("Approve as bob"));
  EXPECT_NE(parameter_of(at(approve(b, page)), "code"), "");
  EXPECT_EQ(noted(log, "user"), "local:bob");

  // From now on he is who approved, and ada is asked in her turn.
  EXPECT_NE(parameter_of(at(authorize(web_request())), "code"), "");
  EXPECT_EQ(noted(log, "user"), "local:bob");
  auto other = authorize(authorization(client));
  auto fresh =
      visit(b, endpoint::consent,
            post_request("/oauth/consent",
                         make_form({{"request", value_on(other.body, "request")}, {"switch", "local"}})));
  ASSERT_NE(parameter_of(at(enter(b, open_sign_in(b, fresh), "ada", "correct horse battery")), "code"), "");
  EXPECT_EQ(authorize(web_request()).status, 200);
}

TEST_F(Consent, AnApprovalThatNobodySignedInForIsNotRemembered) {
  test_browser b;
  auto typed = get_request("/oauth/authorize", web_request());
  typed.fields.set("Sec-Fetch-Site", "same-origin");
  approve(b, visit(b, endpoint::authorize, typed));
  EXPECT_EQ(visit(b, endpoint::authorize, typed).status, 200);
  EXPECT_EQ(*store.count("consent", now), 0u);
}

TEST_F(Consent, AProgramOnThisComputerIsNeverRemembered) {
  test_browser b;
  sign_in(b, authorization(client));
  EXPECT_EQ(page_for(b, authorization(client)).status, 200);
}

TEST_F(Consent, NoMoreLoginsAreBegunThanTheLimitAllows) {
  conf.limits.logins_in_flight = 2;
  for (int i = 0; i < 3; ++i) {
    test_browser b;
    auto answer = approve(b, page_for(b, authorization(client)));
    EXPECT_EQ(parameter_of(answer.fields.first("location"), "error"), i < 2 ? "" : "temporarily_unavailable");
  }
}

TEST_F(Consent, AFormOfAnotherSiteBringsNoNewBrowser) {
  auto request = post_request("/oauth/authorize", authorization(client));
  request.fields.set("Sec-Fetch-Site", "cross-site");
  test_browser b;
  auto answer = visit(b, endpoint::authorize, request);
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.fields.count("set-cookie"), 0u);
  auto location = std::string(answer.fields.first("location"));
  EXPECT_THAT(location, testing::StartsWith("/oauth/authorize?"));
  for (const auto& [name, value] : authorization(client))
    EXPECT_EQ(parameter_of(location, name), value) << name;
  request.fields.set("Sec-Fetch-Site", "same-origin");
  EXPECT_EQ(visit(b, endpoint::authorize, request).status, 200);
}

TEST_F(Consent, ALoginThatIsFinishedOrOverCountsNoMore) {
  conf.limits.logins_in_flight = 1;
  auto begin = [&] {
    test_browser b;
    return parameter_of(approve(b, page_for(b, authorization(client))).fields.first("location"), "error");
  };
  for (int i = 0; i < 3; ++i) {
    test_browser b;
    EXPECT_THAT(sign_in(b, authorization(client)), HasSubstr("code=")) << i;
  }
  EXPECT_EQ(begin(), "");
  EXPECT_EQ(begin(), "temporarily_unavailable");
  now += conf.session_timeout;
  EXPECT_EQ(begin(), "");
}

TEST_F(Consent, OneAddressDoesNotKeepEverybodyElseOut) {
  conf.limits.logins_in_flight = 400;
  restart();
  test_browser b;
  auto form_page = page_for(b, authorization(client));
  auto approve_from = [&](const std::string& address) {
    auto request =
        post_request("/oauth/consent", make_form({{"request", value_on(form_page.body, "request")},
                                                  {"approve", value_on(form_page.body, "approve")}}));
    request.peer = address;
    return parameter_of(visit(b, endpoint::consent, request).fields.first("location"), "error");
  };
  int begun = 0;
  for (int i = 0; i < 100; ++i) begun += approve_from("203.0.113.9").empty() ? 1 : 0;
  EXPECT_EQ(begun, 40) << "a tenth";
  for (const char* other : {"203.0.113.10", "2001:db8::1"}) EXPECT_EQ(approve_from(other), "") << other;
  now += conf.session_timeout / 4;
  EXPECT_EQ(approve_from("203.0.113.9"), "") << "not for ever";
}

// Draft of client id metadata documents §4.3: who approved a name and an address approved those.
TEST_F(Consent, IsAskedAgainWhenTheClientShowsAnotherNameOrAddress) {
  pending_login login;
  login.access.client_id = "https://client.example/metadata";
  login.access.client_name = "A client";
  login.access.redirect_uri = "https://client.example/callback";
  login.access.resource = "https://mcp.example.com/mcp";
  login.browser = "browser";
  login.provider = "local";
  broker_world world{conf, store, seal, random, {}, cheap};
  change c;
  remember_consent(c, login, {"local", "local:ada", "", "", "1"}, now);
  ASSERT_TRUE(store.commit(c, now).value_or(false));
  auto access = login.access;
  auto found = remembered_consent(world, "browser", access, now);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->approver, approver_of({"local", "local:ada", "", "", "1"}));
  EXPECT_NE(found->approver, approver_of({"local", "local:ada", "", "", "2"}))
      << "the name of a removed user";
  access.client_name = "Your bank";
  EXPECT_FALSE(remembered_consent(world, "browser", access, now));
  access = login.access;
  access.redirect_uri = "https://client.example/elsewhere";
  EXPECT_FALSE(remembered_consent(world, "browser", access, now));
}

TEST_F(Consent, ErrorsGoToTheClientOnlyWhereItIsSafe) {
  test_browser b;
  auto without_pkce = [](const form& request) {
    form out;
    for (const auto& [n, v] : request) {
      if (n != "code_challenge") out.add(n, v);
    }
    return out;
  };
  // A program on this computer: at once.
  auto local = page_for(b, without_pkce(authorization(client)));
  EXPECT_EQ(local.status, 303);
  EXPECT_EQ(parameter_of(local.fields.first("location"), "error"), "invalid_request");
  EXPECT_EQ(parameter_of(local.fields.first("location"), "state"), "client state & more");
  EXPECT_EQ(parameter_of(local.fields.first("location"), "iss"), "https://mcp.example.com");
  // A web address that a stranger registered: by a link on a page, or we would be an open redirector.
  auto web = page_for(b, without_pkce(web_request()));
  EXPECT_EQ(web.status, 400);
  EXPECT_EQ(web.fields.count("location"), 0u);
  EXPECT_THAT(web.body, HasSubstr("https://app.example.org/callback?error=invalid_request"));
  EXPECT_THAT(web.body, HasSubstr("MOP-PKC-001"));
  EXPECT_THAT(web.body, HasSubstr("req-1"));
  // A client that the operator configured: at once.
  client_settings known;
  known.client_id = "known";
  known.redirect_uris = {"https://app.example.org/callback"};
  conf.clients.push_back(std::move(known));
  EXPECT_EQ(page_for(b, without_pkce(authorization("known", "https://app.example.org/callback"))).status,
            303);
}

TEST_F(Consent, NothingRedirectsToAnAddressThatIsNotRegistered) {
  test_browser b;
  for (auto uri :
       {"https://evil.example/", "http://127.0.0.1:7777/callback/", "http://127.0.0.1:7777/callback?x",
        "http://localhost:7777/callback", "javascript:alert(1)", "//evil.example",
        "http://127.0.0.1:7777@evil.example/callback", "http://127.0.0.1\\@evil.example/callback"}) {
    auto answer = page_for(b, authorization(client, uri));
    EXPECT_EQ(answer.status, 400) << uri;
    EXPECT_EQ(answer.fields.count("location"), 0u) << uri;
    EXPECT_THAT(answer.body, Not(HasSubstr("href"))) << uri;
  }
}

// Where an answer would be a request that the browser says comes from us, and may be spared the page.
TEST_F(Consent, NobodysAnswersComeToThisServerItself) {
  auto here = "https://mcp.example.com/oauth/authorize?response_type=code&client_id=webapp";
  auto answer = ask(endpoint::register_client,
                    registration({{"client_name", "Here"}, {"redirect_uris", json::array{here}}}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(text_member(body_of(answer), "error"), "invalid_redirect_uri");
  client_settings known;
  known.client_id = "known";
  known.redirect_uris = {here, "myapp://callback", "other://callback"};
  conf.clients.push_back(std::move(known));
  test_browser b;
  EXPECT_EQ(page_for(b, authorization("known", here)).status, 400);
  EXPECT_EQ(noted(log, "result"), "redirect_uri_refused");
  EXPECT_EQ(page_for(b, authorization("known", "myapp://callback")).status, 200)
      << "what the operator wrote needs no listing";
}

TEST_F(Consent, SeveralProvidersHaveAButtonEach) {
  provider_settings corp;
  corp.name = "corp";
  corp.type = "oidc";
  corp.issuer = "https://idp.example.com";
  conf.providers.push_back(std::move(corp));
  test_browser b;
  auto page = page_for(b, authorization(client));
  EXPECT_THAT(page.body, HasSubstr("value=\"local\""));
  EXPECT_THAT(page.body, HasSubstr("value=\"corp\""));
}

}  // namespace
}  // namespace mcp_oauth
