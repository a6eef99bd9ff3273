#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/secret.h"
#include "base/time.h"
#include "guard/pending.h"
#include "policy/policy.h"
#include "policy/remote_policy.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace mcp_oauth {

struct policy_feed_rules {
  std::string url;
  secret token;
  remote_policy::pace pace;
  policy_rules own;  // what counts where the document has no such section, and the base scopes
};

// The policy of a URL, kept. What is too old counts for nothing: then everything is refused. Like issuer_keys
// it says which fetch it wants, and takes what came. Safe from every thread.
class policy_feed final {
 public:
  explicit policy_feed(policy_feed_rules of) : of_(std::move(of)), known_(of_.pace) {}

  // A fetch that was handed out. While it is alive nobody else gets one; let go without `learned`, it counts
  // as not asked.
  struct wanted {
    http_call call;  // may hold a secret: not to be logged
    fetch_rules rules;
    time_point asked;
    std::shared_ptr<pending> others;  // settled when it is over
    std::shared_ptr<void> in_flight;
  };
  // For the background, in the pace of the rules.
  std::optional<wanted> due(time_point now);
  // For a request: the same, but where the background sees to it only when nothing counts any more.
  std::optional<wanted> needed(time_point now);
  void in_background(bool it_is);
  // The fetch that a request has to wait for; null where something counts, and where nobody fetches.
  std::shared_ptr<pending> awaited(time_point now) const;

  // What is worth a line in the log.
  struct news {
    bool other = false;              // it says something else than before
    std::string what = {};           // in words
    std::optional<error> away = {};  // it gave no policy, and did before
    bool back = false;               // it gives one again
  };
  news learned(const wanted& fetch, const result<http_answer>& answer, time_point now);

  // The rules that count now. Errors, as refusals of whatever is asked: policy_unavailable,
  // policy_incomplete.
  policy in_force(time_point now) const;

  struct status {
    bool ready = false;               // a policy counts now, be it one that refuses everything
    std::optional<time_point> asked;  // when the policy that counts, or counted last, was asked for
    std::optional<time_point> good_until;
    std::optional<time_point> failed;  // the last time
    std::string failure;               // why there is no newer one; "" when the last question was answered
  };
  status state(time_point now) const;
  const policy_feed_rules& rules() const { return of_; }

 private:
  bool counts(time_point now) const;  // the last ones under the lock
  std::optional<wanted> hand_out(time_point now);

  const policy_feed_rules of_;
  mutable std::mutex mutex_;
  remote_policy known_;
  std::optional<policy> seen_;  // of the document that is known
  std::optional<time_point> failed_;
  std::shared_ptr<pending> others_;
  std::weak_ptr<void> in_flight_;
  bool in_background_ = false;
  bool away_ = false;
};

}  // namespace mcp_oauth
