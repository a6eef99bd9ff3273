#include "app/bridge_credentials.h"

#include "app/bridge_credentials_parts.h"
#include "app/file_access.h"
#include "app/outbound_way.h"
#include "app/run_program.h"
#include "base/text.h"
#include "base/url.h"
#include "bridge/browser.h"
#include "bridge/token_requests.h"
#include "bridge/token_words.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view component = "token";
constexpr milliseconds glance{100};
constexpr seconds shortest_hold{60}, longest_hold{900};
constexpr unsigned most_refusals = 2;  // of fresh tokens
constexpr unsigned most_nonce_retries = 2;
constexpr unsigned most_step_ups = 4;  // within the window
constexpr seconds step_up_window{600};
constexpr seconds after_a_person{60};  // who said no, or was not there, is left alone
constexpr seconds longest_backoff{30};
// A token of that age that the server has taken has not ended: whoever refuses it means the request.
constexpr seconds young{300};
constexpr seconds quick_age{10}, calm_age{60};
constexpr unsigned most_quick = 2;

// Also where it belongs to somebody else.
bool is_alive_process(std::int64_t pid) {
  return pid > 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

// It was the MCP server that did not answer.
error of_the_server(error why) {
  if (why.code == errc::fetch_failed || why.code == errc::fetch_timeout)
    why.code = errc::upstream_unreachable;
  return why;
}

std::optional<signing_key> read_client_key(const bridge_settings& settings, bridge_log& log) {
  const auto& file = settings.sign_in.private_key_file;
  if (file.empty()) return std::nullopt;
  auto text = read_file_text(file);
  auto key =
      text ? signing_key::from_pem(secret(*text)) : result<signing_key>(tl::unexpected<error>(text.error()));
  if (key) return std::move(*key);
  log.write(bridge_log_level::error, component, "the private key cannot be used",
            {{"file", file}, {"why", key.error().detail}});
  return std::nullopt;
}

// What stands in a header may be a key, and may be what an address is made of.
void hide_header(bridge_log& log, std::string_view name, const secret& value) {
  constexpr auto telling = std::to_array<std::string_view>(
      {"auth", "cookie", "credential", "key", "pass", "secret", "session", "token"});
  auto lower = to_lower(name);
  auto tells = [&](std::string_view word) { return lower.find(word) != std::string::npos; };
  if (std::none_of(telling.begin(), telling.end(), tells)) return log.hide_here(value);
  log.hide(value);
  // Behind the name of a scheme.
  std::string_view text = value.reveal();
  if (auto blank = text.find(' '); blank != std::string_view::npos)
    log.hide(secret(std::string(text.substr(blank + 1))));
}

}  // namespace

bridge_credentials::parts::parts(const bridge_settings& s, net::worker& w, net::blocking_pool& p,
                                 bridge_log& l)
    : settings(s), worker(w), pool(p), log(l), store(s, l, process_environment, &given_up) {
  const auto& in = settings.sign_in;
  for (const auto* value : {&in.client_secret, &in.access_token, &in.refresh_token, &in.authorization_code,
                            &in.code_verifier, &in.identity_client_secret})
    log.hide(*value);
  for (const auto& [name, value] : in.extra_params) log.hide_here(secret(value));
  for (const auto& [name, value] : settings.upstream.headers) hide_header(log, name, value);
  apply_use_proxy(settings);
}

bool bridge_credentials::parts::has_fresh() const {
  return kept && kept->tokens && is_fresh(*kept->tokens, settings.sign_in.refresh_skew, now());
}

bridge_token bridge_credentials::parts::token() const {
  const auto& tokens = *kept->tokens;
  bool id = settings.sign_in.use_id_token && !tokens.id_token.empty();
  return {id ? tokens.id_token : tokens.access_token, tokens.dpop ? "DPoP" : "Bearer", generation};
}

