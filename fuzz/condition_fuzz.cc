// rooms: config
// A line with what `when` asks for, then the arguments of a call: what is allowed is what the rule's author
// would have allowed, whichever of two readings a server has, of names that differ in case and of paths.
#include "base/json.h"
#include "base/text.h"
#include "config/policy_document.h"
#include "policy/condition.h"
#include "policy/policy.h"
#include "require.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace mcp_oauth;
using operation = value_test::operation;

std::string_view text_of(const json::string& s) { return {s.data(), s.size()}; }

// All values that some reader could find at the path. A single value on the way, which one may decode, lets
// nothing pass.
void find_values(const json::value& at, std::string_view path, bool any_case,
                 std::vector<const json::value*>& found) {
  if (at.is_array()) {
    for (const auto& one : at.as_array()) find_values(one, path, any_case, found);
  } else if (!path.empty() && !at.is_object()) {
    require(at.is_null());
  } else if (path.empty()) {
    if (!at.is_null()) found.push_back(&at);
  } else if (at.is_object()) {
    auto dot = path.find('.');
    auto name = path.substr(0, dot);
    auto rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    for (const auto& member : at.as_object()) {
      std::string_view key(member.key().data(), member.key().size());
      if (key == name || (any_case && equal_ignoring_case(key, name)))
        find_values(member.value(), rest, any_case, found);
    }
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  auto lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Where a server ends up that decodes, takes either slash, and resolves dots.
std::string place_of(std::string_view path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size() && path[i] != '\0'; ++i) {
    bool encoded =
        path[i] == '%' && i + 2 < path.size() && hex_digit(path[i + 1]) >= 0 && hex_digit(path[i + 2]) >= 0;
    char c = encoded ? static_cast<char>(hex_digit(path[i + 1]) * 16 + hex_digit(path[i + 2])) : path[i];
    if (encoded) i += 2;
    c = c == '\\' ? '/' : c;
    if (c != '/' || plain.empty() || plain.back() != '/') plain += c;
  }
  auto normal = std::filesystem::path(plain).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal == "." ? "" : normal;
}

bool is_within(std::string_view path, std::string_view folder) {
  auto place = place_of(path), root = place_of(folder);
  return place == root || (root == "/" ? place.starts_with('/') : place.starts_with(root + "/"));
}

bool fits_wildcard(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*')
    return !text.empty() && text[0] == pattern[0] && fits_wildcard(pattern.substr(1), text.substr(1));
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (fits_wildcard(pattern.substr(1), text.substr(i))) return true;
  }
  return false;
}

bool is_same_number(const json::value& number, const std::string& wanted) {
  return std::strtod(wanted.c_str(), nullptr) == number.to_number<double>();
}

// Whether the value passes that one value of a test; nothing where only a text could be judged.
std::optional<bool> fits(const json::value& value, operation what, const std::string& wanted) {
  if (value.is_object()) return std::nullopt;
  if (!value.is_string()) {
    if (what != operation::equals) return std::nullopt;
    return value.is_bool() ? wanted == (value.as_bool() ? "true" : "false") : is_same_number(value, wanted);
  }
  auto text = text_of(value.as_string());
  switch (what) {
    case operation::equals: return text == wanted;
    case operation::starts_with: return text.starts_with(wanted);
    case operation::matches:
      return std::count(wanted.begin(), wanted.end(), '*') > 4 ? std::nullopt
                                                               : std::optional(fits_wildcard(wanted, text));
    case operation::inside: return is_within(text, wanted);
    case operation::exists: break;
  }
  return true;
}

// Whether a text might be read as something else than the path that it is: JSON, another folder to begin at.
bool is_unclear(const json::value& value, const value_test& test) {
  if (!value.is_string()) return false;
  auto text = text_of(value.as_string());
  auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && (text[first] == '[' || text[first] == '{' || text[first] == '"'))
    return true;
  if (test.what != operation::inside) return false;
  auto segment = text.substr(0, text.find('/'));
  if (text.starts_with(' ') || text.ends_with(' ') || text.starts_with('~') ||
      segment.find(':') != std::string::npos)
    return true;
  return std::any_of(test.values.begin(), test.values.end(), [&](const auto& folder) {
    return text.starts_with('/') != std::string_view(folder).starts_with('/');
  });
}

// What has to be so of every value of an argument where the test held.
void require_of_argument(const json::value& value, const value_test& test) {
  if (test.what == operation::exists) return require(!test.negated);
  require(!test.negated || !is_unclear(value, test));
  bool some = false, all_known = true;
  for (const auto& wanted : test.values) {
    bool long_pattern = test.what == operation::matches && std::count(wanted.begin(), wanted.end(), '*') > 4;
    auto known = fits(value, test.what, wanted);
    require(known.has_value() || long_pattern);
    all_known = all_known && known.has_value();
    // 0.1 and the text of another number may be one double: not the values that a `not` lists as they are
    // written.
    bool only_rounded =
        known == true && test.negated && value.is_number() && json::serialize(value) != wanted;
    some = some || (known == true && !only_rounded);
  }
  require(test.negated ? !some : some || !all_known);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  auto [asked, given] = first_line(::text_of(data, size));
  auto document = read_policy_document("tools: {t: {when: {" + std::string(asked) + "}}}");
  auto arguments = parse_json(given);
  if (!document || !arguments || document->rules.tools.rules.size() != 1) return 0;
  const auto& rule = document->rules.tools.rules[0];
  for (const auto& c : rule.when) require(!describe(c).empty());

  auto body = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":)" +
              std::string(given) + "}}";
  envelope_scanner scanner;
  if (!scanner.feed(body) || !scanner.finish()) return 0;
  const auto* object = arguments->if_object();
  policy rules(rules_for(*document, {}, {}));
  caller who{"somebody", "client", {}, {nullptr, object}};
  bool allowed = authorize(rules, who, scanner.seen(), body).has_value();

  bool all = !rule.denied && rule.scopes.empty();
  bool unreadable = object == nullptr && !arguments->is_null();
  for (const auto& c : rule.when) {
    bool of_argument = c.of == rule_condition::source::argument;
    all = all && holds(c, who.claims, object) && !(of_argument && unreadable);
  }
  require(allowed == (all && rule.pattern == "t"));
  if (!allowed) return 0;
  require(may_list(rules, who, listed::tool, "t"));
  for (const auto& c : rule.when) {
    if (c.of != rule_condition::source::argument) continue;
    std::vector<const json::value*> found;
    find_values(*arguments, c.path, true, found);
    bool absence = std::any_of(c.tests.begin(), c.tests.end(),
                               [](const auto& t) { return t.what == operation::exists && t.negated; });
    require(!found.empty() || c.optional || absence);
    for (const auto* value : found) {
      for (const auto& test : c.tests) require_of_argument(*value, test);
    }
  }
  return 0;
}
