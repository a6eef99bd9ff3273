// Carries out what a sign-in asks for: documents, a port, a person in a browser, time.

#include "app/bridge_credentials_parts.h"
#include "app/outbound_way.h"
#include "app/run_program.h"
#include "base/form.h"
#include "base/text.h"
#include "bridge/browser.h"
#include "bridge/command_line.h"
#include "bridge/failure.h"
#include "bridge/token_requests.h"
#include "jose/random.h"
#include "net/http_client.h"
#include "oauth/displayable.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view component = "sign-in";
constexpr milliseconds glance{25};
constexpr unsigned most_retries = 4;
constexpr milliseconds first_pause{250};
constexpr seconds between_pages{30};
constexpr seconds reminder{20};

using clock = std::chrono::steady_clock;

std::string find(const std::string& name) {
  return find_program(name, process_environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin"));
}

// What may be there in a moment: a network that comes back, a machine that wakes up. A certificate is not
// trusted after a second, either, and a proxy that said no has answered.
bool is_passing(const error& why) {
  bool said_no = why.detail.find("refuses the tunnel") != std::string::npos;
  return why.code == errc::fetch_failed || why.code == errc::fetch_timeout ||
         why.code == errc::upstream_refused || (why.code == errc::upstream_proxy_refused && !said_no);
}

// How long the tries that are left may take, the pause before the first of them included.
seconds time_of(unsigned retries, const error& why, const fetch_rules& rules) {
  auto pauses = first_pause * ((1U << retries) - 1);
  auto tries = why.code == errc::fetch_timeout ? rules.timeout * retries : seconds(0);
  return std::chrono::ceil<seconds>(pauses) + tries;
}

http_response page_of(const result<kept_sign_in>& outcome, const bridge_settings& settings) {
  if (!outcome) {
    return callback_page(
        502, "The sign-in failed",
        std::string(bridge_symptom(outcome.error().code).description) + ". " + outcome.error().detail);
  }
  if (!settings.sign_in.success_url.empty()) return callback_redirect(settings.sign_in.success_url);
  return callback_page(200, "Login successful",
                       "You are signed in at " + settings.upstream.url + ". You can close this window.");
}

}  // namespace

// A server may send back what it was sent, in an error for people.
void bridge_credentials::parts::hide_what_is_sent(const http_call& call) {
  auto parameters = form::parse(call.body);
  if (!parameters) return;
  for (const auto& [name, value] : *parameters) {
    constexpr auto one_time = std::to_array<std::string_view>(
        {"code", "code_verifier", "device_code", "assertion", "client_assertion", "subject_token"});
    secret hidden(value);
    bool of_one_use = std::find(one_time.begin(), one_time.end(), name) != one_time.end();
    if (of_one_use && log.hide_for_now(hidden)) hidden_for_now.push_back(hidden);
    if (name == "refresh_token" || name == "client_secret") log.hide(hidden);
  }
}

// An answer, or why there is none. What no answer came to is asked again where that does no harm.
net::task<result<http_answer>> bridge_credentials::parts::fetch(http_call call, fetch_rules rules,
                                                                std::string purpose, unsigned& retries) {
  rules.given_up = &given_up;
  bool told = false;
  for (auto pause = first_pause;; pause *= 2) {
    auto place = call.url.substr(0, call.url.find_first_of("?#"));
    log.write(bridge_log_level::debug, component, call.method + " " + place, {{"for", purpose}});
    auto send = [&] { return fetch_for_sign_in(call, rules, settings); };
    net::off_loop sending(worker, pool, send);
    auto notice = std::make_unique<slow_notice>(worker, log, purpose, place);
    auto answer = co_await sending;
    notice.reset();
    if (answer) {
      log.write(bridge_log_level::trace, component, "answered",
                {{"url", place},
                 {"status", std::to_string(answer->status)},
                 {"type", answer->fields.first("Content-Type")}});
      co_return answer;
    }
    log.write(bridge_log_level::debug, component, "no answer",
              {{"url", place}, {"why", answer.error().detail}});
    if (!is_passing(answer.error()) || retries == 0 || stopping) co_return answer;
    if (!std::exchange(told, true)) {
      auto time = time_of(retries, answer.error(), rules);
      log.write(bridge_log_level::info, component,
                answer.error().detail + "; trying again for up to " + std::to_string(time.count()) + " s");
    }
    --retries;
    net::sleep wait(worker, pause);
    co_await wait;
  }
}

