#include "app/open_streams.h"

#include <utility>
#include <vector>

namespace mcp_oauth {

open_streams::place open_streams::add(std::string grant, time_point until, net::exchange& x, kind of) {
  return open_.insert(open_.end(),
                      stream{std::move(grant), until, of.waits, of.filtered, std::move(of.server), &x,
                             x.client().weak_from_this(), std::nullopt});
}

void open_streams::revoke(std::string_view grant) {
  // Ending one runs its coroutine, which takes itself off the list.
  std::vector<std::weak_ptr<net::channel>> ending;
  for (auto& s : open_) {
    if (s.grant != grant) continue;
    s.ended_for = error{errc::token_revoked, "grant " + s.grant + ", in the middle of a stream"};
    ending.push_back(s.client);
  }
  for (auto& e : ending) {
    if (auto client = e.lock()) client->hang_up();
  }
}

void open_streams::hold_to_rules(const std::function<bool(std::string_view server)>& filters) {
  std::vector<std::weak_ptr<net::channel>> ending;
  for (auto& s : open_) {
    if (!s.waits || s.filtered || !filters(s.server)) continue;
    s.ended_for = error{errc::policy_changed, "the stream was opened when no rules were there"};
    ending.push_back(s.client);
  }
  for (auto& e : ending) {
    if (auto client = e.lock()) client->hang_up();
  }
}

void open_streams::expire(time_point now,
                          const std::function<std::optional<time_point>(std::string_view grant)>& renewed) {
  std::vector<std::weak_ptr<net::channel>> ending;
  for (auto& s : open_) {
    if (!s.waits || s.until > now) continue;
    if (auto later = renewed(s.grant); later && *later > now) {
      s.until = *later;
      continue;
    }
    s.ended_for = error{errc::token_expired, "in the middle of a stream"};
    ending.push_back(s.client);
  }
  for (auto& e : ending) {
    if (auto client = e.lock()) client->hang_up();
  }
}

}  // namespace mcp_oauth
