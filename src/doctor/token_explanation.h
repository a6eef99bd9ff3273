#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What is to be told of one token, as a value. It holds neither the token nor its signature.

enum class finding { ok, fails, cannot_be_told, not_asked };

struct explained_check {
  std::string name;  // stable: form, type, signature, issuer, kind, audience, times, claims, binding, …
  finding verdict = finding::ok;
  std::string seen = {}, expected = {};  // "": nothing to say
  std::string why = {};                  // a near miss, or what could not be asked
  std::optional<errc> code = {};         // of what fails, and where it is the reason why it cannot be told
};

// A rule and whether the token is enough for it.
struct explained_item {
  std::string pattern;  // "delete_*"
  bool open = false;
  std::vector<std::string> missing_scopes = {};
  std::string would_allow = {};  // "the scopes a b"; "" when nothing that a client could bring
  std::string why = {};          // a near miss, or what beside scopes is asked for
};

struct explained_section {
  std::string name;         // tools, prompts, resources, methods
  bool restricted = false;  // false: there are no rules, and everything is open to who may enter
  std::vector<explained_item> items = {};
};

enum class token_outcome { opens, refused, unclear };

struct token_explanation {
  token_outcome outcome = token_outcome::unclear;
  std::string server, resource;
  std::string authority;  // whose token it was taken for: "this gateway"
  time_point at;
  std::vector<explained_check> checks;
  std::optional<std::size_t> first_cause;  // among `checks`: what the server itself refuses it for
  json::object header, claims;             // of both what may be shown; not verified unless it opens
  std::vector<std::string> claims_not_shown;
  std::vector<std::string> notes;
  std::vector<explained_section> access;  // empty where the claims cannot be read
};

}  // namespace mcp_oauth
