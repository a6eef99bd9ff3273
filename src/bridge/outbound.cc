#include "bridge/outbound.h"

#include "base/ip_address.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_url = 8 * 1024;

// RFC 3986 lets a host name hold nearly anything; one that resolves holds these.
bool is_plain_host(const url& u) {
  if (u.host.empty()) return false;
  if (u.host_is_ipv6) return true;
  return std::all_of(u.host.begin(), u.host.end(),
                     [](char c) {
                       return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                              c == '-' || c == '.' || c == '_';
                     }) &&
         !is_disguised_address(u.host);
}

std::string shown(std::string_view text, std::size_t most = 100) {
  std::string out;
  for (char c : text.substr(0, most)) out += c >= ' ' && c < 0x7F ? c : '?';
  if (text.size() > most) out += "…";
  return out;
}

}  // namespace

std::string shown_address(std::string_view text) { return shown(text, 300); }

bool is_inner_host(std::string_view host) {
  host = host.substr(0, host.find_last_not_of('.') + 1);
  if (is_loopback_host(host)) return true;
  if (auto address = ip_address::parse(host)) return !is_public(*address);
  if (host.find('.') == std::string_view::npos) return true;
  constexpr auto inner = std::to_array<std::string_view>(
      {".internal", ".local", ".lan", ".home.arpa", ".test", ".localhost", ".intranet", ".corp"});
  return std::any_of(inner.begin(), inner.end(), [&](std::string_view end) { return host.ends_with(end); });
}

outbound_rules outbound_rules::of(const bridge_settings& settings) {
  outbound_rules rules;
  rules.allow_insecure_http = settings.danger_allow_insecure_http;
  auto server = url::parse(settings.upstream.url);
  if (server) rules.server_host = server->host;
  rules.allow_inner = settings.sign_in.allow_inner_addresses || is_inner_host(rules.server_host);
  return rules;
}

result<url> usable_url(std::string_view text, std::string_view who, const outbound_rules& rules) {
  auto name = std::string(who);
  if (text.size() > longest_url) return fail(errc::sign_in_url_refused, name + " is longer than 8 KiB");
  auto parsed = url::parse(text);
  if (!parsed) {
    return fail(errc::sign_in_url_refused,
                name + " is no URL: " + parsed.error().detail + " (" + shown(text) + ")");
  }
  if (!parsed->is_http()) {
    return fail(errc::sign_in_url_refused, name + " must use http or https, got \"" + parsed->scheme + ":\"");
  }
  if (!is_plain_host(*parsed) || parsed->has_fragment) {
    return fail(errc::sign_in_url_refused, name + " has no plain host, or a fragment: " + shown(text));
  }
  if (parsed->scheme == "http" && !parsed->is_loopback() && !rules.allow_insecure_http) {
    return fail(errc::sign_in_url_refused,
                name + " uses cleartext http to a non-loopback host (" + parsed->host +
                    "), which would leak OAuth2 credentials/tokens. Use https, target a loopback address, or "
                    "set allowInsecureHttp / ALLOW_INSECURE_HTTP=true to override. As a flag: --allow-http.");
  }
  return std::move(*parsed);
}

result<url> openable_url(std::string_view text, std::string_view who, const outbound_rules& rules,
                         named_by whom) {
  auto usable = usable_url(text, who, rules);
  if (!usable) return usable;
  if (text.find_first_of("$'()*!;") != std::string_view::npos) {
    return fail(errc::sign_in_url_refused,
                std::string(who) + " holds characters that a shell might act on: " + shown(text));
  }
  bool chosen = whom == named_by::user || rules.allow_inner || usable->host == rules.server_host;
  if (!chosen && is_inner_host(usable->host)) {
    return fail(errc::sign_in_url_refused, std::string(who) + " is at an inner host that the server chose (" +
                                               shown(usable->host) +
                                               "); if that is meant, set oauth2.allowInnerAddresses");
  }
  return usable;
}

fetch_rules rules_for(const url& to, named_by whom, const outbound_rules& rules) {
  fetch_rules made;
  bool trusted = whom == named_by::user || rules.allow_inner || to.host == rules.server_host;
  made.allowed = trusted ? addresses::any : addresses::public_only;
  return made;
}

fetch_rules rules_by_proxy(const url& to, fetch_rules rules) {
  if (to.scheme == "https" && !is_inner_host(to.host)) rules.allowed = addresses::any;
  return rules;
}

result<void> check_destination(const url& to, const fetch_rules& rules) {
  if (rules.allowed != addresses::public_only || !is_inner_host(to.host)) return {};
  return fail(errc::address_refused,
              to.origin() + ": " + to.host + " is not a public address, nor a public name");
}

}  // namespace mcp_oauth
