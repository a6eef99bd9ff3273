#include "app/running.h"

#include "app/certificate_doubts.h"
#include "app/version.h"
#include "base/base64url.h"
#include "base/text.h"
#include "config/load.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "store/open.h"

#include <algorithm>
#include <filesystem>
#include <latch>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr unsigned blocking_threads = 32;
constexpr unsigned naming_threads = 4;
constexpr unsigned fetching_threads = 32;
constexpr unsigned stranger_threads = 8;
constexpr unsigned introspection_threads = 16;
// More would wait longer than anybody who asked.
constexpr std::size_t most_strangers_waiting = 64;

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

result<std::shared_ptr<const net::tls_context>> certificate_of(const settings& conf) {
  using clients = net::tls_context::client_certificates;
  bool asks = conf.is_guard() && conf.binding.certificate != "off";
  return net::tls_context::server(conf.tls.cert_file, conf.tls.key_file,
                                  asks ? clients::asked_for : clients::not_asked_for);
}

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

policy_source::fetch_fn fetch_of_policies(const settings& conf) {
  return [ca_file = conf.upstream_ca_file](const http_call& call, const std::atomic<bool>& given_up) {
    auto rules = policy_fetch_rules();
    rules.given_up = &given_up;
    return net::fetch(call, rules, ca_file);
  };
}

}  // namespace

time_point wall_clock() { return std::chrono::system_clock::now(); }

result<void> running::open_log(const settings& of) {
  auto opened = log_sink::open(of.log);
  if (!opened) return tl::unexpected<error>(opened.error());
  log = std::move(*opened);
  watched = watched_by(of.log);
  audit = std::make_unique<audit_trail>(*log);
  return audit->change(of.audit);
}

void running::keep_stories(record_store& where, const settings& of) {
  stories = std::make_unique<story_keeper>(where, of.explain, *log);
  shared.stories = stories.get();
  shared.openings = &openings;
}

std::unique_ptr<record_store> running::open_stories(const settings& of) {
  auto place = stories_place(of);
  if (place.empty()) return nullptr;
  if (auto path = sqlite_path(place); path && std::filesystem::path(*path).has_parent_path()) {
    std::error_code ignored;  // whoever opens it will say
    std::filesystem::create_directories(std::filesystem::path(*path).parent_path(), ignored);
  }
  std::vector<std::string> unheard;  // of the mode of a file that was just made
  auto opened = open_store(place, unheard);
  if (opened) return std::move(*opened);
  noticed.push_back("failures are not kept for explain, as " + database_place(place) +
                    " cannot be opened: " + opened.error().detail +
                    " (explain.file names another place, explain.most: 0 keeps none)");
  log->event(log_level::warn, "explain", "failures are not kept for explain", &opened.error());
  return nullptr;
}

void running::make_threads() {
  blocking = std::make_unique<net::blocking_pool>(blocking_threads);
  naming = std::make_unique<net::blocking_pool>(naming_threads);
  fetching = std::make_unique<net::blocking_pool>(fetching_threads);
  strangers = std::make_unique<net::blocking_pool>(stranger_threads, most_strangers_waiting);
  introspecting = std::make_unique<net::blocking_pool>(introspection_threads, most_strangers_waiting);
  shared.started = wall_clock();
  shared.pseudonym = "mop-" + base64url_encode(random_bytes(9));
  // One after the other, in one file.
  auditing = std::make_unique<net::blocking_pool>(1U);
  shared.log = log.get();
  shared.audit = audit.get();
  shared.auditing = auditing.get();
  shared.counts = &counts;
  shared.blocking = blocking.get();
  shared.naming = naming.get();
  shared.fetching = fetching.get();
  shared.strangers = strangers.get();
  shared.introspecting = introspecting.get();
  shared.saw_clock = [this](std::string_view whose, time_point theirs) { saw_clock(whose, theirs); };
  shared.first_time_of = [this](std::string_view whom, std::string_view what) {
    return first_time_of(whom, what);
  };
  shared.connections = [this] { return server ? server->connections() : 0; };
}

