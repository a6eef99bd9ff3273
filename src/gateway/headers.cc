#include "gateway/headers.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

// To servers that turn names into variables, `_` and `-` are one character (CGI, WSGI), and to some
// everything is that is neither letter nor digit.
constexpr char fold(char c) {
  auto lower = to_lower(c);
  bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
  return plain ? lower : '-';
}

bool is(std::string_view name, std::string_view folded) {
  if (name.size() != folded.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (fold(name[i]) != folded[i]) return false;
  }
  return true;
}

bool begins(std::string_view name, std::string_view folded) {
  return name.size() >= folded.size() && is(name.substr(0, folded.size()), folded);
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& folded) {
  return std::any_of(folded.begin(), folded.end(), [&](auto f) { return is(name, f); });
}

constexpr std::array<std::string_view, 13> of_the_connection = {"connection",
                                                                "keep-alive",
                                                                "proxy-connection",
                                                                "proxy-authenticate",
                                                                "proxy-authorization",
                                                                "te",
                                                                "trailer",
                                                                "transfer-encoding",
                                                                "upgrade",
                                                                "http2-settings",
                                                                "content-length",
                                                                "host",
                                                                "expect"};

// `origin` is ours because we have judged it: to the upstream we are the client, and no browser.
// `mcp-session-id` is ours because the id that the client knows is not the one that the upstream gave.
// `dpop` proves something to us alone, about a token that does not go on.
// The method and the address of a request are in its first line, where we judged them.
constexpr std::array<std::string_view, 18> ours = {"authorization",
                                                   "dpop",
                                                   "cookie",
                                                   "forwarded",
                                                   "x-real-ip",
                                                   "x-request-id",
                                                   "origin",
                                                   "mcp-session-id",
                                                   "x-client-ip",
                                                   "x-cluster-client-ip",
                                                   "true-client-ip",
                                                   "cf-connecting-ip",
                                                   "fastly-client-ip",
                                                   "x-http-method",
                                                   "x-http-method-override",
                                                   "x-method-override",
                                                   "x-original-url",
                                                   "x-rewrite-url"};
constexpr std::array<std::string_view, 6> our_prefixes = {"x-forwarded-", "x-remote-",   "remote-",
                                                          "x-mop-",       "x-original-", "x-rewrite-"};

// Where a server finds who calls: in what we send ourselves, as do gateways whose names servers know …
constexpr std::array<std::string_view, 17> naming_a_person = {"x-user",
                                                              "x-client-id",
                                                              "x-forwarded-user",
                                                              "x-forwarded-email",
                                                              "x-forwarded-name",
                                                              "x-forwarded-token",
                                                              "x-forwarded-groups",
                                                              "x-forwarded-preferred-username",
                                                              "x-forwarded-access-token",
                                                              "remote-user",
                                                              "remote-email",
                                                              "remote-name",
                                                              "remote-groups",
                                                              "x-remote-user",
                                                              "x-remote-email",
                                                              "x-remote-name",
                                                              "x-remote-groups"};
constexpr std::array<std::string_view, 2> families_naming_a_person = {"x-user-", "x-auth-request-"};
// … and in what only other proxies send: Kong, Grafana's, Google's and Azure's.
constexpr std::array<std::string_view, 2> of_other_proxies = {"x-goog-iap-jwt-assertion",
                                                              "x-ms-client-principal"};
constexpr std::array<std::string_view, 4> families_of_other_proxies = {
    "x-authenticated-", "x-webauth-", "x-goog-authenticated-user-", "x-ms-client-principal-"};

constexpr std::array<std::string_view, 11> mcp_needs = {
    "accept",     "accept-encoding", "accept-language", "cache-control", "content-type", "last-event-id",
    "user-agent", "traceparent",     "tracestate",      "baggage",       "via"};

constexpr std::array<std::string_view, 10> not_of_this_server = {
    "www-authenticate",          "set-cookie",   "server", "x-request-id",    "alt-svc",
    "strict-transport-security", "x-powered-by", "via",    "clear-site-data", "mcp-session-id"};

template <std::size_t N>
bool begins_one_of(std::string_view name, const std::array<std::string_view, N>& folded) {
  return std::any_of(folded.begin(), folded.end(), [&](auto f) { return begins(name, f); });
}

