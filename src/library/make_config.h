#pragma once

#include "library/names.h"
#include "library/problems.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

MCP_OAUTH_BEGIN

// The parts of a configuration; nothing when `problems` has got one. `problems` may hold some already, of the
// reading that came before.
std::shared_ptr<const config::parts> make_parts(options from, problem_list& problems);

// Options out of JSON. Members that are not there keep what `into` has.
void read_json(std::string_view text, options& into, problem_list& problems);

// Options out of the environment, asked for by name.
using variable_fn = std::function<std::optional<std::string>(const std::string& name)>;
void read_environment(const variable_fn& variable, options& into, problem_list& problems);

// {"pattern": ["scope"] or {"any_of": […]}}: the value of `tools`, and of TOOL_SCOPES_JSON, where a bare list
// is `any` one of them. `field` is for the messages.
void read_rules(std::string_view json_text, std::string_view field, bool any, rule_table& into,
                problem_list& problems);

MCP_OAUTH_END
