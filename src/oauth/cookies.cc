#include "oauth/cookies.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_header = 16 * 1024;
constexpr std::size_t most_pairs = 128;
constexpr std::size_t longest_cookie = 4096;

bool is_token(std::string_view text) {  // RFC 9110 §5.6.2
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool is_cookie_value(std::string_view text) {  // RFC 6265 §4.1.1, without the quotes
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

std::string attributes(origin_scheme scheme) {
  std::string text = "; Path=/; HttpOnly; SameSite=Lax";
  if (scheme == origin_scheme::https) text += "; Secure";
  return text;
}

}  // namespace

std::string cookie_name(std::string_view name, origin_scheme scheme) {
  return (scheme == origin_scheme::https ? "__Host-" : "") + std::string(name);
}

std::optional<std::string> find_cookie(const http_fields& fields, std::string_view name,
                                       origin_scheme scheme) {
  auto wanted = cookie_name(name, scheme);
  std::optional<std::string> found;
  for (const auto& [field_name, header] : fields) {
    if (!equal_ignoring_case(field_name, "cookie")) continue;
    for (auto [cookie, value] : parse_cookies(header)) {
      if (cookie != wanted) continue;
      if (found && *found != value) return std::nullopt;
      found = std::string(value);
    }
  }
  return found;
}

result<std::string> set_cookie(std::string_view name, std::string_view value, origin_scheme scheme,
                               std::optional<seconds> lifetime) {
  if (!is_token(name)) return fail(errc::internal, "a cookie name outside the grammar");
  if (!is_cookie_value(value)) return fail(errc::internal, "a cookie value outside the grammar");
  auto text = cookie_name(name, scheme) + "=" + std::string(value);
  if (text.size() > longest_cookie) return fail(errc::internal, "a cookie over 4096 bytes");
  text += attributes(scheme);
  if (lifetime) text += "; Max-Age=" + std::to_string(lifetime->count());
  return text;
}

std::string expire_cookie(std::string_view name, origin_scheme scheme) {
  return cookie_name(name, scheme) + "=" + attributes(scheme) + "; Max-Age=0";
}

std::vector<std::pair<std::string_view, std::string_view>> parse_cookies(std::string_view header) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  if (header.size() > longest_header) return pairs;
  while (!header.empty() && pairs.size() < most_pairs) {
    auto end = std::min(header.find(';'), header.size());
    auto piece = trim(header.substr(0, end));
    header.remove_prefix(std::min(end + 1, header.size()));
    auto equals = piece.find('=');
    if (equals == std::string_view::npos) continue;
    auto name = piece.substr(0, equals), value = piece.substr(equals + 1);
    if (is_token(name) && is_cookie_value(value)) pairs.emplace_back(name, value);
  }
  return pairs;
}

}  // namespace mcp_oauth
