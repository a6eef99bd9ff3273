#include "base/text.h"
#include "config/reading.h"
#include "config/tools_json.h"
#include "provider/known_providers.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// Scripts name the program itself by it.
constexpr std::string_view own_program = "MCP_OAUTH_PROXY";

// What the guides have people set for other programs, and what takes its place here.
struct foreign_name {
  std::string_view name, why;
};
constexpr std::string_view exact_redirects =
    "is not used: each client registers redirect URIs of its own, and they are compared exactly";
constexpr foreign_name foreign_names[] = {
    {"OAUTH_FIXED_REDIRECT_URI", exact_redirects},
    {"OAUTH_ALLOWED_CLIENT_REDIRECT_DOMAINS", exact_redirects},
    {"AUTHSEC_PUBLISH_MANIFEST",
     "is not used: the tools of an MCP server are published nowhere; enter them in the policy"},
    {"AUTHSEC_TOOL_SCOPE_SUGGESTIONS_JSON",
     "is not used: what is enforced is tools (AUTHSEC_TOOL_SCOPES_JSON)"},
};
constexpr std::string_view authorization_server = "AUTHSEC_AUTHORIZATION_SERVER";

class environment_reader {
 public:
  environment_reader(const config_input& input, config_reading& into) : input_(input), into_(into) {}

  void read() {
    for (const auto& key : config_keys()) {
      if (has_own_grammar(key)) {
        if (key.path == "tools") tools(key);
        continue;
      }
      auto& draft = into_.draft;
      if (key.path.starts_with("providers.*")) {
        for (std::size_t i = 0; i < draft.providers.size(); ++i) one(key, draft.providers[i].name, i);
      } else if (key.path.starts_with("upstreams[]")) {
        for (std::size_t i = 0; i < draft.upstreams.size(); ++i) one(key, draft.upstreams[i].name, i);
      } else if (key.path.starts_with("clients[]")) {
        for (std::size_t i = 0; i < draft.clients.size(); ++i) one(key, draft.clients[i].client_id, i);
      } else if (is_of_issuer(key)) {
        for (std::size_t i = 0; i < draft.issuers.size(); ++i) one(key, draft.issuers[i].name, i);
        only_issuer(key);
      } else {
        one(key, "", 0);
      }
    }
    for (const auto& known : known_providers()) provider_of_the_environment(known);
    for (const auto& [name, why] : foreign_names) {
      known_.emplace_back(name);
      if (set(std::string(name)))
        into_.warnings.push_back("environment: " + std::string(name) + " " + std::string(why));
    }
    compare_authorization_server();
    for (const auto& name : input_.variables) warn_of_unknown(name);
  }

