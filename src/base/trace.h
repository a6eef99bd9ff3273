#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What can be watched in detail, each under a name that DEBUG knows: see `names_of`.
enum class topic : std::uint8_t {
  oauth_authorize,
  oauth_callback,
  oauth_token,
  oauth_state,
  oauth_pkce,
  token_validate,
  proxy_headers,
  proxy_request,
  proxy_response,
  mcp_message,
  policy_decision,
  db_query,
  db_transaction,
  count_
};

// "oauth:pkce"
std::string_view to_name(topic t);

// Which of them are watched. One word to look at, so that nothing is paid for those that are not.
class topics {
 public:
  constexpr topics() = default;
  static constexpr topics all() { return topics((1U << static_cast<unsigned>(topic::count_)) - 1); }
  // Of patterns as DEBUG holds them: "oauth:*", "proxy:headers", "-mcp:*" takes away again, "oauth" is
  // "oauth:*", in any case. A topic has several names. `unknown` gets the patterns that name nothing.
  static topics of(std::span<const std::string> patterns, std::vector<std::string>* unknown = nullptr);

  constexpr bool has(topic t) const { return (bits_ >> static_cast<unsigned>(t) & 1U) != 0; }
  constexpr bool any() const { return bits_ != 0; }
  friend constexpr bool operator==(topics, topics) = default;

 private:
  constexpr explicit topics(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

// A line about one of them. Holds no secret.
struct trace_note {
  topic about;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

// Every name that a pattern may mean, for a message.
std::vector<std::string> topic_names();

}  // namespace mcp_oauth
