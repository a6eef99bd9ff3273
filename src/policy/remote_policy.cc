#include "policy/remote_policy.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// A source that was away is asked again sooner, but never all the time.
constexpr seconds retry{5};

// Threads read the clock one after the other, and it is slewed; more than that is a step back.
constexpr seconds unordered{5};

constexpr std::size_t largest_document = 1024 * 1024;

}  // namespace

http_call policy_call(const std::string& url, const secret& token) {
  http_call call;
  call.url = url;
  call.fields.add("Accept", "application/json, application/yaml;q=0.9");
  if (!token.empty()) {
    std::string text(token.reveal());
    bool has_scheme = text.find(' ') != std::string::npos;
    call.fields.add("Authorization", has_scheme ? text : "Bearer " + text);
  }
  return call;
}

fetch_rules policy_fetch_rules() {
  fetch_rules rules;
  rules.most_bytes = largest_document;
  rules.timeout = seconds(5);
  return rules;
}

result<std::string_view> policy_text(const http_answer& answer) {
  if (answer.status != 200) {
    return fail(errc::policy_unavailable, "status " + std::to_string(answer.status));
  }
  return std::string_view(answer.body);
}

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

bool remote_policy::is_due(time_point now) const {
  return due_ <= now || due_ - now > how_.refresh + unordered;
}

bool remote_policy::is_fresh(time_point now) const {
  return document_ != nullptr && now < good_until_ && good_until_ - how_.max_age <= now + unordered;
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