result<net::listeners> running::take_port(settings of) {
  auto options = server_options_of(of);
  auto held = net::reserve_port(options);
  if (!held) return held;
  asked = std::move(of);
  conf = with_port(asked, options.port);
  return held;
}

result<void> running::serve(net::listeners open, const std::function<void(gateway_service&)>& prepare) {
  server = std::make_unique<net::server>(server_options_of(conf), [this, &prepare](net::worker& w) {
    auto service = std::make_unique<gateway_service>(w, shared, rules);
    if (prepare) prepare(*service);
    return service;
  });
  if (conf.tls.enabled()) {
    auto tls = certificate_of(conf);
    if (!tls) return tl::unexpected<error>(tls.error());
    look_at_certificate(conf, **tls);
    for (const auto& text : noticed) log->event(log_level::warn, "tls", text);
    server->use_tls(*tls);
  }
  auto place = open.address();
  auto started = server->start(std::move(open));
  if (!started) return started;
  say_what_is_out_of_reach();
  if (policies) {
    if (auto trouble = policies->trouble()) noticed.push_back(std::move(*trouble));
    policies->follow([this] { return adopt_policy(); });
  }
  log->event(log_level::info, "proxy",
             "listening on " + place + (conf.host.empty() ? "" : " (host: " + conf.host + ")"));
  return {};
}