 private:
  // A misspelt variable would otherwise be a setting that silently has its default.
  void warn_of_unknown(const std::string& name) {
    bool ours = name.starts_with(environment_name("")) && name != own_program;
    if (!ours && !name.starts_with("AUTHSEC_")) return;
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) return;
    if (auto of = provider_meant_by(name); !of.empty()) {
      into_.warnings.push_back("environment: " + displayed(name) +
                               " sets nothing: the file names no provider " + of + " under providers");
      return;
    }
    auto meant = nearest_name(name, known_);
    into_.warnings.push_back("environment: " + displayed(name) + " sets nothing" +
                             (meant.empty() ? "" : " (did you mean " + meant + "?)"));
  }

  // "corp" of MCP_OAUTH_PROVIDERS_CORP_ISSUER; "" of what is no such name.
  static std::string provider_meant_by(std::string_view name) {
    constexpr std::string_view prefix = "MCP_OAUTH_PROVIDERS_", all = "providers.*.";
    if (!name.starts_with(prefix)) return "";
    name.remove_prefix(prefix.size());
    if (name.ends_with("_FILE")) name.remove_suffix(5);
    std::string_view shortest;
    for (const auto& key : config_keys()) {
      if (!key.path.starts_with(all)) continue;
      // "MCP_OAUTH_" of the generated name goes, its "_" stays.
      auto suffix = environment_name(key.path.substr(all.size())).substr(9);
      if (!name.ends_with(suffix) || name.size() == suffix.size()) continue;
      auto rest = name.substr(0, name.size() - suffix.size());
      if (shortest.empty() || rest.size() < shortest.size()) shortest = rest;
    }
    return to_lower(shortest);
  }

  // GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET, and a file that names no provider: that is the provider. Where
  // the file names others they may be for another program, and so may those that need more to be one.
  void provider_of_the_environment(const known_provider& known) {
    auto& draft = into_.draft;
    const std::string name(known.type);
    if (known.title.empty() || input_.standalone_ok || equal_ignoring_case(draft.mode, "native")) return;
    auto named = [&](const provider_settings& p) { return p.name == name || p.type == name; };
    if (made_.empty() && std::any_of(draft.providers.begin(), draft.providers.end(), named)) return;
    auto id = environment_name("*_CLIENT_ID", name), its_secret = environment_name("*_CLIENT_SECRET", name);
    auto is_set = [&](const std::string& variable) { return set(variable) || set(variable + "_FILE"); };
    if (!is_set(id) || !is_set(its_secret)) return;
    const std::string both = "environment: " + id + " and " + its_secret;
    bool elsewhere = into_.has("provider") || into_.has("client_id") || !draft.issuers.empty();
    if (elsewhere) return;
    bool complete = known.speaks == sign_in_protocol::oauth2 ||
                    (!known.issuer.empty() && known.issuer.find('{') == std::string_view::npos) ||
                    is_set(environment_name("providers." + name + ".issuer")) ||
                    is_set(environment_name("*_TENANT_ID", name));
    if (draft.providers.size() != made_.size() || !complete) {
      into_.warnings.push_back(
          both + " set nothing: to sign people in there, name the provider in the file (providers: {" + name +
          (complete ? ": {}})" : ": {issuer: …}})"));
      return;
    }
    draft.providers.emplace_back().name = name;
    made_.push_back(name);
    into_.given["providers." + name] = {"environment", 0, id, ""};
    for (const auto& key : config_keys()) {
      if (key.path.starts_with("providers.*")) one(key, name, draft.providers.size() - 1);
    }
    into_.warnings.push_back(both + " make " + name +
                             " the provider that people sign in with, as the file names none");
  }

  // There the issuer is what stands in iss, and this is where it is reached.
  void compare_authorization_server() {
    known_.emplace_back(authorization_server);
    auto there = set(std::string(authorization_server));
    const auto& issuers = into_.draft.issuers;
    if (!there || issuers.size() != 1 || issuers.front().issuer == *there) return;
    into_.refuse(std::string(authorization_server),
                 {"environment", 0, std::string(authorization_server), displayed(*there)},
                 {"differs from issuer, which is where the authorization server is reached",
                  "set MCP_OAUTH_ISSUER to it, and MCP_OAUTH_TOKEN_ISSUER to what stands in iss"});
  }

  // The key for one item; an item without a name cannot be meant.
  void one(const config_key& key, const std::string& name, std::size_t item) {
    std::string path = concrete_path(key.path, name, item);
    if (path != key.path && name.empty()) return;
    std::string named = path;
    if (auto index = key.path.find("[]"); index != std::string_view::npos) {
      named = std::string(key.path.substr(0, index)) + "." + name + std::string(key.path.substr(index + 2));
    }
    bool settled = variable(key, path, item, environment_name(named));
    if (is_of_issuer(key)) return;  // the other names are those of the top level
    for (const auto& other : split_words(key.environment)) {
      if (!settled) settled = variable(key, path, item, environment_name(other, name));
    }
  }

  // The same for an issuer at the top level, which may not be there yet.
  void only_issuer(const config_key& key) {
    auto names = split_words(key.environment);
    if (!key.also.empty()) names.insert(names.begin(), environment_name(key.also));
    bool settled = false;
    for (const auto& name : names) {
      known_.push_back(name);
      known_.push_back(name + "_FILE");
      if (settled || (!set(name) && !set(name + "_FILE"))) continue;
      settled = true;
      auto item = into_.only_issuer({"environment", 0, name, ""});
      if (item) variable(key, concrete_path(key.path, "", *item), *item, name);
    }
  }

  // The table of tools as JSON. AUTHSEC_TOOL_SCOPES_JSON asks for one scope of each list, MCP_OAUTH_TOOLS for
  // what the file would ask for.
  void tools(const config_key& key) {
    bool settled = tools(environment_name(key.path), scopes_needed::all);
    for (const auto& name : split_words(key.environment)) {
      if (!settled) settled = tools(name, scopes_needed::any);
    }
  }

  bool tools(const std::string& name, scopes_needed of_a_list) {
    known_.push_back(name);
    auto text = set(name);
    if (!text) return false;
    config_origin from{"environment", 0, name, displayed(*text)};
    into_.given["tools"] = from;
    into_.failed.erase("tools");
    auto read = tools_of_json(*text, of_a_list);
    if (!read) {
      into_.refuse("tools", from, read.error());
      return true;
    }
    into_.draft.tools = std::move(*read);
    into_.draft.tools_given = true;
    return true;
  }

  // Whether the variable, or the one that names a file, settled the key.
  bool variable(const config_key& key, const std::string& path, std::size_t item, const std::string& name) {
    known_.push_back(name);
    known_.push_back(name + "_FILE");
    auto direct = set(name), file = set(name + "_FILE");
    if (!direct && !file) return false;
    config_origin from{"environment", 0, file ? name + "_FILE" : name, ""};
    if (direct && file) {
      into_.refuse(path, from, {"is given together with " + name, "keep one of them"});
      return true;
    }
    std::string text = direct ? *direct : "";
    if (file) {
      from.shown = displayed(*file);
      auto content = input_.read_file ? input_.read_file(*file) : fail(errc::file_unreadable);
      if (!content) {
        const auto& detail = content.error().detail;
        std::string why = detail.empty() || detail == *file ? "" : ": " + detail;
        into_.refuse(path, from, {"names a file that cannot be read" + why});
        return true;
      }
      text = std::move(*content);
      while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    } else if (!is_secret(key)) {
      from.shown = displayed(text);
    }
    into_.take(key, path, item, from, text);
    return true;
  }

  std::optional<std::string> set(const std::string& name) const {
    auto value = input_.environment ? input_.environment(name) : std::nullopt;
    return value && !value->empty() ? value : std::nullopt;
  }

  const config_input& input_;
  config_reading& into_;
  std::vector<std::string> known_;  // every name that was looked for
  std::vector<std::string> made_;   // providers that the environment alone has
};

}  // namespace

void read_environment(const config_input& input, config_reading& into) {
  environment_reader(input, into).read();
}

void read_flags(const config_input& input, config_reading& into) {
  for (const auto& [name, text] : input.flags) {
    std::string path = name;
    std::replace(path.begin(), path.end(), '-', '_');
    std::string flag = name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    config_origin from{"command line", 0, "--" + flag, ""};
    const auto* key = path.find_first_of("*[") == std::string::npos ? find_config_key(path) : nullptr;
    auto item = key && is_of_issuer(*key) ? into.only_issuer(from) : std::optional<std::size_t>(0);
    if (!item) continue;
    if (!key || has_own_grammar(*key)) {
      into.refuse(from.key, from, {"is not a key that the command line sets"});
      continue;
    }
    if (!is_secret(*key)) from.shown = displayed(text);
    into.take(*key, concrete_path(key->path, "", *item), *item, from, text);
  }
}

}  // namespace mcp_oauth
