#include "app/watched_call.h"

#include "app/gateway_service.h"
#include "base/text.h"
#include "oauth/redact.h"
#include "policy/near_miss.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_value = 200;

std::string shown(std::string_view name, std::string_view value) {
  if (names_a_credential(name)) return "***";
  // Before it is cut: half of a secret does not look like one.
  auto clean = without_secrets(value);
  if (clean.size() <= longest_value) return clean;
  return clean.substr(0, longest_value) + "…";
}

// The fields of a head, behind its first line.
std::vector<field> fields_of(std::string_view head) {
  std::vector<field> fields;
  auto at = head.find("\r\n");
  while (at != std::string_view::npos) {
    head.remove_prefix(at + 2);
    at = head.find("\r\n");
    auto line = head.substr(0, at);
    auto colon = line.find(": ");
    if (colon != std::string_view::npos) fields.push_back({line.substr(0, colon), line.substr(colon + 2)});
  }
  return fields;
}

trace_note header_note(std::string_view name, std::string_view value, std::string_view fate,
                       std::string rule) {
  return {topic::proxy_headers,
          std::string(name) + " " + std::string(fate) + ": " + rule,
          {{"header", std::string(name)},
           {"value", shown(name, value)},
           {"decision", std::string(fate)},
           {"rule", std::move(rule)}}};
}

}  // namespace

std::vector<trace_note> header_notes(std::span<const field> came, const header_rules& rules,
                                     std::string_view sent) {
  std::vector<trace_note> notes;
  auto left = fields_of(sent);
  for (const auto& f : came) {
    auto decision = rules.judge(f.name);
    auto kept = std::find_if(left.begin(), left.end(),
                             [&](const field& s) { return s.name == f.name && s.value == f.value; });
    if (decision.passes && kept != left.end()) {
      left.erase(kept);
      notes.push_back(header_note(f.name, f.value, "kept", decision.rule));
    } else {
      auto rule = decision.passes ? std::string("named by the Connection header") : decision.rule;
      notes.push_back(header_note(f.name, f.value, "dropped", std::move(rule)));
    }
  }
  for (const auto& f : left) notes.push_back(header_note(f.name, f.value, "set", "by the gateway"));
  return notes;
}

std::string field_names(std::string_view sent) {
  std::string names;
  for (const auto& f : fields_of(sent)) names.append(names.empty() ? "" : ", ").append(f.name);
  return names;
}

trace_note request_note(std::string_view sent, const upstream& to) {
  auto line = sent.substr(0, sent.find(" HTTP/1.1"));
  // A query may hold what a client should have put elsewhere.
  auto asked = path_without_secrets(line.substr(0, line.find('?')));
  return {topic::proxy_request,
          asked + " to " + to.target.key,
          {{"upstream", to.where.conf().name}, {"query", line.find('?') < line.size() ? "***" : ""}}};
}

trace_note message_note(const envelope& message) {
  using kind = enum envelope::kind;
  std::string what = message.kind == kind::request        ? "request"
                     : message.kind == kind::notification ? "notification"
                     : message.kind == kind::response     ? "response"
                     : message.kind == kind::batch        ? "batch"
                                                          : "no message";
  return {topic::mcp_message,
          what + (message.method.empty() ? "" : " " + message.method),
          {{"mcp_method", message.method}, {"mcp_name", message.name}, {"id", message.id}}};
}

trace_note response_note(const net::response_head& head, const upstream& to) {
  return {topic::proxy_response,
          std::to_string(head.status) + " from " + to.target.key,
          {{"upstream", to.where.conf().name},
           {"status", std::to_string(head.status)},
           {"content_type", std::string(head.find("content-type").value_or(""))}}};
}

trace_note validated_note(const credential& who) {
  if (!who.token) return {topic::token_validate, "no token is needed", {}};
  const auto& c = who.claims();
  return {topic::token_validate,
          "the access token is valid",
          {{"user_id", c.subject},
           {"client_id", c.client_id},
           {"audience", c.audience},
           {"scope", join(c.scopes, " ")},
           {"expires", to_iso8601(c.expires)}}};
}

trace_note refused_note(const error& why) {
  const auto& row = explain(why.code);
  return {topic::token_validate,
          "the access token is refused: " + std::string(row.description),
          {{"symptom", std::string(row.id)}, {"reason", std::string(row.name)}, {"detail", why.detail}}};
}

std::vector<trace_note> decision_notes(const refusal& why) {
  std::vector<trace_note> notes;
  for (const auto& rule : why.trace) {
    auto name = std::string(rule.section) + "." + printable(rule.pattern);
    notes.push_back({topic::policy_decision,
                     name + (rule.allows() ? " allows it" : " does not allow it"),
                     {{"rule", name},
                      {"denied", rule.denied ? "to everybody" : ""},
                      {"missing_scopes", join(rule.missing_scopes, " ")},
                      {"unmet", join(rule.unmet, ", ")}}});
  }
  const auto& row = explain(why.code);
  notes.push_back(
      {topic::policy_decision,
       "refused: " + std::string(row.description),
       {{"reason", std::string(row.name)}, {"detail", why.detail}, {"would_allow", why.would_allow}}});
  return notes;
}

void gateway_service::watch_refusal(const net::exchange& x, const snapshot& rules, const refusal& why) {
  for (const auto& note : decision_notes(why)) watch(rules, x, note);
}

// Whatever a note is about, clients and servers have a say in its texts.
void gateway_service::watch(const snapshot& rules, const net::exchange& x, trace_note note) {
  note.message = without_secrets(note.message);
  for (auto& [name, value] : note.fields) value = without_secrets(value);
  append_trace(lines_, rules.style, note, x.request_id(), std::chrono::system_clock::now());
}

void gateway_service::watch_forwarding(const net::exchange& x, const upstream& to, const snapshot& rules,
                                       const envelope& message, std::string_view upstream_head) {
  if (rules.watched.has(topic::mcp_message) && x.head().method == "POST")
    watch(rules, x, message_note(message));
  if (rules.watched.has(topic::proxy_request)) watch(rules, x, request_note(upstream_head, to));
  if (!rules.watched.has(topic::proxy_headers)) return;
  for (const auto& note : header_notes(x.head().fields, to.headers, upstream_head)) watch(rules, x, note);
}

void gateway_service::warn_of_path(const upstream& to, std::string_view path) const {
  const auto& conf = to.where.conf();
  if (!parts_.first_time_of || !parts_.first_time_of(conf.name, "path")) return;
  auto asked = path_without_secrets(to.where.upstream_path(path));
  error why{errc::path_unknown, "404 for " + asked + " of " + conf.url};
  parts_.log->event(log_level::warn, "proxy",
                    "the MCP server knows no such path: is that of its url right? Most serve /mcp", &why);
}

}  // namespace mcp_oauth
