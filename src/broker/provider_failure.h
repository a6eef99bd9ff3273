#pragma once

#include "broker/broker_parts.h"

namespace mcp_oauth {

// Ends a login for which the provider gave an error. Its code and words, in `why.detail`, are looked up in
// the table of what providers say. Where only the operator can mend it, whoever reads pages gets one that
// says what to do here, with a link that tells the client; in all other cases the client is told at once.
// The log gets cause and fix in both.
step answer_with_provider_failure(broker_parts& parts, const exchange& x, const provider_settings& provider,
                                  const approved_access& access, error why);

// The log gets cause and fix where the provider's words are known.
void note_explanation(const exchange& x, const settings& conf, const provider_settings& provider,
                      std::string_view words);

}  // namespace mcp_oauth
