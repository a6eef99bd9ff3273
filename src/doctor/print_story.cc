#include "doctor/print_story.h"

#include "base/text.h"
#include "doctor/print_symptom.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view red = "31", green = "32", yellow = "33", faint = "2", bold = "1";

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

json::array list(const std::vector<std::string>& values) {
  json::array all;
  for (const auto& one : values) all.push_back(text(one));
  return all;
}

std::string_view word_of(told_hop::verdict how) {
  switch (how) {
    case told_hop::verdict::passed: return "passed";
    case told_hop::verdict::failed: return "failed";
    case told_hop::verdict::trouble: return "trouble";
    case told_hop::verdict::not_reached: return "not_reached";
  }
  return "";
}

std::string_view word_of(sign_in_progress::stage how) {
  switch (how) {
    case sign_in_progress::stage::unknown: return "";
    case sign_in_progress::stage::signing_in: return "signing_in";
    case sign_in_progress::stage::code_given: return "code_given";
    case sign_in_progress::stage::ended: return "ended";
  }
  return "";
}

std::string time_of(std::int64_t ms) {
  return ms == 0 ? "" : to_iso8601(time_point(std::chrono::milliseconds(ms)));
}

std::string padded(std::string_view word, std::size_t width) {
  std::string out(word);
  out.resize(std::max(out.size() + 1, width), ' ');
  return out;
}

// "aud a, expected b" in its two halves.
std::pair<std::string, std::string> seen_and_expected(const std::string& detail) {
  constexpr std::string_view between = ", expected ";
  auto at = detail.find(between);
  if (at == std::string::npos) return {detail, ""};
  return {detail.substr(0, at), detail.substr(at + between.size())};
}

std::string who(const failure_story& s) {
  std::string out = s.user.empty() ? "" : s.user;
  if (!s.client_id.empty()) out += (out.empty() ? "" : " ") + ("client " + s.client_id);
  if (!s.client.empty()) out += (out.empty() ? "" : " ") + ("from " + s.client);
  return out;
}

std::string what(const failure_story& s) {
  std::string out;
  if (!s.mcp_method.empty()) {
    out = s.mcp_method + (s.mcp_name.empty() ? "" : " " + s.mcp_name);
  } else {
    out = s.method + (s.path.empty() ? "" : " " + s.path);
  }
  if (!s.upstream.empty()) out += " at " + s.upstream;
  if (!s.provider.empty()) out += " with " + s.provider;
  return out;
}

std::string_view fix_of(const symptom& r, const failure_story& s) {
  if (!s.fix.empty()) return s.fix;
  // That of the catalogue leads here.
  if (r.code == errc::policy_denied && !s.rules.empty())
    return "Add a line that allows it, or mend the one that does not: each is told here with its reason.";
  return r.fix;
}

std::string why_not(const failure_story::rule& r) {
  if (!r.applies) return "is for other names";
  if (r.denied) return "is denied to everybody";
  std::vector<std::string> parts;
  if (!r.missing_scopes.empty()) parts.push_back("lacks " + join(r.missing_scopes, " "));
  if (!r.unmet.empty()) parts.push_back("wants " + join(r.unmet, ", "));
  return parts.empty() ? "allows it" : join(parts, "; ");
}

// What became of a request that others may have followed.
std::string words_of(const failure_story::step& opening) {
  if (opening.hop == "gateway")
    return "This request got a plain 401, which is no failure: every sign-in begins so.";
  return "This request read the metadata, which is no failure: every sign-in begins so.";
}

class page {
 public:
  explicit page(bool colour) : colour_(colour) {}

  std::string in(std::string_view how, std::string_view words) const {
    if (!colour_) return std::string(words);
    return "\033[" + std::string(how) + "m" + std::string(words) + "\033[0m";
  }

  std::string mark(told_hop::verdict how) const {
    switch (how) {
      case told_hop::verdict::passed: return in(green, "✓");
      case told_hop::verdict::failed: return in(red, "✗");
      case told_hop::verdict::trouble: return in(yellow, "!");
      case told_hop::verdict::not_reached: return in(faint, "–");
    }
    return "";
  }

  void line(std::string_view name, std::string_view words) {
    if (!words.empty()) out += "  " + padded(name, 10) + std::string(words) + "\n";
  }

  void row(const symptom& r, const failure_story& s) {
    auto [seen, expected] = seen_and_expected(s.detail);
    line("seen", seen);
    line("expected", expected);
    line("cause", s.cause.empty() ? r.cause : s.cause);
    line("fix", fix_of(r, s));
    line("check", check_of(r));
    line("guide", guides_of(r));
    line("page", page_of(r));
  }

