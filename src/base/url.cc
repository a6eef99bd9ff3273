#include "base/url.h"

#include "base/text.h"

#include <algorithm>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace mcp_oauth {
namespace {

constexpr std::string_view host_characters = "abcdefghijklmnopqrstuvwxyz0123456789.-_";

result<std::uint16_t> parse_port(std::string_view digits) {
  auto port = parse_decimal(digits);
  if (!port || *port == 0 || *port > 65535) return fail(errc::url_malformed, "port out of range");
  return static_cast<std::uint16_t>(*port);
}

// Boost 1.81 ends a host that begins like an address where the address does: "127.0.0.1.example.com/x" is
// read as 127.0.0.1 with the path ".example.com/x". Gives the host its rest back.
result<void> mend_host(url& u) {
  if (u.path.empty() || u.path.starts_with('/')) return {};
  if (u.host_is_ipv6 || u.port != 0)
    return fail(errc::url_malformed, "something between the host and the path");
  auto end = std::min(u.path.find('/'), u.path.size());
  auto rest = std::string_view(u.path).substr(0, end);
  auto colon = rest.find(':');
  u.host += mcp_oauth::to_lower(rest.substr(0, colon));
  if (colon != std::string_view::npos) {
    auto port = parse_port(rest.substr(colon + 1));
    if (!port) return tl::unexpected(port.error());
    u.port = *port;
  }
  u.path.erase(0, end);
  return {};
}

}  // namespace

result<url> url::parse(std::string_view text) {
  if (text.empty()) return fail(errc::url_malformed, "empty");
  if (text.size() > 8192) return fail(errc::url_malformed, "longer than 8192 characters");
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '\\')
      return fail(errc::url_malformed, "a character that no URL may hold");
  }
  auto parsed = boost::urls::parse_uri({text.data(), text.size()});
  if (!parsed) return fail(errc::url_malformed, "not an absolute URL");
  boost::urls::url_view view = *parsed;
  if (view.has_userinfo()) return fail(errc::url_malformed, "user information before the host");

  auto own = [](auto piece) { return std::string(piece.data(), piece.size()); };
  url u;
  u.scheme = mcp_oauth::to_lower(own(view.scheme()));
  u.has_authority = view.has_authority();
  if (u.has_authority) {
    u.host = mcp_oauth::to_lower(own(view.encoded_host_address()));
    u.host_is_ipv6 = view.host_type() == boost::urls::host_type::ipv6;
    if (view.host_type() == boost::urls::host_type::ipvfuture)
      return fail(errc::url_malformed, "an address of an unknown kind");
    if (u.host.find('%') != std::string::npos) return fail(errc::url_malformed, "an escape in the host");
    if (view.has_port()) {
      auto port = parse_port({view.port().data(), view.port().size()});
      if (!port) return tl::unexpected(port.error());
      u.port = *port;
    }
  }
  if (u.is_http() && u.host.empty()) return fail(errc::url_malformed, "no host");
  u.path = own(view.encoded_path());
  if (view.has_authority()) {
    auto mended = mend_host(u);
    if (!mended) return tl::unexpected(mended.error());
    // RFC 3986 §3.2.2 allows more in a reg-name, and Boost's versions differ in what they take; no name of a
    // host needs it.
    if (!u.host_is_ipv6 && u.host.find_first_not_of(host_characters) != std::string::npos)
      return fail(errc::url_malformed, "a character that no host name may hold");
  }
  u.has_query = view.has_query();
  u.query = own(view.encoded_query());
  u.has_fragment = view.has_fragment();
  u.fragment = own(view.encoded_fragment());
  return u;
}

std::uint16_t url::effective_port() const {
  if (port != 0) return port;
  return scheme == "https" ? 443 : scheme == "http" ? 80 : 0;
}

std::string url::authority() const {
  std::string text = host_is_ipv6 ? "[" + host + "]" : host;
  bool usual = (scheme == "https" && port == 443) || (scheme == "http" && port == 80);
  if (port != 0 && !usual) text += ":" + std::to_string(port);
  return text;
}

std::string url::origin() const { return scheme + "://" + authority(); }

std::string url::to_string() const {
  std::string text = scheme + ":";
  if (has_authority) text += "//" + authority();
  text += path;
  if (has_query) text += "?" + query;
  if (has_fragment) text += "#" + fragment;
  return text;
}

bool url::is_loopback() const { return is_loopback_host(host); }

bool is_loopback_host(std::string_view host) {
  if (equal_ignoring_case(host, "localhost") || host == "::1") return true;
  auto parts = split_words(host, '.');
  if (parts.size() != 4 || parts[0] != "127" || std::count(host.begin(), host.end(), '.') != 3) return false;
  return std::all_of(parts.begin(), parts.end(), [](const std::string& p) {
    auto n = p.size() <= 3 ? parse_decimal(p) : std::nullopt;
    return n && *n <= 255;
  });
}

}  // namespace mcp_oauth