void bridge_credentials::parts::adopt(kept_sign_in fresh) {
  if (fresh.tokens) {
    auto age = std::chrono::duration_cast<seconds>(now() - fresh.tokens->obtained);
    token_since = steady::now() - std::clamp(age, seconds(0), seconds(3600));
  }
  kept = std::move(fresh);
  for (const auto& client : kept->clients) log.hide(client.client_secret);
  dpop_key.reset();
  if (!kept->tokens) return;
  const auto& tokens = *kept->tokens;
  for (const auto* value : {&tokens.access_token, &tokens.refresh_token, &tokens.id_token}) log.hide(*value);
  if (tokens.dpop) {
    if (auto key = signing_key::from_pem(tokens.dpop_key)) dpop_key = std::move(*key);
  }
  ++generation;
  failures = 0;
  not_before = {};
}

std::string bridge_credentials::parts::holder_text(const bridge_lock::note& note) const {
  // The note of a process that has ended says nothing of who has the lock now.
  bool alive = is_alive_process(note.pid);
  auto who = "Another bridge to " + settings.upstream.url + " " +
             (alive ? "(PID " + std::to_string(note.pid) + ") " : "");
  if (note.doing.empty() || !alive) return who + "is getting a token; this one waits for it";
  return who + "waits for a person to sign in: " + note.address;
}

error bridge_credentials::parts::in_vain() {
  auto hold = std::min<seconds>(shortest_hold * (1U << std::min(holds, 4U)), longest_hold);
  if (hold_until < steady::now()) {
    refusals = most_refusals - 1;  // afterwards one more is tried
    ++holds;
    hold_until = steady::now() + hold;
  }
  std::string detail = "the server refused " + std::to_string(most_refusals) + " fresh tokens";
  if (kept && kept->tokens) {
    detail += "; " + what_token_says(kept->tokens->access_token, now());
    if (!kept->tokens->resource.empty()) detail += "; the resource is " + kept->tokens->resource;
  }
  return {errc::sign_in_tokens_in_vain, detail};
}

error bridge_credentials::parts::refused_here() const {
  std::string detail = "the server took this token for another request, and refuses it for this one";
  if (kept && kept->tokens) detail += "; " + what_token_says(kept->tokens->access_token, now());
  return {errc::sign_in_tokens_in_vain, detail};
}

error bridge_credentials::parts::given_refused(const server_demand& demand) const {
  std::string detail = "the server refuses the token of OAUTH2_ACCESS_TOKEN";
  auto words = displayable(demand.error_description.empty() ? demand.error : demand.error_description);
  if (!words.empty()) detail += " (" + words.substr(0, 200) + ")";
  detail += "; " + what_token_says(kept->tokens->access_token, now());
  return {errc::sign_in_given_refused, log.redacted(detail)};
}

bool bridge_credentials::parts::renews_alone() const {
  auto grant = settings.sign_in.grant;
  bool of_person = grant == bridge_grant::authorization_code || grant == bridge_grant::device_code;
  return !of_person || (kept && kept->tokens && !kept->tokens->refresh_token.empty());
}

// ---- one way to a token at a time

// Whether another process has a token by now that the server has not refused here.
net::task<bool> bridge_credentials::parts::take_from_store(std::string refused) {
  std::optional<kept_sign_in> found;
  if (store.key_is_slow()) {
    slow_notice notice(worker, log, "the key of the sign-ins, from the desktop's secret service", "");
    auto read = [this] { return store.read(); };
    net::off_loop reading(worker, pool, read);
    found = co_await reading;
  } else {
    found = store.read();
  }
  if (!found) co_return false;
  // What we could not write must not give way to what it replaced: that one's refresh token is used up. A
  // token of another process is younger.
  bool younger =
      !kept || !kept->tokens || (found->tokens && found->tokens->obtained > kept->tokens->obtained);
  if (unwritten && !younger) co_return false;
  unwritten = false;
  bool good = found->tokens && found->tokens->access_token.reveal() != refused &&
              is_fresh(*found->tokens, settings.sign_in.refresh_skew, now());
  bool another = found->tokens && found->tokens->access_token.reveal() != refused;
  if (another) {
    adopt(std::move(*found));
    unproven = false;
  } else {
    kept = std::move(*found);
  }
  co_return good;
}