  void rules(const failure_story& s) {
    if (s.rules.empty() && s.would_allow.empty()) return;
    out += "\nThe rules for " + (s.mcp_name.empty() ? s.mcp_method : s.mcp_name) + "\n";
    for (const auto& r : s.rules) {
      auto how = !r.applies   ? told_hop::verdict::not_reached
                 : r.allows() ? told_hop::verdict::passed
                              : told_hop::verdict::failed;
      out += "  " + mark(how) + " " + padded(r.section, 12) + padded(r.pattern, 20) + why_not(r) + "\n";
    }
    line("has", s.scopes.empty() ? "no scopes" : "the scopes " + join(s.scopes, " "));
    line("needs", s.would_allow.empty() ? "a rule that allows it: no scope would help" : s.would_allow);
  }

  static bool asked_for_tokens(const told_story& told) {
    auto asks = [](const failure_story& s) { return s.action == "token"; };
    return (told.first && asks(*told.first)) || std::any_of(told.later.begin(), told.later.end(), asks);
  }

  // How a sign-in stands.
  std::string standing(const told_story& told) const {
    using stage = sign_in_progress::stage;
    auto until = time_of(told.until);
    switch (told.how) {
      case stage::unknown: return "";
      case stage::signing_in: return "nobody has signed in: the page was left, or waits, until " + until;
      case stage::code_given:
        return asked_for_tokens(told)
                   ? "the client has a code, which is good until " + until
                   : "the client has a code, and did not ask for tokens; good until " + until;
      case stage::ended:
        return told.first ? "the client got its tokens after all" : "the client got its tokens";
    }
    return "";
  }

  void hops(const told_story& told) {
    out += told.is_login ? "\nThe way of this sign-in\n" : "\nThe way of this request\n";
    for (const auto& h : told.hops) {
      auto where = h.hop + (h.probable ? " (probably)" : "");
      out += "  " + mark(h.how) + " " + padded(where, 24);
      auto when = time_of(h.at);
      std::string rest = padded(when.empty() ? "" : when.substr(11, 12), 13) + padded(h.id, 14);
      if (!h.code.empty()) rest += h.code + "  ";
      if (h.how == told_hop::verdict::not_reached) rest += "not reached";
      if (h.code.empty() || !told.later.empty()) rest += h.detail;
      while (!rest.empty() && rest.back() == ' ') rest.pop_back();
      out += rest + "\n";
    }
  }

  std::string out;

 private:
  bool colour_;
};

json::object cause_json(const failure_story& s) {
  const auto* row = find_by_id(s.code);
  auto o = row == nullptr ? json::object{{"id", text(s.code)}} : row_json(*row);
  auto [seen, expected] = seen_and_expected(s.detail);
  o["seen"] = text(seen);
  o["expected"] = text(expected);
  o["check"] = row == nullptr ? text("gateway") : text(hop_of(*row, s.action));
  if (!s.cause.empty()) o["cause"] = text(s.cause);
  if (row != nullptr) o["fix"] = text(fix_of(*row, s));
  o["severity"] = s.finished ? "warning" : "failure";
  return o;
}

json::object request_json(const failure_story& s) {
  json::object o;
  o["id"] = text(s.id);
  o["time"] = text(time_of(s.at));
  o["status"] = s.status;
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const std::string&>>{{"method", s.method},
                                                                         {"path", s.path},
                                                                         {"client", s.client},
                                                                         {"user", s.user},
                                                                         {"client_id", s.client_id},
                                                                         {"issuer", s.issuer},
                                                                         {"provider", s.provider},
                                                                         {"mcp_method", s.mcp_method},
                                                                         {"mcp_name", s.mcp_name},
                                                                         {"upstream", s.upstream}}) {
    if (!value.empty()) o[name] = text(value);
  }
  o["count"] = s.count;
  if (s.count > 1) o["last_time"] = text(time_of(s.last_at));
  if (!s.ids.empty()) o["ids"] = list(s.ids);
  return o;
}

json::value policy_json(const failure_story& s) {
  if (s.rules.empty() && s.would_allow.empty()) return nullptr;
  json::array rules;
  for (const auto& r : s.rules) {
    json::object one;
    one["section"] = text(r.section);
    one["pattern"] = text(r.pattern);
    one["applies"] = r.applies;
    one["allows"] = r.allows();
    one["missing_scopes"] = list(r.missing_scopes);
    one["why"] = text(why_not(r));
    rules.push_back(std::move(one));
  }
  json::object o;
  o["rules"] = std::move(rules);
  o["scopes"] = list(s.scopes);
  o["would_allow"] = text(s.would_allow);
  return o;
}

}  // namespace

