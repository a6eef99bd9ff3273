#include "net/wheel.h"

#include <algorithm>

namespace mcp_oauth::net {

void timed::unlink() {
  if (before_ == nullptr) return;
  before_->after_ = after_;
  after_->before_ = before_;
  before_ = after_ = nullptr;
}

wheel::wheel() {
  for (auto& a : slots_) a.before_ = a.after_ = &a;
}

void wheel::set(timed& t, std::uint64_t milliseconds_from_now) {
  // One more tick than asked: a deadline may come late, never early.
  t.due_ = now_ + milliseconds_from_now / tick_ms + 1;
  if (t.before_ != nullptr && t.slot_ <= t.due_) return;
  t.unlink();
  link(t);
}

void wheel::link(timed& t) {
  t.slot_ = std::min(t.due_, now_ + slots - 1);
  auto& head = slots_[t.slot_ % slots];
  t.before_ = head.before_;
  t.after_ = &head;
  head.before_->after_ = &t;
  head.before_ = &t;
}

void wheel::tick() {
  ++now_;
  auto& head = slots_[now_ % slots];
  // What is told may link, unlink and destroy others, so the list is taken apart from its head.
  while (head.after_ != &head) {
    auto& t = *head.after_;
    t.unlink();
    if (t.due_ == 0) continue;
    if (t.due_ > now_) {
      link(t);
      continue;
    }
    t.due_ = 0;
    t.on_deadline();
  }
}

}  // namespace mcp_oauth::net
