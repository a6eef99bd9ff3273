#pragma once

#include "base/error.h"
#include "config/settings.h"
#include "guard/guard.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// Of the audiences that are the resource of MCP servers here: of which, by their `resource`. Such a one opens
// those alone, be it configured or not; what is no resource of ours is an identifier for all of us.
using resource_audiences = std::map<std::string, std::set<std::string>>;

// What a guard trusts, as its configuration says it.
struct issuer_plan {
  std::vector<trusted_issuer> issuers;
  guard_rules rules;
  resource_audiences resources;                    // among the audiences that the issuers' tokens may have
  std::vector<std::string> authorization_servers;  // where clients sign in
  std::string fingerprint;  // of all that this was made of: the same, and the same is made again
  // The same of each issuer alone: what its keys and its rules are made of.
  std::vector<std::string> issuer_fingerprints;
};

using file_reader_fn = std::function<result<std::string>(const std::string& path)>;

// The issuers of `conf`, with what their files hold, and every mistake that shows only then. Errors:
// config_invalid, file_unreadable, key_malformed, key_weak, each with the key and the file.
tl::expected<issuer_plan, std::vector<error>> plan_issuers(const settings& conf,
                                                           const file_reader_fn& read_file);

// The identifiers of a resource on this machine under every name of the machine, the configured one first: a
// client asks for a token under the name that it uses.
std::vector<std::string> names_of_resource(const std::string& resource);

// Which of the audiences that its issuer's tokens may have count for this resource.
std::vector<std::string> audiences_for(const issuer_rules& issuer, const resource_audiences& resources,
                                       const std::string& resource);

// Whether a token that was good by these rules of its issuer is for this resource. Errors:
// token_audience_mismatch.
result<void> check_for_resource(const verified_token& token, const issuer_rules& issuer,
                                const resource_audiences& resources, const std::string& resource);

}  // namespace mcp_oauth
