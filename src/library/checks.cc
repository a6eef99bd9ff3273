#include "library/checks.h"

#include "base/text.h"
#include "library/answers.h"
#include "library/denials.h"
#include "library/fetch.h"
#include "library/filter.h"
#include "library/refresh.h"
#include "mcp/envelope.h"
#include "mcp/headers.h"
#include "oauth/certificate_binding.h"
#include "symptom/catalogue.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <utility>

MCP_OAUTH_BEGIN
namespace {

// The header fields as the core reads them, without an allocation for most requests.
class core_fields final {
 public:
  explicit core_fields(std::span<const header> headers) {
    field* into = few_.data();
    if (headers.size() > few_.size()) {
      many_.resize(headers.size());
      into = many_.data();
    }
    for (std::size_t i = 0; i < headers.size(); ++i) into[i] = {headers[i].name, trim(headers[i].value)};
    view_ = {into, headers.size()};
  }
  core_fields(const core_fields&) = delete;
  core_fields& operator=(const core_fields&) = delete;
  std::span<const field> view() const { return view_; }

 private:
  std::array<field, 48> few_{};
  std::vector<field> many_;
  std::span<const field> view_;
};

std::string_view query_of(std::string_view target) {
  auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

admission refused(const engine& g, const denial& why, std::string_view origin, bool by_dpop = false,
                  std::string_view raw_id = {}) {
  auto answer = refuse(g, why, by_dpop, raw_id);
  add_cors(answer, origin);
  return admission(std::move(answer), why);
}

void log_refusal(const engine& g, const denial& why, std::string_view subject, std::string_view method,
                 std::string_view name) {
  const std::array fields = {log_field{"reason", why.reason()}, log_field{"symptom", why.symptom()},
                             log_field{"detail", why.detail()}, log_field{"subject", subject},
                             log_field{"method", method},       log_field{"name", name}};
  g.log(why.status() >= 500 ? level::warning : level::info, "refused", fields);
}

// Whether the body is one message, which `scanner` has then seen, and the headers do not contradict it.
result<void> read_message(const config::parts& conf, const request& asked, envelope_scanner& scanner) {
  if (asked.body.size() > conf.most_body_bytes) {
    return fail(errc::body_too_large, std::to_string(asked.body.size()) + " bytes");
  }
  if (auto fed = scanner.feed(asked.body); !fed) return fed;
  if (auto ended = scanner.finish(); !ended) return ended;
  const core_fields fields(asked.headers);
  return check_mirrored_headers(scanner.seen(), fields.view());
}

// RFC 8705 §3, where every token has to be bound.
result<void> check_bound_as_demanded(const config::parts& conf, const accepted& verdict) {
  if (!conf.wants_certificates) return {};
  const auto& details = verdict.token.details();
  if (details && !details->certificate_thumbprint.empty()) return {};
  return fail(errc::token_unbound, "certificate_binding: required, and cnf has no x5t#S256");
}

// Why not, where the token is refused.
std::optional<denial> refused_by(const config::parts& conf,
                                 const result<std::shared_ptr<const accepted>>& verdict) {
  if (!verdict) return deny(verdict.error());
  auto bound = check_bound_as_demanded(conf, **verdict);
  if (!bound) return deny(bound.error());
  return std::nullopt;
}

}  // namespace

std::variant<admission, asked_call> read_request(const engine& g, const request& asked) {
  const auto& conf = g.conf.inside();
  auto stop = [&](denial why, std::string_view origin) {
    log_refusal(g, why, {}, asked.method, {});
    return refused(g, why, origin);
  };
  auto origin = allowed_origin(conf, asked);
  if (!origin) return stop(deny(errc::origin_refused), {});
  if (asked.method == "OPTIONS") return admission(preflight(conf, asked, *origin), std::nullopt);
  if (asked.method != "POST" && asked.method != "GET" && asked.method != "DELETE") {
    return stop(deny(errc::http_method_refused), *origin);
  }

  asked_call call;
  call.about = asked;
  call.origin = *origin;
  core_fields fields(asked.headers);
  auto query = query_of(asked.target);
  if (conf.rules.dpop == dpop_use::off) {
    auto token = bearer_token(fields.view(), query);
    if (!token) return stop(deny(token.error()), *origin);
    call.token = *token;
  } else {
    auto found = bearer_or_dpop_token(fields.view(), query);
    if (!found) return stop(deny(found.error()), *origin);
    call.token = found->token;
    call.shown.scheme = found->scheme;
    auto proof = dpop_proof_of(fields.view());
    if (!proof) return stop(deny(proof.error()), *origin);
    call.shown.dpop_proof = *proof;
  }
  call.shown.token = call.token;
  call.shown.method = asked.method;
  call.shown.url = conf.resource;
  if (!asked.client_certificate.empty()) {
    call.certificate_thumbprint = certificate_thumbprint(asked.client_certificate);
  }
  return call;
}

admission conclude(const std::shared_ptr<engine>& g, const asked_call& asked,
                   const result<std::shared_ptr<const accepted>>& verdict) {
  const auto& conf = g->conf.inside();
  bool by_dpop = asked.shown.scheme == token_scheme::dpop;
  if (auto why = refused_by(conf, verdict)) {
    log_refusal(*g, *why, {}, asked.about.method, {});
    return refused(*g, *why, asked.origin, by_dpop);
  }
  const auto& claims = (*verdict)->token.claims();
  auto who = caller_of(**verdict);
  const rules_now rules(*g);
  auto made = std::make_shared<call::parts>(call::parts{
      g, rules, user(*verdict), std::string(asked.token), std::string("stream"), {}, {}, asked.origin, true});
  auto stop = [&](const denial& why) {
    log_refusal(*g, why, claims.subject, made->method, made->name);
    return refused(*g, why, asked.origin, by_dpop, made->id);
  };
  if (asked.about.method == "POST") {
    envelope_scanner scanner;
    auto good = read_message(conf, asked.about, scanner);
    const auto& message = scanner.seen();
    made->id = message.id;
    made->method = message.kind == envelope::kind::batch ? "batch" : message.method;
    made->name = message.name;
    if (!good) return stop(deny(good.error()));
    auto permitted = authorize(*rules, who, message, asked.about.body);
    if (!permitted) return stop(deny(std::move(permitted.error())));
    made->may_hold_lists = may_hold_lists(made->method);
  } else {
    auto permitted = authorize_stream(*rules, who);
    if (!permitted) return stop(deny(std::move(permitted.error())));
  }
  const std::array fields = {log_field{"subject", claims.subject}, log_field{"client_id", claims.client_id},
                             log_field{"method", made->method}, log_field{"name", made->name}};
  g->log(level::debug, "allowed", fields);
  return admission(call(std::move(made)));
}

outcome<user> conclude(const engine& g, const result<std::shared_ptr<const accepted>>& verdict) {
  auto why = refused_by(g.conf.inside(), verdict);
  if (!why) return user(*verdict);
  log_refusal(g, *why, {}, {}, {});
  return *why;
}

namespace {

guard_step policy_first(const engine& g, std::shared_ptr<const accepted> told) {
  auto now = g.now();
  if (auto wanted = g.feed->needed(now)) {
    ask question;
    question.call = wanted->call;
    question.rules = wanted->rules;
    question.then = [&g, told, wanted](const result<http_answer>& answer, time_point later) -> guard_step {
      learn_policy(g, *wanted, answer, later);
      return verdict(told);
    };
    return question;
  }
  auto others = g.feed->awaited(now);
  if (others == nullptr) return verdict(std::move(told));
  // Where whoever asked gave up, this asks instead.
  auto then = [&g, told, others](time_point) -> guard_step {
    if (!others->settled()) return verdict(told);
    return policy_first(g, told);
  };
  return wait{others, std::move(then)};
}

}  // namespace

guard_step with_policy(const engine& g, guard_step at) {
  if (g.feed == nullptr) return at;
  if (auto* told = std::get_if<verdict>(&at)) {
    if (!*told) return at;
    return policy_first(g, std::move(**told));
  }
  if (auto* question = std::get_if<ask>(&at)) {
    question->then = [&g, then = std::move(question->then)](result<http_answer> answer,
                                                            time_point now) -> guard_step {
      return with_policy(g, then(std::move(answer), now));
    };
  } else if (auto* waits = std::get_if<wait>(&at)) {
    waits->then = [&g, then = std::move(waits->then)](time_point now) -> guard_step {
      return with_policy(g, then(now));
    };
  }
  return at;
}

result<std::shared_ptr<const accepted>> drive(const engine& g, guard_step at) {
  while (true) {
    if (auto* told = std::get_if<0>(&at)) return std::move(*told);
    if (auto* wanted = std::get_if<ask>(&at)) {
      auto then = std::move(wanted->then);
      auto answer = fetch_by(g.conf.inside().fetch, to_host(wanted->call, wanted->rules));
      at = then(std::move(answer), g.now());
      continue;
    }
    struct bell {
      std::mutex mutex;
      std::condition_variable rung;
      bool over = false;
    };
    auto& waiting = std::get<wait>(at);
    auto news = std::make_shared<bell>();
    waiting.on->when_settled([news] {
      const std::lock_guard hold(news->mutex);
      news->over = true;
      news->rung.notify_all();
    });
    {
      std::unique_lock hold(news->mutex);
      news->rung.wait_for(hold, waiting.longest, [&] { return news->over; });
    }
    auto then = std::move(waiting.then);
    at = then(g.now());
  }
}

MCP_OAUTH_END
