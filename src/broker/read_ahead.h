#pragma once

#include "store/record_store.h"

#include <vector>

namespace mcp_oauth {

// A store for one step of one request. What was found once is given again without asking, until anything is
// written through it, and `fetch` finds at once what will be read one by one. So a record may be as old as
// its first reading; whoever changes one commits under the version that was read. What was not found is asked
// for again. Used by one thread at a time; the store behind it outlives it.
class read_ahead final : public record_store {
 public:
  explicit read_ahead(record_store& behind) : behind_(behind) {}

  // Besides what was fetched before. Errors: those of the store.
  result<void> fetch(std::span<const record_name> names, time_point now);
  void forget() { found_.clear(); }

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override;
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override;
  result<bool> commit(const change& wanted, time_point now) override;
  result<std::uint64_t> erase_grant(std::string_view grant) override;
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override;
  result<std::uint64_t> count(std::string_view kind, time_point now) override;
  result<std::uint64_t> sweep(time_point now, std::size_t most) override;
  result<void> check() override;

 private:
  record_store& behind_;
  std::vector<record> found_;
};

}  // namespace mcp_oauth
