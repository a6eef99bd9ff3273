// The gateway as a parts list: what is made, in which order, and who knows whom.

#include "app/gateway_app.h"
#include "app/gateway_service.h"
#include "app/key_file.h"
#include "app/policy_source.h"
#include "app/report.h"
#include "app/span_exporter.h"
#include "app/version.h"
#include "app/watched_store_call.h"
#include "config/load.h"
#include "jose/digest.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "net/server.h"
#include "store/open.h"

#include <atomic>
#include <iostream>
#include <latch>
#include <thread>

namespace mcp_oauth {
namespace {

constexpr unsigned blocking_threads = 32;
constexpr unsigned fetching_threads = 32;
constexpr unsigned stranger_threads = 8;
// More would wait longer than anybody who asked.
constexpr std::size_t most_strangers_waiting = 64;

time_point wall_clock() { return std::chrono::system_clock::now(); }

unsigned worker_count(const settings& conf) {
  if (conf.workers > 0) return conf.workers;
  return std::max(1U, std::thread::hardware_concurrency());
}

net::exchange_limits exchange_limits_of(const settings& conf) {
  net::exchange_limits limits;
  limits.head = conf.limits.head;
  limits.header = conf.timeouts.header;
  limits.body = conf.timeouts.body;
  limits.keep_alive = conf.timeouts.keep_alive;
  limits.write = conf.timeouts.write;
  return limits;
}

net::server_options server_options_of(const settings& conf) {
  net::server_options options;
  options.host = conf.host;
  options.port = conf.port;
  options.workers = worker_count(conf);
  options.most_connections = conf.limits.connections;
  options.drain = conf.timeouts.drain;
  options.limits = exchange_limits_of(conf);
  return options;
}

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

span_receiver receiver_of_spans(const settings& conf) {
  return {conf.telemetry.endpoint, conf.telemetry.headers, conf.telemetry.service_name, version,
          conf.upstream_ca_file};
}

result<http_answer> send_spans(const http_call& call, const span_receiver& to,
                               const std::atomic<bool>& given_up) {
  fetch_rules rules;
  rules.given_up = &given_up;
  return net::fetch(call, rules, to.ca_file);
}

// What the policy of `policy.url` may weigh.
constexpr std::size_t largest_policy = 1024 * 1024;

policy_source::fetch_fn fetch_of_policies(const settings& conf) {
  return [ca_file = conf.upstream_ca_file](const http_call& call, const std::atomic<bool>& given_up) {
    fetch_rules rules;
    rules.most_bytes = largest_policy;
    rules.timeout = seconds(5);
    rules.given_up = &given_up;
    return net::fetch(call, rules, ca_file);
  };
}

// An authorization server and the settings that it was made with, which it refers to.
struct configured_broker {
  settings conf;
  std::unique_ptr<broker> server;
};

}  // namespace

struct gateway_app::parts {
  settings asked;  // as they were loaded: `conf` before the port was known
  settings conf;
  std::unique_ptr<log_sink> log;
  std::unique_ptr<record_store> store;
  std::optional<sealer> seal;
  metrics counts;
  // What was counted stays counted when a reload makes another authorization server.
  std::shared_ptr<rate_limits> limits =
      std::make_shared<rate_limits>([](std::size_t n) { return random_bytes(n); });
  std::atomic<topics> watched{};
  std::unique_ptr<span_exporter> spans;     // from the first settings on that want traces
  std::unique_ptr<policy_source> policies;  // where the settings name a URL
  std::unique_ptr<net::blocking_pool> blocking;
  std::unique_ptr<net::blocking_pool> fetching;
  std::unique_ptr<net::blocking_pool> strangers;
  gateway_parts shared;
  std::shared_ptr<const snapshot> rules;
  secret session_key;
  std::mutex changing;  // of `rules`, `conf` and `asked`, once the threads run
  std::unique_ptr<net::server> server;
  std::string first_password;

  std::thread housekeeping;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  bool keys_are_stale = false;
  std::atomic<std::int64_t> keys_asked{0};  // when a token made us look, in seconds
  std::atomic<bool> stopped{false};

  // Runs `job` with each worker's service on its own thread, and waits for all of them.
  void on_every_worker(const std::function<void(gateway_service&)>& job) {
    if (!server || stopped) return;
    auto left = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(server->workers().size()));
    for (auto& w : server->workers()) {
      auto& s = static_cast<gateway_service&>(server->service_of(w->index()));
      w->post([&s, job, left] {
        job(s);
        left->count_down();
      });
    }
    // Bounded, since a worker that has stopped will not answer any more.
    for (int i = 0; i < 1000 && !left->try_wait(); ++i) std::this_thread::sleep_for(milliseconds(1));
  }

  void revoked(const std::string& grant, time_point until) {
    on_every_worker([grant, until](gateway_service& s) { s.revoke(grant, until); });
  }

