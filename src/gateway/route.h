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
  // How well a request fits: 0 not at all; otherwise a longer path fits better, and one whose Host is named
  // fits better than any other. A host that is named without a port is meant with every port.
  std::size_t fits(std::string_view host, std::string_view path) const;

  // What the upstream is asked for. The prefix itself leads to the URL's path, or to /mcp where it has none;
  // PREFIX/rest leads to the URL's path, or the root, with /rest behind it.
  // PREFIX/.up/rest leads to /rest, wherever that is: see `is_announced`.
  std::string upstream_path(std::string_view path) const;

  // The other way, for a path that the upstream announced. One outside of the URL's path becomes
  // PREFIX/.up/…; no path is without an answer.
  std::string public_path(std::string_view upstream_path) const;

  // Whether the path is PREFIX/.up/rest, a way around the URL's path. It is for places that the upstream
  // itself announced; whoever forwards to it has to see the proof of that first.
  bool is_announced(std::string_view path) const;

  // What stands behind the prefix: "" or "/…".
  std::string_view rest_of(std::string_view path) const;

  const upstream_settings& conf() const { return conf_; }
  const url& where() const { return where_; }

 private:
  mount(upstream_settings conf, url where) : conf_(std::move(conf)), where_(std::move(where)) {}
  std::optional<std::string_view> prefix_of(std::string_view path) const;

  upstream_settings conf_;
  url where_;
};

// Whether a path may be handed to another server: no dot segments in any encoding or with parameters ("..;"),
// and no empty segments but the last, which two servers could resolve differently; no escape that is broken
// or hides a control, a slash or a backslash; UTF-8.
bool is_plain_path(std::string_view path);

}  // namespace mcp_oauth
