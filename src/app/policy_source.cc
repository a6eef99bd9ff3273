#include "app/policy_source.h"

#include "base/text.h"
#include "config/config_error.h"
#include "config/derive_policy.h"
#include "config/policy_document.h"
#include "policy/doubts.h"
#include "symptom/catalogue.h"

#include <chrono>
#include <utility>

namespace mcp_oauth {
result<policy_document> process_policy_answer(const http_answer& answer) {
  auto text = policy_text(answer);
  if (!text) return tl::unexpected<error>(text.error());
  return read_policy_document(*text);
}

std::optional<std::string> policy_trouble(const policy_settings& of, const result<policy_document>& got) {
  if (got && got->complete) return std::nullopt;
  if (got) {
    return "policy.url says that the policy is not finished" +
           (got->state.empty() ? "" : " (" + got->state + ")") + ": every call is refused with 403";
  }
  std::string_view words = explain(got.error().code).description;
  return "policy.url gives no policy: " + std::string(words) +
         (got.error().detail.empty() ? "" : " (" + got.error().detail + ")") +
         (of.fallback == "local" ? ": the rules of the configuration count until it does"
                                 : ": every call is refused with 503 until it does");
}

std::vector<std::string> scopes_out_of_reach(const settings& conf, const policy_document& said) {
  if (conf.is_guard()) return {};
  auto known = conf.scopes_supported;
  auto had = static_cast<std::ptrdiff_t>(known.size());
  add_scopes(known, said.rules);
  return {known.begin() + had, known.end()};
}

policy_source::policy_source(const policy_settings& of, fetch_fn fetch, log_sink& log)
    : of_(of), fetch_(std::move(fetch)), log_(log), known_({of.refresh, of.max_age}) {
  ask();
}

policy_source::~policy_source() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  given_up_ = true;
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void policy_source::follow(std::function<bool()> changed) {
  changed_ = std::move(changed);
  thread_ = std::thread([this] { run(); });
}

policy_source::policy_in_force policy_source::latest() const {
  std::lock_guard lock(mutex_);
  return {known_.document(), fresh_};
}

std::optional<std::string> policy_source::trouble() const {
  std::lock_guard lock(mutex_);
  if (known_.failure()) return policy_trouble(of_, tl::unexpected<error>(*known_.failure()));
  return known_.document() ? policy_trouble(of_, *known_.document()) : std::nullopt;
}

bool policy_source::is_for(const policy_settings& of) const {
  return of.url == of_.url && of.refresh == of_.refresh && of.max_age == of_.max_age &&
         of.token.reveal() == of_.token.reveal();
}

// Whether it says something else than before.
bool policy_source::ask() {
  auto asked = policy_clock::now();
  auto answer = fetch_(policy_call(of_.url, of_.token), given_up_);
  auto document = answer ? process_policy_answer(*answer) : tl::unexpected<error>(answer.error());
  if (!document) {
    {
      std::lock_guard lock(mutex_);
      known_.failed(document.error(), policy_clock::now());
    }
    if (!given_up_) note(&document.error());
    return false;
  }
  std::shared_ptr<const policy_document> said;
  bool other = false;
  {
    std::lock_guard lock(mutex_);
    other = known_.fetched(std::move(*document), asked);
    said = known_.document();
    // An answer prolongs nothing but the policy that it repeats.
    if (other) fresh_ = std::make_shared<policy_freshness>();
    fresh_->prolong(known_.good_until());
  }
  note(nullptr);
  if (!other) return false;
  const auto& rules = said->rules;
  auto count = std::to_string(rules.tools.rules.size()) + " rules for tools";
  log_.event(log_level::info, "policy",
             said->complete
                 ? "policy.url says something new: " + count
                 : "policy.url says that the policy is not finished" +
                       (said->state.empty() ? "" : " (" + said->state + ")") + ": nothing is allowed");
  for (const auto& doubt : doubts_about(rules, "tools", "")) log_.event(log_level::warn, "policy", doubt);
  return true;
}

void policy_source::note(const error* why) {
  // A document that is being mended has one mistake after the other.
  auto now = why == nullptr ? std::nullopt
                            : std::make_optional(std::string(explain(why->code).name) + " " + why->detail);
  if (std::exchange(told_, now) == now) return;
  if (why != nullptr) {
    log_.event(log_level::error, "policy",
               "policy.url gives no policy; what it said last counts for " +
                   std::to_string(of_.max_age.count()) + " s after it was asked for",
               why);
  } else {
    log_.event(log_level::info, "policy", "policy.url gives the policy again");
  }
}

void policy_source::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    auto wait = known_.due() - policy_clock::now();
    if (wait > wait.zero()) {
      wake_.wait_for(lock, wait, [this] { return stopping_; });
      continue;
    }
    lock.unlock();
    try {
      if (ask()) taken_up_ = false;
      if (!taken_up_ && !given_up_) taken_up_ = changed_();
    } catch (const std::exception& e) {
      // A defect, or no memory: what counted counts on until it is too old, and this is tried again.
      error why{errc::internal, std::string("an exception: ") + e.what()};
      log_.event(log_level::error, "policy", "the policy could not be taken up", &why);
      std::lock_guard again(mutex_);
      known_.failed(std::move(why), policy_clock::now());
    }
    lock.lock();
  }
}

}  // namespace mcp_oauth
