#include "app/open_streams.h"

#include <utility>
#include <vector>

namespace mcp_oauth {

open_streams::place open_streams::add(std::string grant, time_point until, net::exchange& x, bool waits) {
  return open_.insert(open_.end(),
                      stream{std::move(grant), until, waits, &x, x.client().weak_from_this(), std::nullopt});
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
