#include "oauth/redirect_uri.h"

#include "base/text.h"
#include "base/url.h"

#include <algorithm>
#include <array>
#include <optional>

namespace mcp_oauth {
namespace {

constexpr std::array<std::string_view, 12> known_schemes = {
    "cursor", "vscode", "vscode-insiders", "vscodium", "code-oss", "windsurf",
    "zed",    "claude", "raycast",         "warp",     "goose",    "lmstudio",
};

// Schemes that something between the browser and the operating system acts upon by itself: scripts, documents
// out of the URI, local files, other protocols, messages. None can be listed as private-use.
constexpr std::array<std::string_view, 62> refused_schemes = {
    "about",   "acap",         "aim",        "apt",
    "blob",    "callto",       "chrome",     "chrome-extension",
    "cid",     "content",      "data",       "dav",
    "dict",    "dns",          "edge",       "facetime",
    "feed",    "file",         "filesystem", "ftp",
    "ftps",    "geo",          "git",        "gopher",
    "http",    "https",        "imap",       "intent",
    "irc",     "jar",          "javascript", "jdbc",
    "ldap",    "ldaps",        "livescript", "mailto",
    "mhtml",   "mid",          "mocha",      "moz-extension",
    "ms-msdt", "ms-officecmd", "news",       "nfs",
    "nntp",    "pop",          "res",        "resource",
    "rtsp",    "search-ms",    "sftp",       "sip",
    "sms",     "smb",          "ssh",        "tel",
    "telnet",  "urn",          "vbscript",   "view-source",
    "ws",      "wss",
};

// Names of RFC 6749 §4.1.2, §4.1.2.1 and RFC 9207: a copy in the registered query would make two of them.
constexpr std::array<std::string_view, 6> answer_parameters = {
    "code", "state", "iss", "error", "error_description", "error_uri"};

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A host that ends in a number is an IPv4 address to a browser, in decimal, octal or hex, in one to four
// parts: only the form that shows what it is passes.
bool is_disguised_ipv4(std::string_view host) {
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  auto last = host.substr(host.rfind('.') + 1);
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  bool number = std::all_of(last.begin(), last.end(), is_digit) || last.substr(0, 2) == "0x";
  if (!number) return false;
  auto parts = split_words(host, '.');
  bool quad = parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
                auto value = parse_decimal(part);
                return value && *value <= 255 && std::to_string(*value) == part;
              });
  return !quad;
}

