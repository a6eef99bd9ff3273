// The classes of mcp_oauth/config.h and of abi.h.

#include "library/make_config.h"
#include "library/parts.h"
#include "library/safely.h"

#include <cstdlib>

MCP_OAUTH_BEGIN
namespace {

outcome<config, config_problems> made_of(options from, problem_list& problems) {
  auto parts = make_parts(std::move(from), problems);
  if (!parts) return problems.take();
  return config(std::move(parts));
}

// Of a program that has run out of memory while it starts.
config_problems no_memory() noexcept { return {}; }

void take_callbacks(options& into, options& from) {
  into.fetch = std::move(from.fetch);
  into.log = std::move(from.log);
  into.clock = std::move(from.clock);
}

}  // namespace

const char* library_version() noexcept { return MCP_OAUTH_LIBRARY_VERSION; }
int library_abi() noexcept { return MCP_OAUTH_ABI; }

std::string config_problems::text() const {
  std::string first = "invalid config: ", fixes;
  for (const auto& problem : list) {
    if (&problem != &list.front()) first += "; ";
    first += problem.message;
    if (!problem.fix.empty()) fixes += "\n  " + problem.field + ": " + problem.fix;
  }
  return first + fixes;
}

outcome<config, config_problems> config::make(options from) noexcept {
  return safely(
      [&]() -> outcome<config, config_problems> {
        problem_list problems;
        return made_of(std::move(from), problems);
      },
      [] { return no_memory(); });
}

outcome<config, config_problems> config::from_json(std::string_view text, options callbacks) noexcept {
  return safely(
      [&]() -> outcome<config, config_problems> {
        problem_list problems;
        options from;
        read_json(text, from, problems);
        take_callbacks(from, callbacks);
        bool unreadable = problems.size() == 1 && from.server.issuer.empty() && from.resource.empty();
        if (unreadable) return problems.take();  // what could not be read at all is not missing as well
        return made_of(std::move(from), problems);
      },
      [] { return no_memory(); });
}

outcome<config, config_problems> config::from_environment(options callbacks) noexcept {
  return safely(
      [&]() -> outcome<config, config_problems> {
        problem_list problems;
        options from;
        auto variable = [](const std::string& name) -> std::optional<std::string> {
          const char* value = std::getenv(name.c_str());
          return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
        };
        read_environment(variable, from, problems);
        take_callbacks(from, callbacks);
        return made_of(std::move(from), problems);
      },
      [] { return no_memory(); });
}

const std::string& config::resource() const noexcept { return parts_->resource; }
const std::vector<std::string>& config::warnings() const noexcept { return parts_->warnings; }

MCP_OAUTH_END
