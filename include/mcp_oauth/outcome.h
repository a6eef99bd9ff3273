#pragma once

#include "mcp_oauth/abi.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

MCP_OAUTH_BEGIN

// Why a token or a call was refused. Cheap to copy; immutable; safe from many threads.
// `detail()` is for your log and never for a client; everything else may go out.
class MCP_OAUTH_API denial final {
 public:
  int status() const noexcept;  // HTTP: 401, 403, 503, … (RFC 6750 §3.1)
  std::string_view error()
      const noexcept;  // "invalid_token", "insufficient_scope", …; "" where none may be sent
  std::string_view description() const noexcept;  // "audience mismatch"
  std::string_view symptom() const noexcept;      // "MOP-AUD-001": stable, see docs/reference/errors.md
  std::string_view reason()
      const noexcept;  // "token_audience_mismatch": the same as a word, for logs and metrics
  std::string_view detail() const noexcept;  // what was seen and what was expected; holds no secret
  // All that the call needs, for a client that asks again (RFC 6750 §3.1); empty when no scope would help.
  const std::vector<std::string>& required_scopes() const noexcept;

  // For the library. A copy only, no move: there is no denial without a reason.
  struct MCP_OAUTH_LOCAL parts;
  explicit denial(std::shared_ptr<const parts> made) noexcept : parts_(std::move(made)) {}
  denial(const denial&) noexcept = default;
  denial& operator=(const denial&) noexcept = default;
  ~denial() = default;
  const parts& inside() const noexcept { return *parts_; }

 private:
  std::shared_ptr<const parts> parts_;
};

// A value, or why there is none. Reading the side that is not there ends the program (std::abort), as it
// would be a mistake of the caller that nobody can go on from.
template <class T, class E = denial>
class [[nodiscard]] outcome final {
  template <class O>
  static auto& there(O& side) noexcept {
    if (!side) std::abort();
    return *side;
  }

 public:
  outcome(T value) noexcept : value_(std::move(value)) {}
  outcome(E error) noexcept : error_(std::move(error)) {}

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  const T& value() const& noexcept { return there(value_); }
  T&& value() && noexcept { return std::move(there(value_)); }
  const T& operator*() const& noexcept { return value(); }
  T&& operator*() && noexcept { return std::move(*this).value(); }
  const T* operator->() const noexcept { return &value(); }
  const E& error() const noexcept { return there(error_); }

 private:
  std::optional<T> value_;
  std::optional<E> error_;
};

MCP_OAUTH_END
