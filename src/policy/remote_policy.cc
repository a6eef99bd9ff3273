#include "policy/remote_policy.h"

namespace mcp_oauth {
namespace {

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
  if (document.has_hierarchy) rules.hierarchy = theirs.hierarchy;
  return rules;
}

}  // namespace mcp_oauth
