#include "doctor/print_symptom.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

json::string text(std::string_view value) { return json::string(value.data(), value.size()); }

void line(std::string& out, std::string_view name, std::string_view words) {
  if (words.empty()) return;
  std::string padded(name);
  padded.resize(10, ' ');
  out += "  " + padded + std::string(words) + "\n";
}

}  // namespace

std::string guides_of(const symptom& row) {
  std::vector<std::string> titles;
  for (const auto& known : known_words_of(row.code)) {
    std::string title(title_of(known.from));
    if (!title.empty() && !holds(titles, title)) titles.push_back(title);
  }
  return join(titles, "; ");
}

std::string_view check_of(const symptom& row) {
  struct family {
    std::string_view prefix, command;
  };
  for (const auto& [prefix, command] : std::initializer_list<family>{
           {"MOP-TOK-001",
            "curl -i YOUR_URL/mcp: 401 with WWW-Authenticate is right; then let the client sign in"},
           {"MOP-AUD-002", "curl YOUR_URL/.well-known/oauth-protected-resource/mcp"},
           {"MOP-TOK", "mcp-oauth-proxy explain-token"},
           {"MOP-SIG", "mcp-oauth-proxy explain-token"},
           {"MOP-AUD", "mcp-oauth-proxy explain-token"},
           {"MOP-TIM", "mcp-oauth-proxy explain-token"},
           {"MOP-DPO", "mcp-oauth-proxy explain-token"},
           {"MOP-ISS-001", "mcp-oauth-proxy explain-token"},
           {"MOP-ISS", "mcp-oauth-proxy check-config"},
           {"MOP-SCP-003", "curl YOUR_URL/.well-known/oauth-authorization-server"},
           {"MOP-SCP", "mcp-oauth-proxy explain-token"},
           {"MOP-POL", "mcp-oauth-proxy check-config"},
           {"MOP-UPS", "curl YOUR_URL/health/mcp-server"},
           {"MOP-IDP", "mcp-oauth-proxy check-config"},
           {"MOP-STO", "curl YOUR_URL/health/database"},
           {"MOP-CFG", "mcp-oauth-proxy check-config"},
           {"MOP-TLS", "mcp-oauth-proxy check-config"},
           {"MOP-LIS", "mcp-oauth-proxy check-config"},
           {"MOP-FIL", "mcp-oauth-proxy check-config"},
           {"MOP-KEY", "mcp-oauth-proxy check-config"},
           {"MOP-ADT", "curl YOUR_URL/health"},
           {"MOP-RED", "curl YOUR_URL/.well-known/oauth-authorization-server"},
           {"MOP-SIN", "mcp-oauth-proxy bridge --help"},
           {"MOP-BRI", "mcp-oauth-proxy bridge --help"},
       }) {
    if (row.id.starts_with(prefix)) return command;
  }
  return "mcp-oauth-proxy explain --last";
}

std::string page_of(const symptom& row) { return "docs/reference/errors.md#" + std::string(row.id); }

std::string to_text(std::span<const found_symptom> found, bool colour) {
  std::string out;
  for (const auto& f : found) {
    const auto& r = *f.row;
    if (!out.empty()) out += "\n";
    auto title = std::string(r.id) + "  " + std::string(r.description.empty() ? r.name : r.description);
    out += (colour ? "\033[1m" + title + "\033[0m" : title) + "\n";
    if (f.words != r.description && f.words != r.id && f.words != r.cause)
      line(out, f.exact ? "met as" : "near", f.words);
    auto status = r.status == 0 ? "" : std::to_string(r.status) + " " + std::string(r.oauth_error);
    line(out, "status", trim(status));
    line(out, "cause", r.cause);
    line(out, "fix", r.fix);
    line(out, "check", check_of(r));
    line(out, "guide", guides_of(r));
    line(out, "page", page_of(r));
  }
  return out;
}

json::object row_json(const symptom& row) {
  json::object o;
  o["id"] = text(row.id);
  o["name"] = text(row.name);
  o["title"] = text(row.description);
  o["cause"] = text(row.cause);
  o["fix"] = text(row.fix);
  o["verify"] = text(check_of(row));
  o["guide"] = text(guides_of(row));
  o["page"] = text(page_of(row));
  return o;
}

json::object to_json(std::span<const found_symptom> found) {
  json::object o;
  o["version"] = 1;
  o["kind"] = "symptoms";
  json::array rows;
  for (const auto& f : found) {
    auto one = row_json(*f.row);
    one["words"] = text(f.words);
    one["exact"] = f.exact;
    rows.push_back(std::move(one));
  }
  o["symptoms"] = std::move(rows);
  return o;
}

