#pragma once

#include "store/record_store.h"

#include <functional>
#include <map>
#include <mutex>

namespace mcp_oauth {

// Records in this process's memory, gone with it. For tests and for `sqlite::memory:`.
class memory_store final : public record_store {
 public:
  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override;
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override;
  result<bool> commit(const change& wanted, time_point now) override;
  result<std::uint64_t> erase_grant(std::string_view grant) override;
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override;
  result<std::uint64_t> count(std::string_view kind, time_point now) override;
  result<std::uint64_t> sweep(time_point now, std::size_t most) override;
  result<void> check() override { return {}; }

 private:
  using records = std::map<std::string, record, std::less<>>;

  // Both want `mutex_` held. Null when absent or expired.
  const record* find(std::string_view kind, std::string_view id, time_point now) const;
  void erase(std::string_view kind, std::string_view id);

  std::mutex mutex_;
  std::map<std::string, records, std::less<>> kinds_;
  std::uint64_t last_version_ = 0;
};

}  // namespace mcp_oauth
