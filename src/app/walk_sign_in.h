#pragma once

#include "doctor/examination.h"
#include "doctor/site_facts.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// A whole sign-in at the server, as the bridge does it and with a person in a browser; each hop is told to
// standard error as it happens and comes back as a finding (login.*). Registers a client where the server
// takes registrations, asks the server once with the token, and gives the token back (RFC 7009) where that is
// possible; keeps nothing. Blocks for as long as a person needs, five minutes at most.
std::vector<doctor_finding> walk_sign_in(const site_facts& facts, const std::string& ca_file);

}  // namespace mcp_oauth
