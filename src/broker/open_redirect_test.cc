// Every payload of oauth/redirect_payloads.h at everything here that could send a browser away, judged by how
// a browser reads what it is sent.

#include "broker/fixture.h"
#include "oauth/browser_reading.h"
#include "oauth/redirect_payloads.h"
#include "oauth/redirect_uri.h"

#include <set>

namespace mcp_oauth {
namespace {

using testing::Not;

// The names under which applications take an address to go on to.
constexpr const char* return_parameters[] = {"next",
                                             "return",
                                             "returnTo",
                                             "return_to",
                                             "return_url",
                                             "rd",
                                             "redirect",
                                             "redirect_to",
                                             "redirect_url",
                                             "url",
                                             "continue",
                                             "target",
                                             "RelayState",
                                             "goto",
                                             "dest",
                                             "callback",
                                             "post_logout_redirect_uri",
                                             "target_link_uri",
                                             "redirect_uri",
                                             "state"};

// oauth2-proxy: GHSA-qqxw-m5fj-f7gv, GHSA-j7px-6hwj-hpjg, GHSA-5m6c-jp6f-2vcv, GHSA-4mf2-f3wh-gvf2;
// mod_auth_openidc: CVE-2022-23527.
class AdvisoryOpenRedirect : public BrokerTest {
 protected:
  static constexpr const char* ours = "https://mcp.example.com";

  void SetUp() override {
    conf.rates.registrations_per_hour = 0;
    client_settings known;
    known.client_id = "known";
    known.redirect_uris = {registered_web, registered_loopback, registered_localhost, registered_application};
    conf.clients = {known};
    restart();
    add_user("ada", "correct horse battery");
    for (const auto& uri : known.redirect_uris) registered.insert(where_a_browser_goes(uri, ours));
    registered.insert(ours);
    client = body_with({registered_web, registered_loopback, registered_localhost, registered_application});
  }

  std::string body_with(std::initializer_list<const char*> uris) {
    json::array list;
    for (const auto* uri : uris) list.emplace_back(uri);
    auto answer = ask(endpoint::register_client,
                      registration({{"redirect_uris", list}, {"token_endpoint_auth_method", "none"}}));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return text_member(body_of(answer), "client_id");
  }

  // Loopback: a browser goes where the registered URI says, on any port.
  bool is_registered(std::string origin) const {
    for (const char* loopback : {"http://127.0.0.1", "http://localhost"}) {
      if (origin.rfind(std::string(loopback) + ":", 0) == 0) origin = loopback;
    }
    return registered.contains(origin);
  }

  // Neither the answer nor a link, form or image of its page leads elsewhere.
  void expect_stays(const http_response& answer, const std::string& payload) {
    for (const auto& [name, value] : answer.fields) {
      if (equal_ignoring_case(name, "location") || equal_ignoring_case(name, "refresh")) {
        EXPECT_TRUE(is_registered(where_a_browser_goes(value, ours))) << payload << "\n -> " << value;
      }
      EXPECT_EQ(value.find_first_of(std::string("\r\n\0", 3)), std::string::npos) << payload;
    }
    for (const auto& target : targets_of(answer.body)) {
      EXPECT_TRUE(is_registered(where_a_browser_goes(target, ours))) << payload << "\n -> " << target;
    }
  }

  // The page names where a browser goes.
  void expect_named(const http_response& page, const std::string& payload) {
    auto shown = describe_redirect_uri(payload).where;
    auto origin = where_a_browser_goes(payload, ours);
    auto scheme = origin.substr(0, origin.find(':'));
    EXPECT_NE(page.body.find("<dd><strong>" + shown), std::string::npos) << payload;
    bool web = scheme == "https" || scheme == "http";
    EXPECT_EQ(web ? where_a_browser_goes(scheme + "://" + shown, ours) : shown, web ? origin : scheme)
        << payload;
  }

  // Most answers as a program gets them, which are cheap to make, and one in so many as a page.
  http_request asked_by_turns(http_request request) {
    if (++asked_ % 11 != 0) request.fields.set("Accept", "*/*");
    return request;
  }

