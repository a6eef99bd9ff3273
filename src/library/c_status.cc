// The functions of mcp_oauth/c.h about what a guard knows.

#include "library/c_handles.h"
#include "library/safely.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

using namespace mcp_oauth::v1;
using mcp_oauth::safely;

namespace {

int64_t seconds_between(const std::optional<std::chrono::system_clock::time_point>& from,
                        const std::optional<std::chrono::system_clock::time_point>& to) {
  if (!from || !to) return -1;
  return std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(*to - *from).count());
}

const issuer_state* issuer_in(const mcp_oauth_status* status, size_t index) {
  return status != nullptr ? status->issuer(index) : nullptr;
}

}  // namespace

mcp_oauth_status* mcp_oauth_guard_status(const mcp_oauth_guard* guard) {
  if (guard == nullptr) return nullptr;
  return safely(
      [&] {
        auto made = std::make_unique<mcp_oauth_status>();
        made->status = guard->guard.status();
        made->json = made->status.json();
        return made.release();
      },
      [] { return static_cast<mcp_oauth_status*>(nullptr); });
}
int32_t mcp_oauth_status_ready(const mcp_oauth_status* status) {
  return status != nullptr && status->status.ready ? 1 : 0;
}
size_t mcp_oauth_status_issuer_count(const mcp_oauth_status* status) {
  return status != nullptr ? status->status.issuers.size() : 0;
}
mcp_oauth_text mcp_oauth_status_issuer(const mcp_oauth_status* status, size_t index) {
  const auto* one = issuer_in(status, index);
  return one != nullptr ? to_text(one->issuer) : no_text();
}
int32_t mcp_oauth_status_issuer_ready(const mcp_oauth_status* status, size_t index) {
  const auto* one = issuer_in(status, index);
  return one != nullptr && one->ready ? 1 : 0;
}
size_t mcp_oauth_status_issuer_keys(const mcp_oauth_status* status, size_t index) {
  const auto* one = issuer_in(status, index);
  return one != nullptr ? one->keys : 0;
}
int64_t mcp_oauth_status_issuer_keys_age(const mcp_oauth_status* status, size_t index) {
  const auto* one = issuer_in(status, index);
  return one != nullptr ? seconds_between(one->keys_fetched, status->status.now) : -1;
}
mcp_oauth_text mcp_oauth_status_issuer_failure(const mcp_oauth_status* status, size_t index) {
  const auto* one = issuer_in(status, index);
  return one != nullptr ? to_text(one->failure) : no_text();
}
int32_t mcp_oauth_status_policy_from_url(const mcp_oauth_status* status) {
  return status != nullptr && status->status.policy.from_url ? 1 : 0;
}
int32_t mcp_oauth_status_policy_ready(const mcp_oauth_status* status) {
  return status != nullptr && status->status.policy.ready ? 1 : 0;
}
int64_t mcp_oauth_status_policy_age(const mcp_oauth_status* status) {
  return status != nullptr ? seconds_between(status->status.policy.fetched, status->status.now) : -1;
}
int64_t mcp_oauth_status_policy_good_for(const mcp_oauth_status* status) {
  return status != nullptr ? seconds_between(status->status.now, status->status.policy.good_until) : -1;
}
mcp_oauth_text mcp_oauth_status_policy_failure(const mcp_oauth_status* status) {
  return status != nullptr ? to_text(status->status.policy.failure) : no_text();
}
mcp_oauth_text mcp_oauth_status_json(const mcp_oauth_status* status) {
  return status != nullptr ? to_text(status->json) : no_text();
}
void mcp_oauth_status_free(mcp_oauth_status* status) { delete status; }
