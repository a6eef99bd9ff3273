// What a guard does that a gateway does not: it asks the issuer of a token where it cannot judge alone, and
// tells of the issuers where a gateway would tell of itself.

#include "app/gateway_service.h"
#include "app/story.h"
#include "base/text.h"
#include "gateway/loopback.h"
#include "gateway/refusal.h"
#include "net/http_client.h"
#include "net/http_write.h"
#include "oauth/bearer.h"
#include "oauth/challenge.h"
#include "oauth/redact.h"
#include "symptom/catalogue.h"

#include <coroutine>
#include <utility>

namespace mcp_oauth {
namespace {

time_point wall_clock() { return std::chrono::system_clock::now(); }

// Until somebody else's fetch is over, or `longest`. Resumes on the worker's thread.
class settled final : public net::timed {
 public:
  settled(net::worker& w, std::shared_ptr<pending> on, seconds longest)
      : worker_(w), on_(std::move(on)), longest_(longest) {}
  bool await_ready() const { return on_->settled(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    turn_->waiter = waiter;
    worker_.deadlines().set(*this, static_cast<std::uint64_t>(milliseconds(longest_).count()));
    // May be called at once, and after this is gone.
    on_->when_settled([&w = worker_, turn = turn_] { w.post([turn] { turn->resume(); }); });
  }
  void await_resume() const {}

 private:
  struct turn {
    std::coroutine_handle<> waiter;  // on the worker's thread only
    void resume() {
      if (auto h = std::exchange(waiter, nullptr)) h.resume();
    }
  };
  void on_deadline() override {
    auto mine = turn_;
    mine->resume();
  }

  net::worker& worker_;
  std::shared_ptr<pending> on_;
  seconds longest_;
  std::shared_ptr<turn> turn_ = std::make_shared<turn>();
};

result<void> check_resource(const snapshot& rules, const accepted& token, const upstream& to) {
  const auto& issuer = rules.issuers->judge->issuers()[token.issuer_index]->issuer();
  return check_for_resource(token.token, issuer.rules, rules.issuers->resources, to.where.conf().resource);
}

http_response document(std::string text) {
  http_response r;
  r.fields.add("Content-Type", "application/json");
  r.fields.add("Cache-Control", "max-age=300");
  r.body = std::move(text);
  return r;
}

}  // namespace

net::task<result<std::shared_ptr<const accepted>>> gateway_service::carry_out(guard_step& next,
                                                                              const snapshot& rules,
                                                                              story& told) {
  for (;;) {
    if (auto* judged = std::get_if<result<std::shared_ptr<const accepted>>>(&next))
      co_return std::move(*judged);
    if (auto* others = std::get_if<wait>(&next)) {
      auto then = std::move(others->then);
      settled waiting(worker_, others->on, others->longest);
      co_await waiting;
      next = then(wall_clock());
      continue;
    }
    auto wanted = std::move(std::get<ask>(next));
    auto call = [&]() -> result<http_answer> {
      return net::fetch(wanted.call, wanted.rules, rules.conf.upstream_ca_file);
    };
    // Anybody can have us ask about any text; the issuers' documents do not wait for that.
    bool question = wanted.call.method == "POST";
    auto& pool = question ? *parts_.introspecting : *parts_.fetching;
    net::off_loop fetching(worker_, pool, call);
    if (told.trace) begin_call(told);
    auto began = std::chrono::steady_clock::now();
    auto got = co_await fetching;
    auto kind = question ? metrics::fetched::by_introspection : metrics::fetched::from_issuer;
    parts_.counts->fetch(kind, std::chrono::steady_clock::now() - began, got ? nullptr : &got.error());
    if (told.trace) {
      call_result end{wanted.call.method, wanted.call.url, got ? got->status : 0, std::nullopt};
      if (!got) end.why = got.error().code;
      end_call(told, end);
    }
    next = wanted.then(std::move(got), wall_clock());
  }
}

net::task<result<std::shared_ptr<credential>>> gateway_service::judge_token(
    net::exchange& x, const snapshot& rules, const upstream& to, const shown_request& as, story& told) {
  const auto& head = x.head();
  auto shown = bearer_or_dpop_token(head.fields, as.query);
  if (!shown) co_return tl::unexpected<error>(shown.error());
  told.by_dpop = shown->scheme == token_scheme::dpop;
  auto proof = dpop_proof_of(head.fields);
  if (!proof) co_return tl::unexpected<error>(proof.error());

  std::string url;
  if (told.by_dpop) {
    url = to.origin.empty() ? origin_as_reached(rules.conf.public_url, as.host) : to.origin;
    url += as.path;
  }
  presented request{shown->token, shown->scheme, *proof, as.method, url, as.certificate};
  auto now = wall_clock();
  auto next = rules.issuers->judge->validate(request, now);
  auto judged = co_await carry_out(next, rules, told);
  if (!judged) co_return tl::unexpected<error>(judged.error());
  const auto& token = *judged;
  auto meant = check_resource(rules, *token, to);
  if (!meant) co_return tl::unexpected<error>(meant.error());
  const auto& details = token->token.details();
  if (rules.conf.binding.certificate == "require" && (!details || details->certificate_thumbprint.empty())) {
    co_return fail(errc::token_unbound, "certificate_binding: require, and cnf has no x5t#S256");
  }
  told.remembered = token->judged < now;
  told.issuer = token->token.claims().issuer;
  parts_.counts->token_judged(told.remembered       ? metrics::judged::from_memory
                              : token->introspected ? metrics::judged::by_introspection
                                                    : metrics::judged::by_signature);
  co_return callers_.of(token);
}

void gateway_service::say_as_a_guard(http_response& refusal, errc why, const std::string& metadata_url,
                                     const std::vector<std::string>& scopes, const story& told) const {
  if (refusal.status == 401 && refusal.body.ends_with('}')) {
    refusal.body.pop_back();
    refusal.body += why == errc::token_missing
                        ? R"(,"message":"Authentication required: missing OAuth token"})"
                        : R"(,"message":"Authentication failed: invalid token"})";
  }
  const auto& judge = *rules_->issuers->judge;
  const auto& rules = judge.rules();
  if (rules.dpop == dpop_use::off) return;
  if (auto nonce = judge.fresh_nonce(wall_clock()); !nonce.empty()) refusal.fields.add("DPoP-Nonce", nonce);
  if (refusal.fields.count("WWW-Authenticate") == 0) return;
  auto offer = schemes_to_offer(rules.dpop, told.by_dpop, why);
  if (!offer.dpop) return;
  auto challenge = dpop_challenge(why, metadata_url, scopes, rules.proofs.algorithms);
  if (!offer.bearer) refusal.fields.erase("WWW-Authenticate");
  refusal.fields.add("WWW-Authenticate", std::move(challenge));
}

void gateway_service::append_nonce(std::string& out, const snapshot& rules) {
  if (rules.issuers == nullptr) return;
  auto nonce = rules.issuers->judge->fresh_nonce(wall_clock());
  if (!nonce.empty()) net::append_field(out, "DPoP-Nonce", nonce);
}

// What the log of oauth-mcp-proxy had people look for.
void gateway_service::tell_remembered(const net::exchange& x, const snapshot& rules, const story& told) {
  if (!told.remembered || !parts_.log->wants(log_level::debug)) return;
  auto what = told.tool.empty() ? "method: " + told.method : "tool: " + told.tool;
  log_line line(lines_, log_level::debug, "oauth", wall_clock(), rules.style);
  line.text("message", "Using cached authentication for " + without_secrets(what) +
                           " (user: " + std::string(told.subject) + ")");
  line.text("request_id", x.request_id());
}

net::task<void> gateway_service::refuse_endpoint_of_a_gateway(net::exchange& x, const snapshot& rules,
                                                              story& told) {
  auto method = x.head().method;
  http_response response;
  if (method == "OPTIONS") {
    response.status = 204;
    response.fields =
        rules.cors.preflight_of_forms(x.head().find("origin").value_or(""), true,
                                      x.head().find("access-control-request-headers").value_or(""));
    co_await x.respond(response);
    co_return;
  }
  bool keys = x.head().path.ends_with("jwks.json");
  told.why = error{errc::http_not_found, "mode: native has no authorization server of its own"};
  json::object body;
  body["error"] = "not_found";
  body["error_description"] =
      keys ? "JWKS endpoint disabled in native mode" : "OAuth proxy disabled in native mode";
  json::array servers;
  for (const auto& issuer : rules.issuers->authorization_servers)
    servers.push_back(json::value(json::string(issuer.data(), issuer.size())));
  body["authorization_servers"] = std::move(servers);
  response = document(json::serialize(body));
  response.status = explain(errc::http_not_found).status;
  response.fields.set("Cache-Control", "no-store");
  co_await answer(x, std::move(response), true);
}

// The issuer's own document, as it came: older clients look for it here.
http_response gateway_service::metadata_of_issuer(const snapshot& rules, story& told) {
  for (const auto& issuer : rules.issuers->judge->issuers()) {
    if (auto known = issuer->metadata()) return document(known->document);
  }
  bool comes = false;
  for (const auto& status : rules.issuers->judge->status(wall_clock())) comes = comes || !status.ready;
  told.why = comes ? error{errc::issuer_unreachable, "no metadata of an issuer is known yet"}
                   : error{errc::http_not_found, "the issuer publishes no metadata"};
  return refuse_plain(told.why->code);
}

json::array gateway_service::issuers_for_health(const snapshot& rules, bool& all_ready) {
  auto text = [](std::string_view s) { return json::value(json::string(s.data(), s.size())); };
  json::array all;
  for (const auto& status : rules.issuers->judge->status(wall_clock())) {
    json::object one;
    one["issuer"] = text(status.issuer);
    one["ready"] = status.ready;
    one["keys"] = status.keys;
    if (status.last_success) one["last_success"] = text(to_iso8601(*status.last_success));
    bool failing = status.failure && (!status.last_success || *status.last_failure > *status.last_success);
    // The detail has addresses; they are for the log.
    if (failing) {
      one["failing"] = true;
      one["reason"] = text(explain(status.failure->code).name);
    }
    all_ready = all_ready && status.ready;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace mcp_oauth
