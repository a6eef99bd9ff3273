#pragma once

#include "config/value.h"
#include "policy/rule.h"

#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// The table of tools as one JSON object: {"echo": ["tools:read"], "delete_*": {"any_of": ["a", "b"]}}.
// `of_a_list` is what a bare list asks for; one without scopes lets everybody call who has signed in.
tl::expected<std::vector<access_rule>, config_flaw> tools_of_json(std::string_view text,
                                                                  scopes_needed of_a_list);

}  // namespace mcp_oauth
