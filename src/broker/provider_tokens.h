#pragma once

#include "base/secret.h"
#include "broker/world.h"
#include "config/provider_kind.h"
#include "provider/oidc.h"
#include "store/record_store.h"

#include <optional>
#include <string>

namespace mcp_oauth {

// What an identity provider gave for a grant, as far as it is needed: record of kind "provider_token", named
// by the grant, for as long as that, with the tokens sealed.
struct provider_tokens {
  std::string grant;
  std::string provider;
  std::string subject;
  secret access_token;   // empty: no MCP server gets it
  secret refresh_token;  // empty: there is none, or it is not used
  std::string scope;
  std::optional<time_point> expires;  // of the access token; nothing: the provider did not say
  time_point issued;                  // of the access token
  std::optional<time_point> renewed;  // when it was renewed last

  // Who renews it, or, after a failure, waits before the next attempt; nobody else does until then.
  std::optional<time_point> leased_until;
  std::string leased_by;
  std::string failure;  // name of the symptom of the last attempt; "" when it went well

  time_point kept_until;
  std::uint64_t version = 0;
};

// Of a provider's answer to a code, what the plan needs; nothing when that is nothing.
std::optional<provider_tokens> kept_of(const token_plan& plan, const provider_settings& provider,
                                       const token_answer& answer, time_point now);

record to_record(const broker_world& world, const provider_tokens& t);
// Errors: those of the store; store_corrupt and seal_broken when the record cannot be read.
result<std::optional<provider_tokens>> find_provider_tokens(const broker_world& world, std::string_view grant,
                                                            time_point now);

// Adds to `c` that they are kept until then, if there are any and the settings use them.
result<void> keep_provider_tokens(change& c, const broker_world& world, const std::string& grant,
                                  time_point until, time_point now);

// When the access token has to be renewed: a tenth of its lifetime before its end, or `margin`, if that is
// more; but not before half of the lifetime has passed. Nothing: never.
std::optional<time_point> renewal_due(const provider_tokens& t, seconds margin);

// A token that an MCP server may be sent.
struct provider_access {
  std::string provider;
  secret token;                       // empty when none is kept for that
  std::optional<time_point> expires;  // nothing: not known
  time_point good_until;              // not to be used beyond without asking again
  bool renewed = false;               // just now, for this request
  bool renewable = false;             // there is a refresh token
};

enum class refresh_when { due, at_once };

}  // namespace mcp_oauth