  static std::vector<std::string> targets_of(const std::string& page) {
    std::vector<std::string> all;
    for (const std::string mark : {"href=\"", "action=\"", "src=\"", "http-equiv=\""}) {
      for (auto at = page.find(mark); at != std::string::npos; at = page.find(mark, at + 1)) {
        auto from = at + mark.size();
        auto text = page.substr(from, page.find('"', from) - from);
        for (auto escaped = text.find("&amp;"); escaped != std::string::npos; escaped = text.find("&amp;")) {
          text.replace(escaped, 5, "&");
        }
        all.push_back(text);
      }
    }
    return all;
  }

  std::set<std::string> registered;
  std::string client;

 private:
  std::uint64_t asked_ = 0;
};

TEST_F(AdvisoryOpenRedirect, CVE_2022_23527_NoRequestLeadsToAnAddressThatIsNotRegistered) {
  auto all = every_payload();
  ASSERT_GE(all.size(), 800u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& payload = all[i];
    auto good = authorization(i % 2 == 0 ? client : "known", payload);
    form bad;
    for (const auto& [n, v] : good) {
      if (n != "code_challenge") bad.add(n, v);
    }
    // By turns: what is right as a link and what is wrong as a form, or the other way round.
    test_browser b;
    const auto& as_link = i / 2 % 2 == 0 ? good : bad;
    const auto& as_form = i / 2 % 2 == 0 ? bad : good;
    expect_stays(visit(b, endpoint::authorize, asked_by_turns(get_request("/oauth/authorize", as_link))),
                 payload);
    expect_stays(visit(b, endpoint::authorize, asked_by_turns(post_request("/oauth/authorize", as_form))),
                 payload);
    auto redeemed = ask(endpoint::token,
                        post_request("/oauth/token", make_form({{"grant_type", "authorization_code"},
                                                                {"client_id", client},
                                                                {"code", "x"},
                                                                {"redirect_uri", payload},
                                                                {"code_verifier", std::string(verifier)}})));
    EXPECT_EQ(redeemed.status, 400) << payload;
    expect_stays(redeemed, payload);
  }
}

// What a stranger may register is his own address: nobody is sent there without a button that names the very
// host a browser would go to.
TEST_F(AdvisoryOpenRedirect, GHSA_qqxw_m5fj_f7gv_WhatAStrangerRegistersIsNamedAsABrowserReadsIt) {
  int taken = 0;
  for (const auto& payload : every_payload()) {
    auto answer = ask(endpoint::register_client,
                      registration({{"redirect_uris", json::array{json::string_view(payload)}},
                                    {"token_endpoint_auth_method", "none"}}));
    if (answer.status != 201) {
      EXPECT_EQ(answer.status, 400) << payload;
      continue;
    }
    ++taken;
    auto origin = where_a_browser_goes(payload, ours);
    EXPECT_NE(origin, "") << payload;
    EXPECT_EQ(origin.rfind("javascript", 0), std::string::npos) << payload;
    auto id = text_member(body_of(answer), "client_id");
    test_browser b;
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(id, payload)));
    ASSERT_EQ(page.status, 200) << payload;
    expect_named(page, payload);
    auto denied =
        visit(b, endpoint::consent,
              post_request("/oauth/consent",
                           make_form({{"request", value_on(page.body, "request")}, {"deny", "yes"}})));
    EXPECT_EQ(where_a_browser_goes(denied.fields.first("location"), ours), origin) << payload;
    // An error by itself moves nobody to a web address.
    auto wrong =
        visit(b, endpoint::authorize,
              get_request("/oauth/authorize", make_form({{"client_id", id}, {"redirect_uri", payload}})));
    if (describe_redirect_uri(payload).kind == redirect_kind::web) {
      EXPECT_EQ(wrong.fields.count("location"), 0u) << payload;
    }
  }
  EXPECT_GT(taken, 0);
}

