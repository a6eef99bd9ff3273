#include "doctor/failure_story.h"

#include "base/text.h"
#include "doctor/print_story.h"
#include "doctor/story_bounds.h"
#include "symptom/find_symptom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

failure_story a_story(std::string id, std::string code, std::int64_t at, std::string action = "call") {
  failure_story s;
  s.id = std::move(id);
  s.code = std::move(code);
  s.at = at;
  s.action = std::move(action);
  s.client = "192.0.2.7";
  s.method = "POST";
  s.path = "/mcp";
  s.status = 401;
  return s;
}

std::vector<std::string> hops_of(const told_story& told) {
  std::vector<std::string> names;
  for (const auto& h : told.hops) {
    using enum told_hop::verdict;
    auto mark = h.how == passed ? "+" : h.how == failed ? "!" : h.how == trouble ? "~" : "-";
    names.push_back(mark + h.hop);
  }
  return names;
}

TEST(FailureStory, ComesBackAsItWasKept) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1'700'000'000'123);
  s.detail = "missing: tools:write";
  s.finished = true;
  s.scopes = {"a", "b"};
  s.rules = {{"tools", "delete_*", true, false, {"tools:write"}, {"argument.path starts_with /public/"}},
             {"tools", "echo", false, false, {}, {}}};
  s.would_allow = "the scopes tools:write";
  s.login = "key";
  s.before = {{"authorize", "id1", 5, true}, {"consent", "id2", 6, false}};
  s.count = 7;
  s.last_at = s.at + 5;
  s.ids = {"x", "y"};
  s.ended_id = "z";
  s.ended_at = s.at + 9;
  auto back = story_from(to_data(s));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(to_data(*back), to_data(s));
  EXPECT_EQ(back->rules[0].unmet, s.rules[0].unmet);
  EXPECT_TRUE(back->before[0].probable);
  EXPECT_EQ(back->count, 7U);
  EXPECT_EQ(back->ended_id, "z");
}

TEST(FailureStory, WhatCannotBeReadIsRefusedWhole) {
  for (std::string_view bad :
       {"", "{", "[]", "{}", R"({"id":"a"})", R"({"id":"a","code":"MOP-AUD-001"})",
        R"({"id":1,"code":2,"at":"x"})", R"({"id":"a\u001b[2J","code":"MOP-AUD-001","at":1})",
        R"({"id":"a","code":"MOP-AUD-001","at":1,"ids":["\u0007"]})",
        R"({"id":"a","code":"MOP-AUD-001","at":17900000000010})"}) {
    auto got = story_from(bad);
    ASSERT_FALSE(got) << bad;
    EXPECT_EQ(got.error().code, errc::store_corrupt);
  }
  // Members of another form are left out.
  auto got = story_from(R"({"id":"a","code":"b","at":1,"rules":[1,{}],"before":{},"ids":[1],"count":-4})");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->rules.size(), 1U);
  EXPECT_EQ(got->count, 1U);
}

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

TEST(FailureStory, OfARecordThatWasEditedNothingIsShownAsItStands) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1);
  std::string wild = "\x1b[2J " + std::string(1'000'000, 'a');
  s.detail = s.cause = s.path = s.user = s.would_allow = wild;
  s.fix = "Bearer abcdefghijklmnopqrstuvwxyz0123";
  s.scopes.assign(5000, wild.substr(0, 2000));
  s.rules = {{"tools", wild, true, false, {wild}, {wild}}};
  auto read = story_from(to_data(s));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->fix, "Bearer ***");
  EXPECT_EQ(read->scopes.size(), most_scopes_of_a_story);
  auto& r = read->rules.at(0);
  for (const auto& text : {read->detail, read->cause, read->path, read->user, read->would_allow,
                           read->scopes.at(0), r.pattern, r.missing_scopes.at(0), r.unmet.at(0)}) {
    EXPECT_LE(text.size(), longest_text_of_a_story);
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  }
  s = a_story("0123456789abc", "MOP-SCP-001", 1);
  s.ids = {std::string(1000, 'a')};
  EXPECT_FALSE(story_from(to_data(s))) << "no name of ours is as long";
}