net::task<result<secret>> bridge_credentials::parts::assertion() {
  const auto& in = settings.sign_in;
  if (in.grant != bridge_grant::jwt_bearer && in.grant != bridge_grant::enterprise) co_return secret();
  result<std::string> text = std::string();
  if (!in.assertion_file.empty()) {
    text = read_file_text(in.assertion_file);
  } else {
    auto run = [&in, this] {
      return run_program({"/bin/sh", "-c", in.assertion_command}, "", seconds(30), surroundings::all,
                         &given_up);
    };
    net::off_loop running(worker, pool, run);
    text = co_await running;
  }
  if (!text) co_return fail(errc::sign_in_person_needed, "the assertion: " + text.error().detail);
  secret value(std::string(trim(std::string_view(*text).substr(0, text->find_last_not_of("\r\n") + 1))));
  log.hide(value);
  co_return value;
}

net::task<result<void>> bridge_credentials::parts::take_given() {
  const auto& in = settings.sign_in;
  kept_sign_in made;
  made.server = settings.upstream.url;
  made.tokens.emplace();
  made.tokens->client_id = "-";
  made.tokens->obtained = now();
  made.tokens->access_token = in.access_token;
  if (!in.access_token_command.empty()) {
    auto run = [&in, this] {
      return run_program({"/bin/sh", "-c", in.access_token_command}, "", seconds(30), surroundings::all,
                         &given_up);
    };
    net::off_loop running(worker, pool, run);
    auto text = co_await running;
    if (!text)
      co_return fail(errc::sign_in_person_needed, "oauth2.accessTokenCommand: " + text.error().detail);
    made.tokens->access_token =
        secret(std::string(trim(std::string_view(*text).substr(0, text->find_last_not_of("\r\n") + 1))));
  }
  if (made.tokens->access_token.empty())
    co_return fail(errc::sign_in_person_needed, "oauth2.accessTokenCommand printed no token");
  adopt(std::move(made));
  unproven = true;
  co_return result<void>();
}

net::task<result<void>> bridge_credentials::parts::sign_in(sign_in_purpose purpose, bridge_lock& lock) {
  if (!world) {
    auto random = [](std::size_t n) { return random_bytes(n); };
    auto note = [this](bridge_log_level level, const std::string& text) {
      log.write(level, component, text);
    };
    sign_in_world made{settings, outbound_rules::of(settings),   read_client_key(settings, log), random,
                       note,     [this] { session_over = true; }};
    world = std::make_shared<sign_in_world>(std::move(made));
  }
  auto proof_of_identity = co_await assertion();
  if (!proof_of_identity) co_return tl::unexpected<error>(proof_of_identity.error());
  purpose.assertion = std::move(*proof_of_identity);
  auto find = [](const std::string& name) {
    return find_program(name, process_environment("PATH").value_or(""));
  };
  purpose.headless = browser_commands("", process_environment, find).empty();
  session_over = false;
  auto step = begin_sign_in(world, kept.value_or(kept_sign_in{}), purpose, now());
  auto outcome = co_await drive(std::move(step), lock);
  if (!outcome) co_return tl::unexpected<error>(outcome.error());
  adopt(std::move(*outcome));
  unproven = true;
  auto write = [this] { return store.write(*kept); };
  net::off_loop writing(worker, pool, write);
  auto written = co_await writing;
  unwritten = !written;
  if (!written)
    log.write(bridge_log_level::warn, component, "the sign-in is not kept",
              {{"why", written.error().detail}});
  co_return result<void>();
}

