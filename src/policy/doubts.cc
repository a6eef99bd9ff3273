#include "policy/doubts.h"

#include "base/text.h"
#include "policy/near_miss.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

// Requests and notifications that a client sends, of every revision.
constexpr std::array<std::string_view, 27> known_methods = {"initialize",
                                                            "ping",
                                                            "server/discover",
                                                            "tools/list",
                                                            "tools/call",
                                                            "resources/list",
                                                            "resources/templates/list",
                                                            "resources/read",
                                                            "resources/subscribe",
                                                            "resources/unsubscribe",
                                                            "prompts/list",
                                                            "prompts/get",
                                                            "completion/complete",
                                                            "logging/setLevel",
                                                            "subscriptions/listen",
                                                            "tasks/get",
                                                            "tasks/list",
                                                            "tasks/result",
                                                            "tasks/cancel",
                                                            "tasks/update",
                                                            "notifications/initialized",
                                                            "notifications/cancelled",
                                                            "notifications/progress",
                                                            "notifications/roots/list_changed",
                                                            "notifications/tasks/status",
                                                            "notifications/elicitation/complete",
                                                            "notifications/message"};

class doubting {
 public:
  explicit doubting(std::vector<std::string>& told) : told_(told) {}

  void section(const rule_set& set, const std::string& where) {
    for (const auto& rule : set.rules) {
      if (rule.denied) continue;
      auto above = std::find_if(set.rules.begin(), set.rules.end(), [&](const access_rule& other) {
        return other.denied && matches_wildcard(other.pattern, rule.pattern);
      });
      if (above != set.rules.end()) {
        say(where, rule.pattern, "allows nothing: " + printable(above->pattern) + " is denied to everybody");
      }
    }
  }

  void methods(const rule_set& set, const std::string& where) {
    for (const auto& rule : set.rules) {
      bool known = std::any_of(known_methods.begin(), known_methods.end(),
                               [&](auto method) { return matches_wildcard(rule.pattern, method); });
      if (!known)
        say(where, rule.pattern, "names no method of MCP" + near_names(rule.pattern, known_methods));
    }
  }

  void resources(const rule_set& set, const std::string& where) {
    for (const auto& rule : set.rules) {
      auto fixed = rule.pattern.substr(0, rule.pattern.find('*'));
      bool scheme = fixed.find(':') != std::string::npos || fixed.size() < rule.pattern.size();
      if (!scheme || fixed.starts_with('/'))
        say(where, rule.pattern, "fits no URI: a URI begins with its scheme, such as file:///");
    }
  }

  void reached(const rule_set& set, const std::string& where, const rule_set& methods,
               std::string_view method) {
    if (!methods.given || !set.given || set.rules.empty()) return;
    bool open = false, shut = false;
    for (const auto& rule : methods.rules) {
      if (!matches_wildcard(rule.pattern, method)) continue;
      (rule.denied ? shut : open) = true;
    }
    if (!open || shut)
      told_.push_back(where + " has no effect: methods allows " + std::string(method) + " to nobody");
  }

 private:
  void say(const std::string& where, const std::string& pattern, const std::string& what) {
    told_.push_back(where + "." + printable(pattern) + " " + what);
  }
  std::vector<std::string>& told_;
};

}  // namespace

std::vector<std::string> doubts_about(const policy_rules& rules, const std::string& tools_at,
                                      const std::string& sections_at) {
  std::vector<std::string> told;
  doubting doubt(told);
  doubt.section(rules.tools, tools_at);
  doubt.section(rules.methods, sections_at + "methods");
  doubt.section(rules.resources, sections_at + "resources");
  doubt.section(rules.prompts, sections_at + "prompts");
  doubt.methods(rules.methods, sections_at + "methods");
  doubt.resources(rules.resources, sections_at + "resources");
  doubt.reached(rules.tools, tools_at, rules.methods, "tools/call");
  doubt.reached(rules.resources, sections_at + "resources", rules.methods, "resources/read");
  doubt.reached(rules.prompts, sections_at + "prompts", rules.methods, "prompts/get");
  return told;
}

}  // namespace mcp_oauth
