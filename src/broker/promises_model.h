#pragma once

// What the authorization server promises about consents, sign-ins, codes, grants and tokens, written down
// without looking at how it keeps them: plain maps from the strings that were handed out. For model_test.cc,
// which drives the server and this side by side.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mcp_oauth::model {

using unix_seconds = std::int64_t;
using scope_set = std::set<std::string>;

struct lifetimes {
  unix_seconds login = 600, code = 60, access = 900, refresh = 30 * 86'400, grace = 30, sign_in = 8 * 3600;
  unix_seconds consent = 30 * 86'400;
  unix_seconds client_unused = 86'400, client_used = 90 * 86'400, client_renewed_below = 80 * 86'400;
  // For so long the replay of something spent is known for what it is.
  unix_seconds spent_code = 900;
  bool operator==(const lifetimes&) const = default;
};

struct terms {
  std::string client;
  scope_set scopes;
  std::string resource;
  auto operator<=>(const terms&) const = default;
};

enum class verb { authorize, approve, deny, enter, redeem, refresh, revoke, sign_out };
// One thing about a request that is not as it should be.
enum class flaw { none, resource, scope, verifier, redirect_uri, password };

struct request {
  verb what = verb::authorize;
  terms asked;          // authorize; `client` for all but the browsers' own
  std::string browser;  // value of the cookie that it was sent with, "" for none
  std::string session;  // likewise
  std::string handle;   // page, login, code or token
  std::string user;     // enter
  std::string prompt;   // authorize
  scope_set narrower;   // refresh; empty: none asked for
  bool web = false;     // the client's answers go to a web host
  bool cross_site = false;
  flaw wrong = flaw::none;
};

// again: to a consent page of one's own, since somebody else had approved.
enum class outcome { page, login, again, code, tokens, done, refused, unknown };
struct answer {
  outcome what = outcome::refused;
  std::string error;    // of OAuth; "" on a page for people
  std::string handle;   // page, login or code
  std::string browser;  // page: the cookie that it belongs to
  std::string session;  // code, again: the new cookie, or ""
  std::string access, refresh;
  std::string grant, subject, audience, client;  // as the access token says
  scope_set scopes;
};

class promises final {
 public:
  explicit promises(lifetimes l) : l_(l) {}

  void add_client(const std::string& id, bool refreshes, std::optional<unix_seconds> registered) {
    clients_[id] = {refreshes, registered ? std::optional(*registered + l_.client_unused) : std::nullopt};
  }
  void add_user(const std::string& name) { users_[name] = ++generations_; }
  void remove_user(const std::string& name) { users_.erase(name); }

  // Whether the answer keeps the promises; what it handed out is kept. An answer nobody saw (`unknown`) keeps
  // them all: the request was carried out, and what it handed out is not known.
  bool explains(const request& r, const answer& a, unix_seconds now) {
    switch (r.what) {
      case verb::authorize: return authorize(r, a, now);
      case verb::approve: return approve(r, a, now);
      case verb::deny: return deny(r, a, now);
      case verb::enter: return enter(r, a, now);
      case verb::redeem: return redeem(r, a, now);
      case verb::refresh: return refresh(r, a, now);
      case verb::revoke: return revoke(r, a, now);
      case verb::sign_out: sessions_.erase(r.session); return is(a, outcome::done);
    }
    return false;
  }
  // Whoever used it last could not be written down.
  void forget_renewal(const promises& before, const std::string& client) {
    clients_[client].until = before.clients_.at(client).until;
  }

