// The classes `guard` and `call` of mcp_oauth/guard.h.

#include "base/text.h"
#include "jose/random.h"
#include "library/answers.h"
#include "library/checks.h"
#include "library/denials.h"
#include "library/filter.h"
#include "library/parts.h"
#include "library/pending_parts.h"
#include "library/refresh.h"
#include "library/safely.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

MCP_OAUTH_BEGIN
namespace {

admission broken() noexcept {
  response answer;
  answer.status = 500;
  return admission(std::move(answer), deny(errc::internal));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F; });
}

std::optional<denial> may_call(const engine& g, const user& who, std::string_view tool) noexcept {
  return safely(
      [&]() -> std::optional<denial> {
        envelope message;
        message.kind = envelope::kind::request;
        message.method = "tools/call";
        message.has_name = true;
        message.name = tool;
        message.complete = true;
        auto permitted = authorize(*rules_now(g), caller_of(verdict_of(who)), message);
        if (permitted) return std::nullopt;
        return deny(std::move(permitted.error()));
      },
      [] { return std::optional<denial>(deny(errc::internal)); });
}

result<std::shared_ptr<const accepted>> judged(const engine& g, const presented& shown) {
  return drive(g, with_policy(g, g.core.validate(shown, g.now())));
}

thread_local const call* serving_now = nullptr;

}  // namespace

engine::engine(const config& from)
    : conf(from),
      core(conf.inside().issuers, conf.inside().rules, &random_bytes),
      feed(conf.inside().remote ? std::make_unique<policy_feed>(*conf.inside().remote) : nullptr) {}

time_point engine::now() const noexcept {
  const auto& clock = conf.inside().clock;
  if (!clock) return std::chrono::system_clock::now();
  return safely([&] { return clock(); }, [] { return std::chrono::system_clock::now(); });
}

void engine::log(level how, std::string_view message, std::span<const log_field> fields) const noexcept {
  const auto& sink = conf.inside().log;
  if (!sink) return;
  try {
    bool clean =
        std::all_of(fields.begin(), fields.end(), [](const auto& f) { return is_printable(f.value); });
    if (clean) return sink(log_entry{how, message, fields});
    std::vector<std::string> values;
    for (const auto& f : fields) {
      values.emplace_back(f.value);
      for (char& c : values.back()) {
        if (!is_printable({&c, 1})) c = '?';
      }
    }
    std::vector<log_field> shown;
    for (std::size_t i = 0; i < fields.size(); ++i) shown.push_back({fields[i].name, values[i]});
    sink(log_entry{how, message, shown});
  } catch (...) {
    return;  // a log that fails must not keep a door from working, and there is nobody to tell
  }
}

outcome<guard, config_problems> guard::make(const config& from) noexcept {
  return safely(
      [&]() -> outcome<guard, config_problems> {
        auto made = std::make_shared<parts>(from);
        for (const auto& warning : from.warnings()) made->g->log(level::warning, warning, {});
        return guard(std::move(made));
      },
      [] { return outcome<guard, config_problems>(config_problems{}); });
}

outcome<guard, config_problems> guard::make(options from) noexcept {
  auto checked = config::make(std::move(from));
  if (!checked) return checked.error();
  return make(*checked);
}

outcome<guard, config_problems> guard::from_environment(options callbacks) noexcept {
  auto checked = config::from_environment(std::move(callbacks));
  if (!checked) return checked.error();
  return make(*checked);
}

outcome<user> guard::validate(std::string_view token) const noexcept {
  return safely(
      [&]() -> outcome<user> {
        presented shown;
        shown.token = token;
        return conclude(*parts_->g, judged(*parts_->g, shown));
      },
      [] { return outcome<user>(deny(errc::internal)); });
}

admission guard::admit(const request& asked) const noexcept {
  return safely(
      [&]() -> admission {
        auto read = read_request(*parts_->g, asked);
        if (auto* answered = std::get_if<admission>(&read)) return std::move(*answered);
        auto& call = std::get<asked_call>(read);
        call.shown.certificate_thumbprint = call.certificate_thumbprint;
        return conclude(parts_->g, call, judged(*parts_->g, call.shown));
      },
      [] { return broken(); });
}

std::optional<response> guard::metadata(const request& asked) const noexcept {
  return safely([&] { return metadata_answer(*parts_->g, asked); },
                [] { return std::optional<response>(broken().answer()); });
}
std::string_view guard::metadata_url() const noexcept { return parts_->g->conf.inside().metadata_url; }
const std::vector<std::string>& guard::metadata_paths() const noexcept {
  return parts_->g->conf.inside().metadata_paths;
}

