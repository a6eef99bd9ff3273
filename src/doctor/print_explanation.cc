#include "doctor/print_explanation.h"

#include "base/text.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view red = "31", green = "32", yellow = "33", faint = "2", bold = "1";

std::string_view word_of(finding verdict) {
  switch (verdict) {
    case finding::ok: return "ok";
    case finding::fails: return "fails";
    case finding::cannot_be_told: return "cannot_be_told";
    case finding::not_asked: return "not_asked";
  }
  return "";
}

std::string_view word_of(token_outcome outcome) {
  switch (outcome) {
    case token_outcome::opens: return "opens";
    case token_outcome::refused: return "refused";
    case token_outcome::unclear: return "unclear";
  }
  return "";
}

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

json::array list(const std::vector<std::string>& values) {
  json::array all;
  for (const auto& one : values) all.push_back(text(one));
  return all;
}

std::string padded(std::string_view word, std::size_t width) {
  std::string out(word);
  out.resize(std::max(out.size() + 1, width), ' ');
  return out;
}

class page {
 public:
  explicit page(bool colour) : colour_(colour) {}

  std::string in(std::string_view how, std::string_view words) const {
    if (!colour_) return std::string(words);
    return "\033[" + std::string(how) + "m" + std::string(words) + "\033[0m";
  }

  std::string mark(finding verdict) const {
    switch (verdict) {
      case finding::ok: return in(green, "✓");
      case finding::fails: return in(red, "✗");
      case finding::cannot_be_told: return in(yellow, "?");
      case finding::not_asked: return in(faint, "–");
    }
    return "";
  }

  void verdict(const token_explanation& told) {
    auto server = told.server + " (" + told.resource + ")";
    switch (told.outcome) {
      case token_outcome::opens: out += in(green, "✓ The token opens ") + server + "\n"; break;
      case token_outcome::refused: out += in(red, "✗ The token does not open ") + server + "\n"; break;
      case token_outcome::unclear:
        out += in(yellow, "? Whether the token opens ") + server + in(yellow, " cannot be told") + "\n";
        break;
    }
  }

  void cause(const explained_check& check) {
    if (!check.code) return;
    const auto& row = explain(*check.code);
    out += "\n" + in(bold, std::string(row.id) + "  " + std::string(row.description)) + "\n";
    line("seen", check.seen);
    line("expected", check.expected);
    line("why", check.why);
    line("cause", row.cause);
    line("fix", row.fix);
  }

  void checks(const token_explanation& told) {
    out += "\nChecks, as a token of " + told.authority + "\n";
    for (std::size_t i = 0; i < told.checks.size(); ++i) {
      const auto& check = told.checks[i];
      auto words = told.first_cause == i ? check.seen : in_one_line(check);
      out += "  " + mark(check.verdict) + " " + padded(check.name, 14) + words;
      if (check.code && check.verdict == finding::fails)
        out += in(faint, "  " + std::string(explain(*check.code).id));
      out += "\n";
    }
  }

  static std::string in_one_line(const explained_check& check) {
    auto words = check.seen;
    if (check.verdict == finding::not_asked) words = "not asked";
    if (check.verdict == finding::cannot_be_told)
      words = "cannot be told" + (words.empty() ? "" : ": " + words);
    if (check.verdict == finding::fails && !check.expected.empty() && words != check.expected)
      words += (words.empty() ? "expected " : "; expected ") + check.expected;
    if (!check.why.empty()) words += (words.empty() ? "" : ": ") + check.why;
    return words;
  }

  void claims(const token_explanation& told) {
    if (told.claims.empty() && told.claims_not_shown.empty()) return;
    bool signed_by_them = std::any_of(told.checks.begin(), told.checks.end(), [](const auto& c) {
      return c.name == "signature" && c.verdict == finding::ok;
    });
    out += signed_by_them ? "\nWhat it says, signed\n" : "\nWhat it says, which nobody has verified\n";
    for (const auto& [name, value] : told.claims) {
      auto shown = value.is_string() ? std::string(value.get_string().data(), value.get_string().size())
                                     : json::serialize(value);
      out += "  " + padded(std::string_view(name.data(), name.size()), 20) + shown + "\n";
    }
    if (!told.claims_not_shown.empty())
      out += "  and " + join(told.claims_not_shown, ", ") + " (not shown)\n";
  }

