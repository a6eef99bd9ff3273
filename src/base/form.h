#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// application/x-www-form-urlencoded, in a body or in a query (RFC 6749 appendix B).
class form {
 public:
  // Refuses bad percent-encoding, NUL, invalid UTF-8 and more than `most` parameters.
  static result<form> parse(std::string_view encoded, std::size_t most = 64);

  // RFC 6749 §3.1: a parameter without a value counts as absent.
  std::optional<std::string_view> find(std::string_view name) const;
  // Every value, in order; RFC 8707 allows `resource` to repeat.
  std::vector<std::string_view> all(std::string_view name) const;
  bool repeated(std::string_view name) const { return all(name).size() > 1; }

  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  std::string encode() const;

  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// Everything but unreserved characters as %XX (RFC 3986 §2.3).
std::string percent_encode(std::string_view text);
// Nothing when an escape is broken. '+' stays '+'.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace mcp_oauth