net::task<result<void>> bridge_credentials::parts::fly(sign_in_purpose purpose, std::string refused) {
  if (settings.sign_in.grant == bridge_grant::given) {
    auto taken = co_await take_given();
    co_return taken;
  }
  auto began = to_unix(now());
  if (!store.prepare_folder())
    log.write(bridge_log_level::warn, component,
              store.folder().empty() ? "there is no folder for sign-ins, since neither HOME nor "
                                       "XDG_CONFIG_HOME nor oauth2.tokenCacheDir is set: "
                                       "each process signs in by itself"
                                     : "there is no folder for sign-ins: each process signs in by itself");
  bool waited = false;
  std::optional<bridge_lock> lock;
  while (true) {
    lock = bridge_lock::take(store.lock_file());
    auto noted = bridge_lock::read(store.lock_file());
    bool taken = co_await take_from_store(refused);
    if (taken) {
      log.write(bridge_log_level::debug, component, "a token of another bridge is used");
      waiting_text.clear();
      co_return result<void>();
    }
    // Whoever had the lock failed at what we waited for: not once more by us.
    if (waited && noted.ended >= began && noted.code != 0) {
      waiting_text.clear();
      co_return fail(static_cast<errc>(noted.code), noted.why);
    }
    if (lock) {
      predecessor = noted;
      noted.pid = ::getpid();
      noted.doing.clear();
      noted.address.clear();
      noted.redirect_uri.clear();
      lock->write(noted);
      break;
    }
    if (stopping) co_return fail(errc::bridge_ending, "before there was a token");
    if (!waited)
      log.write(bridge_log_level::info, component, "another bridge is at it: waiting",
                {{"pid", is_alive_process(noted.pid) ? std::to_string(noted.pid) : ""}});
    waited = true;
    waiting_text = holder_text(noted);
    net::sleep pause(worker, glance);
    co_await pause;
  }
  waiting_text.clear();
  bool person = purpose.person;
  auto outcome = co_await sign_in(std::move(purpose), *lock);
  // Whoever takes the lock next goes on with the page that is open.
  if (!outcome && outcome.error().code == errc::bridge_ending) co_return outcome;
  bridge_lock::note last;
  last.pid = ::getpid();
  // Others that may ask somebody are not to be kept from it.
  if (!outcome && (person || outcome.error().code != errc::sign_in_person_needed)) {
    last.ended = to_unix(now());
    last.code = static_cast<int>(outcome.error().code);
    last.why = outcome.error().detail;
  }
  lock->write(last);
  co_return outcome;
}

net::task<result<void>> bridge_credentials::parts::obtain(sign_in_purpose purpose, std::string refused) {
  struct arrival {
    parts& of;
    bool await_ready() const { return !of.flying; }
    void await_suspend(std::coroutine_handle<> h) { of.waiting.push_back(h); }
    void await_resume() const {}
  };
  bool person = purpose.person, challenged = purpose.challenged;
  while (flying) {
    bool asked = asks_person;
    arrival other{*this};
    co_await other;
    if (!landed) co_return result<void>();
    // It ended where somebody would have to be asked, and was not to ask: this one may.
    bool mine = person && !asked && landed->code == errc::sign_in_person_needed;
    if (!mine) co_return tl::unexpected<error>(*landed);
  }
  flying = true;
  asks_person = person;
  auto outcome = co_await fly(std::move(purpose), std::move(refused));
  flying = false;
  if (!outcome) outcome.error().detail = log.redacted(outcome.error().detail);
  for (const auto& value : std::exchange(hidden_for_now, {})) log.show(value);
  landed = outcome ? std::nullopt : std::optional<error>(outcome.error());
  bool for_nobody = !outcome && !person && outcome.error().code == errc::sign_in_person_needed;
  if (for_nobody) {
    log.write(bridge_log_level::debug, component, "no token, and nobody is asked for this",
              {{"why", outcome.error().detail}});
  } else {
    failure = landed;
  }
  if (!outcome && !for_nobody) {
    bool good = kept && kept->tokens && is_alive(*kept->tokens, now()) && !challenged;
    log.write(good ? bridge_log_level::warn : bridge_log_level::error, component,
              good ? "no new token; the one there is is used while it is good" : "no token",
              {{"why", outcome.error().detail}});
    auto wait = std::min<seconds>(seconds(1) * (1U << std::min(failures, 5U)), longest_backoff);
    ++failures;
    auto code = outcome.error().code;
    bool of_person = code == errc::sign_in_timeout || code == errc::sign_in_refused;
    not_before = steady::now() + (of_person ? after_a_person : wait);
  }
  for (auto waiter : std::exchange(waiting, {})) worker.post([waiter] { waiter.resume(); });
  co_return outcome;
}

// ---- what the wire calls

bridge_credentials::bridge_credentials(const bridge_settings& settings, net::worker& worker,
                                       net::blocking_pool& pool, bridge_log& log)
    : parts_(std::make_unique<parts>(settings, worker, pool, log)) {}
bridge_credentials::~bridge_credentials() = default;

