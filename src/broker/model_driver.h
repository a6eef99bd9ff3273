#pragma once

// Drives the authorization server and the model of its promises (promises_model.h) through the same actions.

#include "broker/fixture.h"
#include "broker/promises_model.h"
#include "broker/troubled_store.h"
#include "store/sqlite_store.h"
#include "store/test_folder.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth::model {

enum class doing {
  authorize,
  approve,
  deny,
  enter,
  redeem,
  refresh,
  revoke,
  sign_out,
  remove_user,
  add_user,
  register_client,
  copy_cookies,  // planted or stolen
  wait,
  restart,
  sweep,
};

// What a, b and c mean depends on what there is when the action comes, so a list of actions stays meaningful
// when some are left out.
struct action {
  doing what = doing::wait;
  std::uint32_t a = 0, b = 0, c = 0;
  trouble how = trouble::none;  // at store call `at` of the request
  std::uint32_t at = 0;
  bool answer_lost = false;
  bool meanwhile = false;  // the next action happens at store call `at` of this one
};

enum class stored_in { memory, sqlite };

class driver final {
 public:
  explicit driver(stored_in where) : where_(where), models_{promises(lifetimes{})} {
    conf_ = local_settings();
    conf_.rates.registrations_per_hour = 0;
    conf_.limits.sign_in_attempts = 1'000'000;
    upstream_settings other;
    other.name = "other";
    other.resource = "https://mcp.example.com/other";
    conf_.upstreams.push_back(std::move(other));
    configure({"desk", "", "http://127.0.0.1:7777/callback", true, false});
    configure({"server", "a secret of thirty-two characters", "https://server.example/cb", true, true});
    open_store();
    add_user("ada");
    add_user("bob");
    start();
    browsers_.resize(3);
    register_client(0);
    register_client(1);
  }

  // What was promised and not kept, or "". `at`: the action that showed it.
  std::string run(const std::vector<action>& actions, std::size_t& at) {
    for (at = 0; at < actions.size(); ++at) {
      const auto& it = actions[at];
      bool nested = it.meanwhile && at + 1 < actions.size() && may_nest(actions[at + 1]);
      broken_.clear();
      perform(it, nested ? &actions[at + 1] : nullptr);
      if (nested) ++at;
      check_what_follows();
      if (!broken_.empty()) return broken_;
    }
    return store_holds_secret() ? "the store holds something in clear that was handed out" : "";
  }

 private:
  struct test_client {
    std::string id, secret, redirect_uri;
    bool refreshes = true, web = false;
  };
  struct handed_out {
    std::string text;
    std::size_t client = 0, browser = 0;
  };
  // One action, made definite.
  struct task {
    std::function<answer(bool lost)> act;
    std::function<bool(promises&, const answer&)> explain;
    std::function<bool(promises&, const answer&)>
        explain_degraded;  // a read failed: less was given, not more
    std::string client;    // whose renewal may fail
  };

  // --- the process and its store ---

  void open_store() {
    if (where_ == stored_in::memory) {
      if (!store_) store_ = std::make_unique<memory_store>();
    } else {
      // As after kill -9: what the files hold at this moment, opened by another process.
      auto next = folder_.file(std::to_string(++generation_));
      std::filesystem::create_directory(next);
      if (store_) {
        auto before = folder_.file(std::to_string(generation_ - 1));
        std::filesystem::copy(before, next, std::filesystem::copy_options::recursive);
      }
      auto opened = sqlite_store::open(next + "/oauth.db");
      if (!opened) throw std::runtime_error(opened.error().detail);
      store_ = std::move(*opened);
    }
    troubled_.behind = store_.get();
  }
  void start() {
    broker_world world{conf_, troubled_, seal_, random_, {}, cheap};
    world.on_revoked = [this](const std::string& grant, time_point until) {
      if (until > clock() + conf_.access_token_lifetime) told_.insert(grant);
    };
    as_ = *broker::start(std::move(world), clock());
    told_.clear();
    auto ended = as_->revoked(clock());
    for (const auto& [grant, until] : *ended) told_.insert(grant);
  }
  void restart() {
    as_.reset();
    troubled_.disarm();
    open_store();
    start();
  }
  time_point clock() const { return from_unix(now_); }

