#include "app/walk_sign_in.h"

#include "app/bridge_callback.h"
#include "app/bridge_command.h"
#include "app/bridge_log.h"
#include "app/outbound_way.h"
#include "app/run_program.h"
#include "base/form.h"
#include "base/text.h"
#include "bridge/browser.h"
#include "bridge/sign_in.h"
#include "bridge/token_requests.h"
#include "bridge/token_words.h"
#include "doctor/site_check.h"
#include "jose/random.h"
#include "net/blocking.h"
#include "net/http_client.h"
#include "net/task.h"
#include "net/worker.h"
#include "oauth/displayable.h"
#include "symptom/catalogue.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr milliseconds glance{25};

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string find(const std::string& name) {
  return find_program(name, environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin"));
}

time_point now() { return std::chrono::system_clock::now(); }

struct sign_in_walk {
  const bridge_settings& settings;
  const site_facts& facts;
  net::worker& worker;
  net::blocking_pool& pool;
  bridge_log& log;
  std::vector<doctor_finding> found = {};
  std::unique_ptr<bridge_callback> callback = nullptr;
  std::optional<result<kept_sign_in>> outcome = {};

  site_findings into(std::string_view check) { return site_findings(check, found); }

  // Codes, secrets and tokens go no further than their request.
  void told(std::string_view check, const std::string& what, const std::string& seen,
            const std::string& where) {
    log.tell("  " + what + ": " + seen);
    into(check).ok(what, log.redacted(seen), log.redacted(where));
  }

  // A server may send back what it was sent, in an error for people.
  void hide_what_is_sent(const http_call& call) {
    auto parameters = form::parse(call.body);
    if (call.method != "POST" || !parameters) return;
    for (const auto& [name, value] : *parameters) {
      for (const char* one : {"code", "code_verifier", "device_code", "refresh_token", "client_secret"}) {
        if (name == one) log.hide(secret(value));
      }
    }
  }

  result<http_answer> send(const http_call& call, const fetch_rules& rules) const {
    auto by = way_to(call, rules);
    if (!by) return tl::unexpected<error>(by.error());
    return net::fetch(call, rules, settings.tls.ca_file, *by);
  }

  net::task<result<http_answer>> fetch(const sign_in_fetch& wanted) {
    auto call = wanted.call;
    hide_what_is_sent(call);
    auto rules = wanted.rules;
    auto sent = [&] { return send(call, rules); };
    net::off_loop sending(worker, pool, sent);
    auto answer = co_await sending;
    auto place = call.method + " " + shown_url(call.url);
    auto error_code = answer ? oauth_error_of(*answer) : "";
    auto seen = answer ? "status " + std::to_string(answer->status) +
                             (error_code.empty() ? "" : ", " + displayable(error_code))
                       : displayable(answer.error().detail);
    told("login.request", wanted.purpose.empty() ? "a request" : wanted.purpose, seen, place);
    co_return answer;
  }

  result<std::uint16_t> listen(const sign_in_listen& place) {
    auto host = place.host;
    if (host != "::1" && !equal_ignoring_case(host, "localhost")) host = "127.0.0.1";
    auto open = bridge_callback::open(worker, log, host, place.port);
    if (!open && place.port && !place.only_that_port)
      open = bridge_callback::open(worker, log, host, std::nullopt);
    if (!open) return fail(errc::sign_in_callback_unusable, open.error().detail);
    callback = std::move(*open);
    told("login.callback", "the callback listens", host + " port " + std::to_string(callback->port()), "");
    return callback->port();
  }

  net::task<result<callback_answer>> visit(const sign_in_visit& page) {
    callback->expect(page.state, page.redirect_uri, page.address);
    log.tell("\nTo sign in, open this address in a browser:\n\n  " + page.address + "\n");
    for (const auto& command : browser_commands(page.address, environment, find)) {
      if (start_program(command)) break;
    }
    auto until = std::chrono::steady_clock::now() + settings.sign_in.callback_timeout;
    while (std::chrono::steady_clock::now() < until) {
      if (auto answer = callback->take()) {
        auto seen = answer->error.empty() ? "a code" : "error " + displayable(answer->error);
        if (answer->iss) seen += ", iss " + shown_url(*answer->iss);
        told("login.authorize", "the answer of the authorization server", seen, shown_url(page.redirect_uri));
        co_return std::move(*answer);
      }
      net::sleep pause(worker, glance);
      co_await pause;
    }
    co_return fail(errc::sign_in_timeout, "nothing with the right state reached " + page.redirect_uri);
  }

  net::task<void> go(sign_in_step step) {
    while (!std::holds_alternative<result<kept_sign_in>>(step)) {
      if (auto* wanted = std::get_if<sign_in_fetch>(&step)) {
        auto asking = fetch(*wanted);
        auto answer = co_await std::move(asking);
        auto then = std::move(std::get<sign_in_fetch>(step).then);
        step = then(std::move(answer), now());
      } else if (auto* place = std::get_if<sign_in_listen>(&step)) {
        auto port = listen(*place);
        auto then = std::move(place->then);
        step = then(port, now());
      } else if (auto* page = std::get_if<sign_in_visit>(&step)) {
        auto visiting = visit(*page);
        auto answer = co_await std::move(visiting);
        auto then = std::move(std::get<sign_in_visit>(step).then);
        step = then(std::move(answer), now());
      } else if (auto* pause = std::get_if<sign_in_wait>(&step)) {
        if (!pause->tell.empty()) log.tell(pause->tell);
        net::sleep wait(worker, pause->time);
        co_await wait;
        auto then = std::move(std::get<sign_in_wait>(step).then);
        step = then(now());
      }
    }
    outcome = std::move(std::get<result<kept_sign_in>>(step));
    if (callback) {
      auto page =
          *outcome ? callback_page(200, "Login successful", "The doctor goes on. You can close this window.")
                   : callback_page(502, "The sign-in failed", "The doctor says why.");
      callback->conclude(page);
      for (int i = 0; i < 20 && callback->busy(); ++i) {
        net::sleep wait(worker, glance);
        co_await wait;
      }
      callback.reset();
    }
    worker.stop();
  }

  // The server that all this is for, and no other: the token is for it alone (RFC 8707 section 2).
  void use(const kept_tokens& tokens) {
    log.hide(tokens.access_token);
    log.hide(tokens.refresh_token);
    if (tokens.dpop) {
      told("login.token", "the token", "bound to a key (DPoP); not tried at the server", "");
      return;
    }
    http_call call = facts.entry->call;
    auto to = url::parse(call.url);
    if (!to || to->origin() != facts.evidence.target.origin()) {
      told("login.token", "the token", "not tried: the server redirects to " + shown_url(call.url), "");
      return;
    }
    call.fields.add("Authorization", "Bearer " + std::string(tokens.access_token.reveal()));
    auto rules = rules_for(*to, named_by::user, outbound_rules::of(settings));
    auto seen = net::look(call, rules, settings.tls.ca_file);
    auto place = call.method + " " + shown_url(call.url);
    auto words = displayable(what_token_says(tokens.access_token, now()));
    if (!seen) {
      into("login.token")
          .failure(errc::connection_failed, log.redacted(displayable(seen.error().detail)), "an answer",
                   place);
      return;
    }
    const auto* answer = &seen->answer;
    // The session that was opened for this question is ended, as MCP asks of clients.
    if (auto session = answer->fields.first("Mcp-Session-Id"); !session.empty()) {
      http_call end;
      end.method = "DELETE";
      end.url = call.url;
      end.fields.add("Mcp-Session-Id", std::string(session));
      end.fields.add("Authorization", std::string(call.fields.first("Authorization")));
      net::fetch(end, rules, settings.tls.ca_file);
    }
    if (answer->status == 401 || answer->status == 403) {
      auto& one =
          into("login.token")
              .failure(answer->status == 401 ? errc::sign_in_tokens_in_vain : errc::scope_insufficient,
                       "status " + std::to_string(answer->status) + " to a fresh token: " + words,
                       "an answer of MCP", place);
      one.verify = "mcp-oauth-proxy explain-token";
      return;
    }
    if (!json_rpc_in(*answer)) {
      into("login.token")
          .failure(errc::not_an_mcp_server, log.redacted(told_with_words(*answer)), "an answer of MCP",
                   place);
      return;
    }
    told("login.token", "the server takes the token", "status " + std::to_string(answer->status), place);
    if (starts_with_ignoring_case(answer->fields.first("Content-Type"), "text/event-stream"))
      told("login.stream", "an event came over the stream", "", place);
  }

  // Both: not every server ends an access token with the refresh token (RFC 7009 section 2.1).
  void give_back(const kept_sign_in& kept) {
    const auto& tokens = *kept.tokens;
    auto to = url::parse(tokens.revocation_endpoint);
    if (!to) {
      told("login.revocation", "the token ends by itself",
           "not given back: the authorization server names no revocation_endpoint", "");
      return;
    }
    for (const auto* token : {&tokens.refresh_token, &tokens.access_token}) {
      if (!token->empty()) give_back(kept, *to, *token);
    }
  }

  void give_back(const kept_sign_in& kept, const url& to, const secret& token) {
    const auto& tokens = *kept.tokens;
    const auto* client = kept.client_of(tokens.issuer);
    client_proof proof;
    proof.client_id = tokens.client_id;
    if (client != nullptr) {
      proof.auth = client->auth;
      proof.client_secret = client->client_secret;
    }
    form parameters;
    parameters.add("token", std::string(token.reveal()));
    auto random = [](std::size_t n) { return random_bytes(n); };
    auto call = token_request(tokens.revocation_endpoint, std::move(parameters), proof, random, now());
    auto rules = rules_for(to, named_by::server, outbound_rules::of(settings));
    auto answer = send(call, rules);
    bool refresh = &token == &tokens.refresh_token;
    auto what = std::string(refresh ? "the refresh token" : "the token");
    bool done = answer && answer->status >= 200 && answer->status < 300;
    told("login.revocation", what + (done ? " is given back" : " could not be given back"),
         answer ? "status " + std::to_string(answer->status) : displayable(answer.error().detail),
         "POST " + shown_url(tokens.revocation_endpoint));
  }
};

}  // namespace

