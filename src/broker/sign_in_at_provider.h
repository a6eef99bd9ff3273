#pragma once

#include "base/secret.h"
#include "broker/broker_parts.h"
#include "provider/identity.h"

#include <functional>
#include <memory>

namespace mcp_oauth {

// Writes the login and leads the browser to the identity provider, with a state, a nonce and a PKCE pair of
// our own; fetches the provider's metadata first where that is needed.
step sign_in_at_provider(broker_parts& parts, exchange x, const provider_settings& provider,
                         pending_login login, sign_in_mode mode);

// The provider's metadata, fetched if we have none that is fresh.
// Errors handed on: provider_unreachable, provider_metadata_invalid, provider_issuer_mismatch.
using metadata_step = std::function<step(exchange, result<std::shared_ptr<const provider_metadata>>)>;
step with_provider_metadata(broker_parts& parts, exchange x, const provider_settings& provider,
                            metadata_step then);

// Its keys; fetched again when the token names one that we do not have.
using keys_step = std::function<step(exchange, result<std::shared_ptr<const key_set>>)>;
step with_provider_keys(broker_parts& parts, exchange x, const provider_settings& provider,
                        std::shared_ptr<const provider_metadata> metadata, std::string_view id_token,
                        keys_step then);

// The person as the id token says, completed by the provider's userinfo where the token has no e-mail address
// or no name, or no groups where those decide, and the provider gave the means to ask. What cannot be had is
// noted in the log and left out: userinfo never fails a sign-in.
using person_step = std::function<step(exchange, const identity&)>;
step with_userinfo(exchange x, const provider_settings& provider, const provider_metadata& metadata,
                   const secret& access_token, identity who, person_step then);

// The person whom a plain OAuth 2.0 provider names: its user endpoint, then the list of e-mail addresses and
// memberships where the provider has them and they matter. Only the first can fail the sign-in; what else
// cannot be had is noted in the log, and then lets nobody in. Errors handed on: those of process_user_answer.
using asked_person_step = std::function<step(exchange, result<identity>)>;
step with_user(exchange x, const provider_settings& provider, const provider_metadata& metadata,
               const secret& access_token, asked_person_step then);

}  // namespace mcp_oauth
