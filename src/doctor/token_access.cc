#include "doctor/token_access.h"

#include "base/text.h"
#include "oauth/near_miss.h"

#include <utility>

namespace mcp_oauth {
namespace {

struct section_of_rules {
  const char* name;
  const rule_set& rules;
  const char* method;  // that acts on such an item; "" where the pattern is the method
  const char* member;  // of its params, that names the item
  std::optional<listed> as;
};

std::string message_about(const section_of_rules& of, const std::string& pattern) {
  json::object message{{"jsonrpc", "2.0"}, {"id", 1}};
  message["method"] = *of.method == '\0' ? std::string_view(pattern) : std::string_view(of.method);
  if (*of.member != '\0') message["params"] = json::object{{of.member, pattern}};
  return json::serialize(message);
}

void add_words(std::string& to, const std::string& words) {
  if (words.empty() || to.find(words) != std::string::npos) return;
  to += (to.empty() ? "" : "; ") + words;
}

explained_item explain_refusal(const std::string& pattern, const refusal& why, const caller& who) {
  explained_item item;
  item.pattern = pattern;
  item.would_allow = why.would_allow;
  for (const auto& rule : why.trace) {
    for (const auto& scope : rule.missing_scopes) {
      if (!holds(item.missing_scopes, scope)) item.missing_scopes.push_back(scope);
      add_words(item.why, how_scopes_differ(who.scopes, scope));
    }
    for (const auto& condition : rule.unmet) add_words(item.why, "asks for " + condition);
    if (rule.denied) add_words(item.why, "denied to everybody");
  }
  if (item.missing_scopes.empty() && item.why.empty()) item.why = why.detail;
  return item;
}

explained_item explain_item(const policy& rules, const section_of_rules& of, const std::string& pattern,
                            const caller& who) {
  auto text = message_about(of, pattern);
  envelope_scanner scanner;
  bool readable = scanner.feed(text) && scanner.finish();
  auto allowed = readable ? authorize(rules, who, scanner.seen(), text)
                          : tl::expected<permit, refusal>(tl::unexpected(refusal{}));
  explained_item item;
  item.pattern = pattern;
  item.open = of.as ? may_list(rules, who, *of.as, pattern) : allowed.has_value();
  if (!item.open) return explain_refusal(pattern, allowed ? refusal{} : allowed.error(), who);
  if (!allowed) {
    item.why = explain_refusal(pattern, allowed.error(), who).why;
    if (item.why.empty()) item.why = "its arguments decide";
  }
  return item;
}

}  // namespace

std::vector<explained_section> explain_access(const policy_rules& rules, const caller& who) {
  const policy compiled(rules);
  const section_of_rules sections[] = {
      {"tools", rules.tools, "tools/call", "name", listed::tool},
      {"prompts", rules.prompts, "prompts/get", "name", listed::prompt},
      {"resources", rules.resources, "resources/read", "uri", listed::resource},
      {"methods", rules.methods, "", "", std::nullopt},
  };
  std::vector<explained_section> all;
  for (const auto& of : sections) {
    explained_section section;
    section.name = of.name;
    section.restricted = of.rules.given;
    for (const auto& rule : of.rules.rules)
      section.items.push_back(explain_item(compiled, of, rule.pattern, who));
    all.push_back(std::move(section));
  }
  return all;
}

}  // namespace mcp_oauth