net::task<result<bridge_token>> bridge_credentials::acquire(bool person) {
  auto& p = *parts_;
  if (p.has_fresh()) co_return p.token();
  const auto& in = p.settings.sign_in;
  if (!p.loaded && in.grant != bridge_grant::given) {
    p.loaded = p.loading = true;
    bool found = co_await p.take_from_store("");
    p.loading = false;
    if (found) co_return p.token();
  }
  // The key of what is kept may take a while to be had.
  while (p.loading && !p.stopping) {
    net::sleep pause(p.worker, milliseconds(10));
    co_await pause;
  }
  if (p.has_fresh()) co_return p.token();
  bool alive = p.kept && p.kept->tokens && is_alive(*p.kept->tokens, p.now());
  bool refreshable = p.kept && p.kept->tokens && !p.kept->tokens->refresh_token.empty();
  refreshable = refreshable || (!in.refresh_token.empty() && !(p.kept && p.kept->tokens));
  bool known = !in.discovery || in.grant == bridge_grant::given || refreshable;
  if (!known && !p.flying) {
    if (alive) co_return p.token();
    co_return bridge_token{};
  }
  if (!p.flying && parts::steady::now() < p.not_before && p.failure) {
    if (alive) co_return p.token();
    co_return tl::unexpected<error>(*p.failure);
  }
  sign_in_purpose purpose;
  purpose.person = person;
  std::string none;
  auto outcome = co_await p.obtain(std::move(purpose), none);
  if (!outcome) {
    // What is still good is used while nothing better is to be had.
    if (alive && p.kept && p.kept->tokens) co_return p.token();
    co_return tl::unexpected<error>(outcome.error());
  }
  if (!p.kept || !p.kept->tokens) co_return fail(errc::internal, "a sign-in without a token");
  co_return p.token();
}

net::task<result<bridge_token>> bridge_credentials::renew(std::uint64_t refused, int status,
                                                          std::string challenges, std::string dpop_nonce,
                                                          bool person) {
  auto& p = *parts_;
  if (!dpop_nonce.empty()) p.nonce = dpop_nonce;
  if (p.generation > refused && p.has_fresh()) co_return p.token();
  auto demand = read_demand(challenges);
  bool same = refused == p.generation && refused != 0 && p.kept && p.kept->tokens;
  if (demand.error == "use_dpop_nonce" && !dpop_nonce.empty() && same) {
    if (++p.nonce_retries > most_nonce_retries) co_return tl::unexpected<error>(p.in_vain());
    ++p.generation;
    co_return p.token();
  }
  bool only_one =
      p.settings.sign_in.grant == bridge_grant::given && p.settings.sign_in.access_token_command.empty();
  if (only_one && same) co_return tl::unexpected<error>(p.given_refused(demand));
  const auto at = parts::steady::now();
  if (at < p.hold_until) co_return tl::unexpected<error>(p.in_vain());
  sign_in_purpose purpose;
  purpose.demand = demand;
  purpose.challenged = true;
  purpose.step_up = status == 403;
  purpose.person = person;
  if (status == 403 && demand.error != "insufficient_scope")
    co_return fail(errc::sign_in_scope_in_vain, "the server forbids it, whatever the token");
  if (at < p.not_before && p.failure) co_return tl::unexpected<error>(*p.failure);
  // A request that nobody waits for is no reason to hold others back, and a token that was just taken is
  // good.
  bool just_taken = same && status == 401 && p.taken_generation == p.generation && at < p.token_since + young;
  if (just_taken || (same && status == 401 && !person)) {
    // Whoever comes while one is under way gets what that one gets, and counts for nothing.
    bool quick = at < p.token_since + quick_age && !p.flying;
    if (at >= p.token_since + calm_age) p.quick = 0;
    bool in_vain = (just_taken && !p.renews_alone()) || (quick && ++p.quick > most_quick);
    if (in_vain) co_return tl::unexpected<error>(p.refused_here());
    purpose.person = false;
  }
  if (purpose.step_up) {
    if (at > p.stepping_since + step_up_window) {
      p.stepping_since = at;
      p.step_ups = 0;
    }
    if (++p.step_ups > most_step_ups)
      co_return fail(errc::sign_in_scope_in_vain, "the server asked for more scopes again and again");
  }
  std::string value;
  if (same) {
    value = std::string(p.kept->tokens->access_token.reveal());
    // One that the server took before, or that lay in the cache, has merely ended.
    if (status == 401 && person && std::exchange(p.unproven, false) && ++p.refusals >= most_refusals)
      co_return tl::unexpected<error>(p.in_vain());
  }
  p.log.write(bridge_log_level::info, component,
              status == 403 ? "the server wants more scopes" : "the server wants a token",
              {{"error", demand.error}, {"scope", demand.scope.value_or("")}});
  auto outcome = co_await p.obtain(std::move(purpose), value);
  bool unasked = !outcome && just_taken && outcome.error().code == errc::sign_in_person_needed;
  if (unasked && person && p.may_ask_after_all(at)) {
    sign_in_purpose once_more;
    once_more.demand = demand;
    once_more.challenged = true;
    outcome = co_await p.obtain(std::move(once_more), value);
  } else if (unasked) {
    outcome = tl::unexpected<error>(p.refused_here());
  }
  wipe(value.data(), value.size());
  if (!outcome) co_return tl::unexpected<error>(outcome.error());
  if (!p.kept || !p.kept->tokens) co_return fail(errc::internal, "a sign-in without a token");
  co_return p.token();
}

