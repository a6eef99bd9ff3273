// What went wrong in authorization servers of others, done to ours: docs/past-mistakes.md has the whole list.

#include "broker/provider_fixture.h"
#include "oauth/access_token.h"

#include <thread>

namespace mcp_oauth {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* evil_callback = "https://evil.example/callback";

form with(const form& request, const std::string& name, const std::string& value) {
  form out;
  bool there = false;
  for (const auto& [n, v] : request) {
    out.add(n, n == name ? value : v);
    there |= n == name;
  }
  if (!there) out.add(name, value);
  return out;
}

form without(const form& request, const std::string& name) {
  form out;
  for (const auto& [n, v] : request) {
    if (n != name) out.add(n, v);
  }
  return out;
}

http_request led_by(const std::string& site, const form& request) {
  auto r = get_request("/oauth/authorize", request);
  if (!site.empty()) r.fields.set("Sec-Fetch-Site", site);
  return r;
}

// The provider is one that knows the person and asks nothing: it answers every request with a code.
class AdvisoryConsent : public ProviderFlow {
 protected:
  // Everything that could have been given away.
  std::uint64_t given() { return *store.count("code", now) + *store.count("login", now); }
  std::ptrdiff_t times_fetched(std::string_view path) const {
    return std::count_if(fetched.begin(), fetched.end(),
                         [&](const http_call& call) { return call.url.ends_with(path); });
  }
};

// FastMCP before 2.13, obot, and the attack that the MCP specification describes.
TEST_F(AdvisoryConsent, ConfusedDeputy_ALiveProviderSessionGivesAStrangersClientNothing) {
  test_browser victim;
  ASSERT_EQ(back(victim, success(to_provider(victim))).status, 303) << "signed in, at the provider too";
  auto evil = register_public(evil_callback);
  auto before = given();
  for (const std::string site : {"cross-site", "same-site", "same-origin", "none", ""}) {
    for (const std::string prompt : {"", "none", "login", "select_account", "create"}) {
      auto request = authorization(evil, evil_callback);
      if (!prompt.empty()) request.add("prompt", prompt);
      auto answer = visit(victim, endpoint::authorize, led_by(site, request));
      EXPECT_EQ(answer.fields.first("location"), "") << site << prompt;
      if (answer.status == 200) {
        EXPECT_THAT(answer.body, HasSubstr("evil.example"));
        EXPECT_THAT(std::string(answer.fields.first("content-security-policy")),
                    HasSubstr("frame-ancestors 'none'"));
      }
    }
  }
  EXPECT_EQ(given(), before);

  auto page = visit(victim, endpoint::authorize, led_by("cross-site", authorization(evil, evil_callback)));
  auto denied =
      visit(victim, endpoint::consent,
            post_request("/oauth/consent",
                         make_form({{"request", value_on(page.body, "request")}, {"deny", "yes"}})));
  EXPECT_EQ(parameter_of(denied.fields.first("location"), "error"), "access_denied");
  EXPECT_EQ(parameter_of(denied.fields.first("location"), "code"), "");
  EXPECT_EQ(given(), before);
}

// FastMCP: the consent said that somebody meant it, not who.
TEST_F(AdvisoryConsent, GHSA_rww4_4w9c_7733_ConsentInOneBrowserDoesNotServeAnother) {
  test_browser attacker, stranger, busy, signed_in;
  auto evil = register_public(evil_callback);
  to_provider(busy);  // has a login of its own under way
  back(signed_in, success(to_provider(signed_in)));
  auto page = visit(attacker, endpoint::authorize,
                    get_request("/oauth/authorize", authorization(evil, evil_callback)));
  std::string at_provider(approve(attacker, page).fields.first("location"));
  ASSERT_THAT(at_provider, StartsWith("https://idp.example.com/authorize?"));
  nonce = parameter_of(at_provider, "nonce");
  auto codes = *store.count("code", now);
  for (auto* victim : {&stranger, &busy, &signed_in}) {
    auto answer = back(*victim, success(at_provider));
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.fields.count("location"), 0u);
    EXPECT_EQ(noted(log, "result"), "state_foreign_browser");
  }
  EXPECT_EQ(*store.count("code", now), codes);
  // Nor the other way: the victim's approval, finished where the attacker sits.
  auto of_victim = to_provider(busy);
  EXPECT_EQ(back(attacker, success(of_victim)).status, 400);
  EXPECT_EQ(*store.count("code", now), codes);
}

