#pragma once

#include "config/check.h"
#include "config/settings.h"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mcp_oauth {

// The settings while they are being read: what the file may say but only the
// derivation needs is beside them.
struct config_draft : settings {
  std::string mcp_server_url;
  std::string resource;  // of that server
  std::string resource_name;
  std::string policy_mode;         // remote, remote_with_local_fallback, local, open or ""
  std::string resource_server_id;  // of AuthSec, whose policy it names
  bool one_issuer = false;         // issuers[0] was written at the top level
  // A provider at the top level.
  std::string provider;
  std::string client_id;
  secret client_secret;
  std::vector<std::string> scopes;
  std::vector<std::string> redirect_uris;
};

// Where a key's value lives. `item` is the index in the list that the key's
// path goes through, else unused.
template <class T>
using config_place = T& (*)(config_draft&, std::size_t item);

struct checked_only {};  // the value is checked and not kept

// `tools:` and the sections like it, maps with a grammar of their own.
struct rule_place {
  std::vector<access_rule>& rules;
  bool& given;
};
struct rule_table {
  rule_place (*at)(config_draft&, std::size_t item);
  bool takes_arguments = false;  // whether conditions may look at arguments
};
struct scope_table {};  // `policy.scope_hierarchy`, likewise

using config_slot =
    std::variant<checked_only, rule_table, scope_table, config_place<std::string>, config_place<secret>,
                 config_place<bool>, config_place<std::uint16_t>, config_place<std::uint32_t>,
                 config_place<std::uint64_t>, config_place<seconds>, config_place<milliseconds>,
                 config_place<std::vector<std::string>>, config_place<text_map>, config_place<secret_map>>;

enum class config_unit { none, bytes };

// One row per key. Reading the file, the environment and the command line,
// defaults, errors, the dump, the reference and the schema are loops over these
// rows. Defaults are those of a fresh `settings`.
struct config_key {
  std::string_view path;  // "tls.cert_file"; "providers.*.issuer" in a map by
                          // name; "upstreams[].url" in a list
  config_slot slot = checked_only{};
  std::string_view doc = {};   // one sentence
  std::string_view also = {};  // other paths that mean the same, apart by blanks; of a row of issuers[]
                               // the one at the top level, for an issuer that is the only one
  std::string_view environment = {};  // other environment names, after the generated one, apart by blanks;
                                      // '*' is the item's name in capitals
  config_check check = nullptr;       // of the text, or of each element of a list
  std::string_view choices = {};      // the only values, apart by blanks; compared without case
  std::int64_t least = 0;             // of numbers, and of durations in their own unit
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  config_unit unit = config_unit::none;
};

std::span<const config_key> config_keys();

// The row of a path as it stands in the table, under its own or another
// accepted path.
const config_key* find_config_key(std::string_view path);

// `MCP_OAUTH_` and the path in capitals with '_' for everything that is no
// letter or digit: "tls.cert_file" is MCP_OAUTH_TLS_CERT_FILE,
// "providers.corp.issuer" is MCP_OAUTH_PROVIDERS_CORP_ISSUER.
std::string environment_name(std::string_view path);
// Whether the row is of `issuers[]`, and may thus stand at the top level.
inline bool is_of_issuer(const config_key& key) { return key.path.starts_with("issuers[]."); }
// One of a row's other names, for the item of that name: "*_CLIENT_ID" for google is GOOGLE_CLIENT_ID.
std::string environment_name(std::string_view other, std::string_view item_name);

// Puts a value where it belongs, checked. Lists take words apart by commas or
// blanks.
std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const std::string& text);
std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const std::vector<std::string>& list);

// Whether only a file can hold it.
bool has_own_grammar(const config_key& key);

// A map; `check` is of its names.
std::optional<config_flaw> assign(const config_key& key, config_draft& draft, std::size_t item,
                                  const text_map& map);

bool is_list(const config_key& key);
bool is_map(const config_key& key);
bool is_secret(const config_key& key);

}  // namespace mcp_oauth
