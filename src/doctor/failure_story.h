#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "oauth/redact.h"
#include "symptom/catalogue.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What is kept of a request that failed, for `explain`. It holds no secret: `redact` has seen every text.
struct failure_story {
  // An earlier request of the same login.
  struct step {
    std::string hop;  // "authorize"
    std::string id;   // of the request
    std::int64_t at = 0;
    bool probable = false;  // it came from the same address a little before; no more is known
  };
  // A rule of the policy that decided about the call, or did not.
  struct rule {
    std::string section, pattern;
    bool applies = false;  // its pattern fits the name
    bool denied = false;   // to everybody
    std::vector<std::string> missing_scopes = {}, unmet = {};
    bool allows() const { return applies && !denied && missing_scopes.empty() && unmet.empty(); }
  };

  std::string id;          // of the request, X-Request-Id
  std::int64_t at = 0;     // milliseconds since 1970
  std::string code;        // "MOP-AUD-001"
  bool finished = false;   // the request ended well, with something amiss on its way
  std::string detail;      // what was seen
  std::string cause, fix;  // of this deployment, where they are known; "": those of the catalogue
  std::string action;      // "call", "verify", "metadata", or the endpoint: "authorize", "token", …
  int status = 0;
  std::string method, path, client;  // the address
  std::string user, client_id, issuer, provider, grant;
  std::string mcp_method, mcp_name, upstream;
  std::vector<std::string> scopes;  // that the caller has
  std::vector<rule> rules;
  std::string would_allow;
  std::string login;         // what its requests have in common; "" when it is of none
  std::vector<step> before;  // earlier requests of the login, oldest first

  // The same failure, of the same client, again and again, is one story.
  std::uint64_t count = 1;
  std::int64_t last_at = 0;
  std::vector<std::string> ids;  // the last of the others, the last one last

  // The same login ended well after all: with that request.
  std::string ended_id;
  std::int64_t ended_at = 0;
};

inline constexpr std::size_t most_ids_of_a_story = 64;
inline constexpr std::size_t most_steps_of_a_login = 16;
inline constexpr std::size_t most_rules_of_a_story = 64;
inline constexpr std::size_t most_scopes_of_a_story = 64;
inline constexpr std::size_t longest_text_of_a_story = longest_redacted;

std::string to_data(const failure_story& story);
// Fit to be shown, whatever was written into the record. Errors: store_corrupt.
result<failure_story> story_from(std::string_view data);

// Everything of it fit to be kept: no text is longer than it may be, none holds what looks like a credential.
// Once more changes nothing.
void make_fit(failure_story& story);

// ---- the way of a request

// "gateway", "validation", "token": where something with that code goes wrong, when `action` was asked for.
std::string_view hop_of(const symptom& row, std::string_view action);
// All of them, in the order that a first sign-in and its first call take.
std::span<const std::string_view> all_hops();

struct told_hop {
  enum class verdict { passed, failed, trouble, not_reached };
  std::string hop;
  verdict how = verdict::passed;
  std::string id;       // of its request; "" where that is not known, or there was none
  std::int64_t at = 0;  // 0: likewise
  std::string code, detail;
  bool probable = false;
};

// What the records of sign-ins say of one, whether or not anything failed.
struct sign_in_progress {
  enum class stage { unknown, signing_in, code_given, ended };
  std::string login;
  std::vector<failure_story::step> steps = {};
  stage how = stage::unknown;
  std::int64_t until = 0;  // milliseconds since 1970: then it is over, unless it ended
};

// The whole story of one request, or of the login that it belongs to.
struct told_story {
  std::optional<failure_story> first;  // the first cause; nothing: no failure is kept of this login
  std::vector<told_hop> hops;
  bool is_login = false;
  std::vector<failure_story> later;  // further failures of the same login, in their order
  sign_in_progress::stage how = sign_in_progress::stage::unknown;  // of a login
  std::int64_t until = 0;                                          // likewise
  // The request that was asked about, when it did not fail and is but the probable beginning of all this.
  std::optional<failure_story::step> opening;
};

// The story that the id belongs to, out of what is kept; nothing: of none.
std::optional<told_story> tell_story(std::span<const failure_story> kept,
                                     std::span<const sign_in_progress> sign_ins, std::string_view id);

// Whether that looks like an id of a request.
bool is_request_id(std::string_view text);

// The ids in a text, as people have them: alone, whatever stands around it and in whichever case, or behind
// request_id, X-Request-Id or request in a line of a log, a header or a page, or else anywhere in a single
// line. Each once, at most 16.
std::vector<std::string> request_ids_in(std::string_view text);

}  // namespace mcp_oauth