  void configure(test_client c) {
    client_settings s;
    s.client_id = c.id;
    if (!c.secret.empty()) s.client_secret = secret(c.secret);
    s.redirect_uris = {c.redirect_uri};
    conf_.clients.push_back(std::move(s));
    for (auto& m : models_) m.add_client(c.id, c.refreshes, std::nullopt);
    clients_.push_back(std::move(c));
  }
  void register_client(std::uint32_t kind) {
    test_client c;
    c.refreshes = kind % 2 == 0;
    c.web = kind % 2 == 0;
    c.redirect_uri = c.web ? "https://web.example/cb" : "http://127.0.0.1:7777/callback";
    json::array types{"authorization_code"};
    if (c.refreshes) types.emplace_back("refresh_token");
    http_request r = post_request("/oauth/register", {});
    r.fields.set("Content-Type", "application/json");
    r.body = json::serialize(json::object{{"client_name", "Test client"},
                                          {"redirect_uris", json::array{json::string_view(c.redirect_uri)}},
                                          {"grant_types", types},
                                          {"token_endpoint_auth_method", "none"}});
    c.id = text_member(body_of(ask(endpoint::register_client, r)), "client_id");
    for (auto& m : models_) m.add_client(c.id, c.refreshes, now_);
    clients_.push_back(std::move(c));
  }
  void add_user(const std::string& name) {
    auto known = find_user(*store_, name, clock());
    if (known && *known) return;
    (void)mcp_oauth::add_user(*store_, name, random_, cheap, clock());
    auto who = find_user(*store_, name, clock());
    (void)choose_password(*store_, **who, secret(std::string(password)), cheap, clock());
    for (auto& m : models_) m.add_user(name);
  }

  // --- one action ---

  static bool may_nest(const action& it) { return it.what <= doing::sign_out; }

  void perform(const action& it, const action* inner) {
    switch (it.what) {
      case doing::register_client:
        if (clients_.size() < 7) register_client(it.a);
        return;
      case doing::add_user: return add_user(user(it.a));
      case doing::remove_user:
        (void)mcp_oauth::remove_user(*store_, user(it.a), clock());
        for (auto& m : models_) m.remove_user(user(it.a));
        return;
      case doing::copy_cookies: browsers_.back().cookies = browsers_[it.a % browsers_.size()].cookies; return;
      case doing::wait: return wait(it);
      case doing::restart: return restart();
      case doing::sweep: (void)store_->sweep(clock(), 1 + it.a % 50); return;
      default: break;
    }
    auto outer = prepare(it);
    if (!outer) {
      if (inner != nullptr) perform(*inner, nullptr);
      return;
    }
    if (inner != nullptr) return interleave(it, *outer, *inner);
    // Every trouble leaves two possible worlds behind; there is an end to that.
    troubled_.arm(it.at, models_.size() <= 16 ? it.how : trouble::none);
    try {
      auto seen = outer->act(it.answer_lost);
      bool happened = troubled_.happened();
      troubled_.disarm();
      happened ? judge_after_trouble(*outer, seen) : judge(*outer, seen);
    } catch (const killed&) {
      answer nobody;
      nobody.what = outcome::unknown;
      restart();
      judge_after_trouble(*outer, nobody);
    }
  }

  // What came of two requests at once is what would have come of one after the other.
  void interleave(const action& it, const task& outer, const action& inner) {
    auto other = prepare(inner);
    std::optional<answer> second;
    if (other) {
      troubled_.arm(it.at, trouble::none, [&] { second = other->act(inner.answer_lost); });
    }
    auto first = outer.act(it.answer_lost);
    troubled_.disarm();
    if (!second) {
      judge(outer, first);
      if (other) judge(*other, other->act(inner.answer_lost));
      return;
    }
    std::vector<promises> next;
    for (const auto& m : models_) {
      auto one = m, two = m;
      if (outer.explain(one, first) && other->explain(one, *second)) add(next, std::move(one));
      if (other->explain(two, *second) && outer.explain(two, first)) add(next, std::move(two));
    }
    settle(std::move(next), "no order of the two requests explains the answers");
  }

