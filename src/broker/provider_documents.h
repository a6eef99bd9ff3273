#pragma once

#include "base/error.h"
#include "base/time.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

struct provider_metadata;
class key_set;

// What identity providers publish, kept in memory for an hour. One entry for each configured provider, so
// bounded. While a provider is away, what it said last is used, and it is asked again every 30 seconds. Safe
// from every thread.
class provider_documents final {
 public:
  using metadata_ptr = std::shared_ptr<const provider_metadata>;
  using keys_ptr = std::shared_ptr<const key_set>;

  // Nothing: to be fetched.
  metadata_ptr fresh_metadata(std::string_view provider, time_point now) const;
  keys_ptr fresh_keys(std::string_view provider, time_point now) const;

  // The last one, however old; nothing when there was none.
  metadata_ptr last_metadata(std::string_view provider) const;
  keys_ptr last_keys(std::string_view provider) const;

  void keep(std::string_view provider, metadata_ptr metadata, time_point now);
  void keep(std::string_view provider, keys_ptr keys, time_point now);

  // The fetch failed: what is known counts as fresh for a moment, so that not everybody who comes while the
  // provider is away waits for it.
  void metadata_failed(std::string_view provider, time_point now);
  void keys_failed(std::string_view provider, time_point now);

  // Whether the keys may be fetched again because a token names one that is not among them: once in 30
  // seconds, or anybody with a made-up token could have us ask without end. Counts as asked.
  bool may_refetch_keys(std::string_view provider, time_point now);

 private:
  struct entry {
    metadata_ptr metadata;
    time_point metadata_since;
    std::optional<time_point> metadata_failed;
    keys_ptr keys;
    time_point keys_since;
    std::optional<time_point> keys_failed;
    std::optional<time_point> refetched;
  };
  const entry* find(std::string_view provider) const;

  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace mcp_oauth