bool is_word_of_other_proxies(std::string_view name) {
  return is_one_of(name, of_other_proxies) || begins_one_of(name, families_of_other_proxies);
}

bool may_tell_who_calls(std::string_view name) {
  return is_one_of(name, naming_a_person) || begins_one_of(name, families_naming_a_person) ||
         is_word_of_other_proxies(name);
}

bool is_ours(std::string_view name) {
  // Most names of a request start otherwise; ours start with one of these.
  switch (fold(name.front())) {
    case 'a':
    case 'c':
    case 'd':
    case 'f':
    case 'm':
    case 'o':
    case 'r':
    case 't':
    case 'x': break;
    default: return false;
  }
  return is_one_of(name, ours) || begins_one_of(name, our_prefixes) || may_tell_who_calls(name);
}

bool is_of_the_connection(std::string_view name) {
  switch (fold(name.front())) {
    case 'c':
    case 'k':
    case 'p':
    case 't':
    case 'u':
    case 'h':
    case 'e': return is_one_of(name, of_the_connection);
    default: return false;
  }
}

bool is_trace_context(std::string_view name) { return is(name, "traceparent") || is(name, "tracestate"); }

bool nominated(std::string_view connection_value, std::string_view name) {
  while (!connection_value.empty()) {
    auto end = std::min(connection_value.find(','), connection_value.size());
    if (equal_ignoring_case(trim(connection_value.substr(0, end)), name)) return true;
    connection_value.remove_prefix(std::min(end + 1, connection_value.size()));
  }
  return false;
}

bool names_fields(const field& f) {
  return is(f.name, "connection") && !equal_ignoring_case(f.value, "keep-alive") &&
         !equal_ignoring_case(f.value, "close");
}

std::string with_hyphens(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::vector<std::string> lower_all(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const auto& n : names) out.push_back(to_lower(n));
  return out;
}

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& p) { return matches_wildcard(p, name); });
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += name;
  out += ": ";
  out += identity_value(value);
  out += "\r\n";
}

}  // namespace

bool may_be_read_as(std::string_view name, std::string_view folded) { return is(name, folded); }

header_rules::header_rules(const header_settings& conf, traces whose)
    : allowed_(lower_all(conf.forward)),
      blocked_(lower_all(conf.blocked)),
      traces_are_ours_(whose == traces::are_ours),
      sends_trace_(!matches_any(blocked_, "traceparent")),
      sends_trace_state_(sends_trace_ && !matches_any(blocked_, "tracestate")) {
  for (auto& pattern : blocked_) pattern = with_hyphens(std::move(pattern));
}

bool header_rules::passes(std::string_view name) const {
  if (is_of_the_connection(name) || (is_ours(name) && !is_handed_on(name, allowed_))) return false;
  if (traces_are_ours_ && is_trace_context(name)) return false;
  if (allowed_.empty() && blocked_.empty()) return true;
  auto lower = to_lower(name);
  if (!blocked_.empty() && matches_any(blocked_, with_hyphens(lower))) return false;
  return allowed_.empty() || is_one_of(lower, mcp_needs) || begins(lower, "mcp-") ||
         matches_any(allowed_, lower);
}

header_rules::decision header_rules::judge(std::string_view name) const {
  if (is_of_the_connection(name)) return {false, "belongs to the connection"};
  if (is(name, "authorization")) return {false, "replaced: see upstream_authorization"};
  if (is(name, "cookie")) return {false, "belongs to the gateway's own pages"};
  if (is(name, "origin")) return {false, "was judged here"};
  if (is(name, "mcp-session-id")) return {false, "replaced by the MCP server's own"};
  if (is_word_of_other_proxies(name) && !is_handed_on(name, allowed_))
    return {false, "says who calls, and is not listed in forward_headers by its whole name"};
  if (is_ours(name) && !is_handed_on(name, allowed_)) return {false, "is set by the gateway alone"};
  if (traces_are_ours_ && is_trace_context(name)) return {false, "continued by the gateway's own"};
  auto lower = to_lower(name);
  auto listed = [&](const std::vector<std::string>& patterns, const std::string& written) {
    return std::find_if(patterns.begin(), patterns.end(),
                        [&](const auto& p) { return matches_wildcard(p, written); });
  };
  if (auto by = listed(blocked_, with_hyphens(lower)); by != blocked_.end())
    return {false, "listed in blocked_headers (" + *by + ")"};
  if (allowed_.empty()) return {true, "forward_headers names none, so every one passes"};
  if (is_one_of(lower, mcp_needs) || begins(lower, "mcp-")) return {true, "needed by MCP"};
  if (auto by = listed(allowed_, lower); by != allowed_.end())
    return {true, "listed in forward_headers (" + *by + ")"};
  return {false, "not listed in forward_headers"};
}

