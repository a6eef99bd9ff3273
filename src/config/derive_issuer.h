#pragma once

#include "config/derive_provider.h"
#include "config/reading.h"

#include <string>
#include <string_view>

namespace mcp_oauth {

// "native" or "gateway", for what `mode` may say; "" for anything else.
std::string mode_named(std::string_view text);
// jwt, introspection, jwt_and_introspection, either or auto, for all that `validation` may say; "" for
// anything else.
std::string validation_named(std::string_view text);

// Settles whether this is a gateway or a guard, and makes the provider of a gateway out of what stands at the
// top level.
void derive_mode(config_reading& reading, const refuse_function& refuse);

// Fills in what follows for the issuers of a guard, and makes the checks between their keys.
void derive_issuers(config_reading& reading, const refuse_function& refuse);

// Refuses what has no meaning without an authorization server of our own.
void refuse_keys_of_a_gateway(config_reading& reading, const refuse_function& refuse);

}  // namespace mcp_oauth
