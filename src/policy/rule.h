#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

enum class scopes_needed { all, any };

// One test of a value. Of several `values` one is enough. A value that servers could read in more than one
// way passes neither a test nor its negation: a number or a boolean where a text is tested, a path that is
// not plain.
struct value_test {
  enum class operation {
    equals,       // a text as it stands; a number by its value, true and false by their names
    starts_with,  // these three of texts only
    matches,      // `*` matches any run of characters
    inside,       // a plain path (no dot segments, no doubled or encoded separators) in that folder
    exists        // takes no values
  };
  operation what = operation::equals;
  std::vector<std::string> values = {};
  bool negated = false;

  friend bool operator==(const value_test&, const value_test&) = default;
};

// What has to hold of a claim of the caller or of an argument of the call: all tests.
// Of a claim with many values one has to pass, and with `negated` none may; of an argument with many, each.
// A value that is absent, null or an empty list passes only `exists` negated, unless `optional`; an object
// passes only `exists`.
struct rule_condition {
  enum class source { claim, argument };
  source of = source::claim;
  std::string path = {};  // "realm_access.roles": a dot leads into an object
  std::vector<value_test> tests = {};
  bool optional = false;

  friend bool operator==(const rule_condition&, const rule_condition&) = default;
};

// One line of `tools:` and of the sections like it.
struct access_rule {
  std::string pattern;  // `*` matches any run of characters
  std::vector<std::string> scopes = {};
  scopes_needed needed = scopes_needed::all;
  bool denied = false;  // to everybody, whatever else is written
  std::vector<rule_condition> when = {};

  friend bool operator==(const access_rule&, const access_rule&) = default;
};

// A section. Once it is given, what no rule of it names is denied.
struct rule_set {
  bool given = false;
  std::vector<access_rule> rules = {};

  friend bool operator==(const rule_set&, const rule_set&) = default;
};

// Who holds the first scope holds the others as well, and what those give.
using scope_hierarchy = std::vector<std::pair<std::string, std::vector<std::string>>>;

}  // namespace mcp_oauth