// The same from a document that a client id names.
TEST_F(AdvisoryOpenRedirect, GHSA_qqxw_m5fj_f7gv_WhatADocumentNamesIsNamedAsABrowserReadsIt) {
  std::string payload;
  fetch = [&](const http_call& call) -> result<http_answer> {
    auto document = json::serialize(json::object{{"client_id", call.url},
                                                 {"client_name", "Documented"},
                                                 {"client_uri", json::string_view(payload)},
                                                 {"logo_uri", json::string_view(payload)},
                                                 {"tos_uri", json::string_view(payload)},
                                                 {"redirect_uris", json::array{json::string_view(payload)}},
                                                 {"token_endpoint_auth_method", "none"}});
    return http_answer{200, {{"Content-Type", "application/json"}}, document};
  };
  int taken = 0;
  auto all = every_payload();
  for (std::size_t i = 0; i < all.size(); i += 3) {
    payload = all[i];
    auto id = "https://app.example.org/" + std::to_string(i) + ".json";
    test_browser b;
    auto page = visit(b, endpoint::authorize, get_request("/oauth/authorize", authorization(id, payload)));
    EXPECT_EQ(page.fields.count("location"), 0u) << payload;
    expect_stays(page, payload);
    if (page.status != 200) continue;
    ++taken;
    expect_named(page, payload);
  }
  EXPECT_GT(taken, 0);
}

// Our pages take no address to go on to, under any name.
TEST_F(AdvisoryOpenRedirect, GHSA_j7px_6hwj_hpjg_NoPageOfOursGoesOnToAnAddressThatItIsGiven) {
  constexpr endpoint pages[] = {endpoint::sign_in, endpoint::callback,  endpoint::sign_out,
                                endpoint::consent, endpoint::authorize, endpoint::revoke};
  auto all = every_payload();
  ASSERT_GE(all.size() / std::size(pages), 800u) << "so many for each page";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& payload = all[i];
    form parameters;
    for (const auto* name : return_parameters) parameters.add(name, payload);
    bool as_link = i / std::size(pages) % 2 == 0;
    expect_stays(ask(pages[i % std::size(pages)],
                     asked_by_turns(as_link ? get_request("/", parameters) : post_request("/", parameters))),
                 payload);
    auto request = get_request(payload, {});
    request.fields.set("Referer", "https://evil.example/");
    expect_stays(ask(endpoint::sign_out, request), payload);
  }
}

// And none that stands beside what they do take, on the whole way from the first page to signing out.
TEST_F(AdvisoryOpenRedirect, GHSA_5m6c_jp6f_2vcv_NoAddressBesideTheFormsChangesWhereTheyLead) {
  auto all = every_payload();
  for (std::size_t i = 0; i < all.size(); i += 37) {
    const auto& payload = all[i];
    auto added = [&](form request) {
      for (const auto* name : return_parameters) {
        if (!request.find(name)) request.add(name, payload);
      }
      return request;
    };
    test_browser b;
    auto page = visit(b, endpoint::authorize,
                      get_request("/oauth/authorize", added(authorization(client, registered_web))));
    expect_stays(page, payload);
    ASSERT_EQ(page.status, 200) << payload;
    auto approved = visit(
        b, endpoint::consent,
        post_request("/oauth/consent",
                     added(make_form({{"request", value_on(page.body, "request")}, {"approve", "local"}}))));
    expect_stays(approved, payload);
    auto sign_in_page = open_sign_in(b, approved);
    expect_stays(sign_in_page, payload);
    auto done =
        visit(b, endpoint::sign_in,
              post_request("/auth/signin", added(make_form({{"login", value_on(sign_in_page.body, "login")},
                                                            {"form", value_on(sign_in_page.body, "form")},
                                                            {"user", "ada"},
                                                            {"password", "correct horse battery"}}))));
    ASSERT_EQ(done.status, 303) << payload;
    EXPECT_EQ(where_a_browser_goes(done.fields.first("location"), ours), "https://client.example");
    auto out = visit(b, endpoint::sign_out, get_request("/auth/logout", added({})));
    expect_stays(out, payload);
    auto gone = visit(b, endpoint::sign_out,
                      post_request("/auth/logout", added(make_form({{"form", value_on(out.body, "form")}}))));
    EXPECT_EQ(gone.status, 200) << payload;
    expect_stays(gone, payload);
  }
}

}  // namespace
}  // namespace mcp_oauth