  bool access_is_active(const std::string& token, unix_seconds now) const {
    auto t = accesses_.find(token);
    return t != accesses_.end() && now < t->second.expires && lives(t->second.grant, now);
  }
  bool refresh_is_active(const std::string& token, unix_seconds now) const {
    auto t = refreshes_.find(token);
    return t != refreshes_.end() && !t->second.rotated && now < t->second.expires &&
           lives(t->second.grant, now);
  }
  // Whether a validator that was told of those grants knows enough, and nothing that is not so.
  bool validators_know(const std::set<std::string>& told, unix_seconds now) const {
    for (const auto& [token, t] : accesses_) {
      const auto& g = grants_.at(t.grant);
      if (g.revoked && now < t.expires && told.count(g.id) == 0) return false;
      if (!g.revoked && now < g.ends && told.count(g.id) != 0) return false;
    }
    return true;
  }
  // Moments at which something ends, from now on.
  std::vector<unix_seconds> deadlines(unix_seconds now) const {
    std::set<unix_seconds> all;
    for (const auto& [id, p] : pages_) all.insert(p.expires);
    for (const auto& [id, l] : logins_) all.insert(l.expires);
    for (const auto& [id, c] : codes_) all.insert(c.used ? *c.used + l_.spent_code : c.expires);
    for (const auto& [id, t] : accesses_) all.insert(t.expires);
    for (const auto& [id, t] : refreshes_) {
      all.insert(t.expires);
      if (t.rotated) all.insert(*t.rotated + l_.grace);
    }
    for (const auto& [id, s] : sessions_) all.insert(s.until);
    for (const auto& [id, c] : consents_) all.insert(c.until);
    for (const auto& [id, c] : clients_) all.insert(c.until.value_or(0));
    return {all.upper_bound(now), all.end()};
  }

  bool operator==(const promises&) const = default;

 private:
  struct client_facts {
    bool refreshes = false;
    std::optional<unix_seconds> until;  // nothing: of the configuration
    bool operator==(const client_facts&) const = default;
  };
  // Whoever has the name now is somebody else than whoever had it before a removal.
  struct person {
    std::string name;
    int generation = 0;
    bool operator==(const person&) const = default;
  };
  struct page {
    terms asked;
    std::string browser, prompt;
    bool web = false;
    unix_seconds expires = 0;
    std::optional<person> shown = std::nullopt;  // who was signed in when it was made
    bool operator==(const page&) const = default;
  };
  struct consent {
    person who;
    unix_seconds until = 0;
    bool operator==(const consent&) const = default;
  };
  // What was approved, on a page just now or by somebody at an earlier time.
  struct approval {
    terms asked;
    std::string browser;
    bool web = false;
    std::optional<person> by;
    bool operator==(const approval&) const = default;
  };
  struct login {
    approval approved;
    unix_seconds expires = 0;
    bool finished = false;
    bool operator==(const login&) const = default;
  };
  struct session {
    person who;
    unix_seconds until = 0;
    bool operator==(const session&) const = default;
  };
  struct code {
    terms approved;
    person who;
    unix_seconds expires = 0;
    std::optional<unix_seconds> used;
    std::size_t grant = 0;
    bool operator==(const code&) const = default;
  };
  struct grant {
    std::string id;  // "" until a token was seen
    terms given;
    person who;
    unix_seconds ends = 0;
    bool revoked = false;
    bool operator==(const grant&) const = default;
  };
  struct access {
    std::size_t grant = 0;
    unix_seconds expires = 0;
    bool operator==(const access&) const = default;
  };
  struct refresh_token {
    std::size_t grant = 0;
    unix_seconds expires = 0;
    std::optional<unix_seconds> rotated;
    std::string successor;  // "" while nobody has seen it
    bool operator==(const refresh_token&) const = default;
  };

  // --- what people do in browsers ---

  bool authorize(const request& r, const answer& a, unix_seconds now) {
    if (!knows(r.asked.client, now) || r.wrong != flaw::none) return is(a, outcome::refused);
    auto before = consents_.find({r.browser, r.asked});
    auto who = signed_in(r.session, now);
    bool remembered = !r.browser.empty() && before != consents_.end() && now < before->second.until &&
                      !r.cross_site && r.prompt != "consent" && (!who || *who == before->second.who);
    if (r.prompt == "none" && (!remembered || !who)) return is(a, outcome::refused);
    if (remembered) {
      approval then{r.asked, r.browser, r.web, before->second.who};
      return goes_on(then, r.prompt == "login" ? std::nullopt : who, a, now);
    }
    if (!is(a, outcome::page)) return false;
    if (!a.handle.empty()) pages_[a.handle] = {r.asked, a.browser, r.prompt, r.web, now + l_.login, who};
    return true;
  }