TEST(FailureStory, MadeFitTwiceIsMadeFitOnce) {
  for (std::string_view text :
       {"Bearer\x01"
        "abcdefghijklmnopqrstuvwxyz",
        "token=\ttoken=\ttoken=a", "postgresql://a\nb@c", "state:\n\"token\":\"x\"", "caf\xC3", "eyJ"}) {
    for (std::string filler : {"", "x"}) {
      auto s = a_story("0123456789abc", "MOP-AUD-001", 1);
      // Some stand where the text is cut.
      s.detail = std::string(text);
      if (!filler.empty()) s.detail = std::string(500, 'x') + " " + s.detail + std::string(40, 'y');
      make_fit(s);
      auto once = s.detail;
      EXPECT_EQ(redact(once), once) << text;
      make_fit(s);
      EXPECT_EQ(s.detail, once) << text;
      EXPECT_THAT(s.detail, Not(HasSubstr("abcdefghijklmnopqrstuvwxyz")));
    }
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
  auto s = a_story("id", "MOP-AUD-001", 1);
  s.path = "/oauth/callback%3Fapi_key2%3Dvalue";
  s.mcp_name = "https://u:pw@x/y?X-Amz-Signature=value";
  make_fit(s);
  EXPECT_EQ(s.path, "/oauth/callback?***");
  EXPECT_EQ(s.mcp_name, "https://***@x/y?***");
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
  EXPECT_LE(text.size(), longest_text_of_a_story);
  EXPECT_TRUE(is_valid_utf8(text));
  EXPECT_TRUE(is_valid_utf8(redact("\xFF\xFE broken")));
  EXPECT_TRUE(is_valid_utf8(redact(std::string(5000, '\xC3'))));
}

TEST(FailureStory, KeepsIdsOfOursThatLookLikeTokens) {
  auto s = a_story("eyJ0123456789", "MOP-AUD-001", 1);
  s.login = "eyJabcdefghijklmnopqrst";
  s.grant = "eyJabcdefghijklmnopqrstu";
  make_fit(s);
  EXPECT_EQ(s.login, "eyJabcdefghijklmnopqrst");
  EXPECT_EQ(s.grant, "eyJabcdefghijklmnopqrstu");
}

TEST(FailureStory, IsMadeFitWhateverAStrangerSent) {
  auto s = a_story("id", "MOP-AUD-001", 1);
  s.path = "/mcp?access_token=canary-in-the-path-1234567890";
  s.detail = "Bearer canary-in-the-detail-1234567890";
  s.mcp_name = std::string(100'000, 'x');
  s.rules.assign(1000,
                 {"tools", "state=canary-in-a-rule", true, false, {"password=canary"}, {"token=canary"}});
  s.scopes.assign(1000, "secret=canary-in-a-scope");
  s.before.assign(100, {"authorize", "id", 1, false});
  s.before.back().id = "the last";
  s.ids.assign(100, "id");
  s.ids.back() = "newest";
  make_fit(s);
  auto data = to_data(s);
  EXPECT_THAT(data, Not(HasSubstr("canary")));
  EXPECT_LT(data.size(), 64U * 1024);
  EXPECT_EQ(s.before.back().id, "the last");
  EXPECT_EQ(s.ids.back(), "newest");
  EXPECT_EQ(s.ids.size(), most_ids_of_a_story);
}

TEST(TellStory, ACallStopsAtTheHopThatItsCodeIsOf) {
  for (auto [code, wanted] : std::initializer_list<std::pair<const char*, std::vector<std::string>>>{
           {"MOP-ORG-001", {"+client", "!gateway", "-validation", "-policy", "-upstream"}},
           {"MOP-AUD-001", {"+client", "+gateway", "!validation", "-policy", "-upstream"}},
           {"MOP-SCP-002", {"+client", "+gateway", "+validation", "!policy", "-upstream"}},
           {"MOP-UPS-001", {"+client", "+gateway", "+validation", "+policy", "!upstream"}}}) {
    std::vector kept{a_story("0123456789abc", code, 1000)};
    auto told = tell_story(kept, {}, "0123456789abc");
    ASSERT_TRUE(told) << code;
    EXPECT_EQ(hops_of(*told), wanted) << code;
    EXPECT_FALSE(told->is_login);
  }
}

TEST(TellStory, WhatTheGatewayRefusedBehindTheTokenStandsBehindIt) {
  for (auto code : {"MOP-SES-001", "MOP-MCP-001", "MOP-MCP-005"}) {
    auto s = a_story("0123456789abc", code, 1000);
    s.client_id = "client";
    EXPECT_THAT(hops_of(*tell_story(std::vector{s}, {}, s.id)),
                ElementsAre("+client", "+gateway", "+validation", "!gateway", "-policy", "-upstream"))
        << code;
    s.client_id.clear();
    s.user = "local:ada";
    auto told = tell_story(std::vector{s}, {}, s.id);
    ASSERT_EQ(told->hops.size(), 6U) << code;
    EXPECT_EQ(told->hops[2].detail, "local:ada");
    EXPECT_EQ(told->hops[3].code, code);
  }
}

std::vector<failure_story> a_login() {
  auto callback = a_story("callback00000", "MOP-IDP-008", 4000, "callback");
  callback.login = "key";
  callback.before = {{"gateway", "call000000000", 1000, true},
                     {"register", "register00000", 1500, false},
                     {"authorize", "authorize0000", 2000, false},
                     {"consent", "consent000000", 3000, false}};
  auto token = a_story("token00000000", "MOP-COD-001", 9000, "token");
  token.login = "key";
  auto other = a_story("other00000000", "MOP-STA-001", 500, "callback");
  other.login = "another";
  return {token, other, callback};
}

TEST(TellStory, AnyIdOfASignInGivesAllOfIt) {
  auto kept = a_login();
  for (auto id : {"call000000000", "register00000", "authorize0000", "consent000000", "callback00000",
                  "token00000000"}) {
    auto told = tell_story(kept, {}, id);
    ASSERT_TRUE(told) << id;
    EXPECT_TRUE(told->is_login);
    EXPECT_EQ(told->first->code, "MOP-IDP-008") << "the first cause comes first";
    EXPECT_THAT(hops_of(*told), ElementsAre("+gateway", "+registration", "+authorize", "+consent",
                                            "+callback", "!identity provider", "!token"));
    ASSERT_EQ(told->later.size(), 1U);
    EXPECT_EQ(told->later[0].id, "token00000000");
  }
  EXPECT_FALSE(tell_story(kept, {}, "nobody0000000"));
  EXPECT_FALSE(tell_story({}, {}, "call000000000"));
}

TEST(TellStory, APlainBeginningIsNobodysFailure) {
  auto told = tell_story(a_login(), {}, "call000000000");
  ASSERT_TRUE(told && told->opening);
  EXPECT_EQ(told->opening->hop, "gateway");
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("This request got a plain 401, which is no failure: every sign-in begins so.\n"
                       "It probably began the sign-in below.\n\n✗ MOP-IDP-008",
                       0),
            0U)
      << text;
  EXPECT_EQ(to_json(*told).at("opening").at("id"), "call000000000");
  for (auto id : {"register00000", "authorize0000", "callback00000", "token00000000"}) {
    auto certain = tell_story(a_login(), {}, id);
    EXPECT_FALSE(certain->opening) << id;
    EXPECT_TRUE(to_json(*certain).at("opening").is_null());
  }
  // Also of a failure that is of no sign-in, and of one that nothing went wrong in.
  auto alone = a_story("authorize0000", "MOP-CLI-001", 2000, "authorize");
  alone.before = {{"metadata", "metadata00000", 1000, true}};
  auto began = tell_story(std::vector{alone}, {}, "metadata00000");
  ASSERT_TRUE(began && began->opening);
  EXPECT_THAT(to_text(*began, false), testing::StartsWith("This request read the metadata"));
  std::vector<sign_in_progress> waiting{{"key", {{"gateway", "call000000000", 1, true}}}};
  EXPECT_TRUE(tell_story({}, waiting, "call000000000")->opening);
}

TEST(TellStory, WhatIsKnownComesBeforeWhatIsProbable) {
  auto guessed = a_story("authorize0000", "MOP-CLI-001", 2000, "authorize");
  guessed.before = {{"gateway", "good000000000", 1000, true}};
  auto sure = a_story("token00000000", "MOP-PKC-005", 3000, "token");
  sure.login = "key";
  sure.before = {{"authorize", "good000000000", 1000, false}};
  auto told = tell_story(std::vector{guessed, sure}, {}, "good000000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->id, "token00000000");
  EXPECT_FALSE(told->opening);
  std::vector<sign_in_progress> ended{{"key", {{"authorize", "good000000000", 1, false}}}};
  EXPECT_FALSE(tell_story(std::vector{guessed}, ended, "good000000000")->first);
}

TEST(TellStory, WhatDidNoHarmIsNotTheCauseOfWhatDid) {
  auto kept = a_login();
  auto slow = a_story("slow000000000", "MOP-IDP-001", 1900, "authorize");
  slow.login = "key";
  slow.finished = true;
  kept.push_back(slow);
  auto told = tell_story(kept, {}, "slow000000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->code, "MOP-IDP-008");
  EXPECT_THAT(hops_of(*told), testing::Contains("~identity provider"));
}

TEST(TellStory, ASignInThatStoppedEarlySaysWhatItNeverReached) {
  auto s = a_story("consent000000", "MOP-CON-002", 3000, "consent");
  s.login = "key";
  s.before = {{"authorize", "authorize0000", 2000, false}};
  auto told = tell_story(std::vector{s}, {}, "authorize0000");
  ASSERT_TRUE(told);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "!consent", "-callback", "-token"));
}

std::vector<sign_in_progress> sign_ins(sign_in_progress::stage code_is) {
  using stage = sign_in_progress::stage;
  std::vector<failure_story::step> begun = {{"authorize", "authorize0000", 2000, false},
                                            {"consent", "consent000000", 3000, false}};
  auto on = begun;
  on.push_back({"sign_in", "signin0000000", 5000, false});
  if (code_is == stage::ended) on.push_back({"token", "good000000000", 7000, false});
  return {{"waiting", {{"authorize", "waits00000000", 2000, false}}, stage::signing_in, 1'764'450'000'000},
          {"key", on, code_is, 1'764'450'000'000},
          {"key", begun, stage::signing_in, 1'764'450'000'000}};
}

TEST(TellStory, ASignInThatNobodyFinishedIsToldWithoutAFailure) {
  auto told = tell_story(a_login(), sign_ins(sign_in_progress::stage::code_given), "waits00000000");
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->first);
  EXPECT_EQ(told->how, sign_in_progress::stage::signing_in);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "-callback", "-token"));
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("! This sign-in is not finished\n  sign-in   nobody has signed in", 0), 0U) << text;
  EXPECT_THAT(text, HasSubstr("2025-11-29T21:00:00"));
  auto o = to_json(*told);
  EXPECT_TRUE(o.at("first").is_null() && o.at("request").is_null() && o.at("policy").is_null());
  EXPECT_EQ(o.at("sign_in"), "signing_in");
  EXPECT_EQ(o.at("kind"), "login");
}

