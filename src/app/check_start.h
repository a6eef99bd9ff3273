#pragma once

#include "base/error.h"
#include "base/time.h"
#include "config/settings.h"

#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What was found out about a start that did not happen.
struct start_findings {
  std::vector<std::string> good;      // "Database connection valid"
  std::vector<std::string> notes;     // what a start will make
  std::vector<std::string> warnings;  // a start works, and something is amiss
  std::vector<error> failures;        // a start fails, or what it starts could be used by nobody
  std::vector<error> away;  // what does not answer as it should, with its code; in `warnings` as well
  // URLs of MCP servers as they are configured, and those at which they were found.
  std::vector<std::pair<std::string, std::string>> better_urls;
};

// " (MOP-UPS-001)", behind what is told of it.
std::string code_in_words(errc code);

// Looks at the files and at the port that a start of these settings would use. Makes, changes and migrates
// nothing; the port is held for a moment.
start_findings check_start(const settings& conf);

// Of a guard: what its issuers answer, as a start would ask them. Adds a line for each that can be used, and
// what keeps a start from working.
struct issuer_failure;
void check_issuers(const settings& conf, seconds patience, start_findings& into,
                   std::vector<issuer_failure>& failures);

// Asks policy.url, as a start would.
void check_policy(const settings& conf, seconds patience, start_findings& into);

// Asks every identity provider for its metadata and every MCP server for anything, all at the same time, and
// waits at most as long as `patience`. One warning for each that does not answer as it should; a failure for
// a provider that says it is another issuer than the configured one, with which nobody can ever sign in.
void check_reach(const settings& conf, seconds patience, start_findings& into);

}  // namespace mcp_oauth
