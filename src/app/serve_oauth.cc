// The coroutine that drives the authorization server: off the loop for each step, out to the network in
// between.

#include "app/clock_watch.h"
#include "app/gateway_service.h"
#include "app/login_openings.h"
#include "app/story.h"
#include "base/form.h"
#include "base/url.h"
#include "gateway/refusal.h"
#include "net/http_client.h"

namespace mcp_oauth {
namespace {

constexpr std::size_t largest_form = 64 * 1024;

time_point wall_clock() { return std::chrono::system_clock::now(); }

}  // namespace

http_request gateway_service::owned_request(const net::exchange& x) const {
  http_request request;
  const auto& head = x.head();
  request.method = head.method;
  request.path = head.path;
  request.query = head.query;
  for (const auto& f : head.fields) request.fields.add(std::string(f.name), std::string(f.value));
  request.peer = rules_->clients.of(x.peer(), x.head().fields);
  request.request_id = x.request_id();
  return request;
}

net::task<void> gateway_service::serve_oauth(net::exchange& x, endpoint at, story& told) {
  bool open = is_for_scripts(at);
  // The lambdas below run on other threads, and a reload swaps `rules_`: what began under one authorization
  // server ends under it.
  auto rules = rules_;
  if (x.head().method == "OPTIONS") {
    http_response preflight;
    preflight.status = 204;
    auto origin = x.head().find("origin").value_or("");
    preflight.fields = rules->cors.preflight_of_forms(
        origin, open, x.head().find("access-control-request-headers").value_or(""));
    if (!origin.empty() && preflight.fields.count("Access-Control-Allow-Origin") == 0)
      told.notes.emplace_back("cors", std::string(origin) + ": " + rules->cors.near_miss(origin));
    co_await x.respond(preflight);
    co_return;
  }
  http_request request = owned_request(x);
  auto read = co_await x.read_all(request.body, largest_form);
  if (!read) {
    told.why = read.error();
    x.close_after();
    http_response refusal = refuse_plain(read.error().code);
    co_await answer(x, std::move(refusal), open);
    co_return;
  }

  if (rules->spans != nullptr) begin_trace(x, told, envelope());
  broker_log log;
  log.watched = rules->watched;
  if (at == endpoint::authorize && parts_.openings != nullptr) {
    auto asked = form::parse(request.method == "POST" ? request.body : request.query);
    auto client_id = asked ? asked->find("client_id").value_or("") : std::string_view();
    auto now = wall_clock().time_since_epoch();
    log.openings = parts_.openings->before(request.peer, client_id,
                                           std::chrono::duration_cast<milliseconds>(now).count());
  }
  auto& as = *rules->authorization_server;
  step next;
  auto first = [&]() -> result<void> {
    next = as.handle(at, request, wall_clock(), log);
    return {};
  };
  net::off_loop starting(worker_, *parts_.blocking, first);
  auto done = co_await starting;
  result<http_response> answered = tl::unexpected<error>(error{});
  if (done) {
    answered = co_await carry_out(next, *rules, told);
  } else {
    answered = tl::unexpected<error>(done.error());
  }
  told.notes = std::move(log.notes);
  told.login = std::move(log.login);
  told.steps = std::move(log.steps);
  if (log.limited) parts_.counts->limited(*log.limited);
  for (const auto& note : log.traces) watch(*rules, x, note);
  if (!answered) told.why = answered.error();
  http_response response = answered ? std::move(*answered) : refuse_plain(answered.error().code);
  co_await answer(x, std::move(response), open);
}

void gateway_service::note_clock(const http_answer& answer, std::string_view url) const {
  auto date = clock_of(answer);
  auto whom = url::parse(url);
  if (date && whom && parts_.saw_clock) parts_.saw_clock(whom->origin(), *date);
}

net::task<result<http_response>> gateway_service::carry_out(step& next, const snapshot& rules, story& told) {
  for (;;) {
    if (auto* ready = std::get_if<http_response>(&next)) co_return std::move(*ready);
    result<void> done;
    if (auto* first = std::get_if<delay>(&next)) {
      net::sleep waiting(worker_, first->time);
      co_await waiting;
      auto then = std::move(first->then);
      auto go_on = [&]() -> result<void> {
        next = then(wall_clock());
        return {};
      };
      net::off_loop continuing(worker_, *parts_.blocking, go_on);
      done = co_await continuing;
      if (!done) co_return tl::unexpected<error>(done.error());
      continue;
    }
    auto* wanted = std::get_if<outbound>(&next);
    result<http_answer> got;
    auto call = [&]() -> result<http_answer> {
      if (wanted->not_after && wall_clock() > *wanted->not_after)
        return fail(errc::fetch_failed, "it waited too long for its turn");
      return net::fetch(wanted->call, wanted->rules, rules.conf.upstream_ca_file);
    };
    bool strange = wanted->rules.allowed == addresses::public_only;
    net::off_loop fetching(worker_, strange ? *parts_.strangers : *parts_.fetching, call);
    if (told.trace) begin_call(told);
    auto began = std::chrono::steady_clock::now();
    got = co_await fetching;
    parts_.counts->fetch(strange ? metrics::fetched::from_client : metrics::fetched::from_provider,
                         std::chrono::steady_clock::now() - began, got ? nullptr : &got.error());
    if (got && !strange) note_clock(*got, wanted->call.url);
    if (told.trace) {
      call_result end{wanted->call.method, wanted->call.url, got ? got->status : 0, std::nullopt};
      if (!got) end.why = got.error().code;
      end_call(told, end);
    }
    auto then = std::move(wanted->then);
    auto go_on = [&]() -> result<void> {
      next = then(std::move(got), wall_clock());
      return {};
    };
    net::off_loop continuing(worker_, *parts_.blocking, go_on);
    done = co_await continuing;
    if (!done) co_return tl::unexpected<error>(done.error());
  }
}

net::task<result<void>> gateway_service::fetch_provider_token(const snapshot& rules, credential& who,
                                                              story& told) {
  auto now = wall_clock();
  if (now < who.provider_until && !who.provider_token_refused) co_return result<void>();
  // Refused although it is good: it was revoked at the provider, which says so when it is asked.
  auto when = std::exchange(who.provider_token_refused, false) ? refresh_when::at_once : refresh_when::due;
  broker_log log;
  auto into = std::make_shared<result<provider_access>>(tl::unexpected<error>(error{}));
  auto& as = *rules.authorization_server;
  std::string grant = who.claims().grant_id;
  step next;
  auto first = [&]() -> result<void> {
    next = as.provider_token(grant, when, now, log, into);
    return {};
  };
  net::off_loop starting(worker_, *parts_.blocking, first);
  auto done = co_await starting;
  if (!done) co_return tl::unexpected<error>(done.error());
  auto carried = co_await carry_out(next, rules, told);
  told.notes.insert(told.notes.end(), log.notes.begin(), log.notes.end());
  if (!carried) co_return tl::unexpected<error>(carried.error());
  auto& access = *into;
  if (!access) co_return tl::unexpected<error>(access.error());
  who.provider_token = std::move(access->token);
  who.provider_until = access->good_until;
  co_return result<void>();
}

}  // namespace mcp_oauth