TEST(TellStory, ACodeThatNobodyRedeemedIsTheLaterStage) {
  auto told = tell_story({}, sign_ins(sign_in_progress::stage::code_given), "consent000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->how, sign_in_progress::stage::code_given);
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "+consent", "+sign-in", "-token"))
      << "a sign-in with a password has no callback";
  EXPECT_THAT(to_text(*told, false), HasSubstr("the client has a code"));
}

TEST(TellStory, OfACodeThatWasAskedForInVainItIsNotSaidThatNobodyAsked) {
  auto wrong = a_story("token00000000", "MOP-PKC-005", 9000, "token");
  wrong.login = "key";
  auto told = tell_story(std::vector{wrong}, sign_ins(sign_in_progress::stage::code_given), wrong.id);
  ASSERT_TRUE(told);
  EXPECT_THAT(to_text(*told, false), HasSubstr("sign-in   the client has a code, which is good until "));
}

TEST(TellStory, AGoodEndAfterAFailureIsTold) {
  auto wrong = a_story("wrong00000000", "MOP-LOG-001", 4000, "sign_in");
  wrong.login = "key";
  wrong.before = {{"authorize", "authorize0000", 2000, false}, {"consent", "consent000000", 3000, false}};
  // As the records of the sign-in say, for as long as they are kept.
  auto told = tell_story(std::vector{wrong}, sign_ins(sign_in_progress::stage::ended), "wrong00000000");
  ASSERT_TRUE(told);
  EXPECT_EQ(told->first->id, "wrong00000000");
  EXPECT_THAT(hops_of(*told), ElementsAre("+authorize", "+consent", "!sign-in", "+sign-in", "+token"));
  EXPECT_THAT(to_text(*told, false), HasSubstr("the client got its tokens after all"));
  EXPECT_EQ(to_json(*told).at("sign_in"), "ended");
  // As the story itself says.
  wrong.ended_id = "good000000000";
  wrong.ended_at = 7000;
  auto kept = std::vector{*story_from(to_data(wrong))};
  for (auto id : {"wrong00000000", "good000000000", "consent000000"}) {
    auto later = tell_story(kept, {}, id);
    ASSERT_TRUE(later) << id;
    EXPECT_EQ(later->how, sign_in_progress::stage::ended);
    EXPECT_THAT(hops_of(*later), ElementsAre("+authorize", "+consent", "!sign-in", "+token"));
  }
  auto without = tell_story({}, sign_ins(sign_in_progress::stage::ended), "good000000000");
  ASSERT_TRUE(without);
  EXPECT_EQ(to_text(*without, false).rfind("✓ This sign-in ended well\n", 0), 0U);
}

