#pragma once

#include <array>
#include <cstdint>

namespace mcp_oauth::net {

// Something that wants to be told when its time is up. Lives in at most one wheel.
class timed {
 public:
  timed() = default;
  timed(const timed&) = delete;
  timed& operator=(const timed&) = delete;

  virtual ~timed() { unlink(); }

 protected:
  virtual void on_deadline() = 0;

 private:
  friend class wheel;
  void unlink();
  timed* before_ = nullptr;
  timed* after_ = nullptr;
  std::uint64_t due_ = 0;   // tick; 0: not waiting
  std::uint64_t slot_ = 0;  // tick of the slot it stands in
};

// Coarse deadlines for many connections: one tick is 100 ms. Setting one later than the last costs a store
// and a compare; the slot is corrected when it comes up.
class wheel {
 public:
  static constexpr std::uint64_t tick_ms = 100;

  wheel();
  void set(timed& t, std::uint64_t milliseconds_from_now);
  void clear(timed& t) { t.due_ = 0; }
  // Advances by one tick and tells those whose time is up.
  void tick();
  std::uint64_t now() const { return now_; }

 private:
  struct anchor final : timed {
    void on_deadline() override {}
  };
  static constexpr std::size_t slots = 1024;
  void link(timed& t);

  std::array<anchor, slots> slots_;
  std::uint64_t now_ = 1;
};

}  // namespace mcp_oauth::net
