#pragma once

// For tests: where a browser goes, by the WHATWG URL standard and not by our own parser, which refuses what
// that one repairs.

#include "base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>

namespace mcp_oauth {

// scheme://host[:port] of what a browser makes of `text` on a page of `base` (an https origin); "scheme:"
// where there is no host; "" for what it refuses.
inline std::string where_a_browser_goes(std::string_view text, std::string_view base);

namespace browser_reading {

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = to_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

inline bool is_special(std::string_view scheme) {
  return scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss" || scheme == "ftp";
}

// Leading and trailing controls and blanks go, and every tab and line end.
inline std::string cleaned(std::string_view text) {
  auto is_trimmed = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && is_trimmed(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_trimmed(text.back())) text.remove_suffix(1);
  std::string out;
  for (char c : text) {
    if (c != '\t' && c != '\n' && c != '\r') out += c;
  }
  return out;
}

inline std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// What IDNA's mapping makes of the characters that attacks use: other dots, full width, digits in circles,
// what is not seen.
inline std::string mapped(std::string_view host) {
  std::string out;
  for (std::size_t i = 0; i < host.size();) {
    auto at = [&](std::size_t k) {
      return i + k < host.size() ? static_cast<unsigned char>(host[i + k]) : 0U;
    };
    if (at(0) < 0x80) {
      out += to_lower(host[i++]);
      continue;
    }
    std::uint32_t code = at(0);
    std::size_t size = 1;
    if ((at(0) & 0xE0) == 0xC0) {
      code = (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
      size = 2;
    } else if ((at(0) & 0xF0) == 0xE0) {
      code = (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
      size = 3;
    }
    if (code == 0x3002 || code == 0xFF0E || code == 0xFF61) {
      out += '.';
    } else if (code >= 0xFF01 && code <= 0xFF5E) {
      out += to_lower(static_cast<char>(code - 0xFF01 + 0x21));
    } else if (code >= 0x2460 && code <= 0x2468) {
      out += static_cast<char>('1' + (code - 0x2460));
    } else if (code != 0xAD && code != 0x200B && code != 0x2060) {
      out += std::string(host.substr(i, size));
    }
    i += size;
  }
  return out;
}

inline std::optional<std::uint64_t> number(std::string_view part) {
  unsigned base = 10;
  if (part.size() >= 2 && part[0] == '0' && to_lower(part[1]) == 'x') {
    base = 16;
    part.remove_prefix(2);
  } else if (part.size() >= 2 && part[0] == '0') {
    base = 8;
    part.remove_prefix(1);
  }
  std::uint64_t value = 0;
  for (char c : part) {
    int digit = hex_digit(c);
    if (digit < 0 || static_cast<unsigned>(digit) >= base || value > 0xFFFFFFFFFFULL) return std::nullopt;
    value = value * base + static_cast<unsigned>(digit);
  }
  return value;
}

inline bool ends_in_a_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  auto last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  return last.find_first_not_of("0123456789") == std::string_view::npos ||
         ((last.starts_with("0x") || last.starts_with("0X")) && number(last));
}

// Dotted decimal, or nothing for what no browser takes as an address.
inline std::optional<std::string> ipv4(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::vector<std::string> parts(1);
  for (char c : host) {
    if (c == '.') parts.emplace_back();
    if (c != '.') parts.back() += c;
  }
  if (parts.size() > 4) return std::nullopt;
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto value = number(parts[i]);
    if (!value || parts[i].empty()) return std::nullopt;
    bool last = i + 1 == parts.size();
    if (*value >= (last ? 1ULL << (8 * (5 - parts.size())) : 256)) return std::nullopt;
    address += last ? *value : *value << (8 * (3 - i));
  }
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += std::to_string(address >> shift & 0xFF) + (shift != 0 ? "." : "");
  }
  return out;
}

// The host as it would be asked for; "" for none that a browser takes.
inline std::string host_of(std::string_view written) {
  if (written.starts_with('[')) {
    in6_addr address{};
    char text[INET6_ADDRSTRLEN] = "";
    bool closed = written.ends_with(']');
    std::string inner(written.substr(1, written.size() - (closed ? 2 : 1)));
    if (!closed || inet_pton(AF_INET6, inner.c_str(), &address) != 1) return "";
    inet_ntop(AF_INET6, &address, text, sizeof text);
    return "[" + std::string(text) + "]";
  }
  auto host = mapped(percent_decoded(written));
  for (char c : host) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F ||
        std::string_view("#/:<>?@[\\]^|%").find(c) != std::string_view::npos)
      return "";
  }
  if (!ends_in_a_number(host)) return host;
  return ipv4(host).value_or("");
}

inline std::string origin(std::string_view scheme, std::string_view rest) {
  bool special = is_special(scheme);
  auto authority = rest.substr(0, rest.find_first_of(special ? "/\\?#" : "/?#"));
  if (auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  auto bracket = authority.rfind(']');
  auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  auto port = colon == std::string_view::npos ? "" : std::string(authority.substr(colon + 1));
  if (port.find_first_not_of("0123456789") != std::string::npos) return "";
  while (port.size() > 1 && port.front() == '0') port.erase(0, 1);
  if (port.size() > 5 || (!port.empty() && std::stoul(port) > 65535)) return "";
  if ((scheme == "https" && port == "443") || (scheme == "http" && port == "80")) port.clear();
  auto host = special ? host_of(authority.substr(0, colon)) : std::string(authority.substr(0, colon));
  if (special && host.empty()) return "";
  return std::string(scheme) + "://" + host + (port.empty() ? "" : ":" + port);
}

}  // namespace browser_reading

inline std::string where_a_browser_goes(std::string_view text, std::string_view base) {
  using namespace browser_reading;
  auto clean = cleaned(text);
  std::string_view rest = clean;
  auto is_slash = [](char c) { return c == '/' || c == '\\'; };
  auto without_slashes = [&](std::string_view s) {
    while (!s.empty() && is_slash(s.front())) s.remove_prefix(1);
    return s;
  };
  auto base_scheme = base.substr(0, base.find(':'));
  auto colon = rest.find(':');
  auto is_scheme = [](std::string_view s) {
    if (s.empty() || to_lower(s[0]) < 'a' || to_lower(s[0]) > 'z') return false;
    for (char c : s) {
      bool ok = (to_lower(c) >= 'a' && to_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                c == '-' || c == '.';
      if (!ok) return false;
    }
    return true;
  };
  if (colon != std::string_view::npos && is_scheme(rest.substr(0, colon))) {
    auto scheme = to_lower(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
    if (scheme == base_scheme && !rest.starts_with("//")) {
      bool authority = rest.size() > 1 && is_slash(rest[0]) && is_slash(rest[1]);
      return authority ? origin(scheme, without_slashes(rest)) : std::string(base);
    }
    if (is_special(scheme)) return origin(scheme, without_slashes(rest));
    if (rest.starts_with("//")) return origin(scheme, rest.substr(2));
    return scheme + ":";
  }
  if (rest.size() > 1 && is_slash(rest[0]) && is_slash(rest[1])) {
    return origin(base_scheme, without_slashes(rest));
  }
  return std::string(base);
}

}  // namespace mcp_oauth