TEST(TellStory, EveryCodeHasAHopOnTheWay) {
  for (const auto& row : catalogue()) {
    for (auto action :
         {"call", "authorize", "token", "callback", "metadata", "gateway", "register", "sign_in"}) {
      auto hop = hop_of(row, action);
      EXPECT_THAT(all_hops(), testing::Contains(hop)) << row.id;
    }
  }
}

TEST(PrintStory, BeginsWithTheCauseAndItsFix) {
  auto s = a_story("0123456789abc", "MOP-AUD-001", 1'764'450'000'123);
  s.detail = "aud https://a.test/mcp/, expected https://a.test/mcp";
  s.count = 3;
  s.last_at = s.at + 1000;
  s.ids = {"zzzzzzzzzzzzz"};
  auto told = tell_story(std::vector{s}, {}, "zzzzzzzzzzzzz");
  ASSERT_TRUE(told);
  auto text = to_text(*told, false);
  EXPECT_EQ(text.rfind("✗ MOP-AUD-001  audience mismatch\n", 0), 0U) << text;
  for (auto words :
       {"seen      aud https://a.test/mcp/\n", "expected  https://a.test/mcp\n", "fix       Ask for a token",
        "check     mcp-oauth-proxy explain-token", "3 times", "(zzzzzzzzzzzzz)", "from 192.0.2.7",
        "\"OAuth Setup Guide\" of servers", "✗ validation", "– policy"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(to_text(*told, true), HasSubstr("\033[31m"));
}

TEST(PrintStory, TheFixOfThisDeploymentStandsInPlaceOfTheOneOfTheCatalogue) {
  auto s = a_story("0123456789abc", "MOP-IDP-008", 1, "callback");
  s.cause = "The app lacks https://gw.test/auth/callback.";
  s.fix = "Add https://gw.test/auth/callback to app 7d0f.";
  auto kept = story_from(to_data(s));
  ASSERT_TRUE(kept);
  auto told = tell_story(std::vector{*kept}, {}, s.id);
  auto text = to_text(*told, false);
  EXPECT_THAT(text, HasSubstr("cause     The app lacks https://gw.test/auth/callback.\n"));
  EXPECT_THAT(text, HasSubstr("fix       Add https://gw.test/auth/callback to app 7d0f.\n"));
  EXPECT_THAT(text, Not(HasSubstr(std::string(find_by_id(s.code)->fix))));
  EXPECT_EQ(to_json(*told).at("first").at("fix"), "Add https://gw.test/auth/callback to app 7d0f.");
}

TEST(PrintStory, TellsOfEachRuleWhyItDidOrDidNotApply) {
  auto s = a_story("0123456789abc", "MOP-SCP-001", 1);
  s.mcp_method = "tools/call";
  s.mcp_name = "delete_all";
  s.scopes = {"tools:read"};
  s.rules = {{"tools", "delete_*", true, false, {"tools:write"}, {}},
             {"tools", "*", true, false, {}, {}},
             {"tools", "echo", false, false, {}, {}},
             {"tools", "delete_all", true, true, {}, {}},
             {"methods", "tools/*", true, false, {}, {"claim.dept equals ops"}}};
  s.would_allow = "the scopes tools:write";
  auto text = to_text(*tell_story(std::vector{s}, {}, s.id), false);
  for (auto words : {"lacks tools:write", "allows it", "is for other names", "is denied to everybody",
                     "wants claim.dept equals ops", "has       the scopes tools:read",
                     "needs     the scopes tools:write"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
  EXPECT_THAT(text, HasSubstr("fix       " + std::string(find_by_id("MOP-SCP-001")->fix)));
  auto denied = s;
  denied.code = "MOP-SCP-002";
  EXPECT_THAT(to_text(*tell_story(std::vector{denied}, {}, s.id), false),
              HasSubstr("fix       Add a line that allows it, or mend the one that does not"))
      << "that of the catalogue leads to where the reader is";
  auto o = to_json(*tell_story(std::vector{s}, {}, s.id));
  EXPECT_EQ(o.at("policy").at("rules").as_array().size(), 5U);
  EXPECT_EQ(o.at("policy").at("rules").at(1).at("allows"), true);
  EXPECT_EQ(o.at("first").at("id"), "MOP-SCP-001");
}

TEST(PrintStory, HasAWordForEachVerdictAndStage) {
  using verdict = told_hop::verdict;
  using stage = sign_in_progress::stage;
  told_story told;
  told.is_login = true;
  for (auto how : {verdict::passed, verdict::failed, verdict::trouble, verdict::not_reached}) {
    told_hop hop;
    hop.hop = "token";
    hop.how = how;
    told.hops.push_back(hop);
  }
  std::vector<std::string> verdicts;
  auto all = to_json(told);
  for (const auto& hop : all.at("hops").as_array()) verdicts.emplace_back(hop.at("verdict").as_string());
  EXPECT_THAT(verdicts, ElementsAre("passed", "failed", "trouble", "not_reached"));
  for (auto [how, word] : std::initializer_list<std::pair<stage, const char*>>{
           {stage::signing_in, "signing_in"}, {stage::code_given, "code_given"}, {stage::ended, "ended"}}) {
    told.how = how;
    EXPECT_EQ(to_json(told).at("sign_in"), word);
  }
}

TEST(PrintStory, ListsOneLineForEach) {
  auto kept = a_login();
  auto text = list_text(kept, false);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, HasSubstr("callback00000  MOP-IDP-008  from 192.0.2.7  POST /mcp\n"));
  EXPECT_EQ(list_json(kept).at("failures").as_array().size(), 3U);
}

TEST(StoryBounds, TheSourceThatHasMostLosesItsOldest) {
  std::vector<kept_size> all;
  for (int i = 0; i < 10; ++i) all.push_back({"flood" + std::to_string(i), "a", 10});
  all.push_back({"b1", "b", 10});
  all.push_back({"c1", "c", 10});
  EXPECT_THAT(surplus(all, 12, 1000), testing::IsEmpty());
  EXPECT_THAT(surplus(all, 10, 1000), ElementsAre("flood9", "flood8"));
  auto going = surplus(all, 100, 40);
  EXPECT_THAT(going, testing::Not(testing::Contains("b1")));
  EXPECT_THAT(going, testing::Not(testing::Contains("c1")));
  EXPECT_EQ(going.size(), 8U);
  EXPECT_EQ(surplus(all, 0, 1000).size(), all.size());
  EXPECT_EQ(surplus(all, 100, 0).size(), all.size());
}

TEST(StoryBounds, AThousandStrangersTakeAQuarterAtMost) {
  std::vector<kept_size> all;
  for (int i = 0; i < 1000; ++i) all.push_back({"x" + std::to_string(i), "s" + std::to_string(i), 10, true});
  // The strangers are newer than everybody else.
  for (int i = 0; i < 300; ++i) all.push_back({"k" + std::to_string(i), "office", 10, false});
  auto going = surplus(all, 1000, 1'000'000);
  ASSERT_EQ(going.size(), 750U);
  EXPECT_EQ(going.front(), "x999") << "the oldest of them first";
  EXPECT_THAT(going, Not(testing::Contains(testing::StartsWith("k"))));
  EXPECT_THAT(going, Not(testing::Contains("x249")));
  // Bytes likewise.
  EXPECT_EQ(surplus(all, 10'000, 8000).size(), 800U);
  EXPECT_THAT(surplus(all, 10'000, 8000), Not(testing::Contains(testing::StartsWith("k"))));
}

TEST(StoryBounds, AmongStrangersWhoHasMostLosesFirst) {
  std::vector<kept_size> all;
  for (int i = 0; i < 10; ++i) all.push_back({"flood" + std::to_string(i), "a", 10, true});
  all.push_back({"lone", "b", 10, true});
  // The same address, with a name.
  for (int i = 0; i < 3; ++i) all.push_back({"named" + std::to_string(i), "a", 10, false});
  auto going = surplus(all, 16, 1000);
  ASSERT_EQ(going.size(), 7U);
  EXPECT_EQ(going.front(), "flood9");
  EXPECT_THAT(going, testing::Each(testing::StartsWith("flood")));
}

TEST(StoryBounds, AStrangerNamesNobodyThatIsKnown) {
  auto size_with = [](auto change, std::string code) {
    auto s = a_story("0123456789abc", std::move(code), 1);
    change(s);
    return size_of_story(s.id, to_data(s));
  };
  auto client = [](failure_story& s) {
    s.client_id = "c";
    s.login = "key";
  };
  EXPECT_TRUE(size_with([](auto&) {}, "MOP-TOK-004").stranger);
  EXPECT_FALSE(size_with([](failure_story& s) { s.user = "local:ada"; }, "MOP-TOK-004").stranger);
  EXPECT_FALSE(size_with(client, "MOP-PKC-005").stranger);
  EXPECT_FALSE(size_with([](failure_story& s) { s.login = "key"; }, "MOP-PKC-005").stranger);
  for (auto code :
       {errc::client_unknown, errc::client_document_unreachable, errc::client_authentication_failed})
    EXPECT_TRUE(size_with(client, std::string(explain(code).id)).stranger)
        << "anybody can make a client id up";
  auto size = size_with(client, "MOP-PKC-005");
  EXPECT_EQ(size.source, "192.0.2.7");
  EXPECT_EQ(size.id, "0123456789abc");
  EXPECT_GT(size.bytes, 50U);
  auto broken = size_of_story("id", "{");
  EXPECT_TRUE(broken.stranger);
  EXPECT_EQ(broken.source, "");
}

TEST(RequestId, IsToldFromOtherText) {
  EXPECT_TRUE(is_request_id("0a1b2c3d4e5fg"));
  for (auto not_one :
       {"", "0a1b2c3d4e5f", "0a1b2c3d4e5fgh", "token expired", "0A1B2C3D4E5FG", "0a1b2c3d4e5fl"}) {
    EXPECT_FALSE(is_request_id(not_one)) << not_one;
  }
}

TEST(RequestId, IsFoundAsPeopleHaveIt) {
  for (auto given :
       {"0a1b2c3d4e5fg", "0A1B2C3D4E5FG", "\"0a1b2c3d4e5fg\",", "(0a1b2c3d4e5fg).",
        "X-Request-Id: 0a1b2c3d4e5fg", "x-request-id:0A1B2C3D4E5FG", "request_id=0a1b2c3d4e5fg",
        "\"request_id\":\"0a1b2c3d4e5fg\",", "request   0a1b2c3d4e5fg  2026-11-29T21:03:07.412Z",
        "2026-11-29T21:03:07.412Z  0a1b2c3d4e5fg  MOP-AUD-001  from 192.0.2.7  POST /mcp",
        "HTTP/1.1 401\r\nX-Request-Id: 0a1b2c3d4e5fg\r\n",
        R"({"level":"info","message":"token expired","request_id":"0a1b2c3d4e5fg","client":"::1"})",
        "2026-11-29T21:03:07.412Z info  [mcp] token expired request_id=0a1b2c3d4e5fg client=::1"}) {
    EXPECT_THAT(request_ids_in(given), ElementsAre("0a1b2c3d4e5fg")) << given;
  }
  EXPECT_THAT(
      request_ids_in("request_id=0a1b2c3d4e5fg a\nrequest_id=1a1b2c3d4e5fg\nrequest_id=0a1b2c3d4e5fg"),
      ElementsAre("0a1b2c3d4e5fg", "1a1b2c3d4e5fg"));
  for (auto none : {"", "MOP-AUD-001", "the request 0a1b2c3d4e5 failed", "see 0a1b2c3d4e5fg\nthere",
                    "at 1764450000123 it failed", "see abcdefghjkmnp there",
                    "request_id           0a1b2c3d4e5fg\nx", "request_ids=0a1b2c3d4e5fg\nx", "request_id="}) {
    EXPECT_THAT(request_ids_in(none), testing::IsEmpty()) << none;
  }
  std::string many;
  for (int i = 0; i < 100; ++i) many += "request_id=0a1b2c3d4e" + std::to_string(100 + i) + "\n";
  EXPECT_EQ(request_ids_in(many).size(), 16U);
}

}  // namespace
}  // namespace mcp_oauth
