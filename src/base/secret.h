#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_oauth {

// Overwrites `size` bytes in a way the compiler may not remove.
void wipe(void* data, std::size_t size) noexcept;

// A value that cannot be printed, formatted or compared in variable time by accident.
// Its bytes are overwritten when it goes.
class secret {
 public:
  secret() = default;
  explicit secret(std::string value) : value_(std::move(value)) {}
  secret(const secret&) = default;
  secret(secret&& other) noexcept : value_(std::move(other.value_)) { other.clear(); }
  secret& operator=(const secret& other) {
    if (this != &other) {
      clear();
      value_ = other.value_;
    }
    return *this;
  }
  secret& operator=(secret&& other) noexcept {
    if (this != &other) {
      clear();
      value_ = std::move(other.value_);
      other.clear();
    }
    return *this;
  }
  ~secret() { clear(); }

  std::string_view reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  void clear() noexcept {
    wipe(value_.data(), value_.size());
    value_.clear();
  }

  // Takes the same time wherever two values of one length differ.
  bool equals(std::string_view other) const;

  friend std::ostream& operator<<(std::ostream&, const secret&) = delete;
  friend bool operator==(const secret&, const secret&) = delete;

 private:
  std::string value_;
};

// Equality of two byte strings in time that depends on their lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace mcp_oauth
