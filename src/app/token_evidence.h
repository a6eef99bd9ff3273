#pragma once

#include "app/issuer_fetch.h"
#include "config/settings.h"
#include "doctor/explain_token.h"

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace mcp_oauth {

// What a deployment knows that decides about a token: for the command that explains one.

// The server that is meant, by its name, by its resource, or else the one that the token itself names; the
// first, with a note, where nothing says which. Errors: parameter_malformed, with those that there are.
struct chosen_server {
  const upstream_settings* server = nullptr;
  std::string note = {};
};
result<chosen_server> choose_server(const settings& conf, const std::string& name,
                                    const std::string& resource, std::string_view token);

// Fills in whose tokens are good, their keys, the server's own verdict, revocation and policy. `fetch` gets
// documents of issuers; with `introspect` also the question about the token itself, which it thereby learns.
// Errors, all of them: what keeps such a deployment from starting.
struct evidence_wanted {
  std::string_view token;  // unwrapped
  time_point at;
  bool introspect = false;
};
tl::expected<token_question, std::vector<error>> gather_evidence(const settings& conf,
                                                                 const upstream_settings& server,
                                                                 const evidence_wanted& wanted,
                                                                 const fetch_fn& fetch);

}  // namespace mcp_oauth