bool names_a_credential(std::string_view name) {
  constexpr std::array<std::string_view, 9> telling = {"auth",     "cookie",  "token",     "secret",    "key",
                                                       "password", "session", "signature", "credential"};
  auto lower = to_lower(name);
  return std::any_of(telling.begin(), telling.end(),
                     [&](auto part) { return lower.find(part) != std::string::npos; });
}

// Few messages name anything.
connection_options::connection_options(std::span<const field> of)
    : of_(of), any_(std::any_of(of.begin(), of.end(), names_fields)) {}

bool connection_options::name(std::string_view field_name) const {
  // More than one Connection line is one list (RFC 9110 §5.3).
  return any_ && std::any_of(of_.begin(), of_.end(), [&](const field& f) {
           return names_fields(f) && nominated(f.value, field_name);
         });
}

void append_request_fields(std::string& out, std::span<const field> from, const header_rules& rules) {
  connection_options connection(from);
  for (const auto& f : from) {
    if (!rules.passes(f.name)) continue;
    if (connection.name(f.name)) continue;
    out += f.name;
    out += ": ";
    out += f.value;
    out += "\r\n";
  }
}

std::string identity_lines(const access_claims& who) {
  std::string lines;
  append_line(lines, "X-User-Id", who.subject);
  append_line(lines, "X-User-Email", who.email);
  append_line(lines, "X-User-Name", who.name);
  append_line(lines, "X-User-Provider", who.provider);
  append_line(lines, "X-Client-Id", who.client_id);
  return lines;
}

std::optional<injected_field> injected(const access_claims& who, std::string_view name) {
  auto is_named = [&](std::string_view known) { return equal_ignoring_case(name, known); };
  if (is_named("X-Forwarded-User")) return injected_field{"X-Forwarded-User", identity_value(who.subject)};
  if (is_named("X-Forwarded-Email")) return injected_field{"X-Forwarded-Email", identity_value(who.email)};
  if (is_named("X-Forwarded-Name")) return injected_field{"X-Forwarded-Name", identity_value(who.name)};
  return std::nullopt;
}

std::string issuer_line(const access_claims& who) {
  std::string line;
  append_line(line, "X-User-Issuer", who.issuer);
  return line;
}

std::string injected_lines(const access_claims& who, std::span<const std::string> names) {
  std::string lines;
  for (const auto& name : names) {
    auto one = injected(who, name);
    if (one && !one->value.empty()) lines.append(one->name).append(": ").append(one->value).append("\r\n");
  }
  return lines;
}

std::string identity_value(std::string_view text) {
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    auto byte = static_cast<unsigned char>(c);
    // Blanks around a value are none of it (RFC 9110 §5.5): "ada " would be read as "ada".
    bool lost = c == ' ' && (i == 0 || i + 1 == text.size());
    if (lost || byte < 0x20 || byte >= 0x7F || c == '%') {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

bool names_a_person(std::string_view name) {
  // Scripts send X-User-Agent, which names a program.
  return !name.empty() && may_tell_who_calls(name) && !is(name, "x-user-agent");
}

bool is_handed_on(std::string_view name, std::span<const std::string> forward_headers) {
  return is_word_of_other_proxies(name) &&
         std::any_of(forward_headers.begin(), forward_headers.end(),
                     [&](const auto& listed) { return equal_ignoring_case(listed, name); });
}

bool response_field_passes(std::string_view name) {
  if (is_of_the_connection(name) || begins(name, "access-control-")) return false;
  switch (fold(name.front())) {
    case 'w':
    case 's':
    case 'x':
    case 'a':
    case 'v':
    case 'c':
    case 'm': return !is_one_of(name, not_of_this_server);
    default: return true;
  }
}

}  // namespace mcp_oauth
