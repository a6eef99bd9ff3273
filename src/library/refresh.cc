// The one thread that a guard may have.

#include "library/refresh.h"

#include "library/fetch.h"
#include "library/safely.h"

#include <algorithm>
#include <array>
#include <chrono>

MCP_OAUTH_BEGIN
namespace {

constexpr std::chrono::seconds between_looks{5};
constexpr std::chrono::seconds between_sweeps{60};

void run(const std::shared_ptr<refresh_order>& order, const std::shared_ptr<engine>& g) noexcept {
  for (int looks = 0;; ++looks) {
    {
      auto pause = looks == 0 ? std::chrono::seconds(0) : between_looks;
      if (g->feed) pause = std::min(pause, g->feed->rules().pace.refresh);
      std::unique_lock hold(order->mutex);
      if (order->news.wait_for(hold, pause, [&] { return order->stop; })) return;
    }
    safely(
        [&] {
          run_errands(*g);
          if (looks % (between_sweeps / between_looks) == 0) g->core.sweep(g->now());
          return true;
        },
        [] { return false; });
  }
}

void stop(const std::shared_ptr<refresh_order>& order, std::thread& refresher) noexcept {
  if (!refresher.joinable()) return;
  {
    const std::lock_guard hold(order->mutex);
    order->stop = true;
  }
  order->news.notify_all();
  // The last copy of a guard may go on its own thread, in a fetch function that held one.
  if (refresher.get_id() == std::this_thread::get_id())
    refresher.detach();
  else
    refresher.join();
}

}  // namespace

void learn_policy(const engine& g, const policy_feed::wanted& fetch, const result<http_answer>& answer,
                  time_point now) {
  auto news = g.feed->learned(fetch, answer, now);
  // A query may hold a secret.
  auto place = std::string_view(g.feed->rules().url);
  place = place.substr(0, place.find('?'));
  auto tell = [&](level how, std::string_view message, std::string_view detail) {
    const std::array fields = {log_field{"url", place}, log_field{"detail", detail}};
    g.log(how, message, fields);
  };
  if (news.away) {
    tell(level::error, "the policy cannot be fetched; what it said last counts until it is too old",
         news.away->detail);
  }
  if (news.back) tell(level::info, "the policy can be fetched again", {});
  if (news.other) tell(level::info, "the policy is new", news.what);
}

void run_errands(const engine& g) {
  if (g.feed) {
    if (auto wanted = g.feed->due(g.now())) {
      learn_policy(g, *wanted, fetch_by(g.conf.inside().fetch, to_host(wanted->call, wanted->rules)),
                   g.now());
    }
  }
  // The metadata says where the keys are. What failed is not due again for a while, so this ends.
  for (auto errands = g.core.due(g.now()); !errands.empty(); errands = g.core.due(g.now())) {
    for (const auto& errand : errands) {
      auto answer = fetch_by(g.conf.inside().fetch, to_host(errand.fetch.call, errand.fetch.rules));
      if (!answer) {
        const std::array fields = {log_field{"detail", answer.error().detail}};
        g.log(level::warning, "an issuer does not answer", fields);
      }
      g.core.learned(errand, answer, g.now());
    }
  }
}

guard::parts::~parts() { stop(order, refresher); }

bool guard::start_background_refresh() const noexcept {
  return safely(
      [&] {
        const std::lock_guard hold(parts_->refresh_mutex);
        if (parts_->refresher.joinable()) return true;
        auto order = std::make_shared<refresh_order>();
        std::thread started([order, g = parts_->g] { run(order, g); });
        parts_->order = std::move(order);
        parts_->refresher = std::move(started);
        if (parts_->g->feed) parts_->g->feed->in_background(true);
        return true;
      },
      [] { return false; });
}

void guard::stop_background_refresh() const noexcept {
  std::shared_ptr<refresh_order> order;
  std::thread refresher;
  {
    const std::lock_guard hold(parts_->refresh_mutex);
    order = std::move(parts_->order);
    refresher = std::move(parts_->refresher);
    if (parts_->g->feed) parts_->g->feed->in_background(false);
  }
  stop(order, refresher);
}

MCP_OAUTH_END
