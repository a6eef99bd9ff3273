#pragma once

#include "config/config_error.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/nearest_name.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Where a value came from, for messages.
struct config_origin {
  std::string file;  // or "environment", "command line"
  int line = 0;
  std::string key;    // as it is named there
  std::string shown;  // the value, fit for display; "" for a secret
};

// What has been read so far, by concrete path: "upstreams[0].url",
// "providers.corp.client_secret".
struct config_reading {
  config_draft draft;
  std::map<std::string, config_origin> given;
  std::set<std::string> failed;  // given, and wrong: checks that look at it are skipped
  std::vector<config_error> errors;
  std::vector<std::string> warnings;

  bool has(const std::string& path) const { return given.contains(path); }
  bool is_usable(const std::string& path) const { return !failed.contains(path); }

  // The issuer that is written at the top level, made when it is not there yet; nothing, and an error, where
  // there is a list of issuers as well.
  std::optional<std::size_t> only_issuer(const config_origin& from);

  void take(const config_key& key, const std::string& path, std::size_t item, const config_origin& from,
            const std::string& text);
  void take(const config_key& key, const std::string& path, std::size_t item, const config_origin& from,
            const std::vector<std::string>& list);
  void take(const config_key& key, const std::string& path, std::size_t item, const config_origin& from,
            const text_map& map);
  void refuse(const std::string& path, const config_origin& from, config_flaw flaw);
  // About a path that may not have been given: then the error names `file_name`
  // and the path itself.
  void refuse(const std::string& path, const std::string& file_name, config_flaw flaw);
};

// "providers.*.issuer" for item 0 named corp: "providers.corp.issuer";
// "upstreams[].url" for item 1: "upstreams[1].url".
std::string concrete_path(std::string_view key_path, std::string_view name, std::size_t item);

void read_file(const config_input& input, config_reading& into);
void read_environment(const config_input& input, config_reading& into);
void read_flags(const config_input& input, config_reading& into);
// Fills in what follows from other values and makes the checks between keys.
void derive(const config_input& input, config_reading& into);

}  // namespace mcp_oauth
