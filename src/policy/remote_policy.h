#pragma once

#include "base/error.h"
#include "base/fetch.h"
#include "base/http.h"
#include "base/secret.h"
#include "base/time.h"
#include "policy/policy.h"

#include <memory>
#include <optional>
#include <string>

namespace mcp_oauth {

// A policy as somebody else keeps it.
struct policy_document {
  policy_rules rules = {};
  bool complete = true;    // false: whoever keeps it says that it is not finished, so nobody may anything
  std::string state = {};  // in the words of its source: "needs_setup", for the log

  friend bool operator==(const policy_document&, const policy_document&) = default;
};

// What we know of a policy that is fetched again and again. It counts until `max_age` after it was asked for;
// what is older counts for nothing. That the source denies everything, or says that it is not finished, is an
// answer like any other; only a source that gives none is away.
class remote_policy {
 public:
  struct pace {
    seconds refresh{30};
    seconds max_age{120};
  };
  explicit remote_policy(pace how) : how_(how) {}

  // An answer came to the question of `asked`. Whether it says something else than the last one.
  bool fetched(policy_document document, time_point asked);
  // None came, or none that can be read.
  void failed(error why, time_point now);

  // Whether to ask now: it is due, or was to be at a time that the clock, which was set back since, is far
  // from.
  bool is_due(time_point now) const;
  // What counts, counts now: it is neither too old nor of a time that is still to come.
  bool is_fresh(time_point now) const;

  // When to ask again.
  time_point due() const { return due_; }
  // What counts until `good_until`; null when nothing ever came.
  std::shared_ptr<const policy_document> document() const { return document_; }
  time_point good_until() const { return good_until_; }
  // Why there is no newer one; nothing when the last question was answered.
  const std::optional<error>& failure() const { return failure_; }

 private:
  pace how_;
  std::shared_ptr<const policy_document> document_;
  time_point good_until_{};
  time_point due_{};
  std::optional<error> failure_;
};

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
