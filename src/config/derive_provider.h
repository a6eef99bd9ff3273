#pragma once

#include "config/reading.h"

#include <functional>
#include <string>

namespace mcp_oauth {

// Fills in what follows for one provider from its type, and makes the checks between its keys. `refuse` takes
// a path and what is wrong there. Whether public_url and callback_url fit is checked when both are derived.
using refuse_function = std::function<void(const std::string& path, config_flaw flaw)>;
void derive_provider(provider_settings& p, config_reading& reading, const refuse_function& refuse);

}  // namespace mcp_oauth