  void judge(const task& t, const answer& seen) {
    std::vector<promises> next;
    for (const auto& m : models_) {
      auto after = m;
      if (t.explain(after, seen)) add(next, std::move(after));
    }
    bool excused = seen.error != "server_error" && seen.error != "temporarily_unavailable";
    settle(excused ? std::move(next) : std::vector<promises>(), "the answer is not the one promised");
  }

  // Done or not done, not half; a success is said only of what was done.
  void judge_after_trouble(const task& t, const answer& seen) {
    std::vector<promises> next;
    auto add_both = [&](const promises& before, promises after) {
      auto forgotten = after;
      if (!t.client.empty()) forgotten.forget_renewal(before, t.client);
      add(next, std::move(forgotten));
      add(next, std::move(after));
    };
    answer nobody;
    nobody.what = outcome::unknown;
    for (const auto& m : models_) {
      auto after = m;
      if (t.explain(after, seen)) add_both(m, after);
      after = m;
      if (t.explain_degraded(after, seen)) add(next, after);
      if (seen.what != outcome::refused && seen.what != outcome::unknown) continue;
      add(next, m);
      after = m;
      t.explain(after, nobody);
      add_both(m, after);
    }
    settle(std::move(next), "the answer after the trouble is not the one promised");
  }

  static void add(std::vector<promises>& all, promises one) {
    for (const auto& m : all) {
      if (m == one) return;
    }
    all.push_back(std::move(one));
  }
  void settle(std::vector<promises> next, const char* otherwise) {
    if (next.empty() && broken_.empty()) broken_ = otherwise + (": " + last_answer_);
    if (!next.empty()) models_ = std::move(next);
  }

  void wait(const action& it) {
    auto ahead = models_.front().deadlines(now_);
    auto before = now_;
    if (it.a % 4 == 0 || ahead.empty()) {
      now_ += it.b % 6 == 0 ? 86'400 : 1 + it.b % 29;
    } else {
      // To the last moment of something, to the first without it, or a little beyond.
      auto until = ahead[it.b % std::min<std::size_t>(ahead.size(), 1 + it.a / 4 % 4)];
      now_ = std::max(now_, until - 1 + it.c % 3);
    }
    if (now_ - before > 600) (void)as_->refresh_keys(clock());
  }

  // --- what must hold after each action ---

