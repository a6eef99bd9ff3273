#include "doctor/print_examination.h"

#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view red = "31", green = "32", yellow = "33", faint = "2", bold = "1";

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

std::string id_of(const std::optional<errc>& code) { return code ? std::string(explain(*code).id) : ""; }

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

  std::string mark(severity level) const {
    switch (level) {
      case severity::failure: return in(red, "✗");
      case severity::warning: return in(yellow, "⚠");
      case severity::unknown: return in(yellow, "?");
      case severity::ok: return in(green, "✓");
    }
    return "";
  }

  void verdict(const examination& made) {
    switch (made.verdict()) {
      case examination_verdict::ok: out += in(green, "✓ All is well at ") + made.target + "\n"; break;
      case examination_verdict::warning:
        out += in(yellow, "⚠ It works, and not for everybody: ") + made.target + "\n";
        break;
      case examination_verdict::failed:
        out += in(red, "✗ Something is wrong at ") + made.target + "\n";
        break;
      case examination_verdict::unknown:
        out += in(yellow, "? It cannot be told of ") + made.target + "\n";
        break;
    }
  }

  void first(const doctor_finding& one) {
    out += "\n" + in(bold, id_of(one.code) + "  " + one.title) + "\n";
    line("where", one.where);
    line("seen", one.seen);
    line("expected", one.expected);
    line(one.certain ? "cause" : "likely", one.cause);
    line("fix", one.fix);
    line("verify", one.verify);
  }

  void findings(const examination& made) {
    out += "\nChecks, in the order in which they matter\n";
    for (const auto& one : made.findings) {
      out += "  " + mark(one.level) + " " + padded(one.check, 22) + one.title;
      if (one.code) out += in(faint, "  " + id_of(one.code));
      out += "\n";
      bool told = &one == made.first();
      if (one.level == severity::ok) {
        if (!one.seen.empty()) under(one.seen);
      } else if (!told) {
        if (!one.where.empty()) under(one.where);
        if (!one.seen.empty())
          under("seen " + one.seen + (one.expected.empty() ? "" : "; expected " + one.expected));
        if (!one.fix.empty()) under(one.fix);
      }
    }
  }

  void clients(const examination& made) {
    if (made.clients.empty()) return;
    out += "\nClients\n";
    for (const auto& one : made.clients) {
      auto level = !one.gets_through   ? severity::unknown
                   : *one.gets_through ? severity::ok
                                       : severity::failure;
      out += "  " + mark(level) + " " + padded(one.title, 22);
      if (one.gets_through && *one.gets_through) {
        out += "gets through";
      } else if (one.gets_through) {
        out += "stops at " + one.stops_at;
      } else {
        out += "cannot be told" + (one.stops_at.empty() ? "" : ": " + one.stops_at);
      }
      if (!one.why.empty()) out += ": " + one.why;
      if (one.code) out += in(faint, "  " + id_of(one.code));
      out += "\n";
    }
  }

  std::string out;

 private:
  void line(std::string_view name, std::string_view words) {
    if (!words.empty()) out += "  " + padded(name, 10) + std::string(words) + "\n";
  }
  void under(const std::string& words) { out += "      " + in(faint, words) + "\n"; }

  bool colour_;
};

json::object to_json(const doctor_finding& one) {
  json::object made{{"id", id_of(one.code)}, {"check", one.check}};
  made["severity"] = text(word_of(one.level));
  made["certain"] = one.certain;
  made["title"] = one.title;
  made["seen"] = one.seen;
  made["expected"] = one.expected;
  made["cause"] = one.cause;
  made["fix"] = one.fix;
  made["verify"] = one.verify;
  made["where"] = one.where;
  return made;
}

json::object to_json(const client_outlook& one) {
  json::object made{{"name", one.name}, {"title", one.title}};
  made["gets_through"] = nullptr;
  if (one.gets_through) made["gets_through"] = *one.gets_through;
  made["stops_at"] = nullptr;
  if (!one.stops_at.empty()) made["stops_at"] = one.stops_at;
  made["id"] = nullptr;
  if (one.code) made["id"] = id_of(one.code);
  made["why"] = one.why;
  return made;
}

}  // namespace

std::string_view word_of(severity level) {
  switch (level) {
    case severity::failure: return "failure";
    case severity::warning: return "warning";
    case severity::unknown: return "unknown";
    case severity::ok: return "ok";
  }
  return "";
}

std::string_view word_of(examination_verdict verdict) {
  switch (verdict) {
    case examination_verdict::ok: return "ok";
    case examination_verdict::warning: return "warning";
    case examination_verdict::failed: return "failed";
    case examination_verdict::unknown: return "unknown";
  }
  return "";
}

std::string to_text(const examination& made, bool colour) {
  page p(colour);
  p.verdict(made);
  if (const auto* first = made.first()) p.first(*first);
  p.findings(made);
  p.clients(made);
  return p.out;
}

json::object to_json(const examination& made) {
  json::object all{{"version", 1}, {"target", made.target}};
  all["verdict"] = text(word_of(made.verdict()));
  all["first"] = nullptr;
  if (const auto* first = made.first()) all["first"] = to_json(*first);
  json::array findings, clients;
  for (const auto& one : made.findings) findings.push_back(to_json(one));
  for (const auto& one : made.clients) clients.push_back(to_json(one));
  all["findings"] = std::move(findings);
  all["clients"] = std::move(clients);
  return all;
}

}  // namespace mcp_oauth