  const page* page_for(const request& r, unix_seconds now) const {
    auto p = pages_.find(r.handle);
    bool good = p != pages_.end() && p->second.browser == r.browser && now < p->second.expires &&
                knows(p->second.asked.client, now);
    return good ? &p->second : nullptr;
  }
  bool approve(const request& r, const answer& a, unix_seconds now) {
    const auto* p = page_for(r, now);
    if (p == nullptr) return is(a, outcome::refused);
    approval just_now{p->asked, r.browser, p->web, std::nullopt};
    if (p->prompt == "login") return goes_on(just_now, std::nullopt, a, now);
    auto who = signed_in(r.session, now);
    if (who && p->shown != who) return is(a, outcome::again);
    return goes_on(just_now, who, a, now);
  }
  bool deny(const request& r, const answer& a, unix_seconds now) {
    return is(a, outcome::refused) && (page_for(r, now) == nullptr || a.error == "access_denied");
  }

  // After the approval: a code for who is signed in, or a login.
  bool goes_on(const approval& approved, const std::optional<person>& who, const answer& a,
               unix_seconds now) {
    if (who) return hands_out_code(approved, *who, a, now);
    if (!is(a, outcome::login)) return false;
    if (!a.handle.empty()) logins_[a.handle] = {approved, now + l_.login, false};
    return true;
  }

  bool enter(const request& r, const answer& a, unix_seconds now) {
    auto l = logins_.find(r.handle);
    auto u = users_.find(r.user);
    bool good = l != logins_.end() && l->second.approved.browser == r.browser && !l->second.finished &&
                now < l->second.expires && u != users_.end() && r.wrong == flaw::none;
    if (!good) return is(a, outcome::refused);
    l->second.finished = true;
    sessions_.erase(r.session);
    if (!a.session.empty()) sessions_[a.session] = {{u->first, u->second}, now + l_.sign_in};
    return hands_out_code(l->second.approved, {u->first, u->second}, a, now);
  }

  // What somebody approved counts for nobody else.
  bool hands_out_code(const approval& approved, const person& who, const answer& a, unix_seconds now) {
    const auto& t = approved.asked;
    if (approved.by && *approved.by != who) return is(a, outcome::again);
    if (!approved.by && approved.web) consents_[{approved.browser, t}] = {who, now + l_.consent};
    if (!is(a, outcome::code) || codes_.count(a.handle) != 0) return false;
    renew(t.client, now);
    if (!a.handle.empty()) codes_[a.handle] = {t, who, now + l_.code, std::nullopt, 0};
    return true;
  }

  // --- what clients do ---

  bool redeem(const request& r, const answer& a, unix_seconds now) {
    auto found = codes_.find(r.handle);
    if (!knows(r.asked.client, now) || found == codes_.end()) return is(a, outcome::refused);
    auto& c = found->second;
    bool right = c.approved.client == r.asked.client && r.wrong == flaw::none;
    if (!right) return is(a, outcome::refused);
    if (c.used) {
      // A replay ends what the code gave.
      if (now < *c.used + l_.spent_code) end(c.grant);
      return is(a, outcome::refused);
    }
    if (now >= c.expires || !is_there(c.who)) return is(a, outcome::refused);
    c.used = now;
    c.grant = grants_.size();
    bool refreshes = clients_.at(r.asked.client).refreshes;
    grants_.push_back({a.grant, c.approved, c.who, now + (refreshes ? l_.refresh : l_.access), false});
    if (!hands_out_access(c.grant, c.approved.scopes, a, now)) return false;
    if (a.what == outcome::unknown) return true;
    if (a.refresh.empty() == refreshes || refreshes_.count(a.refresh) != 0) return false;
    if (refreshes) refreshes_[a.refresh] = {c.grant, now + l_.refresh, std::nullopt, ""};
    return true;
  }