  // Another gateway at the same database wrote something; from the store's own thread.
  void changed(std::string_view kind, std::string_view id) {
    if (kind == "signing_key") return keys_may_be_stale();
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

  // What the snapshots point to; it outlives them all.
  span_exporter* exporter_for(const settings& of) {
    if (of.telemetry.enabled() && !spans)
      spans = std::make_unique<span_exporter>(receiver_of_spans(of), send_spans, *log);
    return spans.get();
  }

  void saw(const store_call& call) {
    counts.store(call);
    auto about = topic_of(call);
    if (watched.load(std::memory_order_relaxed).has(about)) log->trace(store_note(call));
  }

  void adopt(std::shared_ptr<const snapshot> next) {
    rules = std::move(next);
    on_every_worker([fresh = rules](gateway_service& s) { s.use(fresh); });
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

  // The policy of policy.url says something else.
  void adopt_policy() {
    std::lock_guard lock(changing);
    auto next = make_snapshot(conf, rules->authorization_server, session_key, spans.get(), policies.get());
    if (next) return adopt(std::move(*next));
    log->event(log_level::error, "policy", "the policy could not be taken up", &next.error());
  }

  // Another source, where other settings want one; asked once already.
  std::unique_ptr<policy_source> source_for(const settings& of) {
    if (of.access.url.empty()) return nullptr;
    return std::make_unique<policy_source>(of.access, fetch_of_policies(of), *log);
  }

  // All or nothing: what fails leaves everything as it was.
  result<void> adopt_settings(const settings& next) {
    // What is not used any more goes once nothing is locked: it may just be taking up what it heard.
    std::unique_ptr<policy_source> other;
    bool same_source = policies ? policies->is_for(next.access) : next.access.url.empty();
    if (!same_source) other = source_for(next);
    std::lock_guard lock(changing);
    auto effective = with_port(next, conf.port);
    auto as = make_broker(effective);
    if (!as) return tl::unexpected<error>(as.error());
    auto fresh = make_snapshot(effective, std::move(*as), session_key, exporter_for(effective),
                               same_source ? policies.get() : other.get());
    if (!fresh) return tl::unexpected<error>(fresh.error());
    std::shared_ptr<const net::tls_context> certificate;
    if (effective.tls.enabled()) {
      auto tls = net::tls_context::server(effective.tls.cert_file, effective.tls.key_file);
      if (!tls) return tl::unexpected<error>(tls.error());
      certificate = *tls;
    }
    auto logging = log->change(effective.log);
    if (!logging) return logging;
    if (certificate) server->use_tls(certificate);
    server->use_limits(exchange_limits_of(effective), effective.limits.connections);
    if (effective.telemetry.enabled()) spans->send_to(receiver_of_spans(effective));
    watched = watched_by(effective.log);
    asked = next;
    conf = std::move(effective);
    if (!same_source) {
      policies.swap(other);
      if (policies) policies->follow([this] { adopt_policy(); });
    }
    adopt(std::move(*fresh));
    return {};
  }

  void tidy(time_point now, time_point& next_keys) {
    for (int batch = 0; batch < 20; ++batch) {
      auto swept = store->sweep(now, 500);
      if (!swept || *swept < 500) break;
    }
    if (now < next_keys) return;
    next_keys = now + std::chrono::minutes(10);
    auto refreshed = adopt_keys(now);
    if (!refreshed)
      log->event(log_level::error, "oauth", "signing keys could not be refreshed", &refreshed.error());
  }

  void keep_house() {
    auto next_keys = wall_clock() + std::chrono::minutes(10);
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait_for(lock, seconds(30), [this] { return stopping || keys_are_stale; });
      if (stopping) return;
      if (std::exchange(keys_are_stale, false)) next_keys = time_point();
      lock.unlock();
      try {
        tidy(wall_clock(), next_keys);
      } catch (const std::exception& e) {
        // A defect, or no memory: the gateway goes on, and this is tried again.
        error why{errc::internal, std::string("an exception: ") + e.what()};
        log->event(log_level::error, "proxy", "housekeeping failed", &why);
      }
      lock.lock();
    }
  }
};

gateway_app::gateway_app(std::unique_ptr<parts> p) : parts_(std::move(p)) {}
gateway_app::~gateway_app() { stop(); }
const settings& gateway_app::conf() const { return parts_->conf; }
const std::string& gateway_app::first_password() const { return parts_->first_password; }

result<std::unique_ptr<gateway_app>> gateway_app::start(settings conf, std::vector<std::string>& warnings) {
  auto made = std::make_unique<parts>();
  auto& p = *made;

  auto log = log_sink::open(conf.log);
  if (!log) return tl::unexpected<error>(log.error());
  p.log = std::move(*log);

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
  p.watched = watched_by(conf.log);

  auto key = master_key(conf, *p.store, warnings);
  if (!key) return tl::unexpected<error>(key.error());
  auto seal = sealer::of({*key});
  if (!seal) return tl::unexpected<error>(seal.error());
  p.seal = std::move(*seal);
  p.session_key = secret(hkdf_sha256(key->reveal(), "", "mcp session binding", 32));

  p.blocking = std::make_unique<net::blocking_pool>(blocking_threads);
  p.fetching = std::make_unique<net::blocking_pool>(fetching_threads);
  p.strangers = std::make_unique<net::blocking_pool>(stranger_threads, most_strangers_waiting);

  // The port decides about addresses of our own when it was left open, so it comes before all that uses them.
  p.shared.started = wall_clock();
  p.shared.log = p.log.get();
  p.shared.store = p.store.get();
  p.shared.counts = &p.counts;
  p.shared.blocking = p.blocking.get();
  p.shared.fetching = p.fetching.get();
  p.shared.strangers = p.strangers.get();
  p.shared.key_unknown = [&p] { p.key_unknown(); };
  p.shared.connections = [&p] { return p.server ? p.server->connections() : 0; };

  auto options = server_options_of(conf);
  auto held = net::reserve_port(options);
  if (!held) return tl::unexpected<error>(held.error());
  p.asked = std::move(conf);
  p.conf = with_port(p.asked, options.port);

  auto as = p.make_broker(p.conf);
  if (!as) return tl::unexpected<error>(as.error());

  if (signs_in_locally(p.conf)) {
    auto first = ensure_first_user(
        *p.store, [](std::size_t n) { return random_bytes(n); }, {}, wall_clock(),
        !is_postgres_url(p.conf.database_url));
    if (!first) return tl::unexpected<error>(first.error());
    if (*first) p.first_password = (*first)->reveal();
  }

  p.policies = p.source_for(p.conf);
  auto first_rules = make_snapshot(p.conf, *as, p.session_key, p.exporter_for(p.conf), p.policies.get());
  if (!first_rules) return tl::unexpected<error>(first_rules.error());
  p.rules = std::move(*first_rules);
  auto revoked = p.rules->authorization_server->revoked(wall_clock());
  if (!revoked) return tl::unexpected<error>(revoked.error());

  p.server = std::make_unique<net::server>(options, [&p, &revoked](net::worker& w) {
    auto service = std::make_unique<gateway_service>(w, p.shared, p.rules);
    for (const auto& [grant, until] : *revoked) service->revoke(grant, until);
    return service;
  });
  if (p.conf.tls.enabled()) {
    auto tls = net::tls_context::server(p.conf.tls.cert_file, p.conf.tls.key_file);
    if (!tls) return tl::unexpected<error>(tls.error());
    p.server->use_tls(*tls);
  }
  auto place = held->address();
  auto started = p.server->start(std::move(*held));
  if (!started) return tl::unexpected<error>(started.error());
  if (p.policies) p.policies->follow([&p] { p.adopt_policy(); });
  p.housekeeping = std::thread([&p] { p.keep_house(); });
  p.store->watch([&p](std::string_view kind, std::string_view id) { p.changed(kind, id); });
  p.log->event(log_level::info, "proxy",
               "listening on " + place + (p.conf.host.empty() ? "" : " (host: " + p.conf.host + ")"));
  return std::unique_ptr<gateway_app>(new gateway_app(std::move(made)));
}

reload_report gateway_app::reload(const settings_source& read) {
  auto& p = *parts_;
  reload_report report;
  auto wanted = read({});
  if (wanted) {
    auto pinned = cannot_change(p.asked, wanted->value);
    for (const auto& one : pinned) report.warnings.push_back(to_string(one));
    // Once more, so that what follows from a pinned setting follows from the running value.
    if (!pinned.empty()) wanted = read(flags_of(pinned, p.asked));
  }
  if (!wanted) {
    report.errors = std::move(wanted.error());
  } else {
    report.warnings.insert(report.warnings.begin(), wanted->warnings.begin(), wanted->warnings.end());
    keep_fixed(p.asked, wanted->value);
    auto adopted = p.adopt_settings(wanted->value);
    if (!adopted) report.failure = adopted.error();
  }
  for (const auto& text : report.warnings) p.log->event(log_level::warn, "config", text);
  for (const auto& text : report.errors) p.log->event(log_level::error, "config", text);
  if (report.adopted()) {
    p.log->event(log_level::info, "config", "the configuration was read again and is in use");
  } else {
    p.log->event(log_level::error, "config", "the configuration was not taken up; the one in use stays",
                 report.failure ? &*report.failure : nullptr);
  }
  return report;
}

result<void> gateway_app::reopen_log() {
  auto opened = parts_->log->reopen();
  if (!opened)
    parts_->log->event(log_level::error, "log", "the log file could not be opened again; the old one stays",
                       &opened.error());
  return opened;
}

void gateway_app::stop() {
  auto& p = *parts_;
  {
    std::lock_guard lock(p.mutex);
    if (std::exchange(p.stopping, true)) return;
  }
  p.wake.notify_all();
  if (p.housekeeping.joinable()) p.housekeeping.join();
  p.policies.reset();
  if (p.store) p.store->watch({});
  if (p.server) p.server->stop();
  p.stopped = true;
  // The pools first: what still runs there belongs to requests that are gone.
  p.strangers.reset();
  p.fetching.reset();
  p.blocking.reset();
  p.server.reset();
  p.rules.reset();
  p.spans.reset();
  p.store.reset();
  p.log->event(log_level::info, "proxy", "stopped");
}

}  // namespace mcp_oauth