std::string explain_schema() {
  return R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "mcp-oauth-proxy explain --json",
  "type": "object",
  "required": ["version", "kind"],
  "properties": {"version": {"const": 1}, "kind": {"enum": ["request", "login", "symptoms", "list"]}},
  "oneOf": [
    {
      "properties": {
        "kind": {"enum": ["request", "login"]},
        "first": {"anyOf": [{"$ref": "#/$defs/cause"}, {"type": "null"}]},
        "request": {"anyOf": [{"$ref": "#/$defs/request"}, {"type": "null"}]},
        "opening": {
          "type": ["object", "null"],
          "required": ["id", "time", "hop", "words"],
          "properties": {
            "id": {"type": "string"}, "time": {"type": "string"},
            "hop": {"enum": ["gateway", "metadata", "register"]}, "words": {"type": "string"}
          }
        },
        "sign_in": {"enum": ["signing_in", "code_given", "ended", null]},
        "policy": {
          "type": ["object", "null"],
          "required": ["rules", "scopes", "would_allow"],
          "properties": {
            "rules": {
              "type": "array",
              "items": {
                "type": "object",
                "required": ["section", "pattern", "applies", "allows", "missing_scopes", "why"],
                "properties": {
                  "section": {"type": "string"}, "pattern": {"type": "string"},
                  "applies": {"type": "boolean"}, "allows": {"type": "boolean"},
                  "missing_scopes": {"$ref": "#/$defs/texts"}, "why": {"type": "string"}
                }
              }
            },
            "scopes": {"$ref": "#/$defs/texts"},
            "would_allow": {"type": "string"}
          }
        },
        "hops": {
          "type": "array",
          "items": {
            "type": "object",
            "required": ["hop", "verdict", "id", "time", "code", "detail", "certain"],
            "properties": {
              "hop": {"enum": ["client", "gateway", "metadata", "registration", "authorize", "consent", "sign-in",
                               "identity provider", "callback", "token", "validation", "policy", "upstream"]},
              "verdict": {"enum": ["passed", "failed", "trouble", "not_reached"]},
              "id": {"type": "string"}, "time": {"type": "string"}, "code": {"type": ["string", "null"]},
              "detail": {"type": "string"}, "certain": {"type": "boolean"}
            }
          }
        },
        "later": {"type": "array", "items": {"$ref": "#/$defs/cause"}}
      },
      "required": ["first", "request", "policy", "sign_in", "hops", "later"]
    },
    {
      "properties": {"kind": {"const": "symptoms"}, "symptoms": {"type": "array", "items": {"$ref": "#/$defs/found"}}},
      "required": ["symptoms"]
    },
    {
      "properties": {"kind": {"const": "list"}, "failures": {"type": "array", "items": {"$ref": "#/$defs/request"}}},
      "required": ["failures"]
    }
  ],
  "$defs": {
    "texts": {"type": "array", "items": {"type": "string"}},
    "row": {
      "type": "object",
      "required": ["id", "name", "title", "cause", "fix", "verify", "guide", "page"],
      "properties": {
        "id": {"type": "string", "pattern": "^MOP-[A-Z]{3}-[0-9]{3}$"}, "name": {"type": "string"},
        "title": {"type": "string"}, "cause": {"type": "string"}, "fix": {"type": "string"},
        "verify": {"type": "string"}, "guide": {"type": "string"}, "page": {"type": "string"}
      }
    },
    "found": {
      "allOf": [{"$ref": "#/$defs/row"}],
      "required": ["words", "exact"],
      "properties": {"words": {"type": "string"}, "exact": {"type": "boolean"}}
    },
    "cause": {
      "type": "object",
      "required": ["id", "seen", "expected", "check", "severity"],
      "properties": {
        "id": {"type": "string"}, "seen": {"type": "string"}, "expected": {"type": "string"},
        "check": {"type": "string"}, "severity": {"enum": ["failure", "warning"]}
      }
    },
    "request": {
      "type": "object",
      "required": ["id", "time", "status", "count"],
      "properties": {
        "id": {"type": "string"}, "time": {"type": "string"}, "status": {"type": "integer"},
        "count": {"type": "integer", "minimum": 1}, "last_time": {"type": "string"}, "ids": {"$ref": "#/$defs/texts"}
      }
    }
  }
}
)";
}

}  // namespace mcp_oauth