// A ping without credentials (or with what there is): what the server says to it tells where to sign in.
net::task<result<http_answer>> bridge_credentials::parts::probe() {
  http_call call;
  call.method = "POST";
  call.url = settings.upstream.url;
  call.fields.add("Accept", "application/json, text/event-stream");
  call.fields.add("Content-Type", "application/json");
  for (const auto& [name, value] : settings.upstream.headers)
    call.fields.add(name, std::string(value.reveal()));
  if (has_fresh())
    call.fields.add("Authorization", token().scheme + " " + std::string(token().value.reveal()));
  if (has_fresh() && dpop_key) {
    call.fields.add("DPoP", dpop_proof(
                                *dpop_key, "POST", call.url, token().value.reveal(), nonce,
                                [](std::size_t n) { return random_bytes(n); }, now()));
  }
  call.body = R"({"jsonrpc":"2.0","id":"sign-in","method":"ping"})";
  fetch_rules rules;
  unsigned retries = 4;
  std::string purpose = "the challenge";
  auto answer = co_await fetch(call, rules, purpose, retries);
  co_return answer;
}

// The token was just taken, and the authorization server itself says that the session behind it has ended: it
// was revoked. Who waits is asked, twice in that time: a server that gives tokens to revoke them opens no
// pages for ever.
bool bridge_credentials::parts::may_ask_after_all(steady::time_point at) {
  constexpr unsigned most_pages = 2;
  constexpr seconds window{300};
  if (!session_over) return false;
  if (flying) return true;  // whoever comes while one is under way gets what that one gets
  if (asked_after_all == 0 || at > asking_since + window) {
    asking_since = at;
    asked_after_all = 0;
  }
  return ++asked_after_all <= most_pages;
}

net::task<result<std::uint16_t>> bridge_credentials::parts::listen(std::string host,
                                                                   std::optional<std::uint16_t> port,
                                                                   bool only_that) {
  auto until = clock::now() + settings.sign_in.callback_timeout;
  if (!is_loopback_host(host) && host != "::1") {
    // The listener stays on loopback, whatever the redirect URI calls this machine.
    log.write(bridge_log_level::warn, component, "the callback listens on 127.0.0.1 alone",
              {{"callbackHost", host}});
    host = "127.0.0.1";
  }
  if (host != "::1" && !equal_ignoring_case(host, "localhost")) host = "127.0.0.1";
  if (host != "::1" && host != "127.0.0.1") host = "localhost";
  while (true) {
    auto open = bridge_callback::open(worker, log, host, port);
    if (open) {
      callback = std::move(*open);
      waiting_text.clear();
      co_return callback->port();
    }
    if (open.error().code == errc::listen_in_use && port && !only_that) {
      log.write(bridge_log_level::info, component, "the port is taken, another one is used",
                {{"why", open.error().detail}});
      port.reset();
      continue;
    }
    bool may_wait = open.error().code == errc::listen_in_use && port && !stopping && clock::now() < until;
    if (!may_wait) co_return fail(errc::sign_in_callback_unusable, open.error().detail);
    if (waiting_text.empty())
      log.write(bridge_log_level::warn, component, "waiting for the port of the redirect URI",
                {{"why", open.error().detail}});
    waiting_text = "The sign-in waits for the port of its redirect URI: " + open.error().detail;
    net::sleep pause(worker, milliseconds(250));
    co_await pause;
  }
}

// The first way that works. A browser may be the child for as long as it is open; only an end at once counts.
net::task<void> bridge_credentials::parts::open_in_browser(std::string address) {
  for (const auto& command : browser_commands(address, process_environment, find)) {
    auto started = start_program(command);
    if (!started) {
      log.write(bridge_log_level::warn, component, "the browser does not start",
                {{"why", started.error().detail}});
      continue;
    }
    int status = 0;
    pid_t ended = 0;
    auto until = clock::now() + std::chrono::seconds(5);
    while (ended == 0 && clock::now() < until && !stopping) {
      net::sleep pause(worker, glance);
      co_await pause;
      ended = ::waitpid(*started, &status, WNOHANG);
    }
    bool failed = ended == *started && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    if (!failed) co_return;
    log.write(bridge_log_level::warn, component, "the browser does not start",
              {{"program", command.front()}});
  }
}

