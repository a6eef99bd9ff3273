// The classes of mcp_oauth/guard.h whose host fetches by itself.

#include "library/denials.h"
#include "library/fetch.h"
#include "library/pending_parts.h"
#include "library/safely.h"

#include <cstdlib>
#include <utility>

MCP_OAUTH_BEGIN
namespace {

const error not_there{errc::issuer_unreachable, "the check was not driven to its end"};

guard_step told(error why) {
  return result<std::shared_ptr<const accepted>>(tl::unexpected<error>(std::move(why)));
}

const result<std::shared_ptr<const accepted>>& verdict_in(const pending_parts& p) {
  static const result<std::shared_ptr<const accepted>> none = tl::unexpected<error>(not_there);
  const auto* there = p.at ? std::get_if<0>(&*p.at) : nullptr;
  return there != nullptr ? *there : none;
}

}  // namespace

void pending_parts::arrive(guard_step next) {
  at = std::move(next);
  if (auto* asks = std::get_if<ask>(&*at)) wanted = to_host(asks->call, asks->rules);
  if (auto* waits = std::get_if<wait>(&*at)) waits_until = g->now() + waits->longest;
}

std::unique_ptr<pending_parts> begin_check(const std::shared_ptr<engine>& g, std::string_view token) {
  auto made = std::make_unique<pending_parts>();
  made->g = g;
  presented shown;
  shown.token = token;
  made->arrive(with_policy(*g, g->core.validate(shown, g->now())));
  return made;
}

std::unique_ptr<pending_parts> begin_check(const std::shared_ptr<engine>& g, const request& asked) {
  auto made = std::make_unique<pending_parts>();
  made->g = g;
  auto read = read_request(*g, asked);
  if (auto* answered = std::get_if<admission>(&read)) {
    made->answered = std::move(*answered);
    return made;
  }
  made->asked = std::move(std::get<asked_call>(read));
  made->asked->shown.certificate_thumbprint = made->asked->certificate_thumbprint;
  made->arrive(with_policy(*g, g->core.validate(made->asked->shown, g->now())));
  return made;
}

pending_check::pending_check(std::unique_ptr<pending_parts> made) noexcept : parts_(std::move(made)) {}
pending_check::pending_check(pending_check&&) noexcept = default;
pending_check& pending_check::operator=(pending_check&&) noexcept = default;
pending_check::~pending_check() = default;

step pending_check::next() const noexcept {
  if (!parts_ || !parts_->at) return step::done;
  if (std::holds_alternative<ask>(*parts_->at)) return step::fetch;
  if (std::holds_alternative<wait>(*parts_->at)) return step::wait;
  return step::done;
}

const fetch_request& pending_check::wanted() const noexcept {
  if (next() != step::fetch) std::abort();
  return parts_->wanted;
}

void pending_check::give(fetch_answer answer) noexcept {
  if (next() != step::fetch) return;
  safely(
      [&] {
        auto then = std::move(std::get<ask>(*parts_->at).then);
        auto taken = from_host(std::move(answer), parts_->wanted);
        parts_->arrive(then(std::move(taken), parts_->g->now()));
        return true;
      },
      [&] {
        parts_->at = told({});
        return false;
      });
}

void pending_check::when_ready(std::function<void()> wake) noexcept {
  auto call = [wake = std::move(wake)] {
    if (wake) safely([&] { return wake(), true; }, [] { return false; });
  };
  if (next() != step::wait) return call();
  safely([&] { return std::get<wait>(*parts_->at).on->when_settled(call), true; },
         [&] { return call(), false; });
}

void pending_check::proceed() noexcept {
  if (next() != step::wait) return;
  safely(
      [&] {
        auto& waits = std::get<wait>(*parts_->at);
        auto now = parts_->g->now();
        if (!waits.on->settled() && now < parts_->waits_until) return true;
        auto then = std::move(waits.then);
        parts_->arrive(then(now));
        return true;
      },
      [&] {
        parts_->at = told({});
        return false;
      });
}

pending_user::pending_user(std::unique_ptr<pending_parts> made) noexcept : pending_check(std::move(made)) {}
outcome<user> pending_user::result() const noexcept {
  return safely(
      [&]() -> outcome<user> {
        if (!parts_) return deny(errc::internal);
        return conclude(*parts_->g, verdict_in(*parts_));
      },
      [] { return outcome<user>(deny(errc::internal)); });
}

pending_admission::pending_admission(std::unique_ptr<pending_parts> made) noexcept
    : pending_check(std::move(made)) {}
admission pending_admission::result() const noexcept {
  return safely(
      [&]() -> admission {
        if (!parts_ || (!parts_->answered && !parts_->asked))
          return admission(response{500, {}, {}}, deny(errc::internal));
        if (parts_->answered) return *parts_->answered;
        return conclude(parts_->g, *parts_->asked, verdict_in(*parts_));
      },
      [] { return admission(response{500, {}, {}}, deny(errc::internal)); });
}

MCP_OAUTH_END