std::vector<doctor_finding> walk_sign_in(const site_facts& facts, const std::string& ca_file) {
  bridge_settings settings;
  settings.upstream.url = facts.evidence.target.to_string();
  settings.tls.ca_file = ca_file;
  bridge_log log(bridge_log_level::fatal);
  net::worker worker(0);
  net::blocking_pool pool(2);
  sign_in_walk walk{settings, facts, worker, pool, log};
  if (!facts.asks_for_token()) {
    walk.into("login").ok("There is nothing to sign in to", "the server asks for no token");
    return std::move(walk.found);
  }
  const auto& target = facts.evidence.target;
  if (target.scheme == "http" && !target.is_loopback()) {
    walk.into("login").failure(errc::cleartext_in_public, "no sign-in was begun", "https",
                               shown_url(settings.upstream.url));
    return std::move(walk.found);
  }
  auto random = [](std::size_t n) { return random_bytes(n); };
  auto silent = [](bridge_log_level, const std::string&) {};
  auto world = std::make_shared<sign_in_world>(
      sign_in_world{settings, outbound_rules::of(settings), std::nullopt, random, silent});
  sign_in_purpose purpose;
  purpose.demand = facts.demand;
  purpose.challenged = true;
  purpose.may_refresh = false;
  kept_sign_in kept;
  kept.server = settings.upstream.url;
  log.tell("Signing in to " + shown_url(settings.upstream.url));
  net::spawn(walk.go(begin_sign_in(world, std::move(kept), std::move(purpose), now())));
  if (!walk.outcome) worker.run();
  auto& outcome = *walk.outcome;
  if (!outcome) {
    auto why = log.redacted(displayable(outcome.error().detail));
    auto& one =
        walk.into("login").failure(outcome.error().code, why, "a token", shown_url(settings.upstream.url));
    one.verify = "mcp-oauth-proxy doctor --login " + shell_url(settings.upstream.url);
  } else if (outcome->tokens) {
    walk.told("login.exchange", "a token was given",
              std::string(outcome->tokens->refresh_token.empty() ? "without" : "with") +
                  " a refresh token; " + displayable(what_token_says(outcome->tokens->access_token, now())),
              shown_url(outcome->tokens->token_endpoint));
    walk.use(*outcome->tokens);
    walk.give_back(*outcome);
  }
  return std::move(walk.found);
}

}  // namespace mcp_oauth