net::task<result<callback_answer>> bridge_credentials::parts::visit(sign_in_visit page, bridge_lock& lock) {
  auto address = std::move(page.address), state = std::move(page.state);
  auto redirect_uri = std::move(page.redirect_uri);
  bool sent_on = callback->expect(std::move(state), redirect_uri, address);
  auto ways = browser_commands(address, process_environment, find);
  auto forward = ssh_forward(callback->port(), process_environment);
  auto login = bridge_command_line("login", settings);
  auto what = "To sign in to " + settings.upstream.url;
  if (page.step_up) {
    what = settings.upstream.url + " asks for more than this sign-in may (scope: " + displayable(page.scope) +
           "). To sign in again with that";
  }
  log.tell(
      what + ", open this address in a browser:\n\n  " + address + "\n" +
      (forward.empty()
           ? ""
           : "\nThe browser is on another machine? Forward the callback port from there first:\n\n  " +
                 forward + "\n") +
      (ways.empty() ? ways_without_browser(redirect_uri, takes_pasted ? "" : login, page.device_code) : ""));
  waiting_text =
      (page.step_up ? "The server asks for more (scope: " + displayable(page.scope) + "). Sign in again to "
                    : "Sign in to ") +
      settings.upstream.url + " in a browser: " + address;
  if (!forward.empty()) waiting_text += " (from another machine first: " + forward + ")";
  if (ways.empty()) {
    waiting_text +=
        " (the bridge sees no browser on its machine; where there is one, add DISPLAY or WAYLAND_DISPLAY "
        "under env in "
        "the configuration of the client. Elsewhere: where the browser ends at an address that it cannot "
        "reach, paste "
        "that into this, in a terminal of the bridge's machine: " +
        login + (page.device_code ? "; or start the bridge with --device-code)" : ")");
  }
  // A predecessor was killed while its page was open: a host that starts us again and again must not fill the
  // desktop with pages.
  auto before = std::exchange(predecessor, {});
  seconds since(to_unix(now()) - before.opened);
  bool interrupted = before.doing == "signing in" && since >= seconds(0) && since < between_pages;
  auto open_at = clock::now() + (interrupted ? between_pages - since : seconds(0));
  bool opened = ways.empty() || sent_on;
  if (interrupted && !opened)
    log.tell("A bridge that has ended opened its page " + std::to_string(since.count()) +
             " s ago; close that one. A new page opens in " +
             std::to_string((between_pages - since).count()) + " s, or open the address above now.\n");
  auto began = clock::now();
  auto until = began + settings.sign_in.callback_timeout;
  bool reminded = false;
  auto noted = bridge_lock::note{::getpid(),
                                 "signing in",
                                 address,
                                 redirect_uri,
                                 opened || !interrupted ? to_unix(now()) : before.opened,
                                 0,
                                 0,
                                 ""};
  lock.write(noted);
  while (!stopping) {
    if (auto answer = callback->take()) {
      waiting_text.clear();
      co_return std::move(*answer);
    }
    auto at = clock::now();
    if (!opened && at >= open_at) {
      opened = true;
      noted.opened = to_unix(now());
      lock.write(noted);
      net::spawn(open_in_browser(address));
    }
    if (!reminded && at - began > reminder) {
      reminded = true;
      log.write(bridge_log_level::info, component, "still waiting for the sign-in",
                {{"callback", redirect_uri}});
    }
    if (at >= until) {
      auto ignored = callback->ignored();
      co_return fail(errc::sign_in_timeout,
                     "interactive auth timed out after " +
                         std::to_string(milliseconds(settings.sign_in.callback_timeout).count()) + " ms: " +
                         (ignored == 0 ? "nothing reached " + redirect_uri
                                       : std::to_string(ignored) +
                                             " requests that were not the answer reached " + redirect_uri));
    }
    net::sleep pause(worker, glance);
    co_await pause;
  }
  co_return fail(errc::bridge_ending, "while a person was asked to sign in");
}

