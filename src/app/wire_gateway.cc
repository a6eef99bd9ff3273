// The gateway as a parts list: what is made, in which order, and who knows whom.

#include "app/gateway_app.h"
#include "app/key_file.h"
#include "app/report.h"
#include "app/running.h"
#include "app/watched_store_call.h"
#include "config/load.h"
#include "jose/digest.h"
#include "jose/random.h"
#include "store/open.h"

#include <atomic>
#include <iostream>
#include <thread>

namespace mcp_oauth {
namespace {

bool signs_in_locally(const settings& conf) {
  for (const auto& p : conf.providers) {
    if (p.type == "local") return true;
  }
  return false;
}

}  // namespace

result<secret> master_key(const settings& conf, record_store& store, std::vector<std::string>& warnings) {
  if (!conf.encryption_key.empty()) return conf.encryption_key;
  auto database = sqlite_path(conf.database_url);
  if (!database) return fail(errc::config_invalid, "encryption_key: is needed with a shared database");
  if (database->empty()) return secret(random_bytes(32));
  auto path = *database + ".key";
  auto key = key_from_file(path, store, wall_clock(), warnings);
  if (key)
    warnings.push_back("encryption_key is not set: using the key in " + path +
                       " (keep it with the database, and apart from its backups)");
  return key;
}

namespace {

// An authorization server and the settings that it was made with, which it refers to.
struct configured_broker {
  settings conf;
  std::unique_ptr<broker> server;
};

}  // namespace

struct gateway_app::parts : running {
  std::unique_ptr<record_store> store;
  std::optional<sealer> seal;
  // What was counted stays counted when a reload makes another authorization server.
  std::shared_ptr<rate_limits> limits =
      std::make_shared<rate_limits>([](std::size_t n) { return random_bytes(n); });
  std::string first_password;
  bool first_sign_in_awaited = false;
  bool keys_are_stale = false;
  time_point next_keys;                     // when they are looked at again
  std::atomic<std::int64_t> keys_asked{0};  // when a token made us look, in seconds

  // A start that failed has stories to write, and no store soon.
  ~parts() {
    server.reset();
    stories.reset();
  }

  void revoked(const std::string& grant, time_point until) {
    on_every_worker([grant, until](gateway_service& s) { s.revoke(grant, until); });
  }

  // Another gateway at the same database wrote something; from the store's own thread.
  void changed(std::string_view kind, std::string_view id) {
    if (kind == "signing_key") return keys_may_be_stale();
    if (kind == "provider_token") {
      return on_every_worker(
          [grant = std::string(id)](gateway_service& s) { s.forget_provider_token(grant); });
    }
    if (!id.empty()) {
      auto one = store->get(kind, id, wall_clock());
      if (one && *one) revoked((*one)->id, (*one)->expires);
      if (one) return;
    }
    std::shared_ptr<broker> as;
    {
      std::lock_guard lock(changing);
      as = rules->authorization_server;
    }
    auto all = as->revoked(wall_clock());
    if (!all) {
      log->event(log_level::error, "database", "revocations could not be read", &all.error());
      return;
    }
    on_every_worker([ended = std::move(*all)](gateway_service& s) {
      for (const auto& [grant, until] : ended) s.revoke(grant, until);
    });
  }

  void look_at_the_stores_clock() {
    auto theirs = store->clock();
    if (theirs && *theirs) saw_clock("the database", **theirs);
  }

  // Anybody can name any key, so this is looked into once in a while only.
  void key_unknown() {
    constexpr std::int64_t every = 5;
    auto now = to_unix(wall_clock());
    auto last = keys_asked.load();
    if (now - last >= every && keys_asked.compare_exchange_strong(last, now)) keys_may_be_stale();
  }

  void keys_may_be_stale() {
    {
      std::lock_guard lock(mutex);
      keys_are_stale = true;
    }
    wake.notify_all();
  }

  result<std::shared_ptr<broker>> make_broker(const settings& of) {
    auto made = std::make_shared<configured_broker>();
    made->conf = of;
    // Nobody signs in with what tests sign by themselves.
    std::erase_if(made->conf.providers, [](const provider_settings& p) { return p.type == "hmac"; });
    broker_world world{made->conf, *store, *seal, [](std::size_t n) { return random_bytes(n); },
                       [this](const std::string& grant, time_point until) { revoked(grant, until); }};
    world.counts = limits;
    world.on_provider_refresh = [this](const std::string& provider, const std::string& grant,
                                       std::string_view outcome) {
      counts.provider_refresh(provider, outcome);
      if (outcome != "refreshed") return;
      on_every_worker([grant](gateway_service& s) { s.forget_provider_token(grant); });
    };
    auto started = broker::start(std::move(world), wall_clock());
    if (!started) return tl::unexpected<error>(started.error());
    made->server = std::move(*started);
    return std::shared_ptr<broker>(made, made->server.get());
  }

  void saw(const store_call& call) {
    counts.store(call);
    auto about = topic_of(call);
    if (watched.load(std::memory_order_relaxed).has(about)) log->trace(store_note(call));
  }

  result<void> adopt_keys(time_point now) {
    std::lock_guard lock(changing);
    const auto& as = rules->authorization_server;
    auto refreshed = as->refresh_keys(now);
    if (!refreshed) return refreshed;
    if (rules->keys == as->keys()->all) return {};
    auto next = make_snapshot(conf, as, session_key, spans.get(), policies.get());
    if (!next) return tl::unexpected<error>(next.error());
    adopt(std::move(*next));
    return {};
  }

