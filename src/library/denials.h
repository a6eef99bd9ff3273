#pragma once

#include "base/error.h"
#include "library/names.h"
#include "policy/policy.h"

#include <string>
#include <vector>

MCP_OAUTH_BEGIN

denial deny(errc code, std::string detail = {}, std::vector<std::string> scopes = {}) noexcept;
inline denial deny(const error& why) noexcept { return deny(why.code, why.detail); }
inline denial deny(refusal why) noexcept {
  return deny(why.code, std::move(why.detail), std::move(why.scopes));
}

MCP_OAUTH_END
