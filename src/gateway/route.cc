#include "gateway/route.h"

#include "base/form.h"
#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view announced = "/.up/";
// More than the length of any path.
constexpr std::size_t named_host_weighs = std::size_t{1} << 32;

std::optional<std::string_view> longest_of(const std::vector<std::string>& prefixes, std::string_view path) {
  std::optional<std::string_view> longest;
  for (const auto& prefix : prefixes) {
    if (path.substr(0, prefix.size()) != prefix) continue;
    bool whole = path.size() == prefix.size() || path[prefix.size()] == '/' || prefix == "/";
    if (whole && (!longest || prefix.size() > longest->size())) longest = prefix;
  }
  return longest;
}

bool is_loosest_already(std::string_view path) {
  char before = 0;
  for (char c : path) {
    if (c == '%' || c == ';' || c != to_lower(c) || (c == '/' && before == '/')) return false;
    before = c;
  }
  return true;
}

}  // namespace

mount::mount(upstream_settings conf, url where) : conf_(std::move(conf)), where_(std::move(where)) {
  std::string room;
  for (const auto& path : conf_.paths) loose_paths_.emplace_back(loosest_reading(path, room));
}

result<mount> mount::of(const upstream_settings& conf) {
  auto where = url::parse(conf.url);
  if (!where || !where->is_http()) return fail(errc::config_invalid, "upstream url: " + conf.url);
  return mount(conf, std::move(*where));
}

std::optional<std::string_view> mount::prefix_of(std::string_view path) const {
  return longest_of(conf_.paths, path);
}

std::size_t mount::weigh(std::optional<std::string_view> prefix, std::string_view host) const {
  if (!prefix) return 0;
  if (conf_.hosts.empty()) return prefix->size();
  auto bare = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  for (const auto& named : conf_.hosts) {
    if (equal_ignoring_case(named, host) || equal_ignoring_case(named, bare))
      return named_host_weighs + prefix->size();
  }
  return 0;
}

std::size_t mount::fits(std::string_view host, std::string_view path) const {
  return weigh(prefix_of(path), host);
}

std::size_t mount::fits_loosely(std::string_view host, std::string_view loosest) const {
  return weigh(longest_of(loose_paths_, loosest), host);
}

std::string_view mount::rest_of(std::string_view path) const {
  auto prefix = prefix_of(path).value_or("");
  return path.substr(prefix == "/" && path != prefix ? 0 : prefix.size());
}

bool mount::is_announced(std::string_view path) const { return rest_of(path).starts_with(announced); }

std::string mount::upstream_path(std::string_view path) const {
  auto rest = rest_of(path);
  if (rest.starts_with(announced)) return std::string(rest.substr(announced.size() - 1));
  std::string_view base = where_.path == "/" ? std::string_view{} : std::string_view(where_.path);
  if (rest.empty()) return base.empty() ? "/mcp" : std::string(base);
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  return std::string(base) + std::string(rest);
}

std::string mount::public_path(std::string_view upstream_path) const {
  std::string_view base = where_.path == "/" ? std::string_view{} : std::string_view(where_.path);
  const auto& prefix = conf_.paths.front();
  if (upstream_path == (base.empty() ? std::string_view("/mcp") : base)) return prefix;
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  auto front = prefix == "/" ? std::string() : prefix;
  auto rest = upstream_path.substr(std::min(base.size(), upstream_path.size()));
  bool below = upstream_path.starts_with(base) && rest.starts_with('/') && !rest.starts_with(announced);
  // Below the mount at the root, "/" is the mount itself.
  if (below && front + std::string(rest) != prefix) return front + std::string(rest);
  return front + std::string(announced.substr(0, announced.size() - 1)) + std::string(upstream_path);
}

std::string_view loosest_reading(std::string_view path, std::string& room) {
  if (is_loosest_already(path)) return path;
  room.clear();
  bool in_parameter = false;
  while (!path.empty()) {
    auto escaped = path.front() == '%' ? percent_decode(path.substr(0, 3)) : std::nullopt;
    char c = escaped ? escaped->front() : path.front();
    path.remove_prefix(escaped ? 3 : 1);
    if (c == '/' || c == ';') in_parameter = c == ';';
    bool is_dropped = in_parameter || (c == '/' && room.ends_with('/'));
    if (!is_dropped) room += to_lower(c);
  }
  return room;
}

bool is_plain_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  while (!path.empty()) {
    path.remove_prefix(1);
    auto end = std::min(path.find('/'), path.size());
    auto segment = percent_decode(path.substr(0, end));
    path.remove_prefix(end);
    // Only the last segment may be empty: servers drop others, or take what follows "//" for a host.
    if (!segment || (segment->empty() && !path.empty()) || !is_valid_utf8(*segment)) return false;
    // Servers that know parameters of segments resolve "..;x" as "..".
    auto bare = std::string_view(*segment).substr(0, segment->find(';'));
    if (bare == "." || bare == "..") return false;
    for (char c : *segment) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '/' || c == '\\') return false;
    }
  }
  return true;
}

}  // namespace mcp_oauth