  void check_what_follows() {
    filter("a validator was not told of a revocation, or of one that was none",
           [&](const promises& m) { return m.validators_know(told_, now_); });
    auto recent = [](const auto& all, auto&& look) {
      for (std::size_t i = all.size() > 5 ? all.size() - 5 : 0; i < all.size(); ++i) look(all[i].text);
    };
    recent(refreshes_, [&](const std::string& token) {
      bool active = is_active(token);
      filter(active ? "an ended refresh token is active" : "a refresh token is lost",
             [&](const promises& m) { return m.refresh_is_active(token, now_) == active; });
    });
    if (!accesses_.empty()) {
      const auto& token = accesses_[++checks_ % accesses_.size()].text;
      bool active = is_active(token);
      filter(active ? "an ended access token is active" : "an access token is lost",
             [&](const promises& m) { return m.access_is_active(token, now_) == active; });
    }
  }
  template <class Holds>
  void filter(const char* otherwise, Holds holds) {
    std::vector<promises> next;
    for (auto& m : models_) {
      if (holds(m)) next.push_back(m);
    }
    settle(std::move(next), otherwise);
  }
  bool is_active(const std::string& token) {
    auto r = post_request("/oauth/introspect", make_form({{"token", token}}));
    authenticate(r, clients_[1]);
    bool active = false;
    (void)read(body_of(ask(endpoint::introspect, r)), "active", active);
    return active;
  }
  bool store_holds_secret() {
    std::string all;
    for (auto kind : {"login", "code", "refresh", "grant", "client", "unused_client", "consent", "browser",
                      "device", "user", "revoked", "signing_key"}) {
      auto records = store_->list(kind, clock(), 100'000, {});
      for (const auto& r : *records) all += r.id + "\n" + r.data + "\n";
    }
    for (const auto* list : {&codes_, &refreshes_, &accesses_}) {
      for (const auto& one : *list) {
        if (all.find(one.text) != std::string::npos) return true;
      }
    }
    for (const auto& b : browsers_) {
      for (const auto& [name, value] : b.cookies) {
        if (all.find(value) != std::string::npos) return true;
      }
    }
    return false;
  }

  // --- requests ---

  std::optional<task> prepare(const action& it);  // model_requests.h
  std::optional<task> prepare_authorize(const action& it);
  std::optional<task> prepare_decision(const action& it);
  std::optional<task> prepare_enter(const action& it);
  std::optional<task> prepare_redeem(const action& it);
  std::optional<task> prepare_refresh(const action& it);
  std::optional<task> prepare_revoke(const action& it);
  std::optional<task> prepare_sign_out(const action& it);
  task in_browser(std::size_t browser, endpoint at, http_request r, request promised, std::size_t client);
  task by_client(endpoint at, http_request r, request promised, std::size_t client);
  answer read_page(const http_response& r) const;
  answer read_tokens(const http_response& r) const;
  void keep(const answer& a, std::size_t browser, std::size_t client);

  http_response ask(endpoint at, const http_request& r) {
    broker_log log;
    auto answer = std::get<http_response>(as_->handle(at, r, clock(), log));
    last_answer_ = std::to_string(answer.status) + " " + std::string(answer.fields.first("location")) + " " +
                   noted(log, "symptom") + " " + noted(log, "detail");
    return answer;
  }
  static void authenticate(http_request& r, const test_client& c) {
    auto body = *form::parse(r.body);
    if (c.secret.empty()) {
      body.add("client_id", c.id);
    } else {
      form id, key;  // RFC 6749 §2.3.1: encoded before they are put together
      id.add("", c.id);
      key.add("", c.secret);
      r.fields.set("Authorization", "Basic " + base64(id.encode().substr(1) + ":" + key.encode().substr(1)));
    }
    r.body = body.encode();
  }
  static std::string base64(std::string_view bytes) {
    auto text = base64url_encode(bytes);
    for (auto& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return text + std::string((4 - text.size() % 4) % 4, '=');
  }
  static std::string cookie_of(const test_browser& b, std::string_view name) {
    for (const auto& [n, v] : b.cookies) {
      if (n.find(name) != std::string::npos) return v;
    }
    return "";
  }
  static std::string set_by(const http_response& r, std::string_view name) {
    test_browser fresh;
    fresh.receive(r);
    return cookie_of(fresh, name);
  }
  static std::string user(std::uint32_t n) { return n % 2 == 0 ? "ada" : "bob"; }
  // Mostly where it belongs, sometimes somewhere else.
  static std::size_t mostly(std::size_t right, std::uint32_t n, std::size_t all) {
    return n % 12 == 0 ? n / 12 % all : right;
  }
  // Mostly one of the last, sometimes any.
  template <class T>
  static std::size_t one_of(const std::vector<T>& all, std::uint32_t n) {
    std::size_t last = n % 4 == 0 ? all.size() : std::min<std::size_t>(3, all.size());
    return all.size() - 1 - (n / 4) % last;
  }

  static constexpr std::string_view password = "correct horse battery";

  const stored_in where_;
  test_folder folder_;
  int generation_ = 0;
  std::unique_ptr<record_store> store_;
  troubled_store troubled_;
  settings conf_;
  sealer seal_ = *sealer::of({secret(std::string(32, 'k'))});
  random_fn random_ = counted_random();
  unix_seconds now_ = 1'800'000'000;
  std::set<std::string> told_;
  std::unique_ptr<broker> as_;

  std::vector<test_client> clients_;
  std::vector<test_browser> browsers_;
  std::vector<handed_out> pages_, logins_, codes_, refreshes_, accesses_;

  // The worlds that everything seen so far leaves possible; more than one only after trouble.
  std::vector<promises> models_;
  std::string broken_, last_answer_;
  std::size_t checks_ = 0;
};

}  // namespace mcp_oauth::model

#include "broker/model_requests.h"
