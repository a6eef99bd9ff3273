#pragma once

// What the handles of mcp_oauth/c.h are.

#include "library/names.h"
#include "mcp_oauth/c.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

struct mcp_oauth_error {
  std::variant<mcp_oauth::denial, mcp_oauth::config_problems> what;
  std::string text;
};

struct mcp_oauth_guard {
  mcp_oauth::v1::guard guard;
};

struct mcp_oauth_status {
  mcp_oauth::v1::guard_status status;
  std::string json;

  const mcp_oauth::v1::issuer_state* issuer(size_t index) const {
    return index < status.issuers.size() ? &status.issuers[index] : nullptr;
  }
};

struct mcp_oauth_user {
  mcp_oauth::v1::user user;
  // With a NUL behind each, which views into a token have not.
  std::string subject, issuer, email, name, username, client_id, claims;
  explicit mcp_oauth_user(const mcp_oauth::v1::user& from);
};

struct mcp_oauth_request {
  std::string method, target, body, certificate;
  std::vector<std::pair<std::string, std::string>> headers;

  // Borrowed from this, and `views` from the caller.
  mcp_oauth::v1::request view(std::vector<mcp_oauth::v1::header>& views) const;
};

struct mcp_oauth_answer {
  mcp_oauth::v1::response response;
};

struct mcp_oauth_admission {
  mcp_oauth::v1::admission admission;
  std::optional<mcp_oauth_answer> answer;
  std::optional<mcp_oauth_error> refused;
  std::optional<mcp_oauth_user> user;
  std::string token, method, name;
  std::vector<std::pair<std::string, std::string>> answer_headers;
  explicit mcp_oauth_admission(mcp_oauth::v1::admission from);
};

struct mcp_oauth_filter {
  mcp_oauth::v1::answer_filter filter;
  std::string output;
};

struct mcp_oauth_fetch {
  mcp_oauth::v1::fetch_request asked;
  mcp_oauth::v1::fetch_answer answer;
};

struct mcp_oauth_check {
  mcp_oauth_request request;  // what the check borrows
  std::vector<mcp_oauth::v1::header> views;
  std::variant<std::monostate, mcp_oauth::v1::pending_user, mcp_oauth::v1::pending_admission> check;
  mcp_oauth_fetch fetch;  // while the next step is to fetch

  mcp_oauth::v1::pending_check* pending();
  const mcp_oauth::v1::pending_check* pending() const;
  void look();  // takes over what is wanted now
};

MCP_OAUTH_BEGIN

inline std::string_view text_of(const char* data, size_t size) {
  return data == nullptr ? std::string_view() : std::string_view(data, size);
}
inline mcp_oauth_text to_text(const std::string& owned) { return {owned.c_str(), owned.size()}; }
inline mcp_oauth_text no_text() { return {"", 0}; }

mcp_oauth_error error_of(denial why);
mcp_oauth_error error_of(config_problems why);

// Callbacks of C as those of C++. Of a shorter struct the rest is 0.
options options_of(const mcp_oauth_callbacks* callbacks);

MCP_OAUTH_END