  bool refresh(const request& r, const answer& a, unix_seconds now) {
    auto found = refreshes_.find(r.handle);
    if (!knows(r.asked.client, now) || found == refreshes_.end()) return is(a, outcome::refused);
    auto& old = found->second;
    auto& g = grants_[old.grant];
    bool right =
        g.given.client == r.asked.client && r.wrong == flaw::none && lives(old.grant, now) &&
        remembered(old, now) && (old.rotated || now < old.expires) &&
        std::includes(g.given.scopes.begin(), g.given.scopes.end(), r.narrower.begin(), r.narrower.end());
    if (!right) return is(a, outcome::refused);
    if (!is_there(g.who) || (old.rotated && now - *old.rotated >= l_.grace)) {
      end(old.grant);
      return is(a, outcome::refused);
    }
    if (!hands_out_access(old.grant, r.narrower.empty() ? g.given.scopes : r.narrower, a, now)) return false;
    bool again = old.rotated.has_value();
    if (!again) {
      old.rotated = now;
      g.ends = now + l_.refresh;
    }
    if (a.what == outcome::unknown) return true;
    if (a.refresh.empty()) return false;
    // Asked twice, the successor is the same.
    if (again && !old.successor.empty()) return a.refresh == old.successor;
    if (refreshes_.count(a.refresh) != 0) return false;
    old.successor = a.refresh;
    refresh_token next{old.grant, *old.rotated + l_.refresh, std::nullopt, ""};
    refreshes_[a.refresh] = next;
    return true;
  }

  bool revoke(const request& r, const answer& a, unix_seconds now) {
    if (!knows(r.asked.client, now)) return is(a, outcome::refused);
    std::optional<std::size_t> of;
    if (auto t = accesses_.find(r.handle); t != accesses_.end() && now < t->second.expires) {
      of = t->second.grant;
    }
    if (auto t = refreshes_.find(r.handle); t != refreshes_.end() && remembered(t->second, now)) {
      // Of a grant that ended nothing is kept, so nobody can say whose it was.
      if (!lives(t->second.grant, now)) return a.what != outcome::tokens;
      of = t->second.grant;
    }
    if (!of) return is(a, outcome::done);
    if (grants_[*of].given.client != r.asked.client) return is(a, outcome::refused);
    end(*of);
    return is(a, outcome::done);
  }

  bool hands_out_access(std::size_t of, const scope_set& scopes, const answer& a, unix_seconds now) {
    auto& g = grants_[of];
    renew(g.given.client, now);
    if (a.what == outcome::unknown) return true;
    if (g.id.empty()) g.id = a.grant;
    bool right = a.what == outcome::tokens && accesses_.count(a.access) == 0 && a.grant == g.id &&
                 !a.grant.empty() && a.scopes == scopes && a.audience == g.given.resource &&
                 a.client == g.given.client && a.subject == "local:" + g.who.name;
    accesses_[a.access] = {of, now + l_.access};
    return right;
  }

  // --- what follows from it ---

  static bool is(const answer& a, outcome wanted) { return a.what == wanted || a.what == outcome::unknown; }
  bool knows(const std::string& id, unix_seconds now) const {
    auto c = clients_.find(id);
    return c != clients_.end() && (!c->second.until || now < *c->second.until);
  }
  bool is_there(const person& who) const {
    auto u = users_.find(who.name);
    return u != users_.end() && u->second == who.generation;
  }
  std::optional<person> signed_in(const std::string& cookie, unix_seconds now) const {
    auto s = sessions_.find(cookie);
    if (cookie.empty() || s == sessions_.end() || now >= s->second.until) return std::nullopt;
    return is_there(s->second.who) ? std::optional(s->second.who) : std::nullopt;
  }
  bool lives(std::size_t of, unix_seconds now) const {
    return !grants_[of].revoked && now < grants_[of].ends;
  }
  bool remembered(const refresh_token& t, unix_seconds now) const {
    return !t.rotated || now < std::max(t.expires, *t.rotated + l_.grace);
  }
  void end(std::size_t of) { grants_[of].revoked = true; }

  // A registered client that got a code or tokens is kept.
  void renew(const std::string& id, unix_seconds now) {
    auto& c = clients_[id];
    if (c.until && *c.until <= now + l_.client_renewed_below) c.until = now + l_.client_used;
  }

  lifetimes l_;
  std::map<std::string, client_facts> clients_;
  std::map<std::string, int> users_;
  int generations_ = 0;
  std::map<std::string, page> pages_;
  std::map<std::string, login> logins_;
  std::map<std::string, session> sessions_;
  std::map<std::pair<std::string, terms>, consent> consents_;
  std::map<std::string, code> codes_;
  std::vector<grant> grants_;
  std::map<std::string, access> accesses_;
  std::map<std::string, refresh_token> refreshes_;
};

}  // namespace mcp_oauth::model
