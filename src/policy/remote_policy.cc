#include "policy/remote_policy.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// A source that was away is asked again sooner, but never all the time.
constexpr seconds retry{5};

}  // namespace

bool remote_policy::fetched(policy_document document, time_point asked) {
  failure_.reset();
  due_ = asked + how_.refresh;
  good_until_ = asked + how_.max_age;
  if (document_ != nullptr && *document_ == document) return false;
  document_ = std::make_shared<const policy_document>(std::move(document));
  return true;
}

void remote_policy::failed(error why, time_point now) {
  failure_ = std::move(why);
  due_ = now + std::min(how_.refresh, retry);
}

policy_rules rules_for(const policy_document& document, const policy_rules& own,
                       const policy_rules& for_all) {
  auto first = [](const rule_set& a, const rule_set& b, const rule_set& c) {
    return a.given ? a : b.given ? b : c;
  };
  const auto& theirs = document.rules;
  auto rules = own;
  rules.tools = first(own.tools, theirs.tools, {true, {}});
  rules.methods = first(own.methods, theirs.methods, for_all.methods);
  rules.resources = first(own.resources, theirs.resources, for_all.resources);
  rules.prompts = first(own.prompts, theirs.prompts, for_all.prompts);
  if (!theirs.hierarchy.empty()) rules.hierarchy = theirs.hierarchy;
  return rules;
}

}  // namespace mcp_oauth
