#include "policy/condition.h"

#include "base/form.h"
#include "base/text.h"
#include "mcp/folded.h"
#include "oauth/issuer_token.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace mcp_oauth {
namespace {

using operation = value_test::operation;

// One value as a test sees it.
struct leaf {
  std::optional<std::string_view> text;
  const json::value* other = nullptr;  // a number or a boolean
};

// Of plain paths.
bool is_inside(std::string_view path, std::string_view folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
  if (!path.starts_with(folder)) return false;
  return path.size() == folder.size() || folder == "/" || path[folder.size()] == '/';
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool equals(const json::value& value, std::string_view wanted) {
  if (value.is_bool()) return wanted == (value.as_bool() ? "true" : "false");
  if (value.is_int64()) {
    if (auto whole = number_in<std::int64_t>(wanted)) return *whole == value.as_int64();
  }
  if (value.is_uint64()) {
    if (auto whole = number_in<std::uint64_t>(wanted)) return *whole == value.as_uint64();
  }
  auto number = number_in<double>(wanted);
  return number && value.is_number() && *number == value.to_number<double>();
}

bool begins_alike(std::string_view path, std::string_view folder) {
  return path.starts_with('/') == folder.starts_with('/');
}

// Some servers decode a text that is JSON wherever they want no text.
bool may_be_decoded(const leaf& one) {
  if (!one.text) return false;
  auto first = one.text->find_first_not_of(" \t\r\n");
  return first != std::string_view::npos &&
         std::string_view("[{\"").find((*one.text)[first]) != std::string_view::npos;
}

// `unclear` passes neither the test nor its `not`: servers would read the value in more than one way.
enum class verdict { no, yes, unclear };

verdict judge(const leaf& one, const value_test& test) {
  const auto& values = test.values;
  auto any = [&](auto fits) {
    return std::any_of(values.begin(), values.end(), fits) ? verdict::yes : verdict::no;
  };
  if (test.what == operation::exists) return verdict::yes;
  if (!one.text) {
    if (test.what != operation::equals) return verdict::unclear;
    return any([&](const auto& v) { return equals(*one.other, v); });
  }
  auto text = *one.text;
  switch (test.what) {
    case operation::equals: return any([&](const auto& v) { return text == v; });
    case operation::starts_with: return any([&](const auto& v) { return text.starts_with(v); });
    case operation::matches: return any([&](const auto& v) { return matches_wildcard(v, text); });
    case operation::inside:
      if (!is_plain_file_path(text)) return verdict::unclear;
      if (any([&](const auto& v) { return is_inside(text, v); }) == verdict::yes) return verdict::yes;
      // Where a relative path begins is not known here.
      return any([&](const auto& v) { return !begins_alike(text, v); }) == verdict::yes ? verdict::unclear
                                                                                        : verdict::no;
    case operation::exists: break;
  }
  return verdict::yes;
}

// What was found at a path: how many values, and how many of them pass each test, or fail it.
class findings {
 public:
  explicit findings(const rule_condition& of) : of_(of) {}

  void take(std::string_view text) { count({text, nullptr}); }
  void take(const json::value& value) {
    switch (value.kind()) {
      case json::kind::null: missing_ = true; break;
      case json::kind::array:
        if (value.as_array().empty()) missing_ = true;
        for (const auto& one : value.as_array()) take(one);
        break;
      case json::kind::object: is_object_ = true; break;
      case json::kind::string:
        take(std::string_view(value.as_string().data(), value.as_string().size()));
        break;
      default: count({std::nullopt, &value});
    }
  }
  void miss() { missing_ = true; }
  void confuse() { confused_ = true; }

  bool hold() const {
    if (confused_) return false;
    bool of_existence = std::all_of(of_.tests.begin(), of_.tests.end(),
                                    [](const auto& t) { return t.what == operation::exists; });
    bool absent = values_ == 0 && !is_object_;
    if (absent) {
      bool wanted_absent = of_existence && !of_.tests.empty() && of_.tests.front().negated;
      return wanted_absent || of_.optional;
    }
    if (is_object_ && !of_existence) return false;
    // Of an argument nothing may be left unjudged.
    if (missing_ && of_.of == rule_condition::source::argument && !of_existence) return false;
    for (std::size_t i = 0; i < of_.tests.size(); ++i) {
      if (!holds_for(of_.tests[i], i)) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t most_tests = 16;

  void count(const leaf& one) {
    ++values_;
    bool decoded = of_.of == rule_condition::source::argument && may_be_decoded(one);
    for (std::size_t i = 0; i < of_.tests.size() && i < most_tests; ++i) {
      if (decoded && of_.tests[i].negated) continue;
      auto said = judge(one, of_.tests[i]);
      if (said == verdict::yes) ++passed_[i];
      if (said == verdict::no) ++failed_[i];
    }
  }
  bool holds_for(const value_test& test, std::size_t i) const {
    if (test.what == operation::exists) return !test.negated;
    if (i >= most_tests) return false;
    if (test.negated) return failed_[i] == values_;
    return of_.of == rule_condition::source::claim ? passed_[i] > 0 : passed_[i] == values_;
  }

  const rule_condition& of_;
  std::size_t values_ = 0;
  std::array<std::size_t, most_tests> passed_{}, failed_{};
  bool missing_ = false;    // somewhere on the way, or as a value
  bool is_object_ = false;  // one of the values
  bool confused_ = false;
};

json::string_view view(std::string_view s) { return {s.data(), s.size()}; }

void walk(const json::value& from, std::string_view path, bool strict, findings& into);

void walk_object(const json::object& from, std::string_view path, bool strict, findings& into) {
  auto dot = std::min(path.find('.'), path.size());
  auto name = path.substr(0, dot);
  auto rest = path.substr(std::min(dot + 1, path.size()));
  if (strict) {
    for (const auto& member : from) {
      std::string_view key(member.key().data(), member.key().size());
      if (key != name && equal_folded(name, key)) return into.confuse();
    }
  }
  const auto* found = from.if_contains(view(name));
  if (found == nullptr) return into.miss();
  if (rest.empty()) return into.take(*found);
  walk(*found, rest, strict, into);
}

void walk(const json::value& from, std::string_view path, bool strict, findings& into) {
  if (from.is_object()) return walk_object(from.as_object(), path, strict, into);
  // A text there could be JSON, and the value stand in it.
  if (strict && !from.is_array() && !from.is_null()) return into.confuse();
  if (!from.is_array()) return into.miss();
  if (from.as_array().empty()) into.miss();
  for (const auto& one : from.as_array()) walk(one, path, strict, into);
}

void walk_ours(const access_claims& c, std::string_view name, findings& into) {
  struct text_claim {
    std::string_view name;
    std::string access_claims::* value;
  };
  static constexpr text_claim texts[] = {
      {"iss", &access_claims::issuer},   {"sub", &access_claims::subject},
      {"aud", &access_claims::audience}, {"client_id", &access_claims::client_id},
      {"jti", &access_claims::token_id}, {"provider", &access_claims::provider},
      {"email", &access_claims::email},  {"name", &access_claims::name},
  };
  if (name == "scope") {
    for (const auto& scope : c.scopes) into.take(scope);
    return;
  }
  for (const auto& t : texts) {
    if (t.name == name && !(c.*t.value).empty()) return into.take(c.*t.value);
  }
}

// The scopes of a token are one text in which blanks stand between them (RFC 8693 §4.2).
void walk_theirs(const json::object& claims, std::string_view path, findings& into) {
  const auto* whole = claims.if_contains(view(path));
  if (path == "scope" && whole != nullptr && whole->is_string()) {
    for (const auto& scope : split_words({whole->as_string().data(), whole->as_string().size()}))
      into.take(std::string_view(scope));
    return;
  }
  if (path == "email" && denies_email(claims)) return into.miss();
  // A name may have dots of its own: "https://example.com/roles".
  if (whole != nullptr) return into.take(*whole);
  walk_object(claims, path, false, into);
}

std::string_view name_of(operation what) {
  switch (what) {
    case operation::equals: return "is";
    case operation::starts_with: return "starts_with";
    case operation::matches: return "matches";
    case operation::inside: return "inside";
    case operation::exists: return "exists";
  }
  return "";
}

}  // namespace

bool is_plain_file_path(std::string_view path) {
  for (char c : path) {
    auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\' || c == '%') return false;
  }
  if (path.starts_with(' ') || path.ends_with(' ') || path.starts_with('~')) return false;
  if (path.substr(0, path.find('/')).find(':') != std::string_view::npos) return false;
  bool first = true;
  while (!path.empty()) {
    auto end = std::min(path.find('/'), path.size());
    auto segment = path.substr(0, end);
    bool last = end == path.size();
    if (segment == "." || segment == "..") return false;
    if (segment.empty() && !first && !last) return false;
    first = false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

bool holds(const rule_condition& what, const claims_view& claims, const json::object* arguments) {
  findings found(what);
  if (what.of == rule_condition::source::argument) {
    if (arguments != nullptr) walk_object(*arguments, what.path, true, found);
  } else if (claims.theirs != nullptr) {
    walk_theirs(*claims.theirs, what.path, found);
  } else if (claims.ours != nullptr) {
    walk_ours(*claims.ours, what.path, found);
  }
  return found.hold();
}

std::string describe(const rule_condition& what) {
  std::string text = what.of == rule_condition::source::claim ? "claim." : "argument.";
  text += what.path;
  bool first = true;
  for (const auto& test : what.tests) {
    text += first ? " " : " and ";
    first = false;
    if (test.negated) text += "not ";
    text += name_of(test.what);
    if (!test.values.empty()) text += " " + join(test.values, " or ");
  }
  return text + (what.optional ? " or is absent" : "");
}

}  // namespace mcp_oauth
