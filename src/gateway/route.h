#pragma once

#include "base/error.h"
#include "base/url.h"
#include "config/settings.h"

#include <optional>
#include <span>
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
  // The same for a path that is a `loosest_reading`, with prefixes that are read like it.
  std::size_t fits_loosely(std::string_view host, std::string_view loosest) const;

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
  mount(upstream_settings conf, url where);
  std::optional<std::string_view> prefix_of(std::string_view path) const;
  std::size_t weigh(std::optional<std::string_view> prefix, std::string_view host) const;

  upstream_settings conf_;
  std::vector<std::string> loose_paths_;  // those of `conf_`
  url where_;
};

// A path as the loosest of servers reads it: percent-decoded once, no parameters of segments (";x=1"), no
// empty segments but the last, ASCII in lower case. One that is so already comes back as it is; any other
// lies in `room`. An escape that is broken stays as it is written.
std::string_view loosest_reading(std::string_view path, std::string& room);

// Which of several mounts a request is for: by its path as written, and as the loosest server would read it.
// Nothing may be forwarded by the one where a server could take it for a path of the other.
template <class Item>
struct ways {
  const Item* written = nullptr;
  const Item* loosest = nullptr;
  bool agree() const { return written == loosest; }
};
template <class Item>
ways<Item> ways_to(std::span<const Item> those, mount Item::* where, std::string_view host,
                   std::string_view path) {
  std::string room;
  auto loosest = loosest_reading(path, room);
  ways<Item> found;
  std::size_t best = 0, best_loosely = 0, best_fits_loosely = 0;
  for (const Item& one : those) {
    auto fits = (one.*where).fits(host, path);
    auto loosely = (one.*where).fits_loosely(host, loosest);
    if (fits > best) {
      found.written = &one;
      best = fits;
      best_fits_loosely = loosely;
    }
    if (loosely > best_loosely) {
      found.loosest = &one;
      best_loosely = loosely;
    }
  }
  // Of two mounts that only their case tells apart, the written path says which is meant.
  if (best_fits_loosely == best_loosely) found.loosest = found.written;
  return found;
}

// Whether a path may be handed to another server: no dot segments in any encoding or with parameters ("..;"),
// and no empty segments but the last, which two servers could resolve differently; no escape that is broken
// or hides a control, a slash or a backslash; UTF-8.
bool is_plain_path(std::string_view path);

}  // namespace mcp_oauth
