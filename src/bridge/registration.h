#pragma once

#include "base/error.h"
#include "base/http.h"
#include "base/time.h"
#include "bridge/kept.h"
#include "bridge/metadata.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// Dynamic registration as a client (RFC 7591).

// What we register as: a native program (`application_type`), with that redirect URI, that refreshes; a
// public client where the server takes one, else one with a secret. No scope is named: some
// servers would hold the client to it, and later it may need more. `settings.client_metadata`, JSON, is laid
// over it; it cannot change the redirect URIs.
http_call registration_request_for(const server_facts& server, const std::string& redirect_uri,
                                   const bridge_sign_in_settings& settings);

// §3.2. `issuer` is who it is kept for. Errors: sign_in_registration_refused with the server's words, for
// every answer that gives no client id.
result<kept_client> read_registration(std::string_view issuer, const std::string& redirect_uri,
                                      const http_answer& answer, time_point now);

}  // namespace mcp_oauth
