#include "store/memory_store.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

time_point whole_seconds(time_point t) { return std::chrono::floor<seconds>(t); }

bool live(const record& r, time_point now) { return r.expires > now; }

}  // namespace

result<std::optional<record>> memory_store::get(std::string_view kind, std::string_view id, time_point now) {
  std::lock_guard lock(mutex_);
  const record* found = find(kind, id, now);
  if (!found) return std::nullopt;
  return *found;
}

result<std::optional<record>> memory_store::take(std::string_view kind, std::string_view id, time_point now) {
  std::lock_guard lock(mutex_);
  const record* found = find(kind, id, now);
  if (!found) return std::nullopt;
  record taken = *found;
  erase(kind, id);
  return taken;
}

result<bool> memory_store::commit(const change& wanted, time_point now) {
  std::lock_guard lock(mutex_);
  for (const auto& c : wanted.when) {
    const record* found = find(c.kind, c.id, now);
    if ((found ? found->version : 0) != c.version) return false;
  }
  for (const auto& [kind, id] : wanted.erase) erase(kind, id);
  for (const auto& r : wanted.put) {
    record kept = r;
    kept.created = whole_seconds(r.created);
    kept.expires = whole_seconds(r.expires);
    kept.version = ++last_version_;
    kinds_[r.kind].insert_or_assign(r.id, std::move(kept));
  }
  return true;
}

result<std::uint64_t> memory_store::erase_grant(std::string_view grant) {
  if (grant.empty()) return 0;
  std::lock_guard lock(mutex_);
  std::uint64_t erased = 0;
  for (auto& [kind, of_kind] : kinds_) {
    erased += std::erase_if(of_kind, [&](const auto& entry) { return entry.second.grant == grant; });
  }
  return erased;
}

result<std::vector<record>> memory_store::list(std::string_view kind, time_point now, std::size_t most,
                                               std::string_view user) {
  std::vector<record> found;
  {
    std::lock_guard lock(mutex_);
    auto of_kind = kinds_.find(kind);
    if (of_kind == kinds_.end()) return found;
    for (const auto& [id, r] : of_kind->second) {
      if (live(r, now) && (user.empty() || r.user == user)) found.push_back(r);
    }
  }
  std::sort(found.begin(), found.end(), [](const record& a, const record& b) {
    return a.created != b.created ? a.created > b.created : a.id < b.id;
  });
  if (found.size() > most) found.resize(most);
  return found;
}

result<std::uint64_t> memory_store::count(std::string_view kind, time_point now) {
  std::lock_guard lock(mutex_);
  auto of_kind = kinds_.find(kind);
  if (of_kind == kinds_.end()) return 0;
  return static_cast<std::uint64_t>(
      std::count_if(of_kind->second.begin(), of_kind->second.end(),
                    [&](const auto& entry) { return live(entry.second, now); }));
}

result<std::uint64_t> memory_store::sweep(time_point now, std::size_t most) {
  std::lock_guard lock(mutex_);
  std::uint64_t swept = 0;
  for (auto& [kind, of_kind] : kinds_) {
    for (auto at = of_kind.begin(); at != of_kind.end() && swept < most;) {
      if (live(at->second, now)) {
        ++at;
        continue;
      }
      at = of_kind.erase(at);
      ++swept;
    }
  }
  return swept;
}

const record* memory_store::find(std::string_view kind, std::string_view id, time_point now) const {
  auto of_kind = kinds_.find(kind);
  if (of_kind == kinds_.end()) return nullptr;
  auto found = of_kind->second.find(id);
  if (found == of_kind->second.end() || !live(found->second, now)) return nullptr;
  return &found->second;
}

void memory_store::erase(std::string_view kind, std::string_view id) {
  auto of_kind = kinds_.find(kind);
  if (of_kind == kinds_.end()) return;
  auto found = of_kind->second.find(id);
  if (found != of_kind->second.end()) of_kind->second.erase(found);
}

}  // namespace mcp_oauth
