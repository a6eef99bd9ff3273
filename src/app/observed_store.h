#pragma once

#include "store/record_store.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace mcp_oauth {

// A call to a store that has ended.
struct store_call {
  enum class operation { get, get_each, take, commit, erase_grant, list, count, sweep, check, count_ };

  operation what = operation::get;
  std::string_view of = {};                 // the kind of the records; "" where there are several, or none
  const change* wanted = nullptr;           // of commit
  std::span<const record_name> names = {};  // of get_each
  std::uint64_t rows = 0;                   // that were found, written, removed or counted
  bool applied = true;                      // of commit: every condition held
  std::chrono::nanoseconds took{0};
  const error* why = nullptr;  // it failed
};

// "get", "commit"
std::string_view to_name(store_call::operation what);

// The store behind it, with a look at every call. `seen` is called on the caller's thread, after the call and
// before it returns; what it is shown is borrowed. It may come from any number of threads at once.
class observed_store final : public record_store {
 public:
  using observer = std::function<void(const store_call&)>;

  observed_store(std::unique_ptr<record_store> behind, observer seen)
      : behind_(std::move(behind)), seen_(std::move(seen)) {}

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override;
  result<std::vector<std::optional<record>>> get_each(std::span<const record_name> names,
                                                      time_point now) override;
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override;
  result<bool> commit(const change& wanted, time_point now) override;
  result<std::uint64_t> erase_grant(std::string_view grant) override;
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override;
  result<std::uint64_t> count(std::string_view kind, time_point now) override;
  result<std::uint64_t> sweep(time_point now, std::size_t most) override;
  void watch(std::function<void(std::string_view kind, std::string_view id)> changed) override {
    behind_->watch(std::move(changed));
  }
  result<std::optional<time_point>> clock() override { return behind_->clock(); }
  result<void> check() override;

 private:
  std::unique_ptr<record_store> behind_;
  observer seen_;
};

}  // namespace mcp_oauth
