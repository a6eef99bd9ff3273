#include "store/open.h"

#include "base/text.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

#include <utility>

namespace mcp_oauth {

result<std::string> sqlite_path(std::string_view database_url) {
  constexpr std::string_view in_memory[] = {"sqlite::memory:", "sqlite://:memory:"};
  for (auto name : in_memory) {
    if (database_url == name) return std::string();
  }
  for (auto scheme : {"postgresql://", "postgres://"}) {
    if (starts_with_ignoring_case(database_url, scheme)) {
      return fail(errc::config_invalid,
                  "database_url: PostgreSQL is not in this build yet; use sqlite://FILE");
    }
  }
  constexpr std::string_view scheme = "sqlite://";
  if (!starts_with_ignoring_case(database_url, scheme)) {
    return fail(errc::config_invalid, "database_url: must be sqlite://FILE or sqlite::memory:");
  }
  auto path = database_url.substr(scheme.size());
  if (path.empty()) return fail(errc::config_invalid, "database_url: sqlite:// names no file");
  // Also keeps a URL's parameters from becoming part of a file name.
  for (char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '?' || c == '#') {
      return fail(errc::config_invalid,
                  "database_url: sqlite:// takes a file name and nothing else: no ?, no #");
    }
  }
  return std::string(path);
}

result<std::unique_ptr<record_store>> open_store(std::string_view database_url,
                                                 std::vector<std::string>& warnings) {
  auto path = sqlite_path(database_url);
  if (!path) return tl::unexpected(path.error());
  if (path->empty()) return std::make_unique<memory_store>();
  auto store = sqlite_store::open(*path);
  if (!store) return tl::unexpected(store.error());
  warnings.insert(warnings.end(), (*store)->warnings().begin(), (*store)->warnings().end());
  return std::unique_ptr<record_store>(std::move(*store));
}

}  // namespace mcp_oauth