bool is_plain_host(const url& u) {
  if (u.host_is_ipv6) return true;
  if (is_disguised_ipv4(u.host)) return false;
  if (u.host.empty() || u.host.front() == '.' || u.host.find("..") != std::string::npos) return false;
  return std::all_of(u.host.begin(), u.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

// Whether host and port are written as they will be shown: the parser forgives zeros before a port.
bool is_plain_authority(std::string_view uri, const url& u) {
  auto start = uri.find("://") + 3;
  auto authority = uri.substr(start, std::min(uri.find_first_of("/?#", start), uri.size()) - start);
  auto plain = u.host_is_ipv6 ? "[" + u.host + "]" : u.host;
  if (u.port != 0) plain += ":" + std::to_string(u.port);
  return equal_ignoring_case(authority, plain);
}

bool has_escaped_control(std::string_view uri) {
  for (auto at = uri.find('%'); at != std::string_view::npos; at = uri.find('%', at + 1)) {
    auto byte = percent_decode(uri.substr(at, 3));
    if (byte && (static_cast<unsigned char>(byte->front()) < 0x20 || byte->front() == 0x7F)) return true;
  }
  return false;
}

std::string shortened(std::string_view scheme) { return std::string(scheme.substr(0, 40)); }

// What stands before and after the port of an http URI with a loopback host, as written.
struct around_port {
  std::string_view before;
  std::string_view after;
  friend bool operator==(const around_port&, const around_port&) = default;
};

std::optional<around_port> split_at_loopback_port(std::string_view uri) {
  auto parsed = url::parse(uri);
  if (!parsed || parsed->scheme != "http" || !parsed->is_loopback()) return std::nullopt;
  auto authority = uri.find("://") + 3;
  auto path = std::min(uri.find_first_of("/?#", authority), uri.size());
  auto host_end = uri[authority] == '[' ? uri.find(']', authority) + 1 : uri.find(':', authority);
  return around_port{uri.substr(0, std::min(host_end, path)), uri.substr(path)};
}

}  // namespace

std::span<const std::string_view> known_private_use_schemes() { return known_schemes; }

result<void> check_redirect_uri_form(std::string_view uri) {
  if (uri.size() > longest_redirect_uri)
    return fail(errc::redirect_uri_refused, "longer than 2048 characters");
  auto parsed = url::parse(uri);
  if (!parsed) return fail(errc::redirect_uri_refused, parsed.error().detail);
  // RFC 6749 §3.1.2
  if (parsed->has_fragment) return fail(errc::redirect_uri_refused, "a fragment");
  if (has_escaped_control(uri)) return fail(errc::redirect_uri_refused, "an escaped control character");
  if (!parsed->host.empty() && !is_plain_host(*parsed)) {
    return fail(errc::redirect_uri_refused, "no plain host name or address; wildcards are not supported");
  }
  if (parsed->is_http() && !is_plain_authority(uri, *parsed)) {
    return fail(errc::redirect_uri_refused, "host or port not in their plain form");
  }
  auto query = form::parse(parsed->query);
  if (!query) return fail(errc::redirect_uri_refused, "its query: " + query.error().detail);
  for (const auto& [name, value] : *query) {
    if (contains(answer_parameters, name)) return fail(errc::redirect_uri_refused, "its query holds " + name);
  }
  if (parsed->scheme == "https") return {};
  if (parsed->scheme == "http") {
    // RFC 8252 §7.3, §8.3
    if (!parsed->is_loopback())
      return fail(errc::redirect_uri_refused, "plain http to a host that is not loopback");
    return {};
  }
  if (contains(refused_schemes, parsed->scheme)) {
    return fail(errc::redirect_uri_refused, "scheme " + shortened(parsed->scheme));
  }
  // RFC 8252 §7.1. The slash tells `com.example.app:/cb` from `example.com:443`.
  if (parsed->host.empty() && (parsed->path.empty() || parsed->path.front() != '/')) {
    return fail(errc::redirect_uri_refused, "no path after scheme " + shortened(parsed->scheme));
  }
  return {};
}

result<void> check_redirect_uri_registrable(std::string_view uri, const server_rules& rules) {
  auto form_ok = check_redirect_uri_form(uri);
  if (!form_ok) return form_ok;
  auto there = url::parse(uri), here = url::parse(rules.issuer);
  if (there && here && there->is_http() && there->origin() == here->origin())
    return fail(errc::redirect_uri_refused, "an address of this server itself");
  auto scheme = to_lower(uri.substr(0, uri.find(':')));
  if (scheme == "https" || scheme == "http") return {};
  if (scheme.find('.') != std::string::npos || contains(known_schemes, scheme)) return {};
  for (const auto& allowed : rules.private_use_schemes) {
    if (equal_ignoring_case(allowed, scheme)) return {};
  }
  return fail(errc::redirect_uri_refused, "private-use scheme " + shortened(scheme) + " is not allowed here");
}

bool redirect_uri_matches(std::string_view registered, std::string_view requested) {
  if (registered == requested) return true;
  auto a = split_at_loopback_port(registered);
  return a && a == split_at_loopback_port(requested);
}

redirect_target describe_redirect_uri(std::string_view uri) {
  auto parsed = url::parse(uri);
  if (!parsed || !check_redirect_uri_form(uri)) return {};
  if (!parsed->is_http()) return {redirect_kind::application, parsed->scheme};
  return {parsed->is_loopback() ? redirect_kind::loopback : redirect_kind::web, parsed->authority()};
}

std::string redirect_with(std::string_view redirect_uri, const form& parameters) {
  std::string location(redirect_uri);
  auto encoded = parameters.encode();
  if (encoded.empty()) return location;
  auto query = location.find('?');
  if (query == std::string::npos) {
    location += '?';
  } else if (query + 1 != location.size() && location.back() != '&') {
    location += '&';
  }
  return location + encoded;
}

}  // namespace mcp_oauth
