#pragma once

#include "base/error.h"
#include "base/url.h"
#include "config/settings.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// An MCP server of ours as the front sees it: which paths lead to it, and where they lead.
class mount {
 public:
  // Errors: config_invalid, when the URL cannot be read.
  static result<mount> of(const upstream_settings& conf);

  // Whether the path is one of ours: a prefix itself or something below it.
  bool covers(std::string_view path) const { return prefix_of(path).has_value(); }

  // What the upstream is asked for. The prefix itself leads to the URL's path, or to /mcp where it has none;
  // PREFIX/rest leads to the URL's path, or the root, with /rest behind it.
  std::string upstream_path(std::string_view path) const;

  // The other way: the public path for one that the upstream announced, or nothing if no public path leads
  // there.
  std::optional<std::string> public_path(std::string_view upstream_path) const;

  const upstream_settings& conf() const { return conf_; }
  const url& where() const { return where_; }

 private:
  mount(upstream_settings conf, url where) : conf_(std::move(conf)), where_(std::move(where)) {}
  std::optional<std::string_view> prefix_of(std::string_view path) const;

  upstream_settings conf_;
  url where_;
};

// Whether a path may be handed to another server: no dot segments in any encoding, which two servers could
// resolve differently, no escape that is broken or hides a control, a slash or a backslash.
bool is_plain_path(std::string_view path);

}  // namespace mcp_oauth
