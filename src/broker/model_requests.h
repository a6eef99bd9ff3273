#pragma once

// For model_driver.h: how an action becomes a request, and an answer what the model understands.

#include "broker/model_driver.h"

namespace mcp_oauth::model {

inline std::optional<driver::task> driver::prepare(const action& it) {
  switch (it.what) {
    case doing::authorize: return prepare_authorize(it);
    case doing::approve:
    case doing::deny: return prepare_decision(it);
    case doing::enter: return prepare_enter(it);
    case doing::redeem: return prepare_redeem(it);
    case doing::refresh: return prepare_refresh(it);
    case doing::revoke: return prepare_revoke(it);
    case doing::sign_out: return prepare_sign_out(it);
    default: return std::nullopt;
  }
}

inline std::optional<driver::task> driver::prepare_authorize(const action& it) {
  struct choice {
    const char* sent;
    scope_set meant;
  };
  static const choice scopes[] = {{"tools:read", {"tools:read"}},
                                  {"tools:read tools:write", {"tools:read", "tools:write"}},
                                  {"", {"tools:read", "tools:write"}},
                                  {"tools:write offline_access", {"tools:write"}}};
  static const std::pair<const char*, const char*> resources[] = {
      {"", "https://mcp.example.com/mcp"},
      {"https://mcp.example.com/mcp", "https://mcp.example.com/mcp"},
      {"https://mcp.example.com/mcp", "https://mcp.example.com/mcp"},
      {"https://MCP.example.com/mcp/", "https://mcp.example.com/mcp"},
      {"https://mcp.example.com/other", "https://mcp.example.com/other"},
      {"https://mcp.example.com.evil.example/mcp", ""}};
  static const char* const prompts[] = {"", "", "", "login", "consent", "none"};
  auto browser = it.a % browsers_.size();
  auto n = it.b % clients_.size();
  const auto& c = clients_[n];
  const auto& scope = scopes[it.c % 4];
  const auto& [resource, meant] = resources[it.c / 4 % 6];
  request promised;
  promised.what = verb::authorize;
  promised.asked = {c.id, scope.meant, meant};
  promised.prompt = prompts[it.c / 24 % 6];
  promised.cross_site = it.c / 144 % 4 == 0;
  promised.web = c.web;
  if (promised.asked.resource.empty()) promised.wrong = flaw::resource;
  auto parameters = make_form({{"response_type", "code"},
                               {"client_id", c.id},
                               {"redirect_uri", c.redirect_uri},
                               {"state", "s"},
                               {"code_challenge", std::string(challenge)},
                               {"code_challenge_method", "S256"}});
  if (*scope.sent != '\0') parameters.add("scope", scope.sent);
  if (*resource != '\0') parameters.add("resource", resource);
  if (!promised.prompt.empty()) parameters.add("prompt", promised.prompt);
  auto r = get_request("/oauth/authorize", parameters);
  r.fields.add("Sec-Fetch-Site", promised.cross_site ? "cross-site" : "same-origin");
  return in_browser(browser, endpoint::authorize, std::move(r), std::move(promised), n);
}

inline std::optional<driver::task> driver::prepare_decision(const action& it) {
  if (pages_.empty()) return std::nullopt;
  request promised;
  promised.what = it.what == doing::deny ? verb::deny : verb::approve;
  const auto& page = pages_[one_of(pages_, it.b)];
  promised.handle = page.text;
  auto r = post_request(
      "/oauth/consent",
      make_form({{"request", promised.handle}, {it.what == doing::deny ? "deny" : "approve", "local"}}));
  return in_browser(mostly(page.browser, it.a, browsers_.size()), endpoint::consent, std::move(r),
                    std::move(promised), page.client);
}

inline std::optional<driver::task> driver::prepare_enter(const action& it) {
  if (logins_.empty()) return std::nullopt;
  const auto& l = logins_[one_of(logins_, it.b)];
  auto page = get_request("/auth/signin", make_form({{"login", l.text}}));
  auto browser = mostly(l.browser, it.a, browsers_.size());
  // The form of the login's own page, or of whatever page the other browser is shown.
  browsers_[it.c / 16 % 2 == 0 ? browser : l.browser].send(page);
  auto form_value = value_on(ask(endpoint::sign_in, page).body, "form");
  request promised;
  promised.what = verb::enter;
  promised.handle = l.text;
  promised.user = user(it.c);
  if (it.c / 2 % 8 == 0) promised.wrong = flaw::password;
  auto r = post_request(
      "/auth/signin", make_form({{"login", l.text},
                                 {"form", form_value},
                                 {"user", promised.user},
                                 {"password", promised.wrong == flaw::none ? std::string(password) : "x"}}));
  return in_browser(browser, endpoint::sign_in, std::move(r), std::move(promised), l.client);
}

inline std::optional<driver::task> driver::prepare_sign_out(const action& it) {
  auto browser = it.a % browsers_.size();
  auto& b = browsers_[browser];
  if (cookie_of(b, "mop_browser").empty()) return std::nullopt;
  auto page = get_request("/auth/logout");
  b.send(page);
  request promised;
  promised.what = verb::sign_out;
  auto r = post_request("/auth/logout",
                        make_form({{"form", value_on(ask(endpoint::sign_out, page).body, "form")}}));
  return in_browser(browser, endpoint::sign_out, std::move(r), std::move(promised), 0);
}

inline std::optional<driver::task> driver::prepare_redeem(const action& it) {
  if (codes_.empty()) return std::nullopt;
  const auto& code = codes_[one_of(codes_, it.a)];
  auto n = mostly(code.client, it.b, clients_.size());
  request promised;
  promised.what = verb::redeem;
  promised.asked.client = clients_[n].id;
  promised.handle = code.text;
  auto body = make_form({{"grant_type", "authorization_code"}, {"code", code.text}});
  switch (it.c % 12) {
    case 1: promised.wrong = flaw::verifier; break;
    case 2: promised.wrong = flaw::redirect_uri; break;
    case 3:
      promised.wrong = flaw::resource;
      body.add("resource", "https://mcp.example.com/mcp/../secret");
      break;
    default: break;
  }
  body.add("code_verifier", promised.wrong == flaw::verifier ? std::string(43, 'a') : std::string(verifier));
  body.add("redirect_uri", promised.wrong == flaw::redirect_uri ? "http://127.0.0.1:7777/elsewhere"
                                                                : clients_[code.client].redirect_uri);
  auto r = post_request("/oauth/token", body);
  authenticate(r, clients_[n]);
  return by_client(endpoint::token, std::move(r), std::move(promised), n);
}

inline std::optional<driver::task> driver::prepare_refresh(const action& it) {
  if (refreshes_.empty()) return std::nullopt;
  const auto& token = refreshes_[one_of(refreshes_, it.a)];
  auto n = mostly(token.client, it.b, clients_.size());
  request promised;
  promised.what = verb::refresh;
  promised.asked.client = clients_[n].id;
  promised.handle = token.text;
  auto body = make_form({{"grant_type", "refresh_token"}, {"refresh_token", token.text}});
  switch (it.c % 12) {
    case 1:
      promised.wrong = flaw::resource;
      body.add("resource", "https://elsewhere.example/mcp");
      break;
    case 2:
      promised.wrong = flaw::scope;
      body.add("scope", "tools:read tools:write tools:admin");
      break;
    case 3:
    case 4:
      promised.narrower = {"tools:read"};
      body.add("scope", "tools:read");
      break;
    default: break;
  }
  auto r = post_request("/oauth/token", body);
  authenticate(r, clients_[n]);
  return by_client(endpoint::token, std::move(r), std::move(promised), n);
}

inline std::optional<driver::task> driver::prepare_revoke(const action& it) {
  const auto& from = it.c % 2 == 0 ? refreshes_ : accesses_;
  if (from.empty()) return std::nullopt;
  const auto& token = from[one_of(from, it.a)];
  auto n = mostly(token.client, it.b, clients_.size());
  request promised;
  promised.what = verb::revoke;
  promised.asked.client = clients_[n].id;
  promised.handle = token.text;
  auto r = post_request("/oauth/revoke", make_form({{"token", token.text}}));
  authenticate(r, clients_[n]);
  return by_client(endpoint::revoke, std::move(r), std::move(promised), n);
}

inline driver::task driver::in_browser(std::size_t browser, endpoint at, http_request r, request promised,
                                       std::size_t client) {
  promised.browser = cookie_of(browsers_[browser], "mop_browser");
  promised.session = cookie_of(browsers_[browser], "mop_session");
  browsers_[browser].send(r);
  task t;
  t.client = clients_[client].id;
  t.act = [this, browser, at, r, client, sent = promised.browser](bool lost) {
    auto received = ask(at, r);
    auto seen = read_page(received);
    seen.browser = set_by(received, "mop_browser");
    if (seen.browser.empty()) seen.browser = sent;
    if (at == endpoint::sign_out && received.status == 200) seen.what = outcome::done;
    if (lost) return seen;
    browsers_[browser].receive(received);
    keep(seen, browser, client);
    return seen;
  };
  t.explain = [this, promised](promises& m, const answer& a) { return m.explains(promised, a, now_); };
  t.explain_degraded = [this, promised](promises& m, const answer& a) {
    // Where the store could not say that somebody is signed in or approved before, people are asked again.
    auto asked_again = promised;
    asked_again.session.clear();
    if (a.what == outcome::page) asked_again.cross_site = true;
    return (a.what == outcome::page || a.what == outcome::login) && m.explains(asked_again, a, now_);
  };
  return t;
}

inline driver::task driver::by_client(endpoint at, http_request r, request promised, std::size_t client) {
  task t;
  t.client = promised.asked.client;
  t.act = [this, at, r, client](bool lost) {
    auto received = ask(at, r);
    answer seen;
    if (at == endpoint::token) {
      seen = read_tokens(received);
    } else {
      seen.what = received.status == 200 ? outcome::done : outcome::refused;
      seen.error = error_of(received);
    }
    if (!lost) keep(seen, 0, client);
    return seen;
  };
  t.explain = [this, promised](promises& m, const answer& a) { return m.explains(promised, a, now_); };
  t.explain_degraded = [](promises&, const answer&) { return false; };
  return t;
}

inline answer driver::read_page(const http_response& r) const {
  answer a;
  std::string location(r.fields.first("location"));
  if (r.status == 200 && !value_on(r.body, "request").empty()) {
    a.what = outcome::page;
    a.handle = value_on(r.body, "request");
  } else if (location.rfind("/auth/signin?", 0) == 0) {
    a.what = outcome::login;
    a.handle = parameter_of(location, "login");
  } else if (location.rfind("/oauth/authorize?", 0) == 0 && parameter_of(location, "prompt") == "consent") {
    a.what = outcome::again;
    a.session = set_by(r, "mop_session");
  } else if (!parameter_of(location, "code").empty()) {
    a.what = outcome::code;
    a.handle = parameter_of(location, "code");
    a.session = set_by(r, "mop_session");  // only a sign-in sets one
  } else {
    a.error = location.empty() ? (r.status >= 500 ? "server_error" : "") : parameter_of(location, "error");
  }
  return a;
}

inline answer driver::read_tokens(const http_response& r) const {
  answer a;
  auto body = body_of(r);
  a.error = text_member(body, "error");
  if (r.status != 200) return a;
  a.what = outcome::tokens;
  a.access = text_member(body, "access_token");
  a.refresh = text_member(body, "refresh_token");
  auto from = a.access.find('.') + 1;
  auto claims =
      parse_json_object(base64url_decode(a.access.substr(from, a.access.rfind('.') - from)).value_or(""));
  if (!claims) return a;
  a.grant = text_member(*claims, "gid");
  a.subject = text_member(*claims, "sub");
  a.audience = text_member(*claims, "aud");
  a.client = text_member(*claims, "client_id");
  for (const auto& word : split_words(text_member(*claims, "scope"))) a.scopes.insert(std::string(word));
  return a;
}

inline void driver::keep(const answer& a, std::size_t browser, std::size_t client) {
  switch (a.what) {
    case outcome::page: pages_.push_back({a.handle, client, browser}); break;
    case outcome::login: logins_.push_back({a.handle, client, browser}); break;
    case outcome::code: codes_.push_back({a.handle, client, browser}); break;
    case outcome::tokens:
      accesses_.push_back({a.access, client, 0});
      if (!a.refresh.empty() && (refreshes_.empty() || refreshes_.back().text != a.refresh)) {
        refreshes_.push_back({a.refresh, client, 0});
      }
      break;
    default: break;
  }
}

}  // namespace mcp_oauth::model
