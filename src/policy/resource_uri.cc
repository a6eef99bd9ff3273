#include "policy/resource_uri.h"

#include "base/form.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_template = 512;

// Those whose URIs readers write anew before they look at them (WHATWG URL, "special schemes").
struct known_scheme {
  std::string_view name;
  std::string_view port;
};
constexpr std::array<known_scheme, 6> known_schemes = {
    {{"file", ""}, {"ftp", "21"}, {"http", "80"}, {"https", "443"}, {"ws", "80"}, {"wss", "443"}}};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  auto lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that three characters stand for; -1 when they are no percent-encoding.
int encoded_byte(std::string_view at) {
  if (at.size() < 3 || at[0] != '%') return -1;
  int high = hex_value(at[1]), low = hex_value(at[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool is_unreserved(int byte) {
  auto c = static_cast<char>(byte);
  auto lower = to_lower(c);
  return byte < 0x80 && ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
                         std::string_view("-._~").find(c) != std::string_view::npos);
}

bool is_scheme(std::string_view text) {
  if (text.empty() || to_lower(text[0]) < 'a' || to_lower(text[0]) > 'z') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

// Where the colon behind its scheme ends; 0: it has none.
std::size_t end_of_scheme(std::string_view uri) {
  auto colon = uri.find(':');
  return colon == std::string_view::npos || !is_scheme(uri.substr(0, colon)) ? 0 : colon + 1;
}

// Where the scheme, and the host behind it, end.
std::size_t end_of_host(std::string_view uri) {
  auto scheme = end_of_scheme(uri);
  if (scheme == 0 || uri.substr(scheme, 2) != "//") return scheme;
  return std::min(uri.find_first_of("/?#", scheme + 2), uri.size());
}

bool is_control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  bool usual = text.size() == 1 || (!text.empty() && text.front() != '0');
  return usual && text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit);
}

// Servers that know parameters of segments resolve "..;x" as "..".
bool has_dots(std::string_view text, std::string_view separators) {
  for (;;) {
    auto end = std::min(text.find_first_of(separators), text.size());
    auto segment = text.substr(0, end);
    segment = segment.substr(0, segment.find(';'));
    if (segment == "." || segment == "..") return true;
    if (end == text.size()) return false;
    text.remove_prefix(end + 1);
  }
}

// A host in the one form that nobody changes. One that ends in a number is an address, which has many: 127.1,
// 0x7f000001.
bool is_plain_host(std::string_view host) {
  auto usual = [](char c) { return is_unreserved(static_cast<unsigned char>(c)) && c != '~'; };
  if (host.empty() || host.ends_with('.') || !std::all_of(host.begin(), host.end(), usual)) return false;
  auto last = host.substr(host.rfind('.') + 1);
  bool in_hex = last.size() > 1 && last[0] == '0' && to_lower(last[1]) == 'x';
  if (!in_hex && !std::all_of(last.begin(), last.end(), is_digit)) return true;
  std::size_t parts = 0;
  for (bool more = true; more; ++parts) {
    auto dot = host.find('.');
    more = dot != std::string_view::npos;
    auto part = host.substr(0, dot);
    if (!is_number(part) || part.size() > 3 || (part.size() == 3 && part > "255")) return false;
    host.remove_prefix(more ? dot + 1 : host.size());
  }
  return parts == 4;
}

// What stands behind the colon of a scheme whose URIs readers write anew, up to the query.
bool is_as_rewritten(std::string_view rest, const known_scheme& scheme) {
  if (!rest.starts_with("//")) return false;
  rest.remove_prefix(2);
  auto path = std::min(rest.find('/'), rest.size());
  auto host = rest.substr(0, path);
  // A file system takes doubled slashes for one.
  if (scheme.name == "file") return host.empty() && rest.find("//") == std::string_view::npos;
  auto colon = host.find(':');
  if (colon != std::string_view::npos) {
    auto port = host.substr(colon + 1);
    if (!is_number(port) || port == scheme.port) return false;
  }
  return is_plain_host(host.substr(0, colon));
}

// Scheme, host and path.
bool is_plain_place(std::string_view place) {
  auto scheme = end_of_scheme(place);
  for (const auto& known : known_schemes) {
    bool same = scheme > 0 && equal_ignoring_case(place.substr(0, scheme - 1), known.name);
    if (same && !is_as_rewritten(place.substr(scheme), known)) return false;
  }
  std::optional<std::string> decoded;
  auto text = place;
  if (place.find('%') != std::string_view::npos) {
    decoded = percent_decode(place);
    if (!decoded) return false;
    text = *decoded;
    if (std::count(text.begin(), text.end(), '/') != std::count(place.begin(), place.end(), '/'))
      return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_control(text[i]) || text[i] == '\\') return false;
    if (decoded && encoded_byte(text.substr(i)) >= 0) return false;
  }
  return !has_dots(text.substr(end_of_scheme(text)), "/");
}

// A query or a fragment may hold anything but dots, for servers that take it for a part of the path, or a
// value of it for a path. Readers drop controls.
bool is_plain_tail(std::string_view tail) {
  if (std::any_of(tail.begin(), tail.end(), is_control)) return false;
  std::string text(tail);
  constexpr int most_encodings = 3;
  for (int times = 0;; ++times) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto byte = encoded_byte(std::string_view(text).substr(i));
      decoded += byte < 0 ? text[i] : static_cast<char>(byte);
      if (byte >= 0) i += 2;
    }
    if (decoded.size() == text.size()) break;
    if (times == most_encodings) return false;
    text.swap(decoded);
  }
  text.erase(std::remove_if(text.begin(), text.end(), is_control), text.end());
  return !has_dots(text, "/\\?#&=");
}