  void access(const token_explanation& told) {
    if (told.access.empty()) return;
    out += told.outcome == token_outcome::opens ? "\nWhat it unlocks\n" : "\nWhat its claims would unlock\n";
    for (const auto& section : told.access) {
      if (!section.restricted) {
        if (section.name != "methods")
          out += "  " + padded(section.name, 12) + "all: there are no rules for them\n";
        continue;
      }
      if (section.items.empty())
        out += "  " + padded(section.name, 12) + "none: there is no rule that allows one\n";
      for (const auto& item : section.items) one_item(section, item);
    }
  }

  void one_item(const explained_section& of, const explained_item& item) {
    out += "  " + padded(of.name, 12) + mark(item.open ? finding::ok : finding::fails) + " " + item.pattern;
    if (!item.missing_scopes.empty()) out += "  lacks " + join(item.missing_scopes, " ");
    if (!item.would_allow.empty()) out += ", needs " + item.would_allow;
    if (!item.why.empty()) out += " (" + item.why + ")";
    out += "\n";
  }

  void notes(const token_explanation& told) {
    if (!told.notes.empty()) out += "\n";
    for (const auto& note : told.notes) out += in(yellow, "! ") + note + "\n";
  }

  std::string out;

 private:
  void line(std::string_view name, std::string_view words) {
    if (!words.empty()) out += "  " + padded(name, 10) + std::string(words) + "\n";
  }

  bool colour_;
};

json::object to_json(const explained_check& check) {
  json::object one{{"name", check.name}};
  one["verdict"] = text(word_of(check.verdict));
  one["seen"] = check.seen;
  one["expected"] = check.expected;
  one["why"] = check.why;
  one["code"] = nullptr;
  if (check.code) one["code"] = text(explain(*check.code).id);
  return one;
}

json::object to_json(const explained_section& section) {
  json::array items;
  for (const auto& item : section.items) {
    json::object one{{"pattern", item.pattern}, {"open", item.open}};
    one["missing_scopes"] = list(item.missing_scopes);
    one["would_allow"] = item.would_allow;
    one["why"] = item.why;
    items.push_back(std::move(one));
  }
  return {{"restricted", section.restricted}, {"items", std::move(items)}};
}

json::value cause_of(const token_explanation& told) {
  if (!told.first_cause) return nullptr;
  const auto& check = told.checks[*told.first_cause];
  auto one = to_json(check);
  one["check"] = check.name;
  one.erase("name");
  one.erase("verdict");
  if (check.code) {
    const auto& row = explain(*check.code);
    one["symptom"] = text(row.name);
    one["description"] = text(row.description);
    one["cause"] = text(row.cause);
    one["fix"] = text(row.fix);
  }
  return one;
}

}  // namespace

std::string to_text(const token_explanation& told, bool colour) {
  page p(colour);
  p.verdict(told);
  if (told.first_cause) p.cause(told.checks[*told.first_cause]);
  p.checks(told);
  p.claims(told);
  p.access(told);
  p.notes(told);
  return p.out;
}

json::object to_json(const token_explanation& told) {
  json::object all{{"version", 1}};
  all["outcome"] = text(word_of(told.outcome));
  all["at"] = to_iso8601(told.at);
  all["server"] = json::object{{"name", told.server}, {"resource", told.resource}};
  all["authority"] = told.authority;
  all["first_cause"] = cause_of(told);
  json::array checks;
  for (const auto& check : told.checks) checks.push_back(to_json(check));
  all["checks"] = std::move(checks);
  all["header"] = told.header;
  all["claims"] = told.claims;
  all["claims_not_shown"] = list(told.claims_not_shown);
  json::object access;
  for (const auto& section : told.access) access[section.name] = to_json(section);
  all["access"] = std::move(access);
  all["notes"] = list(told.notes);
  return all;
}

}  // namespace mcp_oauth
