#include "base/json.h"
#include "base/text.h"
#include "library/make_config.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <span>
#include <sstream>

MCP_OAUTH_BEGIN
namespace {

// Names of one setting, as the guides have them: of oauth-mcp-proxy (OAUTH_, OIDC_, JWT_, MCP_), of servers
// made with
// --oauth (OAUTH_ISSUER_URL, OAUTH_AUDIENCE) and of AuthSec's SDK.
constexpr std::array provider_names = {"OAUTH_PROVIDER"};
constexpr std::array issuer_names = {"OAUTH_ISSUER_URL", "OIDC_ISSUER", "OAUTH_ISSUER", "AUTHSEC_ISSUER"};
constexpr std::array audience_names = {"OAUTH_AUDIENCE", "OIDC_AUDIENCE"};
constexpr std::array resource_names = {"MCP_RESOURCE", "MCP_URL", "OAUTH_SERVER_URL", "AUTHSEC_RESOURCE_URI",
                                       "AUTHSEC_RESOURCE"};
constexpr std::array resource_name_names = {"AUTHSEC_RESOURCE_NAME"};
constexpr std::array secret_names = {"JWT_SECRET"};
constexpr std::array jwks_names = {"OAUTH_JWKS_URL", "AUTHSEC_JWKS_URL", "AUTHSEC_JWKS_URI"};
constexpr std::array introspection_names = {"OAUTH_INTROSPECTION_URL", "AUTHSEC_INTROSPECTION_URL",
                                            "AUTHSEC_INTROSPECTION_ENDPOINT"};
constexpr std::array client_id_names = {"OAUTH_INTROSPECTION_CLIENT_ID", "AUTHSEC_INTROSPECTION_CLIENT_ID",
                                        "AUTHSEC_INTROSPECTION_ID"};
constexpr std::array client_secret_names = {"OAUTH_INTROSPECTION_CLIENT_SECRET",
                                            "AUTHSEC_INTROSPECTION_CLIENT_SECRET",
                                            "AUTHSEC_INTROSPECTION_SECRET"};
constexpr std::array mode_names = {"OAUTH_VALIDATION_MODE", "AUTHSEC_VALIDATION_MODE"};
constexpr std::array policy_url_names = {"MCP_OAUTH_POLICY_URL"};
constexpr std::array policy_token_names = {"MCP_OAUTH_POLICY_TOKEN"};

class environment final {
 public:
  environment(const variable_fn& variable, problem_list& problems)
      : variable_(variable), problems_(problems) {}

  // The value under one of the names, out of the file where a name with _FILE says so. Two names with two
  // values are a problem: which one counts would be a guess.
  std::optional<std::string> find(std::span<const char* const> names) {
    std::optional<std::string> found;
    std::string under;
    for (const char* name : names) {
      auto value = one(name);
      if (!value) continue;
      if (found && *found != *value) {
        problems_.add(name, std::string(name) + " and " + under + " are both set, and differ",
                      "remove one of them");
      }
      if (!found) found = std::move(value), under = name;
    }
    return found;
  }

  std::optional<std::string> one(const std::string& name) {
    auto value = variable_(name);
    if (value && !value->empty()) return value;
    auto path = variable_(name + "_FILE");
    if (!path || path->empty()) return std::nullopt;
    std::ifstream file(*path, std::ios::binary);
    // Not by iterators: those throw at a folder, which opens and cannot be read.
    std::ostringstream read;
    if (file.peek() != std::ifstream::traits_type::eof()) read << file.rdbuf();
    if (!file.is_open() || file.bad()) {
      problems_.add(name + "_FILE", "the file cannot be read: " + in_quotes(*path));
      return std::nullopt;
    }
    auto text = std::move(read).str();
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
  }

 private:
  const variable_fn& variable_;
  problem_list& problems_;
};

// A JSON list of texts, or words between spaces or commas.
std::vector<std::string> words_of(std::string text) {
  if (auto parsed = parse_json(text); parsed && parsed->is_array()) {
    std::vector<std::string> words;
    for (const auto& item : parsed->get_array()) {
      if (item.is_string()) words.emplace_back(item.get_string().c_str(), item.get_string().size());
    }
    return words;
  }
  std::replace(text.begin(), text.end(), ',', ' ');
  return split_words(text);
}

void refuse_what_is_not_here(environment& env, problem_list& problems) {
  if (auto mode = env.one("OAUTH_MODE"); mode && *mode != "native") {
    if (*mode == "proxy") {
      problems.add("OAUTH_MODE", "mode proxy is no part of the library",
                   "run the program mcp-oauth-proxy before this server, or set OAUTH_MODE=native");
    } else {
      problems.add("OAUTH_MODE", "mode must be 'native' or 'proxy', got: " + *mode);
    }
  }
  if (auto skip = env.one("OIDC_SKIP_AUDIENCE_CHECK"); skip && (*skip == "true" || *skip == "1")) {
    problems.add("OIDC_SKIP_AUDIENCE_CHECK", "is not honoured: tokens for other servers would be good here",
                 "set OIDC_AUDIENCE to what your tokens have in aud");
  }
  if (auto policy = env.one("AUTHSEC_POLICY_MODE");
      policy && policy->starts_with("remote") && !env.one("MCP_OAUTH_POLICY_URL")) {
    problems.add(
        "AUTHSEC_POLICY_MODE", "a policy of AuthSec's service is not asked for under this name",
        "set MCP_OAUTH_POLICY_URL to where the policy is, or give the rules (AUTHSEC_TOOL_SCOPES_JSON)");
  }
}

}  // namespace

void read_environment(const variable_fn& variable, options& into, problem_list& problems) {
  environment env(variable, problems);
  auto set = [&](std::string& to, std::span<const char* const> names) {
    if (auto value = env.find(names)) to = std::move(*value);
  };
  set(into.provider, provider_names);
  set(into.server.issuer, issuer_names);
  set(into.resource, resource_names);
  set(into.resource_name, resource_name_names);
  set(into.jwt_secret, secret_names);
  set(into.server.jwks_url, jwks_names);
  set(into.server.introspection_url, introspection_names);
  set(into.server.introspection_client_id, client_id_names);
  set(into.server.introspection_client_secret, client_secret_names);
  set(into.server.validation_mode, mode_names);
  set(into.policy_url, policy_url_names);
  set(into.policy_token, policy_token_names);
  if (auto audience = env.find(audience_names)) into.audiences = {std::move(*audience)};
  for (const char* name : {"TOOL_SCOPES_JSON", "AUTHSEC_TOOL_SCOPES_JSON"}) {
    // There a list means any one of its scopes.
    if (auto rules = env.one(name)) read_rules(*rules, name, true, into.tools, problems);
  }
  if (auto scopes = env.one("OAUTH_REQUIRED_SCOPES")) into.scopes = words_of(std::move(*scopes));
  refuse_what_is_not_here(env, problems);
}

MCP_OAUTH_END