std::string to_text(const told_story& told, bool colour) {
  page p(colour);
  if (told.opening)
    p.out += p.in(bold, words_of(*told.opening)) + "\nIt probably began the sign-in below.\n\n";
  if (!told.first) {
    bool ended = told.how == sign_in_progress::stage::ended;
    p.out += (ended ? p.in(green, "✓") : p.in(yellow, "!")) + " " +
             p.in(bold, ended ? "This sign-in ended well" : "This sign-in is not finished") + "\n";
    p.line("sign-in", p.standing(told));
    p.hops(told);
    return p.out;
  }
  const auto& s = *told.first;
  const auto* row = find_by_id(s.code);
  auto mark = s.finished ? p.in(yellow, "!") : p.in(red, "✗");
  p.out +=
      mark + " " + p.in(bold, s.code + (row == nullptr ? "" : "  " + std::string(row->description))) + "\n";
  p.line("request",
         s.id + "  " + time_of(s.at) +
             (s.count > 1 ? "  " + std::to_string(s.count) + " times, the last " + time_of(s.last_at) +
                                (s.ids.empty() ? "" : " (" + s.ids.back() + ")")
                          : ""));
  p.line("who", who(s));
  p.line("what", what(s));
  if (row != nullptr) p.row(*row, s);
  p.line("sign-in", p.standing(told));
  p.rules(s);
  p.hops(told);
  if (!told.later.empty()) {
    p.out += "\nWhat followed\n";
    for (const auto& l : told.later) {
      const auto* its = find_by_id(l.code);
      p.out += "  " + time_of(l.at) + "  " + l.id + "  " + l.code +
               (its == nullptr ? "" : "  " + std::string(its->description)) + "\n";
    }
  }
  return p.out;
}

std::string list_text(std::span<const failure_story> newest, bool colour) {
  page p(colour);
  for (const auto& s : newest) {
    auto times = s.count > 1 ? "  (" + std::to_string(s.count) + " times)" : "";
    p.out += time_of(s.count > 1 ? s.last_at : s.at) + "  " + s.id + "  " +
             p.in(s.finished ? yellow : red, s.code) + "  " + who(s) + "  " + what(s) + times + "\n";
  }
  return p.out;
}

json::object to_json(const told_story& told) {
  json::object o;
  o["version"] = 1;
  o["kind"] = told.is_login ? "login" : "request";
  if (told.opening) {
    o["opening"] = json::object{{"id", text(told.opening->id)},
                                {"time", text(time_of(told.opening->at))},
                                {"hop", text(told.opening->hop)},
                                {"words", text(words_of(*told.opening))}};
  } else {
    o["opening"] = nullptr;
  }
  if (told.first) {
    o["first"] = cause_json(*told.first);
    o["request"] = request_json(*told.first);
    o["policy"] = policy_json(*told.first);
  } else {
    for (auto member : {"first", "request", "policy"}) o[member] = nullptr;
  }
  o["sign_in"] = told.how == sign_in_progress::stage::unknown ? json::value(nullptr)
                                                              : json::value(text(word_of(told.how)));
  json::array hops;
  for (const auto& h : told.hops) {
    json::object one;
    one["hop"] = text(h.hop);
    one["verdict"] = text(word_of(h.how));
    one["id"] = text(h.id);
    one["time"] = text(time_of(h.at));
    one["code"] = h.code.empty() ? json::value(nullptr) : json::value(text(h.code));
    one["detail"] = text(h.detail);
    one["certain"] = !h.probable;
    hops.push_back(std::move(one));
  }
  o["hops"] = std::move(hops);
  json::array later;
  for (const auto& l : told.later) {
    auto one = cause_json(l);
    one["request"] = request_json(l);
    later.push_back(std::move(one));
  }
  o["later"] = std::move(later);
  return o;
}

json::object list_json(std::span<const failure_story> newest) {
  json::object o;
  o["version"] = 1;
  o["kind"] = "list";
  json::array all;
  for (const auto& s : newest) {
    auto one = request_json(s);
    one["code"] = text(s.code);
    all.push_back(std::move(one));
  }
  o["failures"] = std::move(all);
  return o;
}

}  // namespace mcp_oauth
