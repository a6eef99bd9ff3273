#include "app/open_streams.h"

#include <utility>
#include <vector>

namespace mcp_oauth {
namespace {

using ending = std::vector<std::weak_ptr<net::channel>>;

// Ending one runs its coroutine, which takes itself off the list.
void hang_up(const ending& clients) {
  for (const auto& c : clients) {
    if (auto client = c.lock()) client->hang_up();
  }
}

}  // namespace

open_streams::call::call(open_streams& of, std::string grant, net::exchange& x)
    : of_(of), place_(of.under_way_.insert(of.under_way_.end(), entry{std::move(grant), &x})) {}

open_streams::call::~call() { of_.under_way_.erase(place_); }

result<void> open_streams::call::open(time_point until, kind of) {
  auto& s = *place_;
  if (s.ended_for) return tl::unexpected<error>(*s.ended_for);
  s.is_open = true;
  s.waits = of.waits;
  s.filtered = of.filtered;
  s.server = std::move(of.server);
  s.until = until;
  s.client = s.x->client().weak_from_this();
  return {};
}

std::optional<error> open_streams::call::ended_for() const {
  return place_->is_open ? place_->ended_for : std::nullopt;
}

void open_streams::revoke(std::string_view grant) {
  ending clients;
  for (auto& s : under_way_) {
    if (s.grant != grant) continue;
    auto when = s.is_open ? ", in the middle of a stream" : ", before the answer began";
    s.ended_for = error{errc::token_revoked, "grant " + s.grant + when};
    if (s.is_open) clients.push_back(s.client);
  }
  hang_up(clients);
}

void open_streams::hold_to_rules(const std::function<bool(std::string_view server)>& filters) {
  ending clients;
  for (auto& s : under_way_) {
    if (!s.is_open || !s.waits || s.filtered || !filters(s.server)) continue;
    s.ended_for = error{errc::policy_changed, "the stream was opened when no rules were there"};
    clients.push_back(s.client);
  }
  hang_up(clients);
}

void open_streams::expire(time_point now,
                          const std::function<std::optional<time_point>(std::string_view grant)>& renewed) {
  ending clients;
  for (auto& s : under_way_) {
    if (!s.is_open || !s.waits || s.until > now) continue;
    if (auto later = renewed(s.grant); later && *later > now) {
      s.until = *later;
      continue;
    }
    s.ended_for = error{errc::token_expired, "in the middle of a stream"};
    clients.push_back(s.client);
  }
  hang_up(clients);
}

}  // namespace mcp_oauth
