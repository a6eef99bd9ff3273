#pragma once

#include "config/value.h"
#include "config/yaml.h"
#include "policy/rule.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// The grammar of `tools:` and the sections like it: PATTERN: [scopes], {any_of: [scopes]}, {all_of:
// [scopes]}, {public: true} or {denied: true}, the first four with `when: {claim.NAME: …, argument.NAME: …}`
// if wanted.
class rule_reader {
 public:
  // `shown`: the value, fit for display; may be "".
  using refuse_fn =
      std::function<void(const std::string& here, int line, const std::string& shown, config_flaw flaw)>;
  // `environment`: of the variables in values; null: they stand for themselves.
  rule_reader(const environment_fn* environment, refuse_fn refuse)
      : environment_(environment), refuse_(std::move(refuse)) {}

  // What is wrong is told and left out. `takes_arguments`: whether conditions may look at arguments.
  void rules(const yaml_node& map, const std::string& where, bool takes_arguments,
             std::vector<access_rule>& into) const;
  // ABOVE: [BELOW, …]. Refuses circles.
  void hierarchy(const yaml_node& map, const std::string& where, scope_hierarchy& into) const;

 private:
  void rule(const std::string& pattern, int line, const yaml_node& node, const std::string& where,
            bool takes_arguments, std::vector<access_rule>& into) const;
  bool rule_map(const yaml_node& node, int line, std::string here, bool takes_arguments,
                access_rule& into) const;
  bool scopes(const yaml_node& node, int line, const std::string& here, std::vector<std::string>& into) const;
  bool conditions(const yaml_node& node, int line, const std::string& here, bool takes_arguments,
                  std::vector<rule_condition>& into) const;
  bool tests(const yaml_node& node, int line, const std::string& here, bool negated,
             rule_condition& into) const;
  bool one_test(const std::string& name, const yaml_node& node, int line, const std::string& here,
                bool negated, rule_condition& into) const;
  std::optional<std::vector<std::string>> values(const yaml_node& node, int line,
                                                 const std::string& here) const;
  std::optional<std::string> text(const yaml_node& node, int line, const std::string& here) const;
  bool truth(const yaml_node& node, int line, const std::string& here, bool& into) const;
  bool no(const std::string& here, int line, config_flaw flaw, const std::string& shown = "") const {
    refuse_(here, line, shown, std::move(flaw));
    return false;
  }

  const environment_fn* environment_;
  refuse_fn refuse_;
};

// "a map", "a list", "a single value", "empty".
std::string_view kind_name(const yaml_node& node);

}  // namespace mcp_oauth
