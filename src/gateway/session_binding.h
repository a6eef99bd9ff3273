#pragma once

#include "base/secret.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// Binds an MCP session to the subject that opened it, without remembering anything: the id that the client
// sees is the upstream's with a MAC over resource, subject and id behind it. Any replica can check it; nobody
// can make one.
class session_binding {
 public:
  // What is bound: the id in the header, or the place that a server of 2024-11-05 announced, with the id in
  // its query. One never counts for the other.
  enum class what : char { header = 'h', place = 'q' };

  static constexpr std::size_t mac_size = 22;  // base64url

  explicit session_binding(secret key) : key_(std::move(key)) {}

  // "<id>.<22 characters>"
  std::string bind(what kind, std::string_view resource, std::string_view subject, std::string_view id) const;
  // The upstream's id, borrowed; nothing when the MAC is not for this resource and subject.
  std::optional<std::string_view> release(what kind, std::string_view resource, std::string_view subject,
                                          std::string_view bound) const;

 private:
  std::string mac(what kind, std::string_view resource, std::string_view subject, std::string_view id) const;
  secret key_;
};

}  // namespace mcp_oauth
