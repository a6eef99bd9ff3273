#include "policy/resource_uri.h"

#include "base/form.h"
#include "base/text.h"

#include <algorithm>
#include <vector>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_template = 512;

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

// Where the scheme, and the host behind it, end.
std::size_t end_of_host(std::string_view uri) {
  auto colon = uri.find(':');
  if (colon == std::string_view::npos || !is_scheme(uri.substr(0, colon))) return 0;
  if (uri.substr(colon + 1, 2) != "//") return colon + 1;
  return std::min(uri.find_first_of("/?#", colon + 3), uri.size());
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
  auto path = uri.substr(0, uri.find_first_of("?#"));
  std::optional<std::string> decoded;
  std::string_view rest = path;
  if (path.find('%') != std::string_view::npos) {
    decoded = percent_decode(path);
    if (!decoded) return false;
    rest = *decoded;
    if (std::count(rest.begin(), rest.end(), '/') != std::count(path.begin(), path.end(), '/')) return false;
  }
  for (std::size_t i = 0; i < rest.size(); ++i) {
    auto byte = static_cast<unsigned char>(rest[i]);
    if (byte < 0x20 || byte == 0x7F || byte == '\\') return false;
    if (decoded && encoded_byte(rest.substr(i)) >= 0) return false;
  }
  rest.remove_prefix(std::min(end_of_host(rest), rest.size()));
  for (;;) {
    auto end = std::min(rest.find('/'), rest.size());
    // Servers that know parameters of segments resolve "..;x" as "..".
    auto segment = rest.substr(0, end);
    segment = segment.substr(0, segment.find(';'));
    if (segment == "." || segment == "..") return false;
    if (end == rest.size()) return true;
    rest.remove_prefix(end + 1);
  }
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

bool may_expand_to(std::string_view uri_template, std::string_view pattern) {
  if (uri_template.size() > longest_template) return false;
  auto stars = with_stars(uri_template);
  // Most patterns differ before the first star of either.
  auto fixed = std::min({stars.find('*'), pattern.find('*'), stars.size(), pattern.size()});
  if (std::string_view(stars).substr(0, fixed) != pattern.substr(0, fixed)) return false;
  return meet(stars, pattern);
}

}  // namespace mcp_oauth