net::task<result<kept_sign_in>> bridge_credentials::parts::drive(sign_in_step step, bridge_lock& lock) {
  unsigned retries = most_retries;
  while (!std::holds_alternative<result<kept_sign_in>>(step)) {
    if (stopping) step = result<kept_sign_in>(fail(errc::bridge_ending, "before there was a token"));
    if (auto* wanted = std::get_if<sign_in_fetch>(&step)) {
      unsigned none = 0;
      if (wanted->call.method == "POST") hide_what_is_sent(wanted->call);
      auto answer =
          co_await fetch(wanted->call, wanted->rules, wanted->purpose, wanted->repeatable ? retries : none);
      auto then = std::move(wanted->then);
      step = then(std::move(answer), now());
    } else if (auto* place = std::get_if<sign_in_listen>(&step)) {
      auto port = co_await listen(place->host, place->port, place->only_that_port);
      auto then = std::move(place->then);
      step = then(port, now());
    } else if (auto* page = std::get_if<sign_in_visit>(&step)) {
      auto then = std::move(page->then);
      auto visiting = visit(std::move(*page), lock);
      auto answer = co_await std::move(visiting);
      step = then(std::move(answer), now());
    } else if (auto* pause = std::get_if<sign_in_wait>(&step)) {
      if (!pause->tell.empty()) {
        log.tell(pause->tell);
        waiting_text = pause->tell;
        auto noted =
            bridge_lock::note{::getpid(), "signing in", pause->address, "", to_unix(now()), 0, 0, ""};
        lock.write(noted);
      }
      if (!pause->address.empty()) net::spawn(open_in_browser(pause->address));
      auto until = clock::now() + pause->time;
      while (!stopping && clock::now() < until) {
        net::sleep wait(worker, glance);
        co_await wait;
      }
      auto then = std::move(pause->then);
      step = then(now());
    }
  }
  auto outcome = std::move(std::get<result<kept_sign_in>>(step));
  // From here it goes to the page, the log, the client and to other bridges.
  if (!outcome) outcome.error().detail = log.redacted(outcome.error().detail);
  waiting_text.clear();
  if (callback) {
    callback->conclude(page_of(outcome, settings));
    // A program that ends now would take the page along.
    for (int i = 0; i < 20 && callback->busy(); ++i) {
      net::sleep wait(worker, glance);
      co_await wait;
    }
    callback.reset();
  }
  co_return outcome;
}

net::task<result<void>> bridge_credentials::paste(std::string text) {
  auto& p = *parts_;
  if (p.callback) {
    if (auto wrong = p.callback->paste(text)) co_return fail(errc::sign_in_refused, *wrong);
    co_return result<void>();
  }
  // Another process waits for it: its callback gets what the browser could not bring.
  auto noted = bridge_lock::read(p.store.lock_file());
  auto place = url::parse(noted.redirect_uri);
  auto mark = text.find('?');
  if (noted.doing.empty() || !place || !place->is_loopback())
    co_return fail(errc::sign_in_refused, "nothing waits for this address");
  if (mark == std::string::npos)
    co_return fail(errc::sign_in_refused, "paste the whole address, with ?code=...&state=...");
  http_call call;
  call.url = noted.redirect_uri + text.substr(mark, text.find('#') - mark);
  while (!call.url.empty() && (call.url.back() == '\n' || call.url.back() == '\r' || call.url.back() == ' '))
    call.url.pop_back();
  if (!url::parse(call.url)) co_return fail(errc::sign_in_refused, "that is no address");
  fetch_rules rules;
  rules.timeout = seconds(120);
  unsigned none = 0;
  std::string purpose = "a pasted answer";
  auto answer = co_await p.fetch(call, rules, purpose, none);
  if (!answer || answer->status >= 400)
    co_return fail(errc::sign_in_refused, answer ? "callback state mismatch" : answer.error().detail);
  co_return result<void>();
}

}  // namespace mcp_oauth