  // All or nothing: what fails leaves everything as it was.
  result<void> adopt_settings(const settings& next) {
    auto policies_then = policies_for(next);
    std::lock_guard lock(changing);
    auto effective = with_port(next, conf.port);
    auto as = make_broker(effective);
    if (!as) return tl::unexpected<error>(as.error());
    auto fresh = make_snapshot(effective, std::move(*as), session_key, exporter_for(effective),
                               source_of(policies_then));
    if (!fresh) return tl::unexpected<error>(fresh.error());
    return take_up(next, std::move(effective), std::move(*fresh), policies_then);
  }

  void tidy(time_point now) {
    for (int batch = 0; batch < 20; ++batch) {
      auto swept = store->sweep(now, 500);
      if (!swept || *swept < 500) break;
    }
    if (now < next_keys) return;
    next_keys = now + std::chrono::minutes(10);
    look_at_the_stores_clock();
    auto refreshed = adopt_keys(now);
    if (!refreshed)
      log->event(log_level::error, "oauth", "signing keys could not be refreshed", &refreshed.error());
  }

  void keep_house() {
    next_keys = wall_clock() + std::chrono::minutes(10);
    look_at_the_stores_clock();
    running::keep_house(
        seconds(30), [this] { return keys_are_stale; },
        [this] {
          {
            std::lock_guard lock(mutex);
            if (std::exchange(keys_are_stale, false)) next_keys = time_point();
          }
          tidy(wall_clock());
        });
  }
};

gateway_app::gateway_app(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
gateway_app::~gateway_app() { stop(); }
const settings& gateway_app::conf() const { return parts_->conf; }
const std::string& gateway_app::first_password() const { return parts_->first_password; }
bool gateway_app::first_sign_in_awaited() const { return parts_->first_sign_in_awaited; }

result<std::unique_ptr<gateway_app>> gateway_app::start(settings conf, std::vector<std::string>& warnings) {
  auto made = std::make_unique<parts>();
  auto& p = *made;

  auto logging = p.open_log(conf);
  if (!logging) return tl::unexpected<error>(logging.error());

  store_options database;
  database.connections = conf.database_connections;
  database.start_timeout = conf.database_start_timeout;
  database.waiting = [&p](const error& why, milliseconds next) {
    p.log->event(log_level::warn, "database", "the database is not there yet", &why);
    std::cerr << headline(why) << "\n  trying again in " << next.count() << " ms\n";
  };
  auto store = open_store(conf.database_url, warnings, std::move(database));
  if (!store) return tl::unexpected<error>(store.error());
  p.store = std::make_unique<observed_store>(std::move(*store), [&p](const store_call& c) { p.saw(c); });

  auto key = master_key(conf, *p.store, warnings);
  if (!key) return tl::unexpected<error>(key.error());
  auto seal = sealer::of({*key});
  if (!seal) return tl::unexpected<error>(seal.error());
  p.seal = std::move(*seal);
  p.session_key = secret(hkdf_sha256(key->reveal(), "", "mcp session binding", 32));

  p.make_threads();
  p.shared.store = p.store.get();
  if (conf.explain.file.empty() && !stories_place(conf).empty()) {
    p.keep_stories(*p.store, conf);
  } else if (conf.explain.enabled()) {
    p.own_stories = p.open_stories(conf);
  }
  if (p.own_stories) p.keep_stories(*p.own_stories, conf);
  p.shared.key_unknown = [&p] { p.key_unknown(); };

  auto held = p.take_port(std::move(conf));
  if (!held) return tl::unexpected<error>(held.error());

  auto as = p.make_broker(p.conf);
  if (!as) return tl::unexpected<error>(as.error());

  if (signs_in_locally(p.conf)) {
    auto first = ensure_first_user(*p.store, [](std::size_t n) { return random_bytes(n); }, {}, wall_clock());
    if (!first) return tl::unexpected<error>(first.error());
    if (first->password) p.first_password = first->password->reveal();
    p.first_sign_in_awaited = first->awaited;
  }

  p.policies = p.source_for(p.conf);
  auto first_rules = make_snapshot(p.conf, *as, p.session_key, p.exporter_for(p.conf), p.policies.get());
  if (!first_rules) return tl::unexpected<error>(first_rules.error());
  p.rules = std::move(*first_rules);
  auto revoked = p.rules->authorization_server->revoked(wall_clock());
  if (!revoked) return tl::unexpected<error>(revoked.error());

  auto serving = p.serve(std::move(*held), [&revoked](gateway_service& service) {
    for (const auto& [grant, until] : *revoked) service.revoke(grant, until);
  });
  if (!serving) return tl::unexpected<error>(serving.error());
  warnings.insert(warnings.end(), p.noticed.begin(), p.noticed.end());
  p.housekeeping = std::thread([&p] { p.keep_house(); });
  p.store->watch([&p](std::string_view kind, std::string_view id) { p.changed(kind, id); });
  return std::unique_ptr<gateway_app>(new gateway_app(std::move(made)));
}

reload_report gateway_app::reload(const settings_source& read) {
  return parts_->reload(read, [this](const settings& next) { return parts_->adopt_settings(next); });
}

result<void> gateway_app::reopen_log() { return parts_->reopen_log(); }

void gateway_app::stop() {
  auto& p = *parts_;
  auto cut = [&p] {
    if (p.store) p.store->watch({});
  };
  if (!p.stop(cut)) return;
  p.store.reset();
  p.log->event(log_level::info, "proxy", "stopped");
}

}  // namespace mcp_oauth
