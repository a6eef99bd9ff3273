#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// One header field as it stood on the wire, borrowed from the bytes that hold it.
struct field {
  std::string_view name;
  std::string_view value;  // without surrounding OWS
};

// An ordered list of owned header fields; names compare without case.
class http_fields {
 public:
  http_fields() = default;
  http_fields(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // Replaces every field of that name.
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);

  // The only value of that name; nothing when absent or repeated.
  std::optional<std::string_view> only(std::string_view name) const;
  // The first value of that name, or "".
  std::string_view first(std::string_view name) const;
  std::size_t count(std::string_view name) const;

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  bool empty() const { return fields_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A whole request as our own endpoints see it: the head and a bounded body, owned.
struct http_request {
  std::string method;
  std::string path;   // as received up to '?', not percent-decoded
  std::string query;  // without '?'
  http_fields fields;
  std::string body;
  std::string peer;        // IP address of the TCP peer, or of the client behind a trusted proxy
  std::string request_id;  // what X-Request-Id of the answer will say
};

struct http_response {
  int status = 200;
  http_fields fields;
  std::string body;
};

// A request that somebody else is to send for us. Building it, sending it and judging the answer are apart.
struct http_call {
  std::string method = "GET";
  std::string url;
  http_fields fields;
  std::string body;
};

struct http_answer {
  int status = 0;
  http_fields fields;
  std::string body;
};

// Reason phrase for a status line; "" for a status we do not know.
std::string_view reason_phrase(int status);

}  // namespace mcp_oauth
