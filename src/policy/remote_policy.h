#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/secret.h"
#include "base/time.h"
#include "policy/policy.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace mcp_oauth {

// A policy as somebody else keeps it.
struct policy_document {
  policy_rules rules = {};
  bool complete = true;        // false: whoever keeps it says that it is not finished, so nobody may anything
  std::string state = {};      // in the words of its source: "needs_setup", for the log
  bool has_hierarchy = false;  // also one without steps, which takes the place of any other

  friend bool operator==(const policy_document&, const policy_document&) = default;
};

// What we know of a policy that is fetched again and again. It counts until `max_age` after it was asked for;
// what is older counts for nothing. That the source denies everything, or says that it is not finished, is an
// answer like any other; only a source that gives none is away.
// What is asked for by a clock that nobody sets never counts longer because somebody did.
template <class Clock>
class remote_policy_by {
 public:
  using moment = typename Clock::time_point;
  struct pace {
    seconds refresh{30};
    seconds max_age{120};
  };
  explicit remote_policy_by(pace how) : how_(how) {}

  // An answer came to the question of `asked`. Whether it says something else than the last one.
  bool fetched(policy_document document, moment asked) {
    failure_.reset();
    due_ = asked + how_.refresh;
    good_until_ = asked + how_.max_age;
    if (document_ != nullptr && *document_ == document) return false;
    document_ = std::make_shared<const policy_document>(std::move(document));
    return true;
  }
  // None came, or none that can be read.
  void failed(error why, moment now) {
    failure_ = std::move(why);
    // A source that was away is asked again sooner, but never all the time.
    due_ = now + std::min(how_.refresh, seconds(5));
  }

  // Whether to ask now: it is due, or was to be at a time that the clock, which was set back since, is far
  // from.
  bool is_due(moment now) const { return due_ <= now || due_ - now > how_.refresh + unordered; }
  // What counts, counts now: it is neither too old nor of a time that is still to come.
  bool is_fresh(moment now) const {
    return document_ != nullptr && now < good_until_ && good_until_ - how_.max_age <= now + unordered;
  }

  // When to ask again.
  moment due() const { return due_; }
  // What counts until `good_until`; null when nothing ever came.
  std::shared_ptr<const policy_document> document() const { return document_; }
  moment good_until() const { return good_until_; }
  // Why there is no newer one; nothing when the last question was answered.
  const std::optional<error>& failure() const { return failure_; }

 private:
  // Threads read the clock one after the other, and it is slewed; more than that is a step back.
  static constexpr seconds unordered{5};

  pace how_;
  std::shared_ptr<const policy_document> document_;
  moment good_until_{};
  moment due_{};
  std::optional<error> failure_;
};
using remote_policy = remote_policy_by<std::chrono::system_clock>;

// How a source is asked for its policy. The token goes there as Bearer, or with the scheme that it names
// ("Basic …"); with "" none goes.
http_call policy_call(const std::string& url, const secret& token);
fetch_rules policy_fetch_rules();
// The text of the document in its answer. Errors: policy_unavailable.
result<std::string_view> policy_text(const http_answer& answer);

// The rules of a server: sections that it has itself, then those of the document, then those written for all
// servers beside it. Tools are never taken from there: a document without any leaves nothing open.
policy_rules rules_for(const policy_document& document, const policy_rules& own, const policy_rules& for_all);

}  // namespace mcp_oauth