// Without what may stand around a host and says nothing about the place: "user@", an empty port.
std::optional<std::string> with_bare_host(std::string_view uri) {
  auto scheme = end_of_scheme(uri), end = end_of_host(uri);
  if (end < scheme + 2) return std::nullopt;
  auto host = uri.substr(scheme + 2, end - scheme - 2);
  auto bare = host.substr(host.rfind('@') + 1);
  if (bare.ends_with(':')) bare.remove_suffix(1);
  if (bare.size() == host.size()) return std::nullopt;
  return std::string(uri.substr(0, scheme + 2)) + std::string(bare) + std::string(uri.substr(end));
}

std::string with_stars(std::string_view uri_template) {
  std::string pattern;
  while (!uri_template.empty()) {
    if (uri_template.front() == '{') {
      if (!pattern.ends_with('*')) pattern += '*';
      uri_template.remove_prefix(std::min(uri_template.find('}'), uri_template.size() - 1) + 1);
      continue;
    }
    pattern += uri_template.front();
    uri_template.remove_prefix(1);
  }
  return pattern;
}

// Whether two patterns have a text in common, by the pairs of places in them that some text leads to.
bool meet(std::string_view a, std::string_view b) {
  std::vector<char> row(b.size() + 1, 0), next;
  auto through_stars = [&](std::vector<char>& places, bool star) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (places[j] != 0 && (b[j] == '*' || star)) places[j + 1] = 1;
    }
  };
  row[0] = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    bool star = a[i] == '*';
    through_stars(row, star);
    next.assign(b.size() + 1, 0);
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (row[j] == 0) continue;
      if (star || (j < b.size() && b[j] == '*')) next[j] = 1;
      if (j < b.size() && !star && b[j] == a[i]) next[j + 1] = 1;
    }
    row.swap(next);
  }
  through_stars(row, false);
  return row[b.size()] != 0;
}

}  // namespace

bool is_plain_uri(std::string_view uri) {
  if (uri.starts_with(' ') || uri.ends_with(' ')) return false;
  auto tail = std::min(uri.find_first_of("?#"), uri.size());
  return is_plain_place(uri.substr(0, tail)) && (tail == uri.size() || is_plain_tail(uri.substr(tail)));
}

std::optional<std::string> normal_uri(std::string_view uri) {
  auto host_end = end_of_host(uri);
  auto usual = [&](std::size_t i) {
    if (uri[i] == '%') {
      auto byte = encoded_byte(uri.substr(i));
      return byte < 0 || !(is_unreserved(byte) || uri.substr(i, 3) != to_lower(uri.substr(i, 3)));
    }
    return i >= host_end || to_lower(uri[i]) == uri[i];
  };
  std::size_t i = 0;
  while (i < uri.size() && usual(i)) ++i;
  if (i == uri.size()) return std::nullopt;
  std::string normal(uri.substr(0, i));
  while (i < uri.size()) {
    auto byte = encoded_byte(uri.substr(i));
    if (byte >= 0) {
      if (is_unreserved(byte)) {
        normal += static_cast<char>(byte);
      } else {
        normal += to_lower(uri.substr(i, 3));
      }
      i += 3;
    } else {
      normal += i < host_end ? to_lower(uri[i]) : uri[i];
      ++i;
    }
  }
  return normal;
}

std::vector<std::string> other_forms(std::string_view uri) {
  std::vector<std::string> forms;
  auto add = [&](std::optional<std::string> form) {
    if (!form || *form == uri || std::find(forms.begin(), forms.end(), *form) != forms.end()) return;
    forms.push_back(std::move(*form));
  };
  auto normal = normal_uri(uri);
  std::string_view whole = normal ? std::string_view(*normal) : uri;
  auto tail = std::min(whole.find_first_of("?#"), whole.size());
  auto place = whole.substr(0, tail);
  add(normal);
  add(with_bare_host(whole));
  if (tail < whole.size()) {
    add(std::string(place));
    add(with_bare_host(place));
  }
  if (place.find('%') != std::string_view::npos) add(percent_decode(place));
  return forms;
}

std::string fill_template(std::string_view uri_template, const template_values& values) {
  std::string filled;
  while (!uri_template.empty()) {
    auto open = std::min(uri_template.find('{'), uri_template.size());
    filled += uri_template.substr(0, open);
    uri_template.remove_prefix(open);
    auto end = uri_template.find('}');
    if (end == std::string_view::npos) break;
    auto expression = uri_template.substr(0, end + 1);
    uri_template.remove_prefix(end + 1);
    auto name = expression.substr(1, expression.size() - 2);
    // RFC 6570 §3.2: what an operator puts before the value.
    char how =
        !name.empty() && std::string_view("+#./").find(name[0]) != std::string_view::npos ? name[0] : '\0';
    if (how != '\0') name.remove_prefix(1);
    auto at = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
    if (at == values.end()) {
      filled += expression;
      continue;
    }
    if (how != '\0' && how != '+') filled += how;
    filled += at->second;
  }
  return filled + std::string(uri_template);
}

bool may_expand_to(std::string_view uri_template, std::string_view pattern) {
  if (uri_template.size() > longest_template) return false;
  auto stars = with_stars(uri_template);
  // Most patterns differ before the first star of either.
  auto fixed = std::min({stars.find('*'), pattern.find('*'), stars.size(), pattern.size()});
  if (std::string_view(stars).substr(0, fixed) != pattern.substr(0, fixed)) return false;
  return meet(stars, pattern);
}

}  // namespace mcp_oauth
