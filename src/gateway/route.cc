#include "gateway/route.h"

#include "base/form.h"
#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view announced = "/.up/";
// More than the length of any path.
constexpr std::size_t named_host_weighs = std::size_t{1} << 32;

}  // namespace

result<mount> mount::of(const upstream_settings& conf) {
  auto where = url::parse(conf.url);
  if (!where || !where->is_http()) return fail(errc::config_invalid, "upstream url: " + conf.url);
  return mount(conf, std::move(*where));
}

std::optional<std::string_view> mount::prefix_of(std::string_view path) const {
  std::optional<std::string_view> longest;
  for (const auto& prefix : conf_.paths) {
    if (path.substr(0, prefix.size()) != prefix) continue;
    bool whole = path.size() == prefix.size() || path[prefix.size()] == '/' || prefix == "/";
    if (whole && (!longest || prefix.size() > longest->size())) longest = prefix;
  }
  return longest;
}

std::size_t mount::fits(std::string_view host, std::string_view path) const {
  auto prefix = prefix_of(path);
  if (!prefix) return 0;
  if (conf_.hosts.empty()) return prefix->size();
  auto bare = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  for (const auto& named : conf_.hosts) {
    if (equal_ignoring_case(named, host) || equal_ignoring_case(named, bare))
      return named_host_weighs + prefix->size();
  }
  return 0;
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