std::optional<denial> guard::authorize_tool(const user& who, std::string_view tool) const noexcept {
  return may_call(*parts_->g, who, tool);
}

outcome<std::string> guard::filter_list(const user& who, std::string_view answer,
                                        std::string_view content_type) const noexcept {
  return safely(
      [&]() -> outcome<std::string> {
        std::string kept;
        auto filter = begin_filter(parts_->g, rules_now(*parts_->g), who, content_type, content::lists);
        auto failed = filter.feed(answer, kept);
        if (!failed) failed = filter.finish(kept);
        if (failed) return *failed;
        return kept;
      },
      [] { return outcome<std::string>(deny(errc::internal)); });
}

response guard::refuse(const denial& why) const noexcept {
  return safely([&] { return v1::refuse(*parts_->g, why); }, [] { return broken().answer(); });
}

std::optional<denial> guard::prepare() const noexcept {
  return safely(
      [&]() -> std::optional<denial> {
        run_errands(*parts_->g);
        for (const auto& issuer : parts_->g->core.status(parts_->g->now())) {
          if (issuer.ready) continue;
          return issuer.failure ? deny(*issuer.failure) : deny(errc::issuer_unreachable, issuer.issuer);
        }
        if (parts_->g->feed) {
          auto policy = parts_->g->feed->state(parts_->g->now());
          if (!policy.ready) return deny(errc::policy_unavailable, policy.failure);
        }
        return std::nullopt;
      },
      [] { return std::optional<denial>(deny(errc::internal)); });
}

void guard::forget(std::string_view token) const noexcept {
  safely([&] { return parts_->g->core.forget(token), true; }, [] { return false; });
}

pending_user guard::begin_validate(std::string_view token) const noexcept {
  return pending_user(
      safely([&] { return begin_check(parts_->g, token); }, [] { return std::unique_ptr<pending_parts>(); }));
}
pending_admission guard::begin_admit(const request& asked) const noexcept {
  return pending_admission(
      safely([&] { return begin_check(parts_->g, asked); }, [] { return std::unique_ptr<pending_parts>(); }));
}

const mcp_oauth::user& call::user() const noexcept { return parts_->user; }
std::string_view call::token() const noexcept { return parts_->token; }
std::string_view call::method() const noexcept { return parts_->method; }
std::string_view call::name() const noexcept { return parts_->name; }
bool call::filters() const noexcept { return parts_->may_hold_lists && parts_->rules->filters_lists(); }

std::optional<denial> call::authorize_tool(std::string_view tool) const noexcept {
  return may_call(*parts_->g, parts_->user, tool);
}

answer_filter call::begin_filter(std::string_view content_type) const noexcept {
  auto what = !filters()                   ? content::without_lists
              : parts_->method == "stream" ? content::stream
                                           : content::lists;
  return v1::begin_filter(parts_->g, parts_->rules, parts_->user, content_type, what);
}

response call::filtered(response answer) const noexcept {
  return safely(
      [&] {
        if (filters() && answer.status >= 200 && answer.status < 300 && !answer.body.empty()) {
          std::string kept;
          // What is compressed cannot be read: it is no type that could be filtered.
          std::string type(answer.header_value("Content-Type"));
          auto coding = answer.header_value("Content-Encoding");
          bool plain = coding.empty() || equal_ignoring_case(coding, "identity");
          auto filter =
              plain ? begin_filter(type)
                    : v1::begin_filter(parts_->g, parts_->rules, parts_->user, "compressed", content::lists);
          auto failed = filter.feed(answer.body, kept);
          if (!failed) failed = filter.finish(kept);
          if (failed) {
            answer = v1::refuse(*parts_->g, *failed, false, parts_->id);
          } else {
            answer.body = std::move(kept);
            // It may have become shorter.
            std::erase_if(answer.headers,
                          [](const auto& h) { return equal_ignoring_case(h.first, "content-length"); });
          }
        }
        add_cors(answer, parts_->origin);
        add_nonce(answer, *parts_->g);
        return std::move(answer);
      },
      [] { return broken().answer(); });
}

std::vector<std::pair<std::string, std::string>> call::answer_headers() const noexcept {
  return safely(
      [&] {
        response none;
        add_cors(none, parts_->origin);
        add_nonce(none, *parts_->g);
        return std::move(none.headers);
      },
      [] { return std::vector<std::pair<std::string, std::string>>(); });
}

const call* current_call() noexcept { return serving_now; }
serving::serving(const call& now) noexcept : before_(serving_now) { serving_now = &now; }
serving::~serving() { serving_now = before_; }

MCP_OAUTH_END
