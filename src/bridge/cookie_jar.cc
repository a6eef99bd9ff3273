#include "bridge/cookie_jar.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {

void cookie_jar::take(std::string_view set_cookie) {
  for (char c : set_cookie) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return;
  }
  auto pair = set_cookie.substr(0, set_cookie.find(';'));
  auto equals = pair.find('=');
  if (equals == std::string_view::npos || set_cookie.size() > longest) return;
  cookie made;
  made.name = trim(pair.substr(0, equals));
  made.value = trim(pair.substr(equals + 1));
  made.path = "/";
  if (made.name.empty()) return;
  bool over = false;
  auto rest = set_cookie.substr(pair.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);
    auto attribute = trim(rest.substr(0, rest.find(';')));
    rest.remove_prefix(std::min(rest.size(), rest.find(';')));
    auto is = attribute.find('=');
    auto name = trim(attribute.substr(0, is));
    auto value = is == std::string_view::npos ? std::string_view() : trim(attribute.substr(is + 1));
    if (equal_ignoring_case(name, "Path") && value.starts_with('/')) made.path = value;
    if (equal_ignoring_case(name, "Max-Age") && (value == "0" || value.starts_with('-'))) over = true;
  }
  std::erase_if(cookies_, [&](const cookie& one) { return one.name == made.name && one.path == made.path; });
  if (!over && cookies_.size() < most) cookies_.push_back(std::move(made));
}

std::string cookie_jar::value_for(std::string_view path) const {
  std::string out;
  for (const auto& one : cookies_) {
    bool matches =
        path == one.path || (path.starts_with(one.path) &&
                             (one.path.ends_with('/') || path.substr(one.path.size()).starts_with('/')));
    if (!matches) continue;
    if (!out.empty()) out += "; ";
    out += one.name + "=" + one.value;
  }
  return out;
}

}  // namespace mcp_oauth
