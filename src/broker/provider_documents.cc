#include "broker/provider_documents.h"

namespace mcp_oauth {
namespace {

constexpr std::chrono::hours kept{1};
constexpr seconds between_refetches{30};

bool is_fresh(time_point since, const std::optional<time_point>& failed, time_point now) {
  bool just_failed = failed && *failed <= now && now < *failed + between_refetches;
  return just_failed || (since <= now && now < since + kept);
}

}  // namespace

const provider_documents::entry* provider_documents::find(std::string_view provider) const {
  auto found = entries_.find(provider);
  return found == entries_.end() ? nullptr : &found->second;
}

provider_documents::metadata_ptr provider_documents::fresh_metadata(std::string_view provider,
                                                                    time_point now) const {
  std::lock_guard lock(mutex_);
  const auto* e = find(provider);
  return e != nullptr && is_fresh(e->metadata_since, e->metadata_failed, now) ? e->metadata : nullptr;
}

provider_documents::keys_ptr provider_documents::fresh_keys(std::string_view provider, time_point now) const {
  std::lock_guard lock(mutex_);
  const auto* e = find(provider);
  return e != nullptr && is_fresh(e->keys_since, e->keys_failed, now) ? e->keys : nullptr;
}

provider_documents::metadata_ptr provider_documents::last_metadata(std::string_view provider) const {
  std::lock_guard lock(mutex_);
  const auto* e = find(provider);
  return e != nullptr ? e->metadata : nullptr;
}

provider_documents::keys_ptr provider_documents::last_keys(std::string_view provider) const {
  std::lock_guard lock(mutex_);
  const auto* e = find(provider);
  return e != nullptr ? e->keys : nullptr;
}

void provider_documents::keep(std::string_view provider, metadata_ptr metadata, time_point now) {
  std::lock_guard lock(mutex_);
  auto& e = entries_[std::string(provider)];
  e.metadata = std::move(metadata);
  e.metadata_since = now;
}

void provider_documents::keep(std::string_view provider, keys_ptr keys, time_point now) {
  std::lock_guard lock(mutex_);
  auto& e = entries_[std::string(provider)];
  e.keys = std::move(keys);
  e.keys_since = now;
}

void provider_documents::metadata_failed(std::string_view provider, time_point now) {
  std::lock_guard lock(mutex_);
  entries_[std::string(provider)].metadata_failed = now;
}

void provider_documents::keys_failed(std::string_view provider, time_point now) {
  std::lock_guard lock(mutex_);
  auto& e = entries_[std::string(provider)];
  e.keys_failed = now;
  e.refetched = now;
}

bool provider_documents::may_refetch_keys(std::string_view provider, time_point now) {
  std::lock_guard lock(mutex_);
  auto& e = entries_[std::string(provider)];
  if (e.refetched && now < *e.refetched + between_refetches) return false;
  e.refetched = now;
  return true;
}

}  // namespace mcp_oauth
