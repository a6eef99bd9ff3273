#pragma once

#include "store/record_store.h"

#include <cstdint>
#include <functional>
#include <utility>

namespace mcp_oauth::model {

// The process ended here, as far as the test is concerned.
struct killed {};

enum class trouble {
  none,
  fails,        // the store says so, and nothing is changed
  loses,        // somebody else was first: a condition does not hold
  dies_before,  // the process ends, and nothing is changed
  dies_after,   // the process ends when the write is done
};

// A store with something happening at one call of the test's choice.
class troubled_store final : public record_store {
 public:
  record_store* behind = nullptr;

  // At the `at`-th call from now on, counted from 0.
  void arm(std::uint32_t at, trouble what, std::function<void()> meanwhile = nullptr) {
    calls_ = 0;
    at_ = at;
    what_ = what;
    meanwhile_ = std::move(meanwhile);
    happened_ = false;
  }
  void disarm() { arm(UINT32_MAX, trouble::none); }
  bool happened() const { return happened_; }

  result<std::optional<record>> get(std::string_view kind, std::string_view id, time_point now) override {
    return call<std::optional<record>>([&] { return behind->get(kind, id, now); });
  }
  result<std::optional<record>> take(std::string_view kind, std::string_view id, time_point now) override {
    return call<std::optional<record>>([&] { return behind->take(kind, id, now); });
  }
  result<bool> commit(const change& wanted, time_point now) override {
    auto arrived = calls_ == at_ ? what_ : trouble::none;
    if (arrived == trouble::loses && !wanted.when.empty()) {
      ++calls_;
      happened_ = true;
      return false;
    }
    return call<bool>([&] { return behind->commit(wanted, now); });
  }
  result<std::uint64_t> erase_grant(std::string_view grant) override {
    return call<std::uint64_t>([&] { return behind->erase_grant(grant); });
  }
  result<std::vector<record>> list(std::string_view kind, time_point now, std::size_t most,
                                   std::string_view user) override {
    return call<std::vector<record>>([&] { return behind->list(kind, now, most, user); });
  }
  result<std::uint64_t> count(std::string_view kind, time_point now) override {
    return call<std::uint64_t>([&] { return behind->count(kind, now); });
  }
  result<std::uint64_t> sweep(time_point now, std::size_t most) override { return behind->sweep(now, most); }
  result<void> check() override { return behind->check(); }

 private:
  template <class T, class Work>
  result<T> call(const Work& work) {
    if (calls_++ != at_) return work();
    if (meanwhile_) std::exchange(meanwhile_, nullptr)();
    happened_ = happened_ || (what_ != trouble::none && what_ != trouble::loses);
    if (what_ == trouble::fails) return fail(errc::store_unavailable, "disk full");
    if (what_ == trouble::dies_before) throw killed{};
    auto done = work();
    if (what_ == trouble::dies_after) throw killed{};
    return done;
  }

  std::uint32_t calls_ = 0, at_ = UINT32_MAX;
  trouble what_ = trouble::none;
  std::function<void()> meanwhile_;
  bool happened_ = false;
};

}  // namespace mcp_oauth::model