void running::on_every_worker(const std::function<void(gateway_service&)>& job) {
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

void running::look_at_certificate(const settings& of, const net::tls_context& ours) {
  auto doubts = doubts_about_certificate(of, ours, wall_clock()).as_warnings();
  noticed.insert(noticed.end(), doubts.begin(), doubts.end());
}

span_exporter* running::exporter_for(const settings& of) {
  if (of.telemetry.enabled() && !spans)
    spans = std::make_unique<span_exporter>(receiver_of_spans(of), send_spans, *log);
  return spans.get();
}

void running::adopt(std::shared_ptr<const snapshot> next) {
  rules = std::move(next);
  on_every_worker([fresh = rules](gateway_service& s) { s.use(fresh); });
}

running::policy_change running::policies_for(const settings& next) const {
  policy_change then;
  then.same = policies ? policies->is_for(next.access) : next.access.url.empty();
  if (!then.same) then.other = source_for(next);
  return then;
}

const policy_source* running::source_of(const policy_change& then) const {
  return then.same ? policies.get() : then.other.get();
}

std::unique_ptr<policy_source> running::source_for(const settings& of) const {
  if (of.access.url.empty()) return nullptr;
  return std::make_unique<policy_source>(of.access, fetch_of_policies(of), *log);
}

void running::say_what_is_out_of_reach() const {
  auto document = policies ? policies->latest().document : nullptr;
  if (document == nullptr) return;
  auto scopes = scopes_out_of_reach(conf, *document);
  if (scopes.empty()) return;
  log->event(log_level::warn, "policy",
             "policy.url asks for scopes that nobody can get, as scopes_supported lacks them: " +
                 join(scopes, ", "));
}

bool running::adopt_policy() {
  std::lock_guard lock(changing);
  auto next = make_snapshot(conf, tokens_of(*rules), session_key, spans.get(), policies.get());
  if (next) {
    adopt(std::move(*next));
    say_what_is_out_of_reach();
    return true;
  }
  log->event(log_level::error, "policy", "the policy could not be taken up", &next.error());
  return false;
}

result<void> running::take_up(const settings& next, settings effective, std::shared_ptr<const snapshot> fresh,
                              policy_change& then) {
  std::shared_ptr<const net::tls_context> certificate;
  if (effective.tls.enabled()) {
    auto tls = certificate_of(effective);
    if (!tls) return tl::unexpected<error>(tls.error());
    certificate = *tls;
  }
  auto recording = audit->change(effective.audit);
  if (!recording) return recording;
  auto logging = log->change(effective.log);
  if (!logging) {
    (void)audit->change(conf.audit);
    return logging;
  }
  if (certificate) {
    look_at_certificate(effective, *certificate);
    server->use_tls(certificate);
  }
  server->use_limits(exchange_limits_of(effective), effective.limits.connections);
  if (effective.telemetry.enabled()) spans->send_to(receiver_of_spans(effective));
  watched = watched_by(effective.log);
  if (stories) stories->change(effective.explain);
  asked = next;
  conf = std::move(effective);
  if (!then.same) {
    policies.swap(then.other);
    if (auto trouble = policies ? policies->trouble() : std::nullopt) noticed.push_back(std::move(*trouble));
    if (policies) policies->follow([this] { return adopt_policy(); });
  }
  adopt(std::move(fresh));
  say_what_is_out_of_reach();
  return {};
}

reload_report running::reload(const settings_source& read,
                              const std::function<result<void>(const settings&)>& take) {
  reload_report report;
  auto wanted = read({});
  if (wanted) {
    auto pinned = cannot_change(asked, wanted->value);
    for (const auto& one : pinned) report.warnings.push_back(to_string(one));
    // Once more, so that what follows from a pinned setting follows from the running value.
    if (!pinned.empty()) wanted = read(flags_of(pinned, asked));
  }
  if (!wanted) {
    report.errors = std::move(wanted.error());
  } else {
    report.warnings.insert(report.warnings.begin(), wanted->warnings.begin(), wanted->warnings.end());
    keep_fixed(asked, wanted->value);
    noticed.clear();
    auto adopted = take(wanted->value);
    if (!adopted) report.failure = adopted.error();
    report.warnings.insert(report.warnings.end(), noticed.begin(), noticed.end());
  }
  for (const auto& text : report.warnings) log->event(log_level::warn, "config", text);
  for (const auto& text : report.errors) log->event(log_level::error, "config", text);
  if (report.adopted()) {
    log->event(log_level::info, "config", "the configuration was read again and is in use");
  } else {
    log->event(log_level::error, "config", "the configuration was not taken up; the one in use stays",
               report.failure ? &*report.failure : nullptr);
  }
  return report;
}

result<void> running::reopen_log() {
  auto opened = log->reopen();
  if (!opened)
    log->event(log_level::error, "log", "the log file could not be opened again; the old one stays",
               &opened.error());
  auto recording = audit->reopen();
  if (!recording)
    log->event(log_level::error, "audit",
               "the file of decisions could not be opened again; the old one stays", &recording.error());
  return opened ? recording : opened;
}

void running::saw_clock(std::string_view whose, time_point theirs) {
  auto text = clocks.compare(whose, theirs, wall_clock());
  if (!text) return;
  error why{errc::clocks_differ, {}};
  log->event(log_level::warn, "proxy", *text, &why);
}

bool running::first_time_of(std::string_view whom, std::string_view what) {
  std::lock_guard lock(saying);
  return said.insert(std::string(what) + " " + std::string(whom)).second;
}

void running::keep_house(milliseconds pause, const std::function<bool()>& hurry,
                         const std::function<void()>& job) {
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait_for(lock, pause, [&] { return stopping || hurry(); });
    if (stopping) return;
    lock.unlock();
    try {
      job();
      audit->retry();
    } catch (const std::exception& e) {
      // A defect, or no memory: we go on, and this is tried again.
      error why{errc::internal, std::string("an exception: ") + e.what()};
      log->event(log_level::error, "proxy", "housekeeping failed", &why);
    }
    lock.lock();
  }
}

bool running::stop(const std::function<void()>& cut) {
  {
    std::lock_guard lock(mutex);
    if (std::exchange(stopping, true)) return false;
  }
  wake.notify_all();
  if (housekeeping.joinable()) housekeeping.join();
  policies.reset();
  cut();
  if (server) server->stop();
  stopped = true;
  // The pools first: what still runs there belongs to requests that are gone.
  introspecting.reset();
  strangers.reset();
  fetching.reset();
  naming.reset();
  blocking.reset();
  auditing.reset();
  server.reset();
  // The workers have handed on what they had; and it comes before the store that it writes to.
  shared.stories = nullptr;
  stories.reset();
  own_stories.reset();
  rules.reset();
  spans.reset();
  return true;
}

}  // namespace mcp_oauth