void bridge_credentials::accepted(std::uint64_t generation) {
  auto& p = *parts_;
  if (generation == 0 || generation != p.generation) return;
  p.unproven = false;
  p.taken_generation = generation;
  p.refusals = 0;
  p.holds = 0;
  p.nonce_retries = 0;
}

net::task<result<bridge_credentials::readiness>> bridge_credentials::prefetch() {
  auto& p = *parts_;
  auto first = co_await acquire();
  if (!first) co_return tl::unexpected<error>(first.error());
  auto generation = first->generation;
  for (int round = 0; round < 4; ++round) {
    auto answer = co_await p.probe();
    if (!answer) co_return tl::unexpected<error>(of_the_server(answer.error()));
    std::vector<std::string> all;
    for (const auto& [name, value] : answer->fields) {
      if (equal_ignoring_case(name, "WWW-Authenticate")) all.push_back(value);
    }
    auto challenges = join(all, ", ");
    auto nonce = std::string(answer->fields.first("DPoP-Nonce"));
    bool wants = answer->status == 401 ||
                 (answer->status == 403 && read_demand(challenges).error == "insufficient_scope");
    if (!wants) {
      accepted(generation);
      readiness seen;
      seen.signed_in = generation != 0;
      seen.status = answer->status;
      seen.page = looks_like_a_page(answer->body) ||
                  starts_with_ignoring_case(answer->fields.first("Content-Type"), "text/html");
      co_return seen;
    }
    auto next = co_await renew(generation, answer->status, challenges, nonce);
    if (!next) co_return tl::unexpected<error>(next.error());
    generation = next->generation;
  }
  co_return tl::unexpected<error>(p.in_vain());
}

std::vector<std::pair<std::string, std::string>> bridge_credentials::proof(const bridge_token& token,
                                                                           std::string_view method,
                                                                           std::string_view url) {
  auto& p = *parts_;
  if (token.scheme != "DPoP" || !p.dpop_key) return {};
  auto random = [](std::size_t n) { return random_bytes(n); };
  return {{"DPoP", dpop_proof(*p.dpop_key, method, url, token.value.reveal(), p.nonce, random, p.now())}};
}

void bridge_credentials::take_nonce(std::string_view dpop_nonce) {
  if (!dpop_nonce.empty()) parts_->nonce = std::string(dpop_nonce);
}

std::optional<std::string> bridge_credentials::waiting_for() const {
  if (parts_->waiting_text.empty()) return std::nullopt;
  return parts_->waiting_text;
}

std::string bridge_credentials::token_words() const {
  const auto& kept = parts_->kept;
  return kept && kept->tokens ? what_token_says(kept->tokens->access_token, parts::now())
                              : "there is no token";
}

void bridge_credentials::in_terminal() { parts_->takes_pasted = true; }

void bridge_credentials::stop() {
  parts_->stopping = true;
  parts_->given_up = true;
}

}  // namespace mcp_oauth