// FastMCP: one client id for everybody (a metadata document), and a consent that was remembered.
TEST_F(AdvisoryConsent, GHSA_6x8h_498w_gv8c_ARememberedConsentIsNotUsedForAnotherSite) {
  const std::string id = "https://app.example.org/client.json";
  const std::string callback = "https://app.example.org/callback";
  fetch = [&](const http_call& call) -> result<http_answer> {
    if (call.url != id) return serve(call);
    return json_answer(json::serialize(json::object{{"client_id", id},
                                                    {"client_name", "Shared"},
                                                    {"redirect_uris", json::array{callback.c_str()}},
                                                    {"token_endpoint_auth_method", "none"}}));
  };
  test_browser b;
  auto request = authorization(id, callback);
  auto at_provider = approve(b, visit(b, endpoint::authorize, get_request("/oauth/authorize", request)));
  nonce = parameter_of(at_provider.fields.first("location"), "nonce");
  ASSERT_EQ(back(b, success(std::string(at_provider.fields.first("location")))).status, 303);
  EXPECT_EQ(visit(b, endpoint::authorize, led_by("same-origin", request)).status, 303) << "it is remembered";
  for (const std::string site :
       {"cross-site", "same-site", "", "none", "SAME-ORIGIN", "same-origin ", "same-origin, none"}) {
    auto answer = visit(b, endpoint::authorize, led_by(site, request));
    EXPECT_EQ(answer.status, 200) << site;
    EXPECT_EQ(answer.fields.count("location"), 0u) << site;
  }
  auto twice = led_by("same-origin", request);
  twice.fields.add("Sec-Fetch-Site", "same-origin");
  EXPECT_EQ(visit(b, endpoint::authorize, twice).status, 200) << "said twice";
}

// mod_auth_openidc, 2026-08: the last one won.
TEST_F(AdvisoryConsent, ModAuthOpenidc_2026_08_ARepeatedParameterNeverCounts) {
  test_browser b;
  auto at_provider = to_provider(b);
  auto good = success(at_provider);
  for (const auto& [name, value] : good) {
    for (const auto& other : {value, std::string("other")}) {
      for (bool first : {true, false}) {
        form twice;
        if (first) twice.add(name, other);
        for (const auto& [n, v] : good) twice.add(n, v);
        if (!first) twice.add(name, other);
        auto answer = back(b, twice);
        EXPECT_EQ(answer.status, 400) << name << "=" << other;
        EXPECT_EQ(noted(log, "result"), "parameter_repeated") << name << "=" << other;
      }
    }
  }
  auto mixed = good;
  mixed.add("error", "access_denied");
  mixed.add("error", "server_error");
  EXPECT_EQ(back(b, mixed).status, 400);
  EXPECT_EQ(token_body.find("code"), std::nullopt) << "nothing was redeemed";

  auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(client)));
  for (const char* name : {"request", "approve"}) {
    auto consent =
        make_form({{"request", value_on(page.body, "request")}, {"approve", value_on(page.body, "approve")}});
    consent.add(name, "x");
    auto answer = visit(b, endpoint::consent, post_request("/oauth/consent", consent));
    EXPECT_GE(answer.status, 400) << name;
    EXPECT_EQ(answer.fields.count("location"), 0u) << name;
  }
  auto registration_twice = registration({});
  registration_twice.body =
      R"({"redirect_uris":["http://127.0.0.1/a"],"redirect_uris":["https://evil.example/"]})";
  EXPECT_EQ(ask(endpoint::register_client, registration_twice).status, 400);
  EXPECT_EQ(back(b, good).status, 303) << "and none of it ended the login";
}

