#include "net/task.h"

#include "net/recycling.h"

#include <array>

namespace mcp_oauth::net {
namespace {

constexpr std::size_t step = 128;
constexpr std::size_t classes = 32;  // frames up to 4 KiB
constexpr std::size_t kept = 256;    // per class and thread

struct free_list {
  struct node {
    node* next;
  };
  std::array<node*, classes> heads{};
  std::array<std::size_t, classes> counts{};

  free_list() = default;
  free_list(const free_list&) = delete;
  free_list& operator=(const free_list&) = delete;
  ~free_list() {
    for (node* head : heads) {
      while (head != nullptr) ::operator delete(std::exchange(head, head->next));
    }
  }
};

thread_local free_list frames;

std::size_t class_of(std::size_t size) { return (size + step - 1) / step; }

}  // namespace

void* allocate_frame(std::size_t size) {
  auto c = class_of(size);
  if (!recycling || c >= classes) return ::operator new(size);
  if (auto* head = frames.heads[c]; head != nullptr) {
    frames.heads[c] = head->next;
    --frames.counts[c];
    return head;
  }
  return ::operator new(c * step);
}

void release_frame(void* frame, std::size_t size) noexcept {
  auto c = class_of(size);
  if (!recycling || c >= classes || frames.counts[c] == kept) {
    ::operator delete(frame);
    return;
  }
  auto* head = static_cast<free_list::node*>(frame);
  head->next = frames.heads[c];
  frames.heads[c] = head;
  ++frames.counts[c];
}

}  // namespace mcp_oauth::net
