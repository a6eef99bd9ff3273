#include "broker/attempts.h"

#include "base/json.h"
#include "broker/browser.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "attempts";
constexpr std::chrono::hours forgotten_after{1};
constexpr seconds first_wait{5};
constexpr int most_conflicts = 8;

}  // namespace

seconds wait_after(std::int64_t count, std::uint32_t most) {
  auto over = count - static_cast<std::int64_t>(std::max(1u, most));
  if (over < 0) return seconds(0);
  return over > 8 ? longest_wait : std::min(longest_wait, first_wait * (1 << over));
}

result<std::optional<seconds>> begin_attempt(record_store& store, std::string_view account,
                                             std::uint32_t most, time_point now) {
  auto id = digest_of(account);
  for (int i = 0; i < most_conflicts; ++i) {
    auto found = store.get(kind, id, now);
    if (!found) return tl::unexpected(found.error());
    std::int64_t count = 0, last = 0;
    if (*found) {
      auto data = parse_json_object((*found)->data);
      if (!data || read(*data, "count", count) != member::present ||
          read(*data, "last", last) != member::present) {
        return fail(errc::store_corrupt, "attempts " + id);
      }
      // The last may have been at a gateway whose clock is ahead.
      auto until = std::min(from_unix(last), now) + wait_after(count, most);
      if (until > now) return std::optional(std::chrono::ceil<seconds>(until - now));
    }
    record r;
    r.kind = kind;
    r.id = id;
    r.data = json::serialize(json::object{{"count", count + 1}, {"last", to_unix(now)}});
    r.created = now;
    r.expires = now + forgotten_after;
    change c;
    c.when.push_back({r.kind, id, *found ? (*found)->version : 0});
    c.put.push_back(std::move(r));
    auto done = store.commit(c, now);
    if (!done) return tl::unexpected(done.error());
    if (*done) return std::optional<seconds>{};
  }
  return std::optional(seconds(1));
}

result<void> forget_attempts(record_store& store, std::string_view account, time_point now) {
  change c;
  c.erase.emplace_back(kind, digest_of(account));
  auto done = store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace mcp_oauth