// mod_auth_openidc, 2026-08: tokens with a key id that nobody knows made it ask the provider each time.
TEST_F(AdvisoryConsent, ModAuthOpenidc_2026_08_UnknownKeyIdsAskTheProviderOncePerInterval) {
  test_browser first;
  ASSERT_EQ(back(first, success(to_provider(first))).status, 303);
  auto known = key;
  for (bool provider_answers : {true, false}) {
    now += std::chrono::hours(2);
    test_browser fresh;
    key = known;
    ASSERT_NE(parameter_of(back(fresh, success(to_provider(fresh))).fields.first("location"), "code"), "");
    fetched.clear();
    fetch = [&](const http_call& call) -> result<http_answer> {
      if (!call.url.ends_with("/jwks")) return serve(call);
      if (!provider_answers) return fail(errc::fetch_timeout, "no answer");
      return json_answer(json::serialize(key_set::of({known.public_part()}).to_json()));
    };
    key = signing_key::generate_es256();
    for (int interval = 1; interval <= 3; ++interval) {
      for (int i = 0; i < 50; ++i) {
        test_browser b;
        EXPECT_EQ(parameter_of(back(b, success(to_provider(b))).fields.first("location"), "code"), "");
      }
      EXPECT_EQ(times_fetched("/jwks"), interval) << provider_answers;
      now += seconds(30);
    }
    fetch = [this](const http_call& call) { return serve(call); };
  }
  key = known;
}

// The same when nothing is fresh any more and the provider is away: who comes does not wait for it again.
TEST_F(AdvisoryConsent, ModAuthOpenidc_2026_08_AProviderThatIsAwayIsAskedOncePerInterval) {
  test_browser first;
  ASSERT_EQ(back(first, success(to_provider(first))).status, 303);
  now += std::chrono::hours(3);
  fetched.clear();
  fetch = [&](const http_call& call) -> result<http_answer> {
    if (call.url.ends_with("/token")) return serve(call);
    return fail(errc::fetch_timeout, "no answer");
  };
  for (int interval = 1; interval <= 3; ++interval) {
    for (int i = 0; i < 20; ++i) {
      test_browser b;
      EXPECT_NE(parameter_of(back(b, success(to_provider(b))).fields.first("location"), "code"), "");
    }
    EXPECT_EQ(times_fetched("/jwks"), interval);
    EXPECT_EQ(times_fetched("/openid-configuration"), interval);
    now += seconds(30);
  }
}

// mod_auth_openidc, 2026-08: an array in the place of an object.
TEST_F(AdvisoryConsent, ModAuthOpenidc_2026_08_AnAnswerThatIsNoObjectSaysNothing) {
  has_userinfo = true;
  absent_claims = {"email", "email_verified"};
  conf.providers[0].allowed_domains = {"example.org"};
  for (const char* body :
       {R"([{"sub":"ada-1","email":"ada@example.org","email_verified":true}])",
        R"(["sub","ada-1","email","ada@example.org","email_verified",true])", R"("ada-1")", "null", "7", "",
        R"({"sub":"ada-1","sub":"ada-1","email":"ada@example.org","email_verified":true})",
        R"({"sub":["ada-1"],"email":"ada@example.org","email_verified":true})",
        R"({"sub":"ada-1","email":["ada@example.org"],"email_verified":true})",
        R"({"sub":"ada-1","email":"ada@example.org","email_verified":"yes"})"}) {
    userinfo = json_answer(body);
    EXPECT_TRUE(signed_in().empty()) << body;
    EXPECT_EQ(noted(log, "result"), "user_not_allowed") << body;
  }
}

