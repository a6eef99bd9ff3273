#pragma once

#include "broker/broker_parts.h"

#include <functional>
#include <string>

namespace mcp_oauth {

// The provider's token of a grant, renewed first where it is due (or at once, but not more often than every
// half minute). Of all who ask, in every process at the store, one renews; the others get the token in use
// while it is good, and wait where it is not. A new token is good only once it is stored. While the provider
// does not answer, the old one is used to its end.
//
// Errors: provider_token_absent, when nothing is kept; provider_session_ended and refresh_token_missing, when
// the token cannot be renewed any more: the grant is ended by then; provider_refresh_failed, when it has
// expired, or was to be renewed at once, and the provider cannot be asked now; those of the store.
using access_step = std::function<step(exchange, result<provider_access>)>;
step with_provider_access(broker_parts& parts, exchange x, std::string grant, refresh_when when,
                          access_step then);

// Whether the provider has a say on how long this grant lasts: its token is kept, and is to be renewed. So it
// is, too, of a provider that is no longer configured. Errors: those of the store.
result<bool> renews_for_grant(broker_parts& parts, const std::string& grant, time_point now);

}  // namespace mcp_oauth