// mod_auth_openidc, 2026-08: caches with a pool of memory each, used by many threads. For the thread
// sanitizer, too.
TEST_F(AdvisoryConsent, ModAuthOpenidc_2026_08_ManyThreadsShareWhatIsKept) {
  const std::string id = "https://app.example.org/client.json";
  const std::string callback = "https://app.example.org/callback";
  auto answer_to = [&](const http_call& call) -> result<http_answer> {
    if (!call.url.starts_with("https://app.example.org/")) return serve(call);
    return json_answer(json::serialize(json::object{{"client_id", call.url},
                                                    {"client_name", "Shared"},
                                                    {"redirect_uris", json::array{callback.c_str()}},
                                                    {"token_endpoint_auth_method", "none"}}));
  };
  auto run = [&](endpoint at, test_browser& b, http_request request) {
    b.send(request);
    broker_log mine;
    auto next = as->handle(at, request, now, mine);
    while (auto* wanted = std::get_if<outbound>(&next)) {
      auto then = wanted->then;
      next = then(answer_to(wanted->call), now);
    }
    auto answer = std::get<http_response>(std::move(next));
    b.receive(answer);
    return answer;
  };
  std::atomic<int> led = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i) {
    threads.emplace_back([&, i] {
      test_browser b;
      auto name = i % 4 == 0 ? id : id + "?" + std::to_string(i % 8);
      auto page = run(endpoint::authorize, b, get_request("/oauth/authorize", authorization(name, callback)));
      auto approved =
          run(endpoint::consent, b,
              post_request("/oauth/consent",
                           make_form({{"request", value_on(page.body, "request")}, {"approve", "corp"}})));
      led += std::string(approved.fields.first("location")).starts_with("https://idp.example.com/authorize?");
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(led, 64);
  EXPECT_EQ(*store.count("login", now), 64u);
}

// obot, 2026: without an e-mail address everybody had the same, empty, name; a colon in it broke the token.
TEST_F(AdvisoryConsent, Obot_2026_PeopleWithoutAnAddressAreStillTold) {
  absent_claims = {"email", "email_verified", "name"};
  EXPECT_EQ(text_member(signed_in(), "sub"), "corp:ada-1");
  other_claims = {{"sub", "a:b:c|d"}};
  EXPECT_EQ(text_member(signed_in(), "sub"), "corp:a:b:c|d");
  for (const json::value& nobody : {json::value(""), json::value(nullptr), json::value(7)}) {
    other_claims = {{"sub", nobody}};
    EXPECT_TRUE(signed_in().empty()) << nobody;
  }
}

// giantswarm and hypr, 2026: any application's token of the same provider was taken.
TEST_F(AdvisoryConsent, Giantswarm_2026_ATokenMadeForAnotherApplicationSignsNobodyIn) {
  const json::object others[] = {{{"aud", "another-application"}},
                                 {{"aud", json::array{"another-application"}}},
                                 {{"aud", json::array{"gateway", "another"}}, {"azp", "another"}},
                                 {{"aud", json::array{}}},
                                 {{"aud", ""}}};
  for (const auto& claims : others) {
    other_claims = claims;
    EXPECT_TRUE(signed_in().empty()) << json::serialize(claims);
    EXPECT_EQ(noted(log, "result"), "provider_token_invalid");
  }
}

// A built-in user signs in.
class AdvisoryToken : public BrokerTest {
 protected:
  void SetUp() override {
    upstream_settings second;
    second.name = "second";
    second.resource = "https://mcp.example.com/second";
    conf.upstreams.push_back(second);
    restart();
    add_user("ada", "correct horse battery");
    client = register_public();
  }
  std::string code_with(const form& request) {
    test_browser b;
    return parameter_of(sign_in(b, request), "code");
  }
  http_response ask_token(const form& request) {
    return ask(endpoint::token, post_request("/oauth/token", request));
  }
  static json::object claims_of(const http_response& answer) {
    auto token = text_member(body_of(answer), "access_token");
    auto payload = token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1);
    return parse_json_object(base64url_decode(payload).value_or("")).value_or(json::object());
  }
  std::string client;
};

// FastMCP: the token was good for every resource behind the same server.
TEST_F(AdvisoryToken, GHSA_5h2m_4q8j_pqpj_ATokenIsGoodForTheResourceAskedForOnly) {
  const std::string second = "https://mcp.example.com/second";
  auto code = code_with(with(authorization(client), "resource", second));
  for (const char* other :
       {"https://mcp.example.com/mcp", "https://elsewhere.example/mcp", "https://mcp.example.com"}) {
    auto answer = ask_token(with(code_request(client, code), "resource", other));
    EXPECT_EQ(error_of(answer), "invalid_target") << other;
  }
  // Judged before the code is used up: the right one still works.
  auto given = ask_token(with(code_request(client, code), "resource", second));
  ASSERT_EQ(given.status, 200) << given.body;
  EXPECT_EQ(text_member(claims_of(given), "aud"), second);

  token_rules rules;
  rules.issuer = conf.public_url;
  rules.audience = "https://mcp.example.com/mcp";
  auto at_first =
      verify_access_token(text_member(body_of(given), "access_token"), *as->keys()->all, rules, now);
  ASSERT_FALSE(at_first);
  EXPECT_EQ(at_first.error().code, errc::token_audience_mismatch);

  auto again = make_form({{"grant_type", "refresh_token"},
                          {"client_id", client},
                          {"refresh_token", text_member(body_of(given), "refresh_token")}});
  EXPECT_EQ(error_of(ask_token(with(again, "resource", rules.audience))), "invalid_target");
  EXPECT_EQ(text_member(claims_of(ask_token(again)), "aud"), second);

  test_browser b;
  auto unknown = visit(b, endpoint::authorize,
                       get_request("/oauth/authorize",
                                   with(authorization(client), "resource", "https://elsewhere.example/mcp")));
  EXPECT_EQ(parameter_of(unknown.fields.first("location"), "error"), "invalid_target");
}

// workers-oauth-provider: the redirect URI was looked at when it was too late.
TEST_F(AdvisoryToken, CVE_2025_4143_ARedirectUriIsMatchedBeforeAnyoneIsSentAnywhere) {
  // What begins, ends or parses like the one that is registered, http://127.0.0.1/callback.
  for (const char* uri :
       {"https://evil.example/callback", "http://127.0.0.1:7777/callback/x",
        "http://127.0.0.1.evil.example/callback", "http://localhost/callback", "http://127.0.0.1/callback/",
        "http://127.0.0.1/callback/../x", "http://127.0.0.1/callbacks", "http://127.0.0.1/callback?x=1",
        "http://127.0.0.1/callback%2f", "http://127.0.0.1/callback.evil.example",
        "http://127.0.0.1/callback@evil.example", "http://127.0.0.1/Callback", "HTTP://127.0.0.1/callback",
        "https://127.0.0.1/callback", "http://127.0.0.1/x/callback", "http://127.0.0.1@evil.example/callback",
        "http://evil.example/http://127.0.0.1/callback", " http://127.0.0.1/callback"}) {
    for (const auto& request :
         {authorization(client, uri), without(authorization(client, uri), "response_type"),
          with(authorization(client, uri), "prompt", "none"),
          without(authorization(client, uri), "code_challenge")}) {
      test_browser b;
      auto answer = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
      EXPECT_EQ(answer.status, 400) << uri;
      EXPECT_EQ(answer.fields.count("location"), 0u) << uri;
    }
  }
  auto code = code_with(authorization(client));
  EXPECT_EQ(error_of(ask_token(with(code_request(client, code), "redirect_uri", "http://127.0.0.1:7777/x"))),
            "invalid_grant");
  EXPECT_EQ(ask_token(code_request(client, code)).status, 200);
}

// workers-oauth-provider, obot and sigbit: PKCE was left out, or taken down to nothing.
TEST_F(AdvisoryToken, CVE_2025_4144_PkceCannotBeLeftOut) {
  auto good = authorization(client);
  for (const auto& request :
       {without(good, "code_challenge"), with(good, "code_challenge", ""),
        without(without(good, "code_challenge"), "code_challenge_method"),
        without(good, "code_challenge_method"), with(good, "code_challenge_method", "plain"),
        with(good, "code_challenge_method", "PLAIN"), with(good, "code_challenge_method", "s256"),
        with(good, "code_challenge_method", "S512"), with(good, "code_challenge_method", "none"),
        with(good, "response_type", "token"), with(good, "response_type", "code token"),
        with(good, "response_type", "id_token")}) {
    test_browser b;
    auto answer = visit(b, endpoint::authorize, get_request("/oauth/authorize", request));
    EXPECT_NE(parameter_of(answer.fields.first("location"), "error"), "") << request.encode();
    EXPECT_EQ(parameter_of(answer.fields.first("location"), "code"), "");
  }
  auto code = code_with(good);
  for (const auto& request : {without(code_request(client, code), "code_verifier"),
                              with(code_request(client, code), "code_verifier", ""),
                              with(code_request(client, code), "code_verifier", std::string(challenge)),
                              with(code_request(client, code), "code_verifier", std::string(43, 'a'))}) {
    EXPECT_EQ(ask_token(request).status, 400) << request.encode();
  }
  EXPECT_EQ(ask_token(code_request(client, code)).status, 200);
}

// workers-oauth-provider 0.9 and 0.10: the edges of its parsers.
TEST_F(AdvisoryToken, WorkersOAuthProvider_2026_TheEdgesOfTheTokenEndpoint) {
  auto request = post_request("/oauth/token", code_request(client, "made-up"));
  for (const char* header : {"Basic", "Basic ", "basic %%%", "BASIC bm9jb2xvbg", "Basic bm8gY29sb24=",
                             "Basic dW5rbm93bjpzZWNyZXQ=", "Basic /w==", "Bearer abc", "Digest x"}) {
    auto r = request;
    r.fields.set("Authorization", header);
    r.body = without(code_request(client, "made-up"), "client_id").encode();
    auto answer = ask(endpoint::token, r);
    EXPECT_EQ(answer.status, 401) << header;
    EXPECT_EQ(error_of(answer), "invalid_client") << header;
    EXPECT_THAT(std::string(answer.fields.first("www-authenticate")), StartsWith("Basic ")) << header;
  }
  for (const char* type :
       {"application/json, application/x-www-form-urlencoded", "application/json",
        "application/x-www-form-urlencodedx", "multipart/form-data; boundary=x", "/", ";"}) {
    auto r = request;
    r.fields.set("Content-Type", type);
    auto answer = ask(endpoint::token, r);
    EXPECT_EQ(answer.status, 415) << type;
    EXPECT_EQ(error_of(answer), "invalid_request") << type;
  }
  // A refresh in the last second of a refresh token, and in the one after it.
  auto first = body_of(redeem(client, code_with(authorization(client))));
  now += conf.refresh_token_lifetime - seconds(1);
  auto last = refresh(client, text_member(first, "refresh_token"));
  EXPECT_EQ(last.status, 200) << last.body;
  now += conf.refresh_token_lifetime;
  EXPECT_EQ(error_of(refresh(client, text_member(body_of(last), "refresh_token"))), "invalid_grant");
}

// Header or body is not told apart (clients that registered one send the other), none and both are.
TEST_F(AdvisoryToken, WorkersOAuthProvider_2026_AClientWithASecretProvesItAtEveryEndpoint) {
  for (const std::string method : {"client_secret_basic", "client_secret_post"}) {
    auto made = body_of(ask(endpoint::register_client,
                            registration({{"redirect_uris", json::array{"http://127.0.0.1/callback"}},
                                          {"token_endpoint_auth_method", json::string_view(method)}})));
    auto id = text_member(made, "client_id");
    auto secret_text = text_member(made, "client_secret");
    for (auto at : {endpoint::token, endpoint::revoke, endpoint::introspect}) {
      auto parameters = make_form({{"grant_type", "refresh_token"}, {"refresh_token", "x"}, {"token", "x"}});
      auto nobody = ask(at, post_request("/", with(parameters, "client_id", id)));
      EXPECT_EQ(error_of(nobody), "invalid_client") << method << to_name(at);
      auto wrong_secret = with(with(parameters, "client_id", id), "client_secret", secret_text + "x");
      EXPECT_EQ(error_of(ask(at, post_request("/", wrong_secret))), "invalid_client")
          << method << to_name(at);
      auto both = post_request("/", with(with(parameters, "client_id", id), "client_secret", secret_text));
      both.fields.set("Authorization", "Basic " + base64_encode(id + ":" + secret_text));
      EXPECT_EQ(ask(at, both).status, 400) << method << to_name(at);
    }
  }
}

// oauth2-proxy and mod_auth_openidc: who signed in was written into the session that was there.
TEST_F(AdvisoryToken, GHSA_f24x_5g9q_753f_ASignInNeverUsesASessionThatWasThere) {
  test_browser attacker, victim;
  sign_in(attacker, authorization(client));
  auto planted = attacker.cookies;
  ASSERT_TRUE(planted.contains("__Host-mop_session"));
  victim.cookies = planted;  // however it got there
  add_user("bob", "another horse battery");
  auto page = visit(victim, endpoint::authorize,
                    get_request("/oauth/authorize", with(authorization(client), "prompt", "login")));
  enter(victim, open_sign_in(victim, approve(victim, page)), "bob", "another horse battery");
  EXPECT_NE(victim.cookies["__Host-mop_session"], planted["__Host-mop_session"]);
  EXPECT_EQ(store.list("browser", now, 10, "local:ada")->size(), 0u) << "the old cookie is dead";
  EXPECT_EQ(store.list("browser", now, 10, "local:bob")->size(), 1u);
  EXPECT_THAT(
      visit(attacker, endpoint::authorize, get_request("/oauth/authorize", authorization(client))).body,
      Not(HasSubstr("bob")));
}

// ContextForge: tokens of one environment were good in another that had the same key.
TEST_F(AdvisoryToken, GHSA_vgf8_3685_66j9_TheSameKeysDoNotMakeTheSameServer) {
  auto staging = body_of(redeem(client, code_with(authorization(client))));
  auto token = text_member(staging, "access_token");
  ASSERT_TRUE(introspects_as_active(client, token));
  // The same store, and so the same keys and clients, under another name.
  conf.public_url = "https://production.example.com";
  restart();
  EXPECT_FALSE(introspects_as_active(client, token));
  token_rules rules;
  rules.issuer = conf.public_url;
  rules.audience = "https://mcp.example.com/mcp";
  EXPECT_EQ(verify_access_token(token, *as->keys()->all, rules, now).error().code,
            errc::token_issuer_mismatch);
}

// obot, 2026: whoever asked, the token of somebody else was revoked.
TEST_F(AdvisoryToken, Obot_2026_RevocationByAnotherClientEndsNothing) {
  auto mine = body_of(redeem(client, code_with(authorization(client))));
  auto other = register_public();
  for (const char* member : {"access_token", "refresh_token"}) {
    for (const char* hint : {"", "access_token", "refresh_token", "nonsense"}) {
      auto request = make_form({{"client_id", other}, {"token", text_member(mine, member)}});
      if (*hint != '\0') request.add("token_type_hint", hint);
      ask(endpoint::revoke, post_request("/oauth/revoke", request));
    }
  }
  EXPECT_TRUE(revoked.empty());
  EXPECT_TRUE(introspects_as_active(client, text_member(mine, "access_token")));
  EXPECT_EQ(refresh(client, text_member(mine, "refresh_token")).status, 200);
}

// obot, 2026: what another request does between the reading and the writing of this one.
TEST_F(AdvisoryToken, Obot_2026_BetweenReadingAndWritingNothingIsGivenTwice) {
  auto code = code_with(authorization(client));
  json::object inner;
  watched.before_commit = [&] { inner = body_of(redeem(client, code)); };
  auto outer = redeem(client, code);
  EXPECT_NE(text_member(inner, "access_token"), "") << "the one that wrote first";
  EXPECT_EQ(error_of(outer), "invalid_grant");
  EXPECT_FALSE(introspects_as_active(client, text_member(inner, "access_token")))
      << "the code was in two hands";

  auto first = body_of(redeem(client, code_with(authorization(client))));
  watched.before_commit = [&] { inner = body_of(refresh(client, text_member(first, "refresh_token"))); };
  auto second = body_of(refresh(client, text_member(first, "refresh_token")));
  EXPECT_NE(text_member(inner, "refresh_token"), "");
  EXPECT_EQ(text_member(second, "refresh_token"), text_member(inner, "refresh_token")) << "one family";
}

// obot and matheus, 2026: a header chose who we say we are.
TEST_F(AdvisoryToken, Obot_2026_NoHeaderChangesOurNameOrEndpoints) {
  auto asked = get_request("/oauth/authorize", without(authorization(client), "code_challenge"));
  for (const char* name : {"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL",
                           "X-Forwarded-Uri", "X-Mcp-Oauth-Proxy-URL", "Origin", "Referer"}) {
    auto r = asked;
    r.fields.set(name, "https://evil.example");
    test_browser b;
    auto answer = visit(b, endpoint::authorize, r);
    EXPECT_EQ(parameter_of(answer.fields.first("location"), "iss"), conf.public_url) << name;
    auto page = get_request("/oauth/authorize", authorization(client));
    page.fields.set(name, "https://evil.example");
    EXPECT_THAT(visit(b, endpoint::authorize, page).body, Not(HasSubstr("evil.example"))) << name;
  }
}

// athenz, 2026: the client id was the name that a client gave itself.
TEST_F(AdvisoryToken, Athenz_2026_TheSameNameIsAnotherClient) {
  const json::object said{{"client_name", "Test client"},
                          {"client_id", client.c_str()},
                          {"client_secret", "chosen"},
                          {"redirect_uris", json::array{"http://127.0.0.1/callback"}}};
  auto answer = ask(endpoint::register_client, registration(said));
  ASSERT_EQ(answer.status, 201);
  EXPECT_NE(text_member(body_of(answer), "client_id"), client);
  EXPECT_NE(text_member(body_of(answer), "client_secret"), "chosen");
  EXPECT_GE(text_member(body_of(answer), "client_secret").size(), 22u);
  // A fixed client cannot be taken over by registering its name either.
  auto code = code_with(authorization(client));
  EXPECT_EQ(error_of(ask_token(code_request(text_member(body_of(answer), "client_id"), code))),
            "invalid_client");
  EXPECT_EQ(ask_token(code_request(client, code)).status, 200);
}

// matheus, 2026: a parameter of the request skipped the page.
TEST_F(AdvisoryToken, Matheus_2026_NoParameterSkipsTheConsentPage) {
  for (const char* name : {"skip_scope_selection", "skip_consent", "approval_prompt", "approve", "consent",
                           "auto", "trusted", "request", "request_uri", "login", "id_token_hint"}) {
    for (const char* value : {"true", "1", "auto", "local", "yes"}) {
      test_browser b;
      auto answer = visit(b, endpoint::authorize,
                          get_request("/oauth/authorize", with(authorization(client), name, value)));
      EXPECT_EQ(parameter_of(answer.fields.first("location"), "code"), "") << name;
      EXPECT_EQ(*store.count("code", now) + *store.count("login", now), 0u) << name;
    }
  }
}

}  // namespace
}  // namespace mcp_oauth
